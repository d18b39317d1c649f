"""The local executor's own: the supervisor kept waiting; and the bell, on real signals and processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guild.scheduler import bell as bell_module
from guild.scheduler import local
from guild.scheduler.bell import Bell
from guild.scheduler.local import LocalExecutor
from tests.contracts.test_executors import LocalRig
from tests.helpers import child_environ, wait_until
from tests.scheduler.fake_executor import HandMade


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LocalRig]:
    home = HandMade(tmp_path / "home")
    rig = LocalRig(home, LocalExecutor(home.store.home, child_environ(home.store.home.path, {"X": "1"})))
    yield rig
    rig.close()


def waiting(rig: LocalRig) -> "subprocess.Popen[bytes]":
    process = rig.executor._waiting
    assert process is not None
    return process


def ended(rig: LocalRig) -> list[str]:
    found: list[str] = []
    wait_until(lambda: found.extend(e.run_id for e in rig.executor.poll()) or found, what="the end of a run")
    return found


def test_the_waiting_supervisor_is_the_one_that_starts_the_next_run(rig: LocalRig) -> None:
    rig.executor.make_ready()
    pid = waiting(rig).pid
    run, lease = rig.claimed("a", 0)
    assert rig.executor.start(run, lease) == str(pid)
    rig.let_go("a")
    assert ended(rig) == ["a"]


def test_one_supervisor_is_kept_and_no_more(rig: LocalRig) -> None:
    rig.executor.make_ready()
    pid = waiting(rig).pid
    rig.executor.make_ready()
    assert waiting(rig).pid == pid


def test_a_waiting_supervisor_that_was_killed_costs_no_run(rig: LocalRig) -> None:
    rig.executor.make_ready()
    waiting(rig).kill()
    waiting(rig).wait()
    run, lease = rig.claimed("a", 0)
    rig.executor.start(run, lease)
    rig.let_go("a")
    assert ended(rig) == ["a"]
    assert run.status().value == "completed"


def test_a_supervisor_that_does_not_stay_is_not_started_again_and_again(
    rig: LocalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end wakes the queue, which then gets ready again: that would go on for ever."""
    with monkeypatch.context() as m:
        m.setattr(local, "_SUPERVISE", "guild.no_such_module")
        rig.executor.make_ready()
        waiting(rig).wait()
        for _ in range(3):
            rig.executor.make_ready()
        assert rig.executor._waiting is None
    run, lease = rig.claimed("a", 0)
    rig.executor.start(run, lease)
    rig.executor.make_ready()
    assert waiting(rig).poll() is None
    rig.let_go("a")
    assert ended(rig) == ["a"]


def test_a_supervisor_that_cannot_be_started_is_an_error_for_who_claimed(
    rig: LocalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    run, lease = rig.claimed("a", 0)
    with pytest.raises(OSError):
        rig.executor.start(run, lease)
    assert run.status().value == "pending"


def test_a_waiting_supervisor_ends_with_the_pipe_of_its_queue(rig: LocalRig) -> None:
    rig.executor.make_ready()
    process = waiting(rig)
    rig.executor.close()
    assert process.returncode == 0
    assert rig.executor._waiting is None


def test_a_job_gets_the_gpus_of_its_lease(rig: LocalRig) -> None:
    run = rig.home.staged("a", argv=("sh", "-c", "echo gpus=$CUDA_VISIBLE_DEVICES x=$X"), opspec="train")
    rig.executor.start(run, rig.home.claimed("a", "me", "0,2"))
    assert ended(rig) == ["a"]
    assert (run.guild_dir / "output").read_bytes() == b"gpus=0,2 x=1\n"


def test_a_job_is_in_a_session_of_its_own_and_reads_nothing(rig: LocalRig) -> None:
    run = rig.home.staged("a", argv=("sh", "-c", "cat; ps -o sid= -p $$"), opspec="train")
    rig.executor.start(run, rig.home.claimed("a", "me"))
    assert ended(rig) == ["a"]
    assert int((run.guild_dir / "output").read_bytes()) != os.getsid(0)


def test_a_command_that_is_not_there_is_an_error_with_the_reason(rig: LocalRig) -> None:
    run = rig.home.staged("a", argv=("/no/such/command",), opspec="train")
    rig.executor.start(run, rig.home.claimed("a", "me"))
    assert ended(rig) == ["a"]
    assert run.status().value == "error"
    assert "No such file" in run.attr("_reason")


def test_a_run_that_does_not_say_how_to_start_it_is_an_error_with_the_reason(rig: LocalRig) -> None:
    run = rig.home.staged("a")
    rig.executor.start(run, rig.home.claimed("a", "me"))
    assert ended(rig) == ["a"]
    assert run.status().value == "error"
    assert "cannot be started" in run.attr("_reason")


# The bell.

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
LONG = 60.0


@pytest.fixture
def bell() -> Iterator[Bell]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Bell()
    made.install()
    yield made
    made.close()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def watched(bell: Bell, tmp_path: Path) -> Path:
    bell.watch(tmp_path / "journal")
    return tmp_path / "journal"


def returns_at_once(bell: Bell) -> bool:
    began = time.monotonic()
    bell.wait(LONG)
    return time.monotonic() - began < LONG / 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_stop(bell: Bell, watched: Path, number: int) -> None:
    os.kill(os.getpid(), number)
    assert returns_at_once(bell)
    assert bell.stop
    assert not bell.drain


def test_a_signal_that_drains(bell: Bell, watched: Path) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    assert returns_at_once(bell)
    assert bell.drain
    assert not bell.stop


def test_the_end_of_a_child_rings_and_asks_nothing(bell: Bell, watched: Path) -> None:
    subprocess.run(["true"], check=True)
    assert returns_at_once(bell)
    assert not bell.stop


def test_a_ring_before_the_wait_is_not_lost_and_counts_once(bell: Bell, watched: Path) -> None:
    bell.ring()
    bell.ring()
    assert returns_at_once(bell)
    began = time.monotonic()
    bell.wait(0.05)
    assert time.monotonic() - began >= 0.05


def test_any_number_of_rings_is_taken(bell: Bell, watched: Path) -> None:
    for _ in range(100_000):
        bell.ring()
    assert returns_at_once(bell)


@pytest.mark.parametrize("how", ["append", "create", "replace", "remove"])
def test_a_change_of_the_watched_file_rings(bell: Bell, watched: Path, how: str) -> None:
    if how == "create":
        watched.write_text("x")
    elif how == "replace":
        (watched.parent / "new").write_text("x")
        os.replace(watched.parent / "new", watched)
    else:
        watched.write_text("x")
        assert returns_at_once(bell)
        if how == "append":
            with open(watched, "a") as f:
                f.write("y")
        else:
            watched.unlink()
    assert returns_at_once(bell)


def test_reading_the_watched_file_does_not_ring(bell: Bell, tmp_path: Path) -> None:
    """The queue reads the journal whenever it rings: that would go on for ever."""
    (tmp_path / "journal").write_text("x")
    bell.watch(tmp_path / "journal")
    (tmp_path / "journal").read_text()
    (tmp_path / "other").write_text("x")
    began = time.monotonic()
    bell.wait(0.2)
    assert time.monotonic() - began >= 0.2


def test_where_nothing_can_be_watched_it_returns_more_often(
    bell: Bell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "_NO_WATCH_SECONDS", 0.01)
    bell.watch(tmp_path / "gone" / "journal")
    assert returns_at_once(bell)


def test_where_the_file_is_watched_it_waits_as_long_as_it_was_told(
    bell: Bell, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "_NO_WATCH_SECONDS", 0.01)
    began = time.monotonic()
    bell.wait(0.2)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("seconds", [float("inf"), 1e12])
def test_it_takes_any_time(bell: Bell, watched: Path, seconds: float) -> None:
    bell.ring()
    bell.wait(seconds)


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no pidfd on this system")


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose end SIGCHLD does not tell: the test puts the handler aside."""
    process = subprocess.Popen(["sleep", "120"])
    yield process
    process.kill()
    process.wait()


@needs_pidfd
def test_the_end_of_a_process_rings_once(
    bell: Bell, watched: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    bell.wait_for_ends_of({stranger.pid})
    stranger.kill()
    assert returns_at_once(bell)
    bell.wait_for_ends_of({stranger.pid})  # its LOCK still names it
    began = time.monotonic()
    bell.wait(0.1)
    assert time.monotonic() - began >= 0.1


@needs_pidfd
def test_a_process_that_ended_before_it_could_be_watched_rings_once(
    bell: Bell, watched: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stranger.kill()
    stranger.wait()
    bell.wait_for_ends_of({stranger.pid})
    assert returns_at_once(bell)
    bell.wait_for_ends_of({stranger.pid})
    began = time.monotonic()
    bell.wait(0.1)
    assert time.monotonic() - began >= 0.1


@needs_pidfd
def test_a_process_that_is_waited_for_no_longer_does_not_ring(
    bell: Bell, watched: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    bell.wait_for_ends_of({stranger.pid})
    bell.wait_for_ends_of(set())
    stranger.kill()
    stranger.wait()
    began = time.monotonic()
    bell.wait(0.1)
    assert time.monotonic() - began >= 0.1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_closed_bell_leaves_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    import threading

    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    bell = Bell()
    bell.watch(tmp_path / "journal")
    bell.wait_for_ends_of({os.getpid()})
    bell.close()
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before
