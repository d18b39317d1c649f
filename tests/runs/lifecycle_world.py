"""Homes with a run in any status, and the file operations of a transition: named, counted, stopped at.

A file operation is what Python audits before it changes the disk, each half of a write, and both sides of
an exchange of directories (which is not audited).
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guild.base.processes import ProcessId, identify
from guild.home import Home
from guild.runs import attrs, layout, lifecycle, swap
from guild.runs.lease import Doing, Lease
from guild.runs.order import Order
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.made_runs import EPOCH, make_run

RUN = "run"
STARTED = EPOCH + 7_000_000
PRIORITY = 3
CHECKPOINT = "checkpoint"  # what the user's own code has written in an ended run

_CHANGING = frozenset(
    f"os.{name}"
    for name in ("rename", "remove", "mkdir", "rmdir", "utime", "link", "symlink", "truncate", "chmod")
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STOPPED = 77
_FAILED = 78


# Runs.


def new_store(root: Path) -> RunStore:
    store = RunStore(Home(root))
    store.create()
    return store


@lru_cache(maxsize=1)
def ended_process() -> ProcessId:
    """A process that has run and is gone."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    process = identify(pid)
    os.close(reader)
    os.close(writer)
    os.waitpid(pid, 0)
    assert process is not None
    return process


def staged(store: RunStore, where: str = "runs") -> Run:
    """A staged run with a priority."""
    run = make_run(store.home.path, RUN, started=STARTED, status="staged", where=where)
    (run.guild_dir / layout.ORDER).write_bytes(Order(STARTED, PRIORITY).to_bytes())
    return run


def ended(store: RunStore, where: str = "runs", status: str = "completed") -> Run:
    """An ended run with a file of the user's and all that an execution leaves."""
    run = make_run(store.home.path, RUN, started=STARTED, status=status, where=where, attrs={"label": "mine"})
    (run.path / CHECKPOINT).write_text("of many hours")
    for name in (layout.OUTPUT, layout.OUTPUT_INDEX, layout.EVENTS_PREFIX + "1"):
        (run.guild_dir / name).write_text("old")
    return run


def in_the_making(store: RunStore, name: str = "fresh", status: str = "staged") -> Run:
    """A run directory in `staging/`, announced by this process."""
    swap.announce(store, name)
    return make_run(store.home.path, name, started=None, status=status, where="staging")


@dataclass
class Held:
    """A run and the lease that somebody has on it."""

    run: Run
    lease: Lease


def claimed(store: RunStore, run: Run | None = None, holder: ProcessId | None = None) -> Held:
    run = run or staged(store)
    lease = lifecycle.new_lease(store, run, Doing.CLAIMED, staged=run.int_attr(layout.STARTED) or 0)
    lease = lease if holder is None else lease.with_(holder=holder)
    with lifecycle.locked(store) as held:
        lifecycle.claim(held, run, lease)
    return Held(run, lease)


def taken_over(store: RunStore, held: Held) -> Held:
    with lifecycle.locked(store) as lock:
        lease = lifecycle.take_over(lock, held.run, held.lease.token, held.lease.holder)
    return Held(held.run, lease)


def restarted(store: RunStore, run: Run | None = None, holder: ProcessId | None = None) -> Held:
    run = run or ended(store)
    lease = lifecycle.new_lease(store, run, Doing.PREPARING)
    lease = lease if holder is None else lease.with_(holder=holder)
    with lifecycle.locked(store) as held:
        lifecycle.restart(held, run, lease)
    return Held(run, lease)


def begun(store: RunStore, held: Held) -> Held:
    return Held(held.run, lifecycle.begin(held.run, held.lease, store.clock.now()))


def started(store: RunStore, held: Held) -> Held:
    held = begun(store, held)
    lifecycle.mark_started(held.run, held.lease, store.clock.now())
    return held


def running(store: RunStore, held: Held, child: ProcessId) -> Held:
    held = started(store, held)
    return Held(held.run, lifecycle.mark_running(store, held.run, held.lease, child))


def executed(store: RunStore, held: Held, code: int = 0) -> None:
    """All the rest of its life, from a claim on."""
    held = running(store, held, ended_process())
    lifecycle.finish(store, held.run, code, lambda: None)


def guild_0_9_status(run_path: Path) -> RunStatus:
    """As Guild 0.9 derives it from the files."""
    guild = run_path / ".guild"
    for name, status in (("LOCK.remote", RunStatus.RUNNING), ("PENDING", RunStatus.PENDING)):
        if (guild / name).exists():
            return status
    if (guild / "STAGED").exists():
        return RunStatus.STAGED
    code = attrs.read_attr(guild, "exit_status")
    if code is not None:
        assert type(code) is int, "Guild 0.9 raises TypeError for anything else"
        return RunStatus.COMPLETED if code == 0 else RunStatus.TERMINATED if code < 0 else RunStatus.ERROR
    try:
        pid = int((guild / "LOCK").read_text()[:10])
    except (OSError, ValueError):
        return RunStatus.ERROR
    return RunStatus.RUNNING if Path(f"/proc/{pid}").exists() else RunStatus.ERROR


# File operations.


def changed_path(event: str, args: tuple[Any, ...], root: str) -> str | None:
    """What an audited event is about to change below `root` (of a rename: its target); None for others."""
    if event == "open":
        path, _mode, flags = args
        fd = -1
        if not isinstance(flags, int) or not flags & _WRITES:
            return None
    elif event in _CHANGING:
        path, fd = (args[1], args[3]) if event == "os.rename" else (args[0], args[-1])
    else:
        return None
    if isinstance(path, int):
        return None
    text = os.fsdecode(path)
    inside = text.startswith(root) or (not os.path.isabs(text) and isinstance(fd, int) and fd >= 0)
    return text if inside else None


@dataclass
class Steps:
    """Counts file operations in this process, and at the one with number `last` ends it, or lets the
    operation fail (`error`)."""

    root: str
    last: int
    error: BaseException | None = None
    count: int = 0

    def watch(self) -> None:
        real_write, real_exchange = os.write, swap._exchanged

        def write(fd: int, data: Any) -> int:
            self.step()
            half = len(data) // 2
            if half == 0:
                return real_write(fd, data)
            return real_write(fd, data[:half])  # whoever writes all of it comes again with the rest

        def exchange(a: Path, b: Path) -> bool:
            self.step()
            done = real_exchange(a, b)
            self.step()
            return done

        os.write, os.fsync = write, lambda fd: None
        swap._exchanged = exchange
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if changed_path(event, args, self.root) is not None:
            self.step()

    def step(self) -> None:
        self.count += 1
        if self.count == self.last:
            if self.error is None:
                os._exit(_STOPPED)
            raise self.error


KILLED = None
FULL_DISK = OSError(errno.ENOSPC, "No space left on device")
CTRL_C = KeyboardInterrupt()


def stops(
    root: Path,
    last: int,
    prepare: Callable[[], Any],
    act: Callable[[Any], object],
    error: BaseException | None = KILLED,
) -> bool:
    """Do `act(prepare())` in a process of its own that comes to operation `last` of `act` and no further;
    False if it was done before that."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _in_child(Steps(os.fspath(root), last, error), prepare, act)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, _STOPPED, _FAILED), f"stopped at {last}: the child ended with {code}"
    return code != 0


def _in_child(steps: Steps, prepare: Callable[[], Any], act: Callable[[Any], object]) -> int:
    given = prepare()
    steps.watch()
    try:
        act(given)
    except BaseException as e:
        if steps.error is None or not isinstance(e, type(steps.error)):
            raise
    return _FAILED if steps.count >= steps.last else 0


class Trace:
    """The names of what is changed below a directory, while `listening`; one hook for the whole session,
    because Python cannot take one away."""

    _current: "Trace | None" = None
    _hooked = False

    def __init__(self, root: Path, before: Callable[[str, str], None]) -> None:
        """`before(event, path)` is called before each operation."""
        self._root = os.fspath(root)
        self._before = before

    @contextmanager
    def listening(self) -> Iterator[None]:
        if not Trace._hooked:
            sys.addaudithook(Trace._hear)
            Trace._hooked = True
        Trace._current = self
        try:
            yield
        finally:
            Trace._current = None

    @staticmethod
    def _hear(event: str, args: tuple[Any, ...]) -> None:
        trace = Trace._current
        if trace is None:
            return
        path = changed_path(event, args, trace._root)
        if path is not None:
            trace._before(event, path)
