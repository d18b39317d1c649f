"""Stopped after any file operation, every transition leaves a legal status, and nothing is lost."""

import os
import re
from functools import partial
from pathlib import Path

import pytest

from guild.ops.opref import parse_opref
from guild.runs import attrs, layout, lifecycle, swap
from guild.runs.lease import Lease
from guild.runs.run import Run, is_run_dir
from guild.runs.status import RunStatus
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_scenes import (
    COMPLETED,
    ERROR,
    RESTAGES,
    RUNNING,
    SCENES,
    STAGED,
    Scene,
    Store,
    had_checkpoint,
)
from tests.runs.lifecycle_world import CHECKPOINT, CTRL_C, FULL_DISK, KILLED, RUN


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
            recovery_stopped = world.stops(store.home.path, second, partial(_the, store), _settle)
            where = f"{scene} stopped at {step}, its recovery at {second}"
            _check(store, scene.seen | scene.settled, where)
            _settle(store)
            _check_settled(store, scene, where)
    assert len(known) > 3


def _the(store: Store) -> Store:
    return store


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
    for old in store.trashed():
        assert (old.path / CHECKPOINT).exists(), f"{where}: {old} in the trash"
        assert old.status().is_ended, where
    if not scene.drops and had_checkpoint(scene):
        kept = [r for r in [*store.runs(), *store.trashed()] if (r.path / CHECKPOINT).exists()]
        assert kept, f"{where}: the user's files are lost"
    run = store.get(RUN)
    if run is None:
        return
    status = run.status()
    if status is STAGED and scene.keeps_place:
        assert run.place() == (-world.PRIORITY, 1, world.STARTED, RUN), where
    if status is ERROR and run.exit_status() is None:
        assert run.attr(layout.REASON), f"{where}: an error without a reason"
    if status is not RUNNING:
        _check_it_can_be_executed(store, run, where)


def _check_it_can_be_executed(store: Store, run: Run, where: str) -> None:
    held = world.claimed(store, run) if run.status() is STAGED else world.restarted(store, run)
    world.executed(store, world.taken_over(store, held))
    assert run.status() is COMPLETED, where
    left = os.listdir(run.guild_dir)
    assert not [n for n in left if n.startswith(".tmp-") or n in (layout.LEASE, layout.LOCK, layout.ORDER)], (
        where
    )
    assert is_run_dir(run.path)
