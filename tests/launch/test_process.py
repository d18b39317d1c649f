"""Real processes: the gate, the output, orders, time limits, and what a process leaves behind."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guild.base.processes import identify, is_alive
from guild.launch import process
from guild.launch.process import Child, Command, Orders, Watch, fork_waiting, let_go, reap
from tests.helpers import wait_until

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD)


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Installed in this process; its handlers are taken back at the end."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Orders()
    made.install()
    yield made
    writer = signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    for fd in (made.wakeup, writer):
        os.close(fd)


@dataclass
class Operation:
    """A command, carried through by hand."""

    command: Command
    orders: Orders
    output: list[tuple[int, bytes]] = field(default_factory=list)
    events: dict[bytes, Callable[[], object]] = field(default_factory=dict)  # what to do at an output
    child: Child | None = None
    failure: OSError | None = None

    def fork(self) -> Child:
        self.child = fork_waiting(self.command)
        return self.child

    def run(self, grace: float = 30.0, limit: float | None = None) -> int:
        child = self.child or self.fork()
        self.failure = let_go(child)
        deadline = None if limit is None else time.monotonic() + limit
        self.watch = Watch(child, self.command, self.orders, self._note, grace, deadline)
        return self.watch.until_ended()

    def _note(self, data: bytes, stream: int) -> None:
        self.output.append((stream, data))
        for text, action in self.events.items():
            if text in data:
                action()

    @property
    def out(self) -> bytes:
        return b"".join(data for stream, data in self.output if stream == 0)

    @property
    def err(self) -> bytes:
        return b"".join(data for stream, data in self.output if stream == 1)


Make = Callable[..., Operation]


@pytest.fixture
def operation(tmp_path: Path, orders: Orders) -> Iterator[Make]:
    made: list[Operation] = []

    def make(*argv: str, env: dict[str, str] | None = None, own_session: bool = True) -> Operation:
        environ = {"PATH": os.environ["PATH"], **(env or {})}
        made.append(Operation(Command(argv, environ, str(tmp_path), own_session), orders))
        return made[-1]

    yield make
    for each in made:
        if each.child is not None:
            try:
                os.kill(each.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            reap(each.child)


def sh(operation: Make, script: str, **more: bool) -> Operation:
    return operation("sh", "-c", script, **more)


def open_fds() -> set[str]:
    return {
        f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}" for fd in os.listdir("/proc/self/fd") if _is_open(fd)
    }


def _is_open(fd: str) -> bool:
    try:
        os.fstat(int(fd))
    except OSError:
        return False
    return True


# The gate.


def test_nothing_happens_before_the_gate_is_opened(operation: Make, tmp_path: Path) -> None:
    op = sh(operation, "echo ran > mark")
    child = op.fork()
    assert is_alive(child.identity)
    assert not (tmp_path / "mark").exists()
    assert op.run() == 0
    assert (tmp_path / "mark").read_text() == "ran\n"


def test_a_gate_that_closes_without_a_word_ends_the_child_having_done_nothing(
    operation: Make, tmp_path: Path
) -> None:
    op = sh(operation, "echo ran > mark")
    child = op.fork()
    os.close(child.gate)
    _pid, status = os.waitpid(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not (tmp_path / "mark").exists()
    for fd in (child.failure, child.out, child.err):
        os.close(fd)


def test_a_child_that_was_killed_at_the_gate_is_seen_as_any_other(operation: Make) -> None:
    op = sh(operation, "echo ran")
    child = op.fork()
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert op.run() == -signal.SIGKILL
    assert op.failure is None
    assert op.output == []


def test_a_signal_at_the_gate_meets_the_operation_and_not_our_handlers(operation: Make) -> None:
    """Ctrl-C reaches the whole group, so also a child that is not yet the operation."""
    op = sh(operation, "echo ran; sleep 60", own_session=False)
    child = op.fork()
    os.kill(child.pid, signal.SIGINT)
    assert op.run() == -signal.SIGINT
    assert op.output == []


def test_our_own_signals_are_as_before_after_the_fork(operation: Make, orders: Orders) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    sh(operation, "true").run()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    os.kill(os.getpid(), signal.SIGTERM)
    assert orders.stop


def test_a_command_that_is_not_found_is_reported(operation: Make) -> None:
    op = operation("no-such-command-here")
    assert op.run() == 127
    assert op.failure is not None
    assert op.failure.errno == errno.ENOENT


def test_a_file_that_is_not_executable_is_reported(operation: Make, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("x")
    op = operation(str(tmp_path / "script"))
    op.run()
    assert op.failure is not None
    assert op.failure.errno == errno.EACCES


def test_a_directory_that_is_gone_is_reported(operation: Make, tmp_path: Path) -> None:
    op = operation("true")
    op.command = Command(op.command.argv, op.command.environ, str(tmp_path / "gone"), True)
    op.run()
    assert op.failure is not None
    assert op.failure.errno == errno.ENOENT


@pytest.mark.parametrize("argv", [("echo", "a\0b"), ("",)])
def test_a_command_that_the_system_cannot_take_is_reported(operation: Make, argv: tuple[str, ...]) -> None:
    op = operation(*argv)
    assert op.run() == 127
    assert op.failure is not None


def test_a_variable_that_the_system_cannot_take_is_reported(operation: Make) -> None:
    op = operation("true", env={"X": "a\0b"})
    assert op.run() == 127
    assert op.failure is not None
    assert op.failure.errno == errno.EINVAL


# What the operation finds.


def test_the_operation_gets_its_environment_and_directory_and_nothing_else(
    operation: Make, tmp_path: Path
) -> None:
    op = operation("/usr/bin/env", env={"X": "ü \n1"})
    op.command = Command(("/usr/bin/env",), {"X": "ü \n1"}, str(tmp_path), True)
    assert op.run() == 0
    assert op.out.decode() == "X=ü \n1\n"
    op = sh(operation, "pwd")
    op.run()
    assert op.out.decode().strip() == os.path.realpath(tmp_path)


def test_the_operation_begins_with_the_default_signals(operation: Make) -> None:
    op = operation("cat", "/proc/self/status")
    op.run()
    lines = dict(line.split(b":\t") for line in op.out.splitlines() if line.startswith(b"Sig"))
    assert int(lines[b"SigBlk"], 16) == 0
    assert int(lines[b"SigIgn"], 16) & 1 << signal.SIGPIPE - 1 == 0
    assert int(lines[b"SigIgn"], 16) & 1 << signal.SIGTERM - 1 == 0


def test_an_interrupt_that_was_ignored_stays_so(operation: Make, orders: Orders) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        op = operation("cat", "/proc/self/status")
        op.run()
    finally:
        signal.signal(signal.SIGINT, before)
    lines = dict(line.split(b":\t") for line in op.out.splitlines() if line.startswith(b"SigIgn"))
    assert int(lines[b"SigIgn"], 16) & 1 << signal.SIGINT - 1


def test_a_job_of_its_own_session_reads_nothing(operation: Make) -> None:
    op = sh(operation, "cat; ps -o sid= -p $$")
    assert op.run() == 0
    assert op.child is not None
    assert op.out.split() == [str(op.child.pid).encode()]


def test_the_operation_inherits_no_descriptor_of_ours(operation: Make) -> None:
    reader, writer = os.pipe()
    wanted = {
        fd for fd in map(int, os.listdir("/proc/self/fd")) if _is_open(str(fd)) and os.get_inheritable(fd)
    }
    try:
        op = sh(operation, "ls /proc/self/fd")
        op.run()
    finally:
        os.close(reader)
        os.close(writer)
    more = set(map(int, op.out.split())) - wanted - {0, 1, 2}
    assert len(more) == 1, "but for the one by which ls reads"


def test_no_descriptor_of_ours_is_left_behind(operation: Make) -> None:
    before = open_fds()
    for script in ("echo x", "exit 3", "exec >&- 2>&-; exit 0"):
        sh(operation, script).run()
    operation("no-such-command-here").run()
    assert open_fds() == before


# Its output and its end.


def test_output_is_passed_on_by_stream(operation: Make) -> None:
    op = sh(operation, "echo one; echo two >&2; exit 3")
    assert op.run() == 3
    assert (op.out, op.err) == (b"one\n", b"two\n")


def test_the_two_streams_stay_in_order_where_the_operation_takes_turns(operation: Make) -> None:
    """It goes on only when its last word has been heard: so there is one order."""
    turn = "echo o$i; while ! [ -e o$i ]; do :; done; echo e$i >&2; while ! [ -e e$i ]; do :; done"
    op = sh(operation, f"for i in 1 2 3; do {turn}; done")
    directory = Path(op.command.cwd)
    for text in ("o1", "e1", "o2", "e2", "o3", "e3"):
        op.events[text.encode()] = (directory / text).touch
    assert op.run() == 0
    assert [data for _, data in op.output] == [b"o1\n", b"e1\n", b"o2\n", b"e2\n", b"o3\n", b"e3\n"]


def test_nothing_is_lost_of_much_output(operation: Make) -> None:
    script = "import os\nfor i in range(200):\n os.write(1, b'o' * 9999); os.write(2, b'e' * 7777)"
    op = operation(sys.executable, "-c", script)
    assert op.run() == 0
    assert op.out == b"o" * 9999 * 200
    assert op.err == b"e" * 7777 * 200


def test_last_words_are_heard_even_if_passing_on_takes_its_time(
    operation: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LAST_WORDS", 0.0)
    op = sh(operation, "echo first; while ! [ -e go ]; do :; done; head -c 60000 /dev/zero")
    child = op.fork()

    def dawdle() -> None:
        Path(op.command.cwd, "go").touch()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    op.events[b"first"] = dawdle
    assert op.run() == 0
    assert len(op.out) == 60_000 + len("first\n")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", -9), ("kill -15 $$", -15)]
)
def test_the_status_is_that_of_the_operation(operation: Make, script: str, status: int) -> None:
    assert sh(operation, script).run() == status


def test_an_operation_that_closes_its_streams_is_followed_to_its_end(operation: Make, tmp_path: Path) -> None:
    op = sh(operation, "exec >&- 2>&-; while ! [ -e go ]; do sleep 0.01; done; exit 4")
    child = op.fork()
    calls: list[float | None] = []
    real = Watch._timeout

    def timeout(self: Watch) -> float | None:
        calls.append(real(self))
        if len(calls) == 4:  # both ends of file and what woke us before are past
            (tmp_path / "go").touch()
        return calls[-1]

    with pytest.MonkeyPatch.context() as m:
        m.setattr(Watch, "_timeout", timeout)
        m.setattr(process, "_LOOK_SECONDS", 0.05)
        assert op.run() == 4
    assert len(calls) < 1000, "it is asked without end whether there is something"
    assert child.pid


def test_the_child_is_left_for_others_to_see_until_it_is_reaped(operation: Make) -> None:
    op = sh(operation, "exit 5")
    child = op.fork()
    op.run()
    assert Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z"
    reap(child)
    assert not Path(f"/proc/{child.pid}").exists()
    reap(child)


def test_children_are_seen_even_if_whoever_started_us_ignored_their_ends(operation: Make) -> None:
    """With SIGCHLD ignored the kernel takes ended children away, and their status with them."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    writer = signal.set_wakeup_fd(-1)
    again = Orders()
    try:
        again.install()
        op = sh(operation, "exit 7")
        op.orders = again
        assert op.run() == 7
    finally:
        os.close(signal.set_wakeup_fd(writer))
        os.close(again.wakeup)
        signal.signal(signal.SIGCHLD, before)


# Orders and limits.


def test_a_stop_terminates_and_is_recorded_as_such(operation: Make, orders: Orders) -> None:
    op = sh(operation, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
    op.events[b"up"] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert op.run() == -15
    assert op.out == b"up\nbye\n"


def test_an_interrupt_is_passed_on_and_recorded_as_guild_does(operation: Make) -> None:
    op = operation(
        sys.executable,
        "-uc",
        "import os, time\n"
        "try:\n os.write(1, b'up\\n'); time.sleep(60)\n"
        "except KeyboardInterrupt: os.write(1, b'int\\n')",
    )
    op.events[b"up"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert op.run() == -16
    assert op.out == b"up\nint\n"


def test_what_ignores_the_stop_is_killed_after_the_grace(operation: Make, orders: Orders) -> None:
    op = sh(operation, "trap '' TERM; echo up; while :; do sleep 0.01; done")
    op.events[b"up"] = lambda: setattr(orders, "stop", True)
    assert op.run(grace=0.1) == -15
    assert op.child is not None
    assert not is_alive(op.child.identity)


def test_a_second_order_changes_nothing(operation: Make, orders: Orders) -> None:
    op = sh(
        operation, "trap 'echo term; exit 0' TERM; trap 'echo int' INT; echo up; while :; do sleep 0.01; done"
    )
    op.events[b"up"] = lambda: setattr(orders, "interrupt", True)
    op.events[b"int"] = lambda: setattr(orders, "stop", True)
    assert op.run(grace=0.2) == -16
    assert op.out == b"up\nint\n"


def test_at_the_time_limit_the_run_is_stopped(operation: Make) -> None:
    op = sh(operation, "echo up; sleep 60")
    assert op.run(limit=0.1) == -15
    assert op.watch.requested == -15


def test_an_operation_that_ends_before_its_limit_is_not_touched(operation: Make) -> None:
    op = sh(operation, "exit 6")
    assert op.run(limit=60) == 6


# What it leaves behind.


def pids_in(text: bytes) -> list[int]:
    return [int(word) for word in text.split() if word.isdigit()]


@pytest.mark.parametrize("own_session", [True, False])
def test_after_a_stop_nothing_of_the_tree_is_left(operation: Make, orders: Orders, own_session: bool) -> None:
    script = (
        "sh -c 'sleep 61 & echo $!; echo $$; wait' & setsid sleep 62 & echo $!; sleep 0.05; echo up; wait"
    )
    op = sh(operation, script, own_session=own_session)
    op.events[b"up"] = lambda: setattr(orders, "stop", True)
    assert op.run() == -15
    pids = pids_in(op.out)
    assert len(pids) == 3
    assert [p for p in pids if identify(p) is not None] == []


def test_those_born_after_the_stop_are_ended_too(operation: Make, orders: Orders, tmp_path: Path) -> None:
    op = sh(operation, "trap 'sleep 60 & echo $! > born; exit 0' TERM; echo up; while :; do sleep 0.01; done")
    op.events[b"up"] = lambda: setattr(orders, "stop", True)
    assert op.run() == -15
    pid = int((tmp_path / "born").read_text())
    wait_until(lambda: identify(pid) is None, 5, "the end of what was born late")


def test_what_is_left_of_a_stubborn_tree_is_killed(
    operation: Make, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LEFT_GRACE", 0.1)
    op = sh(operation, "(trap '' TERM; while :; do sleep 0.01; done) & echo $!; sleep 0.05; echo up; wait")
    op.events[b"up"] = lambda: setattr(orders, "stop", True)
    assert op.run() == -15
    (pid,) = pids_in(op.out)
    wait_until(lambda: identify(pid) is None, 5, "the end of a stubborn process")


def test_a_daemon_that_holds_the_pipes_does_not_hang_the_run(
    operation: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LAST_WORDS", 0.1)
    before = open_fds()
    op = sh(operation, "setsid sleep 60 & echo $!; exit 3")
    began = time.monotonic()
    assert op.run() == 3
    (pid,) = pids_in(op.out)
    try:
        assert time.monotonic() - began < 20
        assert identify(pid) is not None, "nobody has asked for its end"
        assert open_fds() == before
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_daemon_that_prints_and_prints_does_not_hang_the_run(
    operation: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LAST_WORDS", 0.1)
    op = sh(operation, "setsid yes & echo $! > pid; exit 0")
    began = time.monotonic()
    assert op.run() == 0
    assert time.monotonic() - began < 20
    pid = int(Path(op.command.cwd, "pid").read_text())
    wait_until(lambda: identify(pid) is None, 10, "its end by the closed pipe")


def test_an_operation_that_ctrl_c_ended_before_we_looked_is_recorded_as_interrupted(operation: Make) -> None:
    """A terminal sends SIGINT to both: the operation may be gone when its supervisor gets to it."""
    made = sh(operation, "kill -INT $$")
    child = made.fork()
    let_go(child)
    wait_until(lambda: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
    made.orders.interrupt = True
    watch = Watch(child, made.command, made.orders, lambda data, stream: None, 30.0)
    assert watch.until_ended() == -16
