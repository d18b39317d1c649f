"""The process of an operation: made, let go, listened to, ended.

The child is forked and waits on a pipe (the gate) until its identity is on record; only then it becomes the
operation. Where the gate is closed without a word, because we were killed, it ends having done nothing.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from guild.base.processes import ProcessId, descendants, identify, kill_all, signal_process
from guild.errors import STATUS_INTERRUPTED, STATUS_STOPPED

_GO = b"g"
_NO_EXEC = 127
# Processes that the operation leaves behind may hold its pipes: how long their last words are waited for.
_LAST_WORDS = 0.5
_LEFT_GRACE = 2.0
_LOOK_SECONDS = 5.0
_PIPE_READS = 32  # of 64 KiB: more than a pipe holds
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Command:
    argv: Sequence[str]
    environ: dict[str, str]
    cwd: str
    own_session: bool  # jobs of a queue and background runs; a foreground run stays in the terminal's group


@dataclass
class Child:
    """A forked process and our ends of its pipes."""

    pid: int
    identity: ProcessId
    gate: int
    failure: int  # readable: the errno of a failed exec
    out: int
    err: int


def fork_waiting(command: Command) -> Child:
    """Fork the child; it waits at the gate. This process must have a single thread."""
    gate_r, gate_w = os.pipe()
    fail_r, fail_w = os.pipe()
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    # Until the operation has its own dispositions, signals wait: our handlers in the child would eat them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(gate_w)
            _become(command, gate_r, fail_w, out_w, err_w)
        finally:
            os._exit(_NO_EXEC)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for fd in (gate_r, fail_w, out_w, err_w):
        os.close(fd)
    identity = identify(pid)
    if identity is None:
        for fd in (gate_w, fail_r, out_r, err_r):
            os.close(fd)
        os.waitpid(pid, 0)
        raise OSError("the process of the operation ended before it began")
    return Child(pid, identity, gate_w, fail_r, out_r, err_r)


def _become(command: Command, gate: int, failure: int, out: int, err: int) -> None:
    if command.own_session:
        os.setsid()
    if os.read(gate, 1) != _GO:
        os._exit(0)
    _default_signals()
    if command.own_session:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    try:
        os.chdir(command.cwd)
        os.execvpe(command.argv[0], list(command.argv), command.environ)
    except Exception as e:  # no OSError: a NUL in an argument, an empty command
        code = e.errno if isinstance(e, OSError) else None
        os.write(failure, str(code or errno.EINVAL).encode())


def _default_signals() -> None:
    """Python ignores SIGPIPE and we handle others: the operation begins with the defaults.

    A SIGINT or SIGHUP that was ignored (nohup, `&` in a script) stays so.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def let_go(child: Child) -> OSError | None:
    """Open the gate and wait until the child has become the operation; the error if it could not."""
    try:
        os.write(child.gate, _GO)
    except BrokenPipeError:
        pass  # it was killed at the gate; its end is seen as any other
    os.close(child.gate)
    data = os.read(child.failure, 16)
    os.close(child.failure)
    if not data:
        return None
    code = int(data)
    return OSError(code, os.strerror(code))


@dataclass
class Orders:
    """What was asked of a supervisor by signals. Handlers set these and do nothing else."""

    stop: bool = False
    interrupt: bool = False
    wakeup: int = -1

    def install(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        self.wakeup = reader
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)
        # Ignored by who started us, it would have the kernel take ended children away unseen.
        signal.signal(signal.SIGCHLD, self._note)

    def _note(self, number: int, frame: object) -> None:
        if number in (signal.SIGTERM, signal.SIGHUP):
            self.stop = True
        elif number == signal.SIGINT:
            self.interrupt = True

    def wait(self, seconds: float) -> None:
        """Until a signal comes, that of an ended child included, or the time is over."""
        _readable([self.wakeup] if self.wakeup >= 0 else [], seconds)
        if self.wakeup >= 0:
            self.drain()

    def drain(self) -> None:
        try:
            while os.read(self.wakeup, 512):
                pass
        except BlockingIOError:
            pass


@dataclass
class Watch:
    """Follows a child to its end: passes its output on, carries out orders, keeps time limits."""

    child: Child
    command: Command
    orders: Orders
    on_output: Callable[[bytes, int], None]  # data, stream (0 stdout, 1 stderr)
    grace: float  # seconds from the request to end to SIGKILL
    deadline: float | None = None  # monotonic time at which the run is stopped
    on_timeout: Callable[[], None] = lambda: None
    requested: int | None = None  # the exit status that will be recorded, once an end was asked for
    _kill_at: float | None = None
    _tree: list[ProcessId] = field(default_factory=list)

    def until_ended(self) -> int:
        """The exit status to record. The child is left unreaped (`reap` takes it away)."""
        open_streams = {self.child.out: 0, self.child.err: 1}
        for fd in open_streams:
            os.set_blocking(fd, False)
        while not self._has_ended():
            self._obey()
            ready = _readable([*open_streams, self.orders.wakeup], self._timeout())
            if self.orders.wakeup in ready:
                self.orders.drain()
            self._pass_on(ready, open_streams)
        self._hear_last_words(open_streams)
        self._end_rest_of_tree()
        return self._exit_status()

    def _hear_last_words(self, open_streams: dict[int, int]) -> None:
        """To the end of both pipes; where processes that the operation left behind hold them, for a moment,
        and then what is in them: passing it on may have taken longer than that."""
        until = time.monotonic() + _LAST_WORDS
        while open_streams and (left := until - time.monotonic()) > 0:
            self._pass_on(_readable(list(open_streams), left), open_streams)
        for _ in range(_PIPE_READS):
            ready = _readable(list(open_streams), 0)
            if not ready:
                break
            self._pass_on(ready, open_streams)
        for fd in open_streams:
            os.close(fd)

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _exit_status(self) -> int:
        if self.requested is not None:
            return self.requested
        if self.orders.interrupt:
            # Ctrl-C has reached the whole group: the operation may have ended by it before we looked.
            return STATUS_INTERRUPTED
        info = os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        if info is None:
            return 0
        return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status

    def _pass_on(self, ready: list[int], open_streams: dict[int, int]) -> None:
        for fd in ready:
            if fd not in open_streams:
                continue
            try:
                data = os.read(fd, 1 << 16)
            except BlockingIOError:
                continue
            if data:
                self.on_output(data, open_streams[fd])
            else:
                os.close(fd)
                del open_streams[fd]

    def _timeout(self) -> float | None:
        ends = [t for t in (self.deadline, self._kill_at) if t is not None]
        # SIGCHLD wakes us; the limit is for the case that it was lost on the way.
        return max(0.0, min([*(t - time.monotonic() for t in ends), _LOOK_SECONDS]))

    def _obey(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            kill_all([self.child.identity, *self._tree, *descendants(self.child.pid)])
        if self.requested is not None:
            return
        if self.orders.stop:
            self._ask(signal.SIGTERM, STATUS_STOPPED)
        elif self.orders.interrupt:
            self._ask(signal.SIGINT, STATUS_INTERRUPTED)
        elif self.deadline is not None and now >= self.deadline:
            self.deadline = None
            self.on_timeout()
            self._ask(signal.SIGTERM, STATUS_STOPPED)

    def _ask(self, number: int, status: int) -> None:
        self.requested = status
        self._kill_at = time.monotonic() + self.grace
        self._tree = descendants(self.child.pid)
        if self.command.own_session:
            _signal_group(self.child.pid, number)
        elif number != signal.SIGINT or not _has_terminal():
            # A terminal's Ctrl-C has reached the whole group already.
            signal_process(self.child.identity, number)

    def _end_rest_of_tree(self) -> None:
        """After a requested end nothing of the process tree stays."""
        if self.requested is None:
            return
        until = time.monotonic() + _LEFT_GRACE
        left = [p for p in self._tree if signal_process(p, signal.SIGTERM)]
        while left and time.monotonic() < until:
            time.sleep(0.02)
            left = [p for p in left if identify(p.pid) == p]
        kill_all(left)
        if self.command.own_session:
            # Those born since; the unreaped child keeps the number of the group from being another's.
            _signal_group(self.child.pid, signal.SIGKILL)


def reap(child: Child) -> None:
    """Take the ended child away."""
    try:
        os.waitpid(child.pid, 0)
    except ChildProcessError:
        pass


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _has_terminal() -> bool:
    """Whether this process is in the foreground group of a terminal."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)


def _readable(fds: list[int], timeout: float | None) -> list[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)]
