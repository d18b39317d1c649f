"""End a run that is running or about to: ask its supervisor, which ends the tree and records that.

Where there is no supervisor (it was killed; the run is Guild 0.9's), end the tree from here and record it.
No process is ever signalled but one whose identity is on record, or that began before its LOCK was written.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from guild.base.processes import (
    ProcessId,
    descendants,
    identify,
    is_alive,
    is_local,
    kill_all,
    runs_since,
    signal_process,
)
from guild.errors import STATUS_STOPPED, GuildError
from guild.launch.spec import QUEUE_GRACE, STOP_GRACE
from guild.runs import layout, lifecycle
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run, is_run_dir
from guild.runs.status import RunStatus
from guild.runs.store import RunStore

BEFORE_IT_BEGAN = "stopped before it began"
WITHOUT_SUPERVISOR = "stopped; its supervisor was gone"
WITH_ITS_STARTER = "stopped with the run that had started it"
_LATE = 20.0  # seconds that a supervisor gets beyond the grace, to record the end
_REST_LATER = 5.0  # seconds that a process gets to end those below it itself
_OTHERS_RECORD = 5.0  # seconds that Guild 0.9 gets to record the end of its run
_POLL = 0.05
_READY_TO_DRAIN = 10.0


class CannotStop(GuildError):
    """Nothing on this machine can end this run; the message says why."""


@dataclass
class Stopping:
    """A run that was asked to end. `pid` is who was asked; None where nobody had to be."""

    store: RunStore
    run: Run
    pid: int | None = None
    deadline: float = 0.0  # monotonic time at which we stop waiting
    _execution: "_Execution | None" = None
    _asked: ProcessId | None = None
    _tree: "_Tree | None" = None
    _inner: "Sequence[tuple[Run, _Execution]]" = ()  # of Guild 0.9, in the same tree of processes

    def has_ended(self) -> bool:
        """Look again, and do what is due. Whether the run is neither running nor about to."""
        if not is_run_dir(self.run.path):
            return True
        # Who ends a run records that before it goes: so first ask whether it is gone, then read the status.
        if self._tree is not None:
            return self._tree.is_gone() and self._record_without_supervisor(self.run.status())
        if self._asked is None or is_alive(self._asked):
            return not is_active(self.run, self.run.status())
        return self._after_the_supervisor()

    def _after_the_supervisor(self) -> bool:
        """Who was asked is gone. Had it recorded the end, there is nothing left to do."""
        status, lease = self.run.status(), self.run.lease()
        child = lease.child if lease is not None else None
        if status is RunStatus.RUNNING and child is not None and is_alive(child):
            grace = max(0.0, self.deadline - time.monotonic() - _LATE)
            self._tree = _ask_tree(child, grace, records_itself=False)
            return False
        if is_active(self.run, status):
            pending = status is RunStatus.PENDING
            reason = BEFORE_IT_BEGAN if pending else WITHOUT_SUPERVISOR
            _record_stopped(self.store, self.run, self._execution, reason)
        elif status is RunStatus.ERROR and self.run.exit_status() is None:
            _record_stopped(self.store, self.run, self._execution, WITHOUT_SUPERVISOR)
        return True

    def _record_without_supervisor(self, status: RunStatus) -> bool:
        """Guild 0.9 may be about to record the end of its run itself: it gets some time for that."""
        assert self._tree is not None
        if status is RunStatus.ERROR and self.run.exit_status() is None:
            if self._tree.may_record_itself():
                return False
            _record_stopped(self.store, self.run, self._execution, WITHOUT_SUPERVISOR)
        for run, execution in self._inner:  # who would have recorded their end has gone with the tree
            if is_run_dir(run.path) and run.status() is RunStatus.ERROR and run.exit_status() is None:
                _record_stopped(self.store, run, execution, WITH_ITS_STARTER)
        return True


@dataclass(frozen=True)
class _Execution:
    """Tells one execution of a run from a later one."""

    token: str | None
    started: int | None

    @staticmethod
    def of(run: Run) -> "_Execution":
        lease = run.lease()
        return _Execution(lease.token if lease is not None else None, run.int_attr(layout.STARTED))

    def is_still(self, now: "_Execution") -> bool:
        """`started` changes when a claimed run begins; the lease is gone once somebody has mended it."""
        return (self.token is not None and self.token == now.token) or self.started == now.started


@dataclass
class _Tree:
    """Processes that are ended from here: TERM, later for all, in the end KILL."""

    top: ProcessId
    rest: list[ProcessId]
    term_rest_at: float
    kill_at: float
    records_itself: bool
    _gone_at: float | None = None

    def is_gone(self) -> bool:
        now = time.monotonic()
        top_alive = is_alive(self.top)
        left = [p for p in self.rest if is_alive(p)]
        if not top_alive and not left:
            self._gone_at = self._gone_at or now
            return True
        if top_alive and now >= self.term_rest_at:  # a batch of Guild 0.9 may have begun the next trial
            left = list({*left, *descendants(self.top.pid)})
            self.rest = left
        if now >= self.kill_at:
            kill_all([self.top, *left])
        elif left and (not top_alive or now >= self.term_rest_at):
            self.term_rest_at = self.kill_at
            for process in left:
                with contextlib.suppress(PermissionError):
                    signal_process(process, signal.SIGTERM)
        return False

    def may_record_itself(self) -> bool:
        return self.records_itself and time.monotonic() < (self._gone_at or 0.0) + _OTHERS_RECORD


def is_active(run: Run, status: RunStatus) -> bool:
    """Whether there is something to stop: the run is running, or pending and in somebody's hands."""
    if status is RunStatus.PENDING:
        return run.claim_lease() is not None
    return status is RunStatus.RUNNING


def request_stop(store: RunStore, run: Run, environ: Mapping[str, str]) -> Stopping:
    """Ask a run to end. Returns at once; `wait` follows it.

    A run that has ended meanwhile is fine. Raises CannotStop (another host, a remote, no permission, a
    pending run of Guild 0.9), LockTimeout, OSError.
    """
    seen = _Execution.of(run)
    markers = run.markers()
    if layout.LOCK_REMOTE in markers:
        raise CannotStop(f"run {run.id} is running on a remote; stop it there")
    status = run.status()
    if status is RunStatus.PENDING:
        return _stop_pending(store, run, seen, environ)
    if status is not RunStatus.RUNNING:
        return Stopping(store, run)
    lease, pid = run.lease(), run.lock_pid()
    if lease is not None and pid in (lease.holder.pid, lease.child.pid if lease.child else None):
        return _stop_leased(store, run, lease, seen, environ)
    return _stop_foreign(store, run, pid, seen, environ)


def _stop_pending(store: RunStore, run: Run, seen: _Execution, environ: Mapping[str, str]) -> Stopping:
    lease = run.claim_lease()
    if lease is None:
        raise CannotStop(
            f"run {run.id} is pending and nobody is known to be starting it",
            f"Guild 0.9 has left it so. 'guild run --start {run.short_id}' starts it, "
            f"'guild runs rm {run.short_id}' removes it.",
        )
    if _is_held_by_queue(store, lease) or not is_alive(lease.holder):
        if _end_claim(store, run, lease):
            return Stopping(store, run)
        return request_stop(store, run, environ)  # it went on meanwhile
    return _stop_leased(store, run, lease, seen, environ)


def _is_held_by_queue(store: RunStore, lease: Lease) -> bool:
    """Whether a claim is still in the hands of the queue, which must not be signalled, and no supervisor
    has taken it over: the holder is the process of the queue's own run."""
    queue = store.get(lease.queue) if lease.queue else None
    own = queue.lease() if queue is not None else None
    return lease.doing is Doing.CLAIMED and own is not None and own.child == lease.holder


def _end_claim(store: RunStore, run: Run, lease: Lease) -> bool:
    """End a run that nobody has begun to start; False if somebody has, or it is pending no longer."""
    with lifecycle.locked(store) as held:
        now = run.claim_lease()
        if now is None or (now.token, now.holder, now.doing) != (lease.token, lease.holder, lease.doing):
            return False
        lifecycle.fail(store, run, BEFORE_IT_BEGAN, STATUS_STOPPED, held)
        return True


def _stop_leased(
    store: RunStore, run: Run, lease: Lease, seen: _Execution, environ: Mapping[str, str]
) -> Stopping:
    """Ask the supervisor; where that is gone, end the operation's processes."""
    if not is_local(lease.holder):
        raise CannotStop(f"run {run.id} is held by the host '{lease.holder.host}'; stop it there")
    grace = grace_of(run, environ)
    if _signal(lease.holder, signal.SIGTERM):
        deadline = time.monotonic() + grace + _LATE
        return Stopping(store, run, lease.holder.pid, deadline, seen, _asked=lease.holder)
    if lease.child is not None and is_alive(lease.child):
        return _end_tree(store, run, lease.child, seen, grace, records_itself=False)
    return Stopping(store, run, None, time.monotonic() + _LATE, seen, _asked=lease.holder)


def _stop_foreign(
    store: RunStore, run: Run, pid: int | None, seen: _Execution, environ: Mapping[str, str]
) -> Stopping:
    """Guild 0.9's LOCK holds a bare pid: it is the run's if that process began before LOCK was written."""
    try:
        written = os.stat(run.guild_dir / layout.LOCK).st_mtime
    except OSError:
        return Stopping(store, run)
    # The identity first: should the number pass to another process in between, that began too late.
    process = identify(pid) if pid is not None else None
    if process is None or not runs_since(process.pid, written):
        if run.is_lock_alive():
            raise CannotStop(f"the process of run {run.id} cannot be seen from here")
        return Stopping(store, run)
    inner = _executed_by(store, descendants(process.pid))
    stopping = _end_tree(store, run, process, seen, grace_of(run, environ), records_itself=True)
    return replace(stopping, _inner=inner)


def _executed_by(store: RunStore, processes: Sequence[ProcessId]) -> list[tuple[Run, _Execution]]:
    """The runs of Guild 0.9 that these processes execute: the job of a queue, a trial, a step."""
    pids = {process.pid for process in processes}
    runs = [run for run in store.runs() if run.lock_pid() in pids] if pids else []
    return [(run, _Execution.of(run)) for run in runs if run.status() is RunStatus.RUNNING]


def _end_tree(
    store: RunStore, run: Run, top: ProcessId, seen: _Execution, grace: float, records_itself: bool
) -> Stopping:
    tree = _ask_tree(top, grace, records_itself)
    deadline = time.monotonic() + grace + _LATE
    return Stopping(store, run, top.pid, deadline, seen, _tree=tree)


def _ask_tree(top: ProcessId, grace: float, records_itself: bool) -> _Tree:
    rest = descendants(top.pid)
    _signal(top, signal.SIGTERM)
    now = time.monotonic()
    return _Tree(top, rest, now + min(grace, _REST_LATER), now + grace, records_itself)


def _signal(process: ProcessId, number: int) -> bool:
    try:
        return signal_process(process, number)
    except PermissionError:
        raise CannotStop(f"process {process.pid} belongs to another user") from None


def _record_stopped(store: RunStore, run: Run, seen: _Execution | None, reason: str) -> None:
    """Record the end of an execution whose processes are gone, unless somebody else has meanwhile."""
    with lifecycle.locked(store) as held:
        if not is_run_dir(run.path) or seen is None or not seen.is_still(_Execution.of(run)):
            return
        markers, lease = run.markers(), run.claim_lease()
        if layout.STAGED in markers:
            return
        if layout.PENDING in markers and (lease is None or lease.is_held):
            return
        if run.exit_status() is None and run.status() is not RunStatus.RUNNING:
            lifecycle.fail(store, run, reason, STATUS_STOPPED, held)


def grace_of(run: Run, environ: Mapping[str, str]) -> float:
    """Seconds between SIGTERM and SIGKILL; a queue gets more, to end its own runs first."""
    try:
        grace = float(environ["STOP_AFTER_KILL_DELAY"])
    except (KeyError, ValueError):
        grace = STOP_GRACE
    return grace + (QUEUE_GRACE if run.is_queue else 0.0)


def wait(
    stoppings: Sequence[Stopping], sleep: Callable[[float], None] = time.sleep
) -> tuple[list[Stopping], list[Stopping]]:
    """Wait until these have ended, each for at most its time: (those that ended, those that did not)."""
    left, ended, late = list(stoppings), [], []
    while left:
        for each in list(left):
            if each.has_ended():
                ended.append(each)
            elif time.monotonic() >= each.deadline:
                late.append(each)
            else:
                continue
            left.remove(each)
        if left:
            sleep(_POLL)
    return ended, late


def request_drain(store: RunStore, run: Run, sleep: Callable[[float], None] = time.sleep) -> int:
    """Ask a queue to end after its current run, and start no other. Returns its pid.

    Raises CannotStop for anything but a running queue of ours on this machine.
    """
    if not run.is_queue:
        raise CannotStop(f"run {run.id} is not a queue: only queues can be drained")
    lease, status = run.lease(), run.status()
    if status is not RunStatus.RUNNING:
        raise CannotStop(f"queue {run.id} is {status.value}: there is nothing to drain")
    if lease is None:
        raise CannotStop(f"queue {run.id} was started by Guild 0.9, which cannot drain it; stop it instead")
    queue = lease.child
    if queue is None or lease.doing is not Doing.RUNNING:
        raise CannotStop(f"queue {run.id} is only about to begin; try again in a moment")
    if not is_local(queue):
        raise CannotStop(f"queue {run.id} is held by the host '{queue.host}'; drain it there")
    until = time.monotonic() + _READY_TO_DRAIN
    # Before the queue listens, the signal would just kill it.
    while not _listens_to(queue.pid, signal.SIGUSR1):
        if time.monotonic() >= until or not is_alive(queue):
            raise CannotStop(f"queue {run.id} is only about to begin; try again in a moment")
        sleep(_POLL)
    if not _signal(queue, signal.SIGUSR1):
        raise CannotStop(f"queue {run.id} has ended")
    return queue.pid


def _listens_to(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal; believed where the system does not tell."""
    if sys.platform != "linux":
        return True
    try:
        with open(f"/proc/{pid}/status", "rb") as f:
            caught = [line.split()[1] for line in f if line.startswith(b"SigCgt:")]
        return not caught or bool(int(caught[0], 16) >> (number - 1) & 1)
    except (OSError, ValueError, IndexError):
        return True
