"""The states of the small model of the life cycle (lifecycle_model.py), and what can be told of one."""

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

CLAIMS = 2  # that a queue makes at most
ENDED = ("done", "dead")
UNDER_LOCK = {"queue": "mend", "delete": "mend", "supervisor": "check", "start": "start"}
UNDER_LOCK |= {"restage": "swap", "0.9": "choose_0_9"}

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
        return not self.todo and self.at in ENDED


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
ABSENT: dict[str, Any] = {"staged": False, "exit_status": False, "intent": False}


UNLOCK: Op = ("unlock", 0, None)


def ops(names: tuple[str, ...], run: int, **values: Any) -> tuple[Op, ...]:
    return tuple((name, run, values.get(FIELDS.get(name, ""))) for name in names)


def with_actor(state: State, index: int, actor: Actor) -> State:
    return state._replace(actors=(*state.actors[:index], actor, *state.actors[index + 1 :]))


def leaving(state: State, index: int, actor: Actor) -> State:
    """It has the lock, and leaves it after what there is to do."""
    if actor.todo:
        return with_actor(state, index, actor._replace(todo=(*actor.todo, UNLOCK)))
    return with_actor(state, index, actor)._replace(lock=-1)


def with_disk(state: State, run: int, disk: Disk) -> State:
    return state._replace(disks=(*state.disks[:run], disk, *state.disks[run + 1 :]))


def killed(state: State, index: int) -> State:
    actor = state.actors[index]
    state = with_actor(state, index, actor._replace(at="dead", todo=()))
    lock = -1 if state.lock == index else state.lock
    return state._replace(lock=lock, kills=state.kills - 1, was_killed=state.was_killed | {actor.kind})


def identity_of(index: int, actor: Actor) -> Identity:
    """A supervisor's slot is used again by the next one; other actors are one process each."""
    return (index, actor.life if actor.kind == "supervisor" else 0, False)


def token_of(index: int, actor: Actor) -> Token:
    return (index - 1 if actor.kind == "supervisor" else index, actor.life)


def lease_of(index: int, actor: Actor, doing: str) -> Lease:
    return Lease(token_of(index, actor), identity_of(index, actor), None, doing)


def claiming(state: State, index: int, actor: Actor, run: int, then: str) -> Actor:
    actor = actor._replace(life=actor.life + 1, run=run, seen=state.disks[run].generation, at=then)
    lease = lease_of(index, actor, "claimed")
    return actor._replace(todo=(*ops(CLAIM, run, lease=lease, pending=lease.token), UNLOCK))


def restaged_anew(disk: Disk) -> Disk:
    return Disk(generation=disk.generation + 1)


def executing(state: State, actor: Actor) -> State:
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


def is_alive(state: State, who: Identity) -> bool:
    index, life, is_child = who
    if is_child:
        return who in state.children
    actor = state.actors[index]
    return not actor.has_ended and (actor.kind != "supervisor" or actor.life == life)


def is_held(state: State, lease: Lease) -> bool:
    return is_alive(state, lease.holder) or (lease.child is not None and is_alive(state, lease.child))


def claim_lease(disk: Disk) -> Lease | None:
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
        return "running" if is_held(state, lease) else "error"
    return "running" if is_alive(state, disk.lock) else "error"


def witness_of(state: State) -> tuple[str, int, object]:
    disk = state.disks[0]
    return status(state, 0), disk.generation, disk.pending


def mending_ops(state: State, run: int) -> tuple[Op, ...]:
    """`lifecycle.recover`."""
    disk = state.disks[run]
    if disk.where != "runs":
        return ()
    if disk.pending is not None:
        lease = claim_lease(disk)
        if lease is None or is_held(state, lease):
            return ()
        return ops(RELEASE if lease.doing == "claimed" else FAIL + FAILED, run, staged=True)
    lease = disk.lease
    if lease is None or disk.staged or status(state, run) != "error" or is_held(state, lease):
        return ()
    return ops(FAIL + FAILED, run) if lease.doing in ("starting", "running") else ()
