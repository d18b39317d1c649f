"""A small model of the life cycle: who does what in which order, with kills, for an exhaustive search.

A process reads and decides in one step and changes one file in each further step; its list of steps is that
of the real code (tests/runs/test_model.py compares them). Reads are whole here: what separate reads
may see is the matter of test_status_interleaving.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.runs.lifecycle_state import (
    ABSENT,
    BEGIN,
    CLAIM_0_9,
    CLAIMS,
    DELETE,
    FAIL_WITH_CODE,
    FAILED,
    FIELDS,
    FINISH,
    FINISH_0_9,
    FINISHED,
    RELEASE,
    RUNNING,
    START,
    START_0_9,
    SWAP,
    SWAP_BY_RENAMES,
    TAKE_OVER,
    UNDER_LOCK,
    UNLOCK,
    Actor,
    Op,
    State,
    Violation,
    claim_lease,
    claiming,
    executing,
    identity_of,
    is_held,
    killed,
    lease_of,
    leaving,
    mending_ops,
    ops,
    restaged_anew,
    status,
    token_of,
    with_actor,
    with_disk,
    witness_of,
)


@dataclass(frozen=True)
class Model:
    """The rules; each of the flags turned off is a fault that the search must find."""

    exchange: bool = True  # renameat2 does
    checks_token: bool = True  # at the take-over
    checks_witness: bool = True  # at the swap
    settles: bool = True  # whoever locks, what a dead maker of a swap left
    clears_under_lock: bool = True  # what is left of an execution that has ended
    spares_0_9: bool = True  # no restage or delete while Guild 0.9 is between PENDING and LOCK

    def successors(self, state: State) -> Iterator[State]:
        for index, actor in enumerate(state.actors):
            if actor.has_ended or actor.at == "none":
                continue
            if actor.todo:
                yield self._do(state, index)
            else:
                yield from getattr(self, "_" + actor.at)(state, index, actor)
            if state.kills:
                yield killed(state, index)
        for child in state.children:
            parent = state.actors[child[0]]
            if parent.at == "wait" or parent.has_ended:
                yield state._replace(children=state.children - {child})

    def _do(self, state: State, index: int) -> State:
        """The next file operation of an actor."""
        actor = state.actors[index]
        (name, run, value), todo = actor.todo[0], actor.todo[1:]
        state = with_actor(state, index, actor._replace(todo=todo))
        if todo[:1] == (UNLOCK,):  # nobody can tell it from an operation later
            state = with_actor(state, index, actor._replace(todo=todo[1:]))._replace(lock=-1)
        disk = state.disks[run]
        if name == "exchange":
            disk = restaged_anew(disk)._replace(intent=True, fresh="old")
        elif name == "in":
            disk = restaged_anew(disk)._replace(intent=True)
        elif name == "away":
            disk = disk._replace(fresh="") if disk.fresh == "old" else disk._replace(where="missing")
        elif name == "deleted":
            disk = disk._replace(where="trash")
        elif name == "swept":
            disk = disk._replace(fresh="")
        elif disk.where != "runs" and not name.endswith("intent"):
            if actor.kind == "0.9":
                return with_actor(state, index, actor._replace(todo=(), at="done"))
            raise Violation(f"{actor.kind} writes {name} where the run is not")
        else:
            field = FIELDS[name.removeprefix("-")]
            changed: dict[str, Any] = {field: ABSENT.get(field) if name[0] == "-" else value}
            disk = disk._replace(**changed)
        return with_disk(state, run, disk)

    # Under the lock.

    def _lock(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Get the lock, and go on to the first operation under it: having it changes nothing by itself."""
        if state.lock >= 0:
            return
        todo = tuple(op for run in range(len(state.disks)) for op in self._to_settle(state, run))
        if actor.kind == "0.9" or not self.settles:
            todo = ()
        actor = actor._replace(at=UNDER_LOCK[actor.kind], todo=todo)
        if actor.kind in ("queue", "delete"):
            actor = actor._replace(run=0)
        state = state._replace(lock=index)
        if todo:
            yield with_actor(state, index, actor)
        else:
            yield from getattr(self, "_" + actor.at)(state, index, actor)

    def _to_settle(self, state: State, run: int) -> tuple[Op, ...]:
        disk = state.disks[run]
        is_made = any(a.kind == "restage" and not a.has_ended for a in state.actors)
        sweep = () if is_made or not disk.fresh else (("swept", run, None),)
        if not disk.intent:
            return sweep
        if disk.where == "missing":
            return (("in", run, None), ("-intent", run, None))
        if disk.fresh == "old":
            return (("away", run, None), ("-intent", run, None))
        return (("-intent", run, None), *sweep)

    def _mend(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Recover what dead holders left, run by run."""
        for run in range(actor.run, len(state.disks)):
            if todo := mending_ops(state, run):
                yield with_actor(state, index, actor._replace(run=run + 1, todo=todo))
                return
        if actor.kind == "queue":
            yield from self._choose(state, index, actor._replace(at="choose", run=0))
        else:
            yield from self._delete(state, index, actor._replace(run=0))

    def _choose(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        staged = [r for r in range(len(state.disks)) if status(state, r) == "staged"]
        for run in staged:
            yield with_actor(state, index, claiming(state, index, actor, run, "spawn"))
        if not staged:
            yield leaving(state, index, actor._replace(at="idle"))

    def _start(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if status(state, 0) == "staged":
            yield with_actor(state, index, claiming(state, index, actor, 0, "begin"))
        else:
            yield leaving(state, index, actor._replace(at="done"))

    def _check(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Take over, if the claim stands."""
        disk = state.disks[actor.run]
        lease = claim_lease(disk)
        stands = lease is not None and lease.token == token_of(index, actor)
        stands = stands and lease is not None and lease.doing == "claimed" and not disk.staged
        if stands or not self.checks_token:
            todo = ops(TAKE_OVER, actor.run, lease=lease_of(index, actor, "claimed"))
            yield leaving(state, index, actor._replace(at="begin", todo=todo))
        else:
            yield leaving(state, index, actor._replace(at="done"))

    def _give_back(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.lock < 0:
            lease = claim_lease(state.disks[actor.run])
            stands = lease is not None and lease.token == (index, actor.life) and lease.doing == "claimed"
            todo = ops(RELEASE, actor.run, staged=True) if stands else ()
            yield leaving(state._replace(lock=index), index, actor._replace(at="idle", todo=todo))

    def _prepare(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Make the new directory, without the lock."""
        seen = witness_of(state)
        if seen[0] in ("staged", "ended", "error"):
            state = with_disk(state, 0, state.disks[0]._replace(fresh="new"))
            yield with_actor(state, index, actor._replace(at="lock", seen=seen))
        else:
            yield with_actor(state, index, actor._replace(at="done"))

    def _swap(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        todo: tuple[Op, ...] = (("swept", 0, None),)
        if self._is_fenced(state):
            return
        if state.disks[0].where == "runs" and (actor.seen == witness_of(state) or not self.checks_witness):
            todo = ops(SWAP if self.exchange else SWAP_BY_RENAMES, 0, intent=True)
        yield leaving(state, index, actor._replace(at="done", todo=todo))

    def _delete(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        now = status(state, 0)
        lease = claim_lease(state.disks[0])
        is_active = now == "running" or (now == "pending" and lease is not None and is_held(state, lease))
        if self._is_fenced(state):
            return
        todo = () if is_active or now == "absent" else ops(DELETE, 0)
        yield leaving(state, index, actor._replace(at="done", todo=todo))

    def _is_fenced(self, state: State) -> bool:
        """Whether Guild 0.9 is at work on a run that no file shows to be in its hands: it is about to write
        LOCK, or the exit status, or to remove LOCK."""
        return self.spares_0_9 and any(
            a.kind == "0.9"
            and a.seen is not None
            and not a.has_ended
            and status(state, a.run) not in ("pending", "running")
            for a in state.actors
        )

    # Without the lock.

    def _idle(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """A queue between two looks; it may leave."""
        yield with_actor(state, index, actor._replace(at="done"))
        if actor.life < CLAIMS:
            yield from self._lock(state, index, actor)

    def _spawn(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        supervisor = Actor("supervisor", "lock", actor.life, actor.run, actor.seen)
        state = with_actor(state, index + 1, supervisor)
        yield with_actor(state, index, actor._replace(at="watch"))

    def _watch(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.actors[index + 1].has_ended:
            lease = claim_lease(state.disks[actor.run])
            is_mine = lease is not None and lease.token == (index, actor.life)
            yield with_actor(state, index, actor._replace(at="give_back" if is_mine else "idle"))

    def _begin(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        begin = ops(BEGIN, actor.run, lease=lease_of(index, actor, "starting"))
        start = ops(START, actor.run, lock=identity_of(index, actor))
        yield with_actor(state, index, actor._replace(at="fork", todo=(*begin, *start)))
        fail = ops(FAIL_WITH_CODE, actor.run, exit_status=True)
        state = state._replace(failed=state.failed | {(actor.run, state.disks[actor.run].generation)})
        yield with_actor(state, index, actor._replace(at="clear_failed", todo=fail))

    def _fork(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        child = (index, actor.life, True)
        lease = lease_of(index, actor, "running")._replace(child=child)
        state = state._replace(children=state.children | {child})
        todo = ops(RUNNING, actor.run, lease=lease, lock=child)
        yield with_actor(state, index, actor._replace(at="gate", todo=todo))

    def _gate(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        yield with_actor(executing(state, actor), index, actor._replace(at="wait"))

    def _wait(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if (index, actor.life, True) not in state.children:
            if actor.kind == "0.9":
                actor = actor._replace(at="done", todo=ops(FINISH_0_9, actor.run, exit_status=True))
            else:
                actor = actor._replace(at="clear", todo=ops(FINISH, actor.run, exit_status=True))
            yield with_actor(state, index, actor)

    def _clear(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        yield from self._clearing(state, index, actor, FINISHED)

    def _clear_failed(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        yield from self._clearing(state, index, actor, FAILED)

    def _clearing(self, state: State, index: int, actor: Actor, names: tuple[str, ...]) -> Iterator[State]:
        """The last files of an execution, under the lock, if they still are of this one."""
        if state.lock >= 0 and self.clears_under_lock:
            return
        disk = state.disks[actor.run]
        is_mine = disk.where == "runs" and disk.lease is not None
        is_mine = is_mine and disk.lease is not None and disk.lease.token == token_of(index, actor)
        todo = ops(names, actor.run) if is_mine or not self.clears_under_lock else ()
        actor = actor._replace(at="done", todo=todo)
        if self.clears_under_lock:
            yield leaving(state._replace(lock=index), index, actor)
        else:
            yield with_actor(state, index, actor)

    # Guild 0.9's queue.

    def _choose_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        for run, disk in enumerate(state.disks):
            if disk.where == "runs" and disk.pending is None and disk.staged:
                todo = (*ops(CLAIM_0_9, run, pending=""), UNLOCK, *ops(START_0_9, run, pending=""))
                going = actor._replace(at="go_0_9", run=run, seen=disk.generation, todo=todo)
                yield with_actor(state, index, going)
        yield leaving(state, index, actor._replace(at="done"))

    def _go_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.disks[actor.run].where != "runs":
            yield with_actor(state, index, actor._replace(at="done"))
            return
        state = executing(state, actor)
        child = (index, actor.life, True)
        state = state._replace(children=state.children | {child})
        yield with_actor(state, index, actor._replace(at="lock_0_9"))

    def _lock_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        todo = ops(("LOCK",), actor.run, lock=(index, actor.life, True))
        yield with_actor(state, index, actor._replace(at="wait", todo=todo))
