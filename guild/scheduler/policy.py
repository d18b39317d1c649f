"""The decision: which staged runs start now. Pure; its properties are in tests/scheduler/test_policy.py."""

from collections.abc import Collection

from guild.runs.resources import allocation, is_served
from guild.scheduler.model import (
    Decision,
    Hold,
    QueuePolicy,
    Reason,
    Snapshot,
    StagedRun,
    Start,
)


def plan(snapshot: Snapshot, policy: QueuePolicy) -> list[Decision]:
    """One decision for every staged run, in the queue's order.

    A waiting queue starts nothing while a run of somebody else is in progress. Runs whose GPUs this queue
    does not serve and runs whose upstream is still to come are passed over; apart from them, without
    backfill, a run that cannot start holds up all behind it.
    """
    staged = sorted(snapshot.staged, key=lambda r: r.place)
    others = tuple(sorted(a.id for a in snapshot.active if a.in_progress and not a.is_mine))
    if policy.wait_for_running and others:
        return [_passed_over(r, policy) or Hold(r.id, Reason.OTHERS_IN_PROGRESS, others) for r in staged]
    free_slots = policy.slots - sum(a.is_mine for a in snapshot.active)
    in_use = frozenset[str]().union(*(a.gpus or () for a in snapshot.active))
    decisions: list[Decision] = []
    blocked = False
    for run in staged:
        decision = _passed_over(run, policy) or _decide(run, policy, free_slots, in_use, blocked)
        if isinstance(decision, Start):
            free_slots -= 1
            in_use |= decision.gpus or frozenset()
        elif decision.reason in (Reason.NO_FREE_SLOT, Reason.GPU_IN_USE) and not policy.backfill:
            blocked = True
        decisions.append(decision)
    return decisions


def _passed_over(run: StagedRun, policy: QueuePolicy) -> Hold | None:
    if not is_served(run.gpus, policy.gpus):
        return Hold(run.id, Reason.NOT_SERVED)
    return Hold(run.id, Reason.NOT_READY, run.waits_for) if run.waits_for else None


def _decide(
    run: StagedRun, policy: QueuePolicy, free_slots: int, in_use: frozenset[str], blocked: bool
) -> Decision:
    if free_slots <= 0:
        return Hold(run.id, Reason.NO_FREE_SLOT)
    if blocked:
        return Hold(run.id, Reason.BEHIND)
    gpus = allocation(run.gpus, policy.gpus)
    if gpus and gpus & in_use:
        return Hold(run.id, Reason.GPU_IN_USE)
    return Start(run.id, gpus)


def is_idle(decisions: list[Decision], active: Collection[str] = ()) -> bool:
    """Whether nothing that this queue may ever start is staged (what `run-once` leaves by).

    `active`: runs that are in progress. A run that waits for one of these, or for a staged run that may be
    started, may be started itself.
    """
    held = {d.run_id: d for d in decisions if isinstance(d, Hold)}
    hopeless = {run_id for run_id, hold in held.items() if hold.reason is Reason.NOT_SERVED}
    waiting = {run_id: hold.for_runs for run_id, hold in held.items() if hold.reason is Reason.NOT_READY}
    startable = {d.run_id for d in decisions} - hopeless - waiting.keys() | set(active)
    while ready := {r for r, ups in waiting.items() if r not in startable and startable.issuperset(ups)}:
        startable |= ready
    return not startable & {d.run_id for d in decisions}
