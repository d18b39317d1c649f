"""Every transition as a scene: what is there before, what is done, what may be seen where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guild.base import processes
from guild.runs import attrs, departures, layout, lifecycle, swap
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_world import RUN, Held

Store = RunStore
ALIVE = processes.this_process()  # of the test: it outlives all that it forks
ABSENT = None
STAGED, PENDING, RUNNING = RunStatus.STAGED, RunStatus.PENDING, RunStatus.RUNNING
COMPLETED, ERROR, TERMINATED = RunStatus.COMPLETED, RunStatus.ERROR, RunStatus.TERMINATED


@dataclass(frozen=True)
class Scene:
    """A transition, what may be seen where it stopped (`seen`), after recovery (`settled`), at its end."""

    name: str
    prepare: Callable[[Store], Any]
    act: Callable[[Store, Any], object]
    seen: set[RunStatus | None]
    settled: set[RunStatus | None]
    done: RunStatus | None
    keeps_place: bool = False  # a run that is staged afterwards is so in its old place
    drops: bool = False  # the user's files may go
    exchange: bool = True

    def __str__(self) -> str:
        return self.name


def _locked(act: Callable[[lifecycle.Held, Any], object]) -> Callable[[Store, Any], object]:
    def locked(store: Store, given: Any) -> None:
        with lifecycle.locked(store) as held:
            act(held, given)

    return locked


def _new_run(store: Store) -> Run:
    return world.in_the_making(store, RUN)


def _stage(store: Store, made: Run) -> None:
    try:
        with lifecycle.locked(store) as held:
            lifecycle.stage(held, made)
    finally:
        swap.remove(store, made.path)


def _new_run_to_enter(store: Store) -> Run:
    made = world.in_the_making(store, RUN, status="error")
    lifecycle.mark_new_pending(made, lifecycle.new_lease(store, made, Doing.PREPARING))
    return made


def _enter(store: Store, made: Run) -> None:
    try:
        lifecycle.enter(store, made)
    finally:
        swap.remove(store, made.path)


def _claim(held: lifecycle.Held, given: tuple[Run, Lease]) -> None:
    lifecycle.claim(held, *given)


def _staged_and_lease(store: Store) -> tuple[Run, Lease]:
    run = world.staged(store)
    return run, lifecycle.new_lease(store, run, Doing.CLAIMED)


def _ended_and_lease(store: Store) -> tuple[Run, Lease]:
    run = world.ended(store)
    return run, lifecycle.new_lease(store, run, Doing.PREPARING)


def _take_over(held: lifecycle.Held, given: Held) -> None:
    lifecycle.take_over(held, given.run, given.lease.token, processes.this_process())


def _mark_running(child: processes.ProcessId) -> Callable[[Store, Held], object]:
    return lambda store, h: lifecycle.mark_running(store, h.run, h.lease, child)


def _fail(code: int | None) -> Callable[[Store, Held], object]:
    return lambda store, h: lifecycle.fail(store, h.run, "in vain", code)


def _recover(held: lifecycle.Held, run: Run) -> None:
    lifecycle.recover(held, run)


def _restage_lost(held: lifecycle.Held, run: Run) -> None:
    lifecycle.recover(held, run, restage_lost=True)


def _of_dead(held: Callable[[Store, processes.ProcessId], Held]) -> Callable[[Store], Run]:
    return lambda store: held(store, world.ended_process()).run


def _stage_in_place(held: lifecycle.Held, run: Run) -> None:
    lifecycle.stage_in_place(held, run, lambda: attrs.write_attr(run.guild_dir, "flags", {"x": 2}))


def _with_namesake_in_trash(store: Store) -> Run:
    world.ended(store, where="trash/runs")
    return world.ended(store)


def _drop(store: Store, run: Run) -> None:
    with lifecycle.locked(store) as held:
        doomed = departures.drop(held, run)
    swap.remove(store, doomed)


def _trashed(store: Store) -> Run:
    run = world.ended(store, where="trash/runs")
    (run.guild_dir / layout.LOCK).write_text(str(world.ended_process().pid))
    return run


def _to_restage(run: Callable[[Store], Run], trash_id: str) -> Callable[[Store], Any]:
    def prepare(store: Store) -> Any:
        target = run(store)
        return target, lifecycle.witness(target), world.in_the_making(store), trash_id

    return prepare


def _restage(store: Store, given: tuple[Run, lifecycle.Witness, Run, str]) -> None:
    """As a command does it, with the cleaning up that also follows a failure."""
    made, doomed = given[2], None
    try:
        with lifecycle.locked(store) as held:
            doomed = lifecycle.restage(held, *given)
    finally:
        swap.remove(store, made.path)
        if doomed is not None:
            swap.remove(store, doomed)


def _running(store: Store, holder: processes.ProcessId | None = None) -> Held:
    return world.running(store, world.claimed(store, holder=holder), world.ended_process())


_restage_ended = _to_restage(world.ended, "old")
_restage_staged = _to_restage(world.staged, "")

SCENES = [
    Scene("stage", _new_run, _stage, {ABSENT, STAGED}, {ABSENT, STAGED}, STAGED),
    Scene("enter", _new_run_to_enter, _enter, {ABSENT, PENDING}, {ABSENT, ERROR}, PENDING),
    Scene("claim", _staged_and_lease, _locked(_claim), {STAGED, PENDING}, {STAGED}, PENDING, True),
    Scene("take over", world.claimed, _locked(_take_over), {PENDING}, {STAGED}, PENDING, True),
    Scene("begin", world.claimed, world.begun, {PENDING}, {STAGED, ERROR}, PENDING, True),
    Scene(
        "mark started",
        lambda store: world.begun(store, world.restarted(store)),
        lambda store, h: lifecycle.mark_started(h.run, h.lease, store.clock.now()),
        {PENDING, ERROR},
        {ERROR},
        ERROR,
    ),
    Scene(
        "mark running",
        lambda store: world.started(store, world.claimed(store)),
        _mark_running(world.ended_process()),
        {ERROR},
        {ERROR},
        ERROR,
    ),
    Scene(
        "mark running, the child lives on",
        lambda store: world.started(store, world.claimed(store)),
        _mark_running(ALIVE),
        {ERROR, RUNNING},
        {ERROR, RUNNING},
        RUNNING,
    ),
    Scene(
        "finish",
        _running,
        lambda store, h: lifecycle.finish(store, h.run, 0, lambda: None, "output could not be recorded"),
        {ERROR, COMPLETED},
        {ERROR, COMPLETED},
        COMPLETED,
    ),
    Scene("fail", world.claimed, _fail(None), {PENDING, ERROR}, {STAGED, ERROR}, ERROR, True),
    Scene("stop", world.claimed, _fail(-15), {PENDING, TERMINATED}, {STAGED, TERMINATED}, TERMINATED, True),
    Scene("fail again", world.restarted, _fail(1), {PENDING, ERROR}, {ERROR}, ERROR),
    Scene(
        "release",
        world.claimed,
        _locked(lambda held, h: lifecycle.release(held, h.run, h.lease.token)),
        {PENDING, STAGED},
        {STAGED},
        STAGED,
        True,
    ),
    Scene(
        "recover a claim",
        _of_dead(lambda store, dead: world.claimed(store, holder=dead)),
        _locked(_recover),
        {PENDING, STAGED},
        {STAGED},
        STAGED,
        True,
    ),
    Scene(
        "recover a restart",
        _of_dead(lambda store, dead: world.restarted(store, holder=dead)),
        _locked(_recover),
        {PENDING, ERROR},
        {ERROR},
        ERROR,
    ),
    Scene(
        "recover a start",
        _of_dead(lambda store, dead: world.begun(store, world.claimed(store, holder=dead))),
        _locked(_recover),
        {PENDING, ERROR},
        {ERROR},
        ERROR,
    ),
    Scene("recover an execution", _of_dead(_running), _locked(_recover), {ERROR}, {ERROR}, ERROR),
    Scene(
        "restage a lost start",
        _of_dead(lambda store, dead: world.begun(store, world.claimed(store, holder=dead))),
        _locked(_restage_lost),
        {PENDING, STAGED},
        {ERROR, STAGED},
        STAGED,
        True,
    ),
    Scene(
        "restage a lost execution",
        _of_dead(_running),
        _locked(_restage_lost),
        {ERROR, STAGED},
        {ERROR, STAGED},
        STAGED,
        True,
    ),
    Scene(
        "restart",
        _ended_and_lease,
        _locked(lambda held, given: lifecycle.restart(held, *given)),
        {COMPLETED, PENDING},
        {COMPLETED, ERROR},
        PENDING,
    ),
    Scene(
        "stage in place",
        world.ended,
        _locked(_stage_in_place),
        {COMPLETED, STAGED},
        {COMPLETED, STAGED},
        STAGED,
    ),
    Scene(
        "stage a lost one in place",
        _of_dead(_running),
        _locked(_stage_in_place),
        {ERROR, STAGED},
        {ERROR, STAGED},
        STAGED,
    ),
    Scene(
        "to trash",
        _with_namesake_in_trash,
        _locked(departures.to_trash),
        {COMPLETED, ABSENT},
        {COMPLETED, ABSENT},
        ABSENT,
    ),
    Scene("drop", world.ended, _drop, {COMPLETED, ABSENT}, {COMPLETED, ABSENT}, ABSENT, drops=True),
    Scene(
        "restore",
        _trashed,
        _locked(departures.restore),
        {ABSENT, COMPLETED},
        {ABSENT, COMPLETED},
        COMPLETED,
    ),
    Scene(
        "restage an ended run",
        _restage_ended,
        _restage,
        {COMPLETED, STAGED},
        {COMPLETED, STAGED},
        STAGED,
    ),
    Scene(
        "restage an ended run, two renames",
        _restage_ended,
        _restage,
        {COMPLETED, ABSENT, STAGED},
        {COMPLETED, STAGED},
        STAGED,
        exchange=False,
    ),
    Scene("restage a staged run", _restage_staged, _restage, {STAGED}, {STAGED}, STAGED),
    Scene(
        "restage a staged run, two renames",
        _restage_staged,
        _restage,
        {STAGED, ABSENT},
        {STAGED},
        STAGED,
        exchange=False,
    ),
]
RESTAGES = [s for s in SCENES if s.act is _restage]


def had_checkpoint(scene: Scene) -> bool:
    """Whether there is a file of the user's from the beginning."""
    return scene.prepare in (world.ended, _restage_ended, _ended_and_lease, _trashed, world.restarted) or (
        scene.prepare is _with_namesake_in_trash
    )
