"""Stopped after any file operation, every transition leaves a legal status, and nothing is lost."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guild.base import processes
from guild.ops.opref import parse_opref
from guild.runs import attrs, layout, lifecycle, swap
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run, is_run_dir
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_world import CHECKPOINT, CTRL_C, FULL_DISK, KILLED, RUN, Held

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


def _of_dead(held: Callable[[Store, processes.ProcessId], Held]) -> Callable[[Store], Run]:
    return lambda store: held(store, world.ended_process()).run


def _stage_in_place(held: lifecycle.Held, run: Run) -> None:
    lifecycle.stage_in_place(held, run, lambda: attrs.write_attr(run.guild_dir, "flags", {"x": 2}))


def _with_namesake_in_trash(store: Store) -> Run:
    world.ended(store, where="trash/runs")
    return world.ended(store)


def _drop(store: Store, run: Run) -> None:
    with lifecycle.locked(store) as held:
        doomed = lifecycle.drop(held, run)
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
        _locked(lifecycle.to_trash),
        {COMPLETED, ABSENT},
        {COMPLETED, ABSENT},
        ABSENT,
    ),
    Scene("drop", world.ended, _drop, {COMPLETED, ABSENT}, {COMPLETED, ABSENT}, ABSENT, drops=True),
    Scene(
        "restore",
        _trashed,
        _locked(lifecycle.restore),
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


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed here, no power is cut."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(params=SCENES, ids=str)
def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene: Scene = request.param
    if not scene.exchange:
        monkeypatch.setattr(swap, "_exchanged", lambda a, b: False)
    return scene


@pytest.mark.parametrize(
    "error", [KILLED, FULL_DISK, CTRL_C], ids=["killed", "on a full disk", "interrupted"]
)
def test_stopped_anywhere_a_transition_leaves_a_legal_status_and_loses_nothing(
    scene: Scene, error: BaseException | None, tmp_path: Path
) -> None:
    step, stopped = 0, True
    while stopped:
        step += 1
        store = world.new_store(tmp_path / f"{step}")
        stopped = _stops(store, scene, step, error)
        where = f"{scene} stopped at {step}"
        if not stopped:
            assert _status(store) is scene.done, where
        _check(store, scene.seen, where)
        _settle(store)
        _check_settled(store, scene, where)
    assert step > 2, "no file operation was seen"


@pytest.mark.parametrize("scene", RESTAGES, ids=str, indirect=True)
def test_a_recovery_may_be_stopped_anywhere_too(scene: Scene, tmp_path: Path) -> None:
    known: set[object] = set()
    step, stopped = 0, True
    while stopped:
        step += 1
        second, recovery_stopped = 0, True
        while recovery_stopped:
            second += 1
            store = world.new_store(tmp_path / f"{step}-{second}")
            stopped = _stops(store, scene, step, KILLED)
            if second == 1 and _is_known(store, known):
                break
            recovery_stopped = world.stops(store.home.path, second, lambda s=store: s, _settle)
            where = f"{scene} stopped at {step}, its recovery at {second}"
            _check(store, scene.seen | scene.settled, where)
            _settle(store)
            _check_settled(store, scene, where)
    assert len(known) > 3


def _is_known(store: Store, known: set[object]) -> bool:
    """Whether recovery has been seen at work on the like: the same directories, status, intent."""
    home = store.home
    listed = [sorted(os.listdir(d)) for d in (home.runs, home.trash, home.staging)]
    kind = re.sub(r"-[0-9a-f]{8}\b|-[0-9a-f-]{14,}", "", repr((listed, _status(store))))
    is_known = kind in known
    known.add(kind)
    return is_known


def _stops(store: Store, scene: Scene, step: int, error: BaseException | None) -> bool:
    return world.stops(
        store.home.path, step, lambda: scene.prepare(store), lambda given: scene.act(store, given), error
    )


def _status(store: Store) -> RunStatus | None:
    run = store.get(RUN)
    return None if run is None else run.status()


def _settle(store: Store) -> None:
    """What every claim begins with."""
    with lifecycle.locked(store) as held:
        for run in store.runs():
            lifecycle.recover(held, run)


def _check(store: Store, legal: set[RunStatus | None], where: str) -> None:
    """At any moment, for everybody."""
    status = _status(store)
    assert status in legal, where
    if status is not None:
        assert world.guild_0_9_status(store.home.runs / RUN) in legal, where
    for run in [*store.runs(), *store.trashed()]:
        parse_opref((run.guild_dir / layout.OPREF).read_text())
        assert type(attrs.read_attr(run.guild_dir, layout.EXIT_STATUS, 0)) is int, where
        lease = run.guild_dir / layout.LEASE
        assert not lease.exists() or Lease.from_bytes(lease.read_bytes()), where
    assert set(store.ids()) <= {RUN}, where


def _check_settled(store: Store, scene: Scene, where: str) -> None:
    """After the next claim of anybody."""
    _check(store, scene.settled, where)
    assert os.listdir(store.home.staging) == [], where
    for run in store.trashed():
        assert (run.path / CHECKPOINT).exists(), f"{where}: {run} in the trash"
        assert run.status().is_ended, where
    run = store.get(RUN)
    if not scene.drops and _had_checkpoint(scene):
        kept = [r for r in [*store.runs(), *store.trashed()] if (r.path / CHECKPOINT).exists()]
        assert kept, f"{where}: the user's files are lost"
    if run is None:
        return
    status = run.status()
    if status is STAGED and scene.keeps_place:
        assert run.place() == (-world.PRIORITY, 1, world.STARTED, RUN), where
    if status is ERROR and run.exit_status() is None:
        assert run.attr(layout.REASON), f"{where}: an error without a reason"
    if status is not RUNNING:
        _check_it_can_be_executed(store, run, where)


def _had_checkpoint(scene: Scene) -> bool:
    return scene.prepare in (world.ended, _restage_ended, _ended_and_lease, _trashed, world.restarted) or (
        scene.prepare is _with_namesake_in_trash
    )


def _check_it_can_be_executed(store: Store, run: Run, where: str) -> None:
    held = world.claimed(store, run) if run.status() is STAGED else world.restarted(store, run)
    world.executed(store, world.taken_over(store, held))
    assert run.status() is COMPLETED, where
    left = os.listdir(run.guild_dir)
    assert not [n for n in left if n.startswith(".tmp-") or n in (layout.LEASE, layout.LOCK, layout.ORDER)], (
        where
    )
    assert is_run_dir(run.path)
