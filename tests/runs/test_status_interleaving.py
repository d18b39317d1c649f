"""Whoever reads a status, beside whatever happens to the run, gets one that the run had meanwhile.

Real transitions are recorded: what a reader can see of the run before each file operation (a snapshot).
Then every reading is tried in which each single read comes from a snapshot not older than the read before.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from guild.base import yamlio
from guild.base.processes import ProcessId
from guild.runs import layout, lifecycle, status, swap
from guild.runs import run as run_module
from guild.runs.run import Run
from guild.runs.status import MARKERS, RunStatus, read_status
from guild.runs.store import RunStore
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_world import Held, Trace

T = TypeVar("T")

_READ = (layout.LOCK, layout.LEASE, layout.PENDING)
STAGED, PENDING, RUNNING = RunStatus.STAGED, RunStatus.PENDING, RunStatus.RUNNING
COMPLETED, ERROR, TERMINATED = RunStatus.COMPLETED, RunStatus.ERROR, RunStatus.TERMINATED


@dataclass(frozen=True)
class Snapshot:
    """All that a reader can see at one moment."""

    markers: frozenset[str]
    files: tuple[tuple[str, bytes], ...]
    exit_status: bytes | None
    lock_written: float
    alive: frozenset[ProcessId]


@dataclass
class Stage:
    """The run on disk, the processes around it, and the snapshots so far. The processes are made up."""

    store: RunStore
    me: ProcessId
    path: Path = Path()
    alive: set[ProcessId] = field(default_factory=set)
    snapshots: list[Snapshot] = field(default_factory=list)
    reader: "Reader | None" = None

    def process(self) -> ProcessId:
        """A new process."""
        made = replace(self.me, pid=self.me.pid + 1 + len(self.alive) + len(self.snapshots))
        self.alive.add(made)
        return made

    def dies(self, process: ProcessId) -> None:
        self.take()
        self.alive.discard(process)

    def take(self, event: str = "", path: str = "") -> None:
        guild = self.path / layout.GUILD_DIR
        names = os.listdir(guild) if guild.is_dir() else []
        found = Snapshot(
            frozenset(MARKERS.intersection(names)),
            tuple((n, (guild / n).read_bytes()) for n in _READ if n in names),
            _bytes_of(guild / layout.ATTRS / layout.EXIT_STATUS),
            os.stat(guild / layout.LOCK).st_mtime if layout.LOCK in names else 0,
            frozenset(self.alive),
        )
        if not self.snapshots or self.snapshots[-1] != found:
            self.snapshots.append(found)

    # What the code under test asks for.

    def is_alive(self, process: ProcessId) -> bool:
        if self.reader is not None:
            return self.reader.saw(("alive", process), lambda s: process in s.alive)
        return process in self.alive

    def runs_since(self, pid: int, moment: float) -> bool:
        if self.reader is not None:
            return self.reader.saw(("pid", pid), lambda s: pid in {p.pid for p in s.alive})
        return pid in {p.pid for p in self.alive}

    def stat(self, path: Any) -> Any:
        if self.reader is None:
            return os.stat(path)
        written = self.reader.saw("stat", _lock_written)
        if written is None:
            raise FileNotFoundError(path)
        return SimpleNamespace(st_mtime=written)


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _lock_written(snapshot: Snapshot) -> float | None:
    return snapshot.lock_written if layout.LOCK in snapshot.markers else None


class _Wants(Exception):
    """A read has no snapshot yet. `key`: all that the reader knows by now."""

    def __init__(self, key: object) -> None:
        super().__init__()
        self.key = key


class Reader(Run):
    """The real reader, each of whose reads is answered from a chosen snapshot."""

    def __init__(self, path: Path, snapshots: list[Snapshot], choices: tuple[int, ...]) -> None:
        super().__init__(path)
        self._snapshots, self._choices = snapshots, choices
        self._reads = self._rounds = 0
        self._known: tuple[object, ...] = ()

    def begins_anew(self) -> None:
        """A round of reads begins, which knows nothing of the one before."""
        self._rounds += 1
        self._known = ()

    def saw(self, what: object, read: Callable[[Snapshot], T]) -> T:
        if self._reads == len(self._choices):
            raise _Wants((self._rounds, self._known, what))
        value = read(self._snapshots[self._choices[self._reads]])
        self._reads += 1
        self._known += ((what, value),)
        return value

    def markers(self) -> frozenset[str]:
        return self.saw("markers", lambda s: s.markers)

    def attr(self, name: str, default: Any = None) -> Any:
        assert name == layout.EXIT_STATUS
        data = self.saw(name, lambda s: s.exit_status)
        return default if data is None else yamlio.decode(data)

    def read(self, name: str) -> bytes:
        data = self.saw(name, lambda s: dict(s.files).get(name))
        if data is None:
            raise FileNotFoundError(name)
        return data


def readings(stage: Stage, first: int, last: int) -> Iterator[tuple[int, RunStatus]]:
    """Every reading that begins in snapshot `first` and ends by `last`: (where it ended, what it said)."""
    todo: list[tuple[int, ...]] = [(first,)]
    seen: set[tuple[object, int]] = set()
    while todo:
        choices = todo.pop()
        stage.reader = Reader(stage.path, stage.snapshots, choices)
        try:
            found = read_status(stage.reader)
        except _Wants as wants:
            for at in range(choices[-1], last + 1):
                if (wants.key, at) in seen:
                    break  # and so are those that follow
                seen.add((wants.key, at))
                todo.append((*choices, at))
        else:
            yield choices[-1], found
        finally:
            stage.reader = None


def false_readings(stage: Stage) -> list[tuple[int, int, RunStatus]]:
    """Readings (from, to, status) of what the run never was in between: what an undisturbed reader sees."""
    truth = truths(stage)
    count = len(stage.snapshots)
    return [
        (first, end, said)
        for first in range(count)
        for end, said in readings(stage, first, count - 1)
        if said not in truth[first : end + 1]
    ]


def truths(stage: Stage) -> list[RunStatus]:
    return [next(readings(stage, at, at))[1] for at in range(len(stage.snapshots))]


# Courses of events.


def _claim(stage: Stage, run: Run) -> Held:
    return world.claimed(stage.store, run, holder=stage.process())


def _execute(stage: Stage, held: Held, code: int = 0) -> None:
    """From a claim, or a restart, to the end; the supervisor's process ends thereafter."""
    store, supervisor = stage.store, stage.process()
    with lifecycle.locked(store) as lock:
        lease = lifecycle.take_over(lock, held.run, held.lease.token, supervisor)
    held = world.started(store, Held(held.run, lease))
    stage.take()
    child = stage.process()
    lease = lifecycle.mark_running(store, held.run, held.lease, child)
    stage.dies(child)
    lifecycle.finish(store, held.run, code, lambda: None, "" if code == 0 else "stopped")
    stage.dies(supervisor)


def _restart(stage: Stage, run: Run) -> Held:
    return world.restarted(stage.store, run, holder=stage.process())


def life(stage: Stage, run: Run) -> None:
    _execute(stage, _claim(stage, run))


def executions(*codes: int) -> Callable[[Stage, Run], None]:
    def restart_and_finish(stage: Stage, run: Run) -> None:
        life(stage, run)
        for code in codes:
            _execute(stage, _restart(stage, run), code)

    return restart_and_finish


def claims(stage: Stage, run: Run) -> None:
    held = _claim(stage, run)
    with lifecycle.locked(stage.store) as lock:
        assert lifecycle.release(lock, run, held.lease.token)
    _claim(stage, run)


def recovery(stage: Stage, run: Run) -> None:
    held = _claim(stage, run)
    stage.dies(held.lease.holder)
    with lifecycle.locked(stage.store) as lock:
        assert lifecycle.recover(lock, run)
    life(stage, run)


def staged_in_place(stage: Stage, run: Run) -> None:
    life(stage, run)
    with lifecycle.locked(stage.store) as lock:
        lifecycle.stage_in_place(lock, run, lambda: None)
    life(stage, run)


def restaged(stage: Stage, run: Run) -> None:
    life(stage, run)
    made = world.in_the_making(stage.store)
    with lifecycle.locked(stage.store) as lock:
        lifecycle.restage(lock, run, lifecycle.witness(run), made, "old")
    _claim(stage, run)


def failed(code: int | None) -> Callable[[Stage, Run], None]:
    def fail(stage: Stage, run: Run) -> None:
        life(stage, run)
        _restart(stage, run)
        lifecycle.fail(stage.store, run, "in vain", code)

    return fail


def lost(stage: Stage, run: Run) -> None:
    held = world.running(stage.store, _claim(stage, run), child := stage.process())
    stage.dies(held.lease.holder)
    stage.dies(child)
    with lifecycle.locked(stage.store) as lock:
        assert lifecycle.recover(lock, run)
    _execute(stage, _restart(stage, run))


_LIFE = [STAGED, PENDING, RUNNING, COMPLETED]
_AGAIN = [PENDING, RUNNING]
COURSES: dict[str, tuple[Callable[[Stage, Run], None], list[RunStatus]]] = {
    "a life": (life, _LIFE),
    "a second execution": (executions(0), [*_LIFE, *_AGAIN, COMPLETED]),
    "a second execution, stopped": (executions(-15), [*_LIFE, *_AGAIN, TERMINATED]),
    "a third execution": (executions(-15, 0), [*_LIFE, *_AGAIN, TERMINATED, *_AGAIN, COMPLETED]),
    "claim, release, claim": (claims, [STAGED, PENDING, STAGED, PENDING]),
    "claim, death, recovery": (recovery, [STAGED, PENDING, *_LIFE]),
    "staged in place": (staged_in_place, [*_LIFE, *_LIFE]),
    "restaged": (restaged, [*_LIFE, STAGED, PENDING]),
    "stopped before it began": (failed(-15), [*_LIFE, PENDING, TERMINATED]),
    "could not be started": (failed(None), [*_LIFE, PENDING, ERROR]),
    "lost": (lost, [STAGED, PENDING, RUNNING, ERROR, *_AGAIN, COMPLETED]),
}


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Stage]:
    def recorded(name: str) -> Stage:
        stage = Stage(world.new_store(tmp_path / "home"), replace(world.ended_process(), pid=1_000_000))
        run = world.staged(stage.store)
        stage.path = run.path
        monkeypatch.setattr("guild.runs.lease.is_alive", stage.is_alive)
        monkeypatch.setattr("guild.base.processes.runs_since", stage.runs_since)
        monkeypatch.setattr(
            run_module,
            "os",
            SimpleNamespace(stat=stage.stat, scandir=os.scandir, path=os.path, fspath=os.fspath),
        )
        read_once = status._read_once

        def read_anew(source: Any) -> RunStatus | None:
            if isinstance(source, Reader):
                source.begins_anew()
            return read_once(source)

        monkeypatch.setattr(status, "_read_once", read_anew)
        with Trace(stage.store.home.path, stage.take).listening():
            COURSES[name][0](stage, run)
        stage.take()
        return stage

    return recorded


def course(stage: Stage) -> list[RunStatus]:
    return [each for each, _ in groupby(truths(stage))]


@pytest.mark.parametrize("name", COURSES)
def test_no_reading_gives_a_status_that_the_run_did_not_have_meanwhile(
    name: str, record: Callable[[str], Stage]
) -> None:
    stage = record(name)
    assert course(stage) == COURSES[name][1]
    assert false_readings(stage) == []


def test_where_directories_cannot_be_exchanged_a_restage_is_absent_for_a_moment_and_else_as_it_is(
    record: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_exchanged", lambda a, b: False)
    stage = record("restaged")
    assert course(stage) == [*_LIFE, ERROR, STAGED, PENDING]
    gap = stage.snapshots[truths(stage).index(ERROR)]
    assert (gap.markers, gap.files, gap.exit_status) == (frozenset(), (), None)
    assert false_readings(stage) == []


@pytest.mark.parametrize("name", ["a life", "a second execution", "restaged"])
def test_a_single_look_would_see_errors_that_never_were(
    name: str, record: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = record(name)
    monkeypatch.setattr(status, "READINGS", 1)
    assert {said for _, _, said in false_readings(stage)} == {ERROR}


@pytest.mark.parametrize("name", ["a second execution", "stopped before it began"])
def test_without_the_second_look_the_end_of_what_has_not_begun_would_be_seen(
    name: str, record: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = record(name)
    look = Reader.markers

    def look_once(reader: Reader) -> frozenset[str]:
        if "seen" not in vars(reader):
            vars(reader)["seen"] = look(reader)
        seen: frozenset[str] = vars(reader)["seen"]
        return seen

    begin = Reader.begins_anew

    def forget(reader: Reader) -> None:
        vars(reader).pop("seen", None)
        begin(reader)

    monkeypatch.setattr(Reader, "markers", look_once)
    monkeypatch.setattr(Reader, "begins_anew", forget)
    assert false_readings(stage)
