"""One critical section: look, decide, claim. Several queues on one home never start a run twice."""

from dataclasses import dataclass

from guild.errors import RunChanged
from guild.runs import layout, lifecycle
from guild.runs.lease import Doing, Lease
from guild.runs.lifecycle import Held
from guild.runs.resources import format_gpus
from guild.runs.run import Run
from guild.runs.store import RunStore
from guild.scheduler.model import Decision, QueuePolicy, Start
from guild.scheduler.observe import Observer
from guild.scheduler.policy import plan


@dataclass(frozen=True)
class Claim:
    """A run that is ours to start."""

    run: Run
    lease: Lease


@dataclass(frozen=True)
class Outcome:
    """What a look at the home led to. `decisions` are those after which nothing more could be claimed."""

    claims: tuple[Claim, ...]
    decisions: tuple[Decision, ...]


def claim_next(
    store: RunStore, observer: Observer, policy: QueuePolicy, queue_id: str, full: bool
) -> Outcome:
    """Claim what may start now. Raises LockTimeout, OSError."""
    with lifecycle.locked(store) as held:
        snapshot = observer.look(held, full)
        while True:
            decisions = plan(snapshot, policy)
            starts = [d for d in decisions if isinstance(d, Start)]
            claims = tuple(c for c in (_claim(held, d, queue_id, observer) for d in starts) if c is not None)
            if len(claims) == len(starts):
                return Outcome(claims, tuple(decisions))
            if claims:  # the rest is for the next look, in a moment
                return Outcome(claims, ())
            # What changed without ringing (by Guild 0.9, by hand) is read again and the plan made anew.
            snapshot = observer.look_again(held, [d.run_id for d in starts])


def _claim(held: Held, decision: Start, queue_id: str, observer: Observer) -> Claim | None:
    run = held.store.get(decision.run_id)
    if run is None:
        return None
    gpus = None if decision.gpus is None else format_gpus(decision.gpus)
    staged = run.int_attr(layout.STARTED) or 0
    lease = lifecycle.new_lease(held.store, run, Doing.CLAIMED, queue=queue_id, gpus=gpus, staged=staged)
    try:
        lifecycle.claim(held, run, lease)
    except RunChanged:
        return None
    except OSError as e:
        observer.set_aside(run.id, f"Run {run.id} cannot be started: {e}")
        return None
    return Claim(run, lease)


def give_back(store: RunStore, claim: Claim) -> bool:
    """Undo a claim that nobody has taken over; whether it still stood."""
    with lifecycle.locked(store) as held:
        return lifecycle.release(held, claim.run, claim.lease.token)


def give_up(store: RunStore, claim: Claim, reason: str) -> None:
    """End a claimed run as an error, if the claim still stands."""
    with lifecycle.locked(store) as held:
        current = claim.run.claim_lease()
        if current is not None and current.token == claim.lease.token:
            lifecycle.fail(store, claim.run, reason, 1, held)
