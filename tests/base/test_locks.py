"""The lock between processes: one at a time, freed by death, whatever the file system can do."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guild.base import locks
from guild.base.locks import LockBusy, file_lock
from guild.base.processes import ProcessId, this_process

HOLD = """
import sys
from pathlib import Path
from guild.base.locks import file_lock
with file_lock(Path(sys.argv[1]), 30):
    print("held", flush=True)
    sys.stdin.read()
print("freed", flush=True)
"""
NO_FLOCK = """
import errno, fcntl
def flock(fd, how):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
Hold = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["flock", "no flock"])
def lock(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock's path, on a file system with flock and on one without."""
    if request.param == "no flock":

        def flock(fd: int, how: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
    return tmp_path / "lock"


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Iterator[Hold]:
    """Start a process that holds the lock until its stdin ends."""
    begun: list[subprocess.Popen[str]] = []

    def begin(path: Path, wait: bool = True) -> subprocess.Popen[str]:
        without = "no flock" in request.node.name
        code = (NO_FLOCK if without else "") + HOLD
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=pipe, stdout=pipe, text=True
        )
        begun.append(process)
        if wait:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for each in begun:
        each.kill()
        each.communicate()


def take(path: Path, timeout: float = 0.0) -> bool:
    """Whether the lock can be had."""
    try:
        with file_lock(path, timeout):
            return True
    except LockBusy:
        return False


def test_a_held_lock_is_busy_and_a_freed_one_is_not(lock: Path, hold: Hold) -> None:
    holder = hold(lock)
    assert not take(lock)
    assert holder.communicate("")[0] == "freed\n"
    assert take(lock)


def test_the_death_of_its_holder_frees_the_lock(lock: Path, hold: Hold) -> None:
    holder = hold(lock)
    holder.kill()
    holder.wait()
    assert take(lock, 5)


def test_a_holder_that_is_a_zombie_has_freed_the_lock(lock: Path, hold: Hold) -> None:
    holder = hold(lock)
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert take(lock, 5)


def test_who_waits_gets_the_lock_when_it_is_freed(lock: Path, hold: Hold) -> None:
    holder, waiter = hold(lock), hold(lock, wait=False)
    holder.communicate("")
    assert waiter.stdout
    assert waiter.stdout.readline() == "held\n"


def test_the_time_limit_is_kept(lock: Path, hold: Hold) -> None:
    hold(lock)
    began = time.monotonic()
    assert not take(lock, 0.2)
    assert 0.2 <= time.monotonic() - began < 5


def test_an_error_in_the_body_frees_the_lock_and_comes_out_as_it_is(lock: Path) -> None:
    with pytest.raises(KeyError) as caught, file_lock(lock, 0):
        raise KeyError("mine")
    assert caught.value.__context__ is None
    assert take(lock)


def test_the_lock_leaves_one_file_at_most_and_no_descriptor(lock: Path, hold: Hold) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        assert take(lock)
    holder = hold(lock)
    assert not take(lock, 0.05)
    holder.communicate("")
    assert take(lock)
    assert os.listdir(lock.parent) == ["lock"]
    open_now = len(os.listdir("/dev/fd"))
    assert open_now - before == 2 - 2 * bool(holder.stdin and holder.stdin.closed)


def test_a_missing_directory_is_an_os_error(lock: Path) -> None:
    with pytest.raises(FileNotFoundError), file_lock(lock.parent / "none" / "lock", 0):
        pass


def test_threads_of_one_process_exclude_each_other(lock: Path) -> None:
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(10):
            with file_lock(lock, 30):
                inside += 1
                most = max(most, inside)
                os.sched_yield()
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


COUNT = """
import sys
from pathlib import Path
from guild.base.locks import file_lock
for _ in range(int(sys.argv[3])):
    with file_lock(Path(sys.argv[1]), 60):
        counter = Path(sys.argv[2])
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_no_increment_of_a_counter_is_lost_between_processes(
    lock: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    code = (NO_FLOCK if "no flock" in request.node.name else "") + COUNT
    command = [sys.executable, "-c", code, str(lock), str(counter), "60"]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [p.wait(60) for p in started] == [0, 0, 0]
    assert counter.read_text() == "180"


def test_a_lock_file_that_was_replaced_meanwhile_is_locked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, locked = tmp_path / "lock", fcntl.flock, []

    def flock(fd: int, how: int) -> None:
        real(fd, how)
        if how & fcntl.LOCK_EX:
            locked.append(os.fstat(fd).st_ino)
            if len(locked) == 1:
                path.rename(tmp_path / "old")
                path.touch()

    monkeypatch.setattr(fcntl, "flock", flock)
    with file_lock(path, 5):
        assert locked[-1] == os.stat(path).st_ino
    assert len(locked) == 2


def test_a_child_that_was_forked_meanwhile_does_not_hold_the_lock_on(tmp_path: Path) -> None:
    ready, go = os.pipe(), os.pipe()
    with file_lock(tmp_path / "lock", 0):
        pid = os.fork()
        if pid == 0:
            os.read(go[0], 1)  # shares the open file until the parent says so
            os._exit(0)
    try:
        assert take(tmp_path / "lock")
    finally:
        os.write(go[1], b"x")
        os.waitpid(pid, 0)
        for fd in (*ready, *go):
            os.close(fd)


def test_an_error_of_flock_that_is_no_lack_of_it_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), file_lock(tmp_path / "lock", 0):
        pass


class TestWithoutFlock:
    """The file that names its holder."""

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        def flock(fd: int, how: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
        return tmp_path / "lock"

    @pytest.fixture
    def holder_file(self, path: Path) -> Path:
        return path.with_name("lock.holder")

    def dead(self, **changes: object) -> ProcessId:
        return replace(this_process(), **{"ticks": 1, **changes})  # type: ignore[arg-type]

    def test_it_names_this_process_while_it_is_held(self, path: Path, holder_file: Path) -> None:
        with file_lock(path, 0):
            assert ProcessId.from_text(holder_file.read_text()) == this_process()
        assert not holder_file.exists()

    def test_a_dead_holder_is_taken_away(self, path: Path, holder_file: Path) -> None:
        holder_file.write_text(self.dead().to_text())
        assert take(path, 5)
        assert os.listdir(path.parent) == ["lock"]

    def test_a_holder_on_another_host_is_believed(self, path: Path, holder_file: Path) -> None:
        elsewhere = self.dead(host="elsewhere", machine="its own", boot="its own")
        holder_file.write_text(elsewhere.to_text())
        assert not take(path, 0.05)
        assert holder_file.read_text() == elsewhere.to_text()

    def test_a_file_that_names_nobody_is_left_alone(self, path: Path, holder_file: Path) -> None:
        holder_file.write_text("damaged")
        assert not take(path, 0.05)
        assert holder_file.read_text() == "damaged"

    def test_one_who_died_while_taking_a_dead_holder_away_blocks_nobody(
        self, path: Path, holder_file: Path
    ) -> None:
        holder_file.write_text(self.dead().to_text())
        rights: list[Path] = []
        create = locks._create_exclusively
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(locks, "_create_exclusively", lambda p: (rights.append(p), create(p))[1])
            locks._remove_if_dead(holder_file)
        holder_file.write_text(self.dead().to_text())
        rights[0].write_text(self.dead(pid=1).to_text())
        assert take(path, 5)
        assert os.listdir(path.parent) == ["lock"]

    def test_a_slow_one_does_not_take_the_next_holder_away(
        self, path: Path, holder_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has seen that the holder is dead; before it acts, another has taken the lock."""
        holder_file.write_text(self.dead().to_text())
        create = locks._create_exclusively

        def slow(target: Path) -> bool:
            monkeypatch.setattr(locks, "_create_exclusively", create)
            locks._remove_if_dead(holder_file)
            assert create(holder_file)
            return create(target)

        monkeypatch.setattr(locks, "_create_exclusively", slow)
        locks._remove_if_dead(holder_file)
        assert ProcessId.from_text(holder_file.read_text()) == this_process()

    def test_it_works_where_files_cannot_be_linked(
        self, path: Path, holder_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def link(a: object, b: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        with file_lock(path, 0):
            assert ProcessId.from_text(holder_file.read_text()) == this_process()
            assert not take(path)
        assert os.listdir(path.parent) == ["lock"]

    def test_a_link_whose_reply_was_lost_counts(
        self, path: Path, holder_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.link

        def link(a: Path, b: Path) -> None:
            real(a, b)
            raise FileExistsError(errno.EEXIST, "File exists")

        monkeypatch.setattr(os, "link", link)
        with file_lock(path, 0):
            assert holder_file.exists()

    def test_a_full_disk_leaves_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(fd: int, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"), file_lock(path, 0):
            pass
        monkeypatch.undo()
        assert os.listdir(path.parent) == ["lock"]
