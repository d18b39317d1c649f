"""A small model of the life cycle: who does what in which order, with kills, for an exhaustive search.

A process reads and decides in one step and changes one file in each further step; its list of steps is that
of the real code (tests/runs/test_model.py compares them). Reads are whole here: what separate reads
may see is the matter of test_status_interleaving.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

# File operations in their order; "-": away.
CLAIM = ("lease.json", "PENDING", "-STAGED")
TAKE_OVER = ("lease.json",)
BEGIN = ("lease.json",)
START = ("-exit_status", "LOCK", "-PENDING")
RUNNING = ("lease.json", "LOCK")
FINISH = ("exit_status",)
FINISHED = ("-LOCK", "-lease.json")
FAIL = ("-exit_status", "-STAGED", "-LOCK")
FAIL_WITH_CODE = ("exit_status", "-STAGED", "-LOCK")
FAILED = ("-PENDING", "-lease.json")
RELEASE = ("STAGED", "-PENDING", "-lease.json")
SWAP = ("intent", "exchange", "away", "-intent")
SWAP_BY_RENAMES = ("intent", "away", "in", "-intent")
DELETE = ("deleted",)
CLAIM_0_9 = ("PENDING", "-STAGED")
START_0_9 = ("PENDING", "-STAGED", "-PENDING")
FINISH_0_9 = ("exit_status", "-LOCK")

_CLAIMS = 2  # that a queue makes at most
_ENDED = ("done", "dead")
_UNDER_LOCK = {"queue": "mend", "delete": "mend", "supervisor": "check", "start": "start"}
_UNDER_LOCK |= {"restage": "swap", "0.9": "choose_0_9"}

Identity = tuple[int, int, bool]  # actor, which of its lives, whether it is the operation's process
Token = tuple[int, int]  # actor, which of its claims
Op = tuple[str, int, Any]


class Violation(AssertionError):
    """Something that must never be."""


class Lease(NamedTuple):
    token: Token
    holder: Identity
    child: Identity | None
    doing: str


class Disk(NamedTuple):
    """One run's directory; `fresh` is what lies in `staging/` for its restage: "new", "old" or ""."""

    where: str = "runs"
    generation: int = 1  # one more with each restage
    staged: bool = True
    pending: Token | str | None = None  # "" is Guild 0.9's
    lease: Lease | None = None
    lock: Identity | None = None
    exit_status: bool = False
    intent: bool = False
    fresh: str = ""


class Actor(NamedTuple):
    """A process. `todo` comes before what `at` stands for."""

    kind: str
    at: str
    life: int = 0
    run: int = 0
    seen: Any = None  # the generation it claimed; the witness of a restage
    todo: tuple[Op, ...] = ()

    @property
    def has_ended(self) -> bool:
        return not self.todo and self.at in _ENDED


class State(NamedTuple):
    disks: tuple[Disk, ...]
    actors: tuple[Actor, ...]
    kills: int
    lock: int = -1  # which actor has the lock of the home
    children: frozenset[Identity] = frozenset()  # operations' processes that live
    executed: frozenset[tuple[int, int]] = frozenset()  # run, generation
    failed: frozenset[tuple[int, int]] = frozenset()  # those that could not be started
    was_killed: frozenset[str] = frozenset()  # kinds of actors


FIELDS = {"lease.json": "lease", "PENDING": "pending", "STAGED": "staged", "LOCK": "lock"}
FIELDS |= {"exit_status": "exit_status", "intent": "intent"}
_ABSENT: dict[str, Any] = {"staged": False, "exit_status": False, "intent": False}


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
                yield _killed(state, index)
        for child in state.children:
            parent = state.actors[child[0]]
            if parent.at == "wait" or parent.has_ended:
                yield state._replace(children=state.children - {child})

    def _do(self, state: State, index: int) -> State:
        """The next file operation of an actor."""
        actor = state.actors[index]
        (name, run, value), todo = actor.todo[0], actor.todo[1:]
        state = _with_actor(state, index, actor._replace(todo=todo))
        if todo[:1] == (_UNLOCK,):  # nobody can tell it from an operation later
            state = _with_actor(state, index, actor._replace(todo=todo[1:]))._replace(lock=-1)
        disk = state.disks[run]
        if name == "exchange":
            disk = _new(disk)._replace(intent=True, fresh="old")
        elif name == "in":
            disk = _new(disk)._replace(intent=True)
        elif name == "away":
            disk = disk._replace(fresh="") if disk.fresh == "old" else disk._replace(where="missing")
        elif name == "deleted":
            disk = disk._replace(where="trash")
        elif name == "swept":
            disk = disk._replace(fresh="")
        elif disk.where != "runs" and not name.endswith("intent"):
            if actor.kind == "0.9":
                return _with_actor(state, index, actor._replace(todo=(), at="done"))
            raise Violation(f"{actor.kind} writes {name} where the run is not")
        else:
            field = FIELDS[name.removeprefix("-")]
            disk = disk._replace(**{field: _ABSENT.get(field) if name[0] == "-" else value})
        return _with_disk(state, run, disk)

    # Under the lock.

    def _lock(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Get the lock, and go on to the first operation under it: having it changes nothing by itself."""
        if state.lock >= 0:
            return
        todo = tuple(op for run in range(len(state.disks)) for op in self._to_settle(state, run))
        if actor.kind == "0.9" or not self.settles:
            todo = ()
        actor = actor._replace(at=_UNDER_LOCK[actor.kind], todo=todo)
        if actor.kind in ("queue", "delete"):
            actor = actor._replace(run=0)
        state = state._replace(lock=index)
        if todo:
            yield _with_actor(state, index, actor)
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
            if todo := _mending(state, run):
                yield _with_actor(state, index, actor._replace(run=run + 1, todo=todo))
                return
        if actor.kind == "queue":
            yield from self._choose(state, index, actor._replace(at="choose", run=0))
        else:
            yield from self._delete(state, index, actor._replace(run=0))

    def _choose(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        staged = [r for r in range(len(state.disks)) if status(state, r) == "staged"]
        for run in staged:
            yield _with_actor(state, index, _claiming(state, index, actor, run, "spawn"))
        if not staged:
            yield _left(state, index, actor._replace(at="idle"))

    def _start(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if status(state, 0) == "staged":
            yield _with_actor(state, index, _claiming(state, index, actor, 0, "begin"))
        else:
            yield _left(state, index, actor._replace(at="done"))

    def _check(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Take over, if the claim stands."""
        disk = state.disks[actor.run]
        lease = _claim_lease(disk)
        stands = lease is not None and lease.token == _token(index, actor)
        stands = stands and lease is not None and lease.doing == "claimed" and not disk.staged
        if stands or not self.checks_token:
            todo = _ops(TAKE_OVER, actor.run, lease=_lease(index, actor, "claimed"))
            yield _left(state, index, actor._replace(at="begin", todo=todo))
        else:
            yield _left(state, index, actor._replace(at="done"))

    def _give_back(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.lock < 0:
            lease = _claim_lease(state.disks[actor.run])
            stands = lease is not None and lease.token == (index, actor.life) and lease.doing == "claimed"
            todo = _ops(RELEASE, actor.run, staged=True) if stands else ()
            yield _left(state._replace(lock=index), index, actor._replace(at="idle", todo=todo))

    def _prepare(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        """Make the new directory, without the lock."""
        seen = _witness(state)
        if seen[0] in ("staged", "ended", "error"):
            state = _with_disk(state, 0, state.disks[0]._replace(fresh="new"))
            yield _with_actor(state, index, actor._replace(at="lock", seen=seen))
        else:
            yield _with_actor(state, index, actor._replace(at="done"))

    def _swap(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        todo: tuple[Op, ...] = (("swept", 0, None),)
        if self._is_fenced(state):
            return
        if state.disks[0].where == "runs" and (actor.seen == _witness(state) or not self.checks_witness):
            todo = _ops(SWAP if self.exchange else SWAP_BY_RENAMES, 0, intent=True)
        yield _left(state, index, actor._replace(at="done", todo=todo))

    def _delete(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        now = status(state, 0)
        lease = _claim_lease(state.disks[0])
        is_active = now == "running" or (now == "pending" and lease is not None and _is_held(state, lease))
        if self._is_fenced(state):
            return
        todo = () if is_active or now == "absent" else _ops(DELETE, 0)
        yield _left(state, index, actor._replace(at="done", todo=todo))

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
        yield _with_actor(state, index, actor._replace(at="done"))
        if actor.life < _CLAIMS:
            yield from self._lock(state, index, actor)

    def _spawn(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        supervisor = Actor("supervisor", "lock", actor.life, actor.run, actor.seen)
        state = _with_actor(state, index + 1, supervisor)
        yield _with_actor(state, index, actor._replace(at="watch"))

    def _watch(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.actors[index + 1].has_ended:
            lease = _claim_lease(state.disks[actor.run])
            is_mine = lease is not None and lease.token == (index, actor.life)
            yield _with_actor(state, index, actor._replace(at="give_back" if is_mine else "idle"))

    def _begin(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        begin = _ops(BEGIN, actor.run, lease=_lease(index, actor, "starting"))
        start = _ops(START, actor.run, lock=_me(index, actor))
        yield _with_actor(state, index, actor._replace(at="fork", todo=(*begin, *start)))
        fail = _ops(FAIL_WITH_CODE, actor.run, exit_status=True)
        state = state._replace(failed=state.failed | {(actor.run, state.disks[actor.run].generation)})
        yield _with_actor(state, index, actor._replace(at="clear_failed", todo=fail))

    def _fork(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        child = (index, actor.life, True)
        lease = _lease(index, actor, "running")._replace(child=child)
        state = state._replace(children=state.children | {child})
        todo = _ops(RUNNING, actor.run, lease=lease, lock=child)
        yield _with_actor(state, index, actor._replace(at="gate", todo=todo))

    def _gate(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        yield _with_actor(_execute(state, actor), index, actor._replace(at="wait"))

    def _wait(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if (index, actor.life, True) not in state.children:
            if actor.kind == "0.9":
                actor = actor._replace(at="done", todo=_ops(FINISH_0_9, actor.run, exit_status=True))
            else:
                actor = actor._replace(at="clear", todo=_ops(FINISH, actor.run, exit_status=True))
            yield _with_actor(state, index, actor)

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
        is_mine = is_mine and disk.lease is not None and disk.lease.token == _token(index, actor)
        todo = _ops(names, actor.run) if is_mine or not self.clears_under_lock else ()
        actor = actor._replace(at="done", todo=todo)
        if self.clears_under_lock:
            yield _left(state._replace(lock=index), index, actor)
        else:
            yield _with_actor(state, index, actor)

    # Guild 0.9's queue.

    def _choose_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        for run, disk in enumerate(state.disks):
            if disk.where == "runs" and disk.pending is None and disk.staged:
                todo = (*_ops(CLAIM_0_9, run, pending=""), _UNLOCK, *_ops(START_0_9, run, pending=""))
                going = actor._replace(at="go_0_9", run=run, seen=disk.generation, todo=todo)
                yield _with_actor(state, index, going)
        yield _left(state, index, actor._replace(at="done"))

    def _go_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        if state.disks[actor.run].where != "runs":
            yield _with_actor(state, index, actor._replace(at="done"))
            return
        state = _execute(state, actor)
        child = (index, actor.life, True)
        state = state._replace(children=state.children | {child})
        yield _with_actor(state, index, actor._replace(at="lock_0_9"))

    def _lock_0_9(self, state: State, index: int, actor: Actor) -> Iterator[State]:
        todo = _ops(("LOCK",), actor.run, lock=(index, actor.life, True))
        yield _with_actor(state, index, actor._replace(at="wait", todo=todo))


_UNLOCK: Op = ("unlock", 0, None)


def _ops(names: tuple[str, ...], run: int, **values: Any) -> tuple[Op, ...]:
    return tuple((name, run, values.get(FIELDS.get(name, ""))) for name in names)


def _with_actor(state: State, index: int, actor: Actor) -> State:
    return state._replace(actors=(*state.actors[:index], actor, *state.actors[index + 1 :]))


def _left(state: State, index: int, actor: Actor) -> State:
    """It has the lock, and leaves it after what there is to do."""
    if actor.todo:
        return _with_actor(state, index, actor._replace(todo=(*actor.todo, _UNLOCK)))
    return _with_actor(state, index, actor)._replace(lock=-1)


def _with_disk(state: State, run: int, disk: Disk) -> State:
    return state._replace(disks=(*state.disks[:run], disk, *state.disks[run + 1 :]))


def _killed(state: State, index: int) -> State:
    actor = state.actors[index]
    state = _with_actor(state, index, actor._replace(at="dead", todo=()))
    lock = -1 if state.lock == index else state.lock
    return state._replace(lock=lock, kills=state.kills - 1, was_killed=state.was_killed | {actor.kind})


def _me(index: int, actor: Actor) -> Identity:
    """A supervisor's slot is used again by the next one; other actors are one process each."""
    return (index, actor.life if actor.kind == "supervisor" else 0, False)


def _token(index: int, actor: Actor) -> Token:
    return (index - 1 if actor.kind == "supervisor" else index, actor.life)


def _lease(index: int, actor: Actor, doing: str) -> Lease:
    return Lease(_token(index, actor), _me(index, actor), None, doing)


def _claiming(state: State, index: int, actor: Actor, run: int, then: str) -> Actor:
    actor = actor._replace(life=actor.life + 1, run=run, seen=state.disks[run].generation, at=then)
    lease = _lease(index, actor, "claimed")
    return actor._replace(todo=(*_ops(CLAIM, run, lease=lease, pending=lease.token), _UNLOCK))


def _new(disk: Disk) -> Disk:
    return Disk(generation=disk.generation + 1)


def _execute(state: State, actor: Actor) -> State:
    """The operation begins: the moment that may come once only."""
    disk = state.disks[actor.run]
    now = (actor.run, disk.generation)
    if disk.where != "runs":
        raise Violation(f"{actor.kind} executes a run that is {disk.where}")
    if disk.generation != actor.seen:
        raise Violation(f"{actor.kind} executes what it has not claimed: the run was restaged")
    if now in state.executed:
        raise Violation("a run is executed twice")
    return state._replace(executed=state.executed | {now})


def _is_alive(state: State, who: Identity) -> bool:
    index, life, is_child = who
    if is_child:
        return who in state.children
    actor = state.actors[index]
    return not actor.has_ended and (actor.kind != "supervisor" or actor.life == life)


def _is_held(state: State, lease: Lease) -> bool:
    return _is_alive(state, lease.holder) or (lease.child is not None and _is_alive(state, lease.child))


def _claim_lease(disk: Disk) -> Lease | None:
    if disk.where != "runs" or disk.lease is None or disk.lease.token != disk.pending:
        return None
    return disk.lease


def status(state: State, run: int) -> str:
    disk = state.disks[run]
    if disk.where != "runs":
        return "absent"
    if disk.pending is not None:
        return "pending"
    if disk.staged:
        return "staged"
    if disk.exit_status:
        return "ended"
    lease = disk.lease
    if disk.lock is None:
        return "error"
    if lease is not None and disk.lock in (lease.holder, lease.child):
        return "running" if _is_held(state, lease) else "error"
    return "running" if _is_alive(state, disk.lock) else "error"


def _witness(state: State) -> tuple[str, int, object]:
    disk = state.disks[0]
    return status(state, 0), disk.generation, disk.pending


def _mending(state: State, run: int) -> tuple[Op, ...]:
    """`lifecycle.recover`."""
    disk = state.disks[run]
    if disk.where != "runs":
        return ()
    if disk.pending is not None:
        lease = _claim_lease(disk)
        if lease is None or _is_held(state, lease):
            return ()
        return _ops(RELEASE if lease.doing == "claimed" else FAIL + FAILED, run, staged=True)
    lease = disk.lease
    if lease is None or disk.staged or status(state, run) != "error" or _is_held(state, lease):
        return ()
    return _ops(FAIL + FAILED, run) if lease.doing in ("starting", "running") else ()
