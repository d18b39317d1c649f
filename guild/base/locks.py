"""A lock between processes that the kernel frees when its holder dies.

`flock` on a file that is never unlinked. On a file system without flock: a neighbouring file that
is created exclusively and names its holder, so that a dead holder's lock can be taken away.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guild.base.processes import ProcessId, is_alive, this_process

_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class LockBusy(Exception):
    """Others held the lock for the whole time limit."""


@contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock named by `path`, waiting for at most `timeout` seconds.

    Raises `LockBusy` after that, `OSError` where the file cannot be opened.
    """
    deadline = time.monotonic() + timeout
    try:
        fd = _flock(path, deadline)
    except OSError as e:
        if e.errno not in _NO_FLOCK:
            raise
        with _exclusive_file(path.with_name(path.name + ".holder"), deadline):
            yield
        return
    try:
        yield
    finally:
        os.close(fd)


def _flock(path: Path, deadline: float) -> int:
    pause = 0.0005
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_named(fd, path):
                return fd
            os.close(fd)
            continue
        except BlockingIOError:
            os.close(fd)
        except BaseException:
            os.close(fd)
            raise
        pause = _wait(pause, deadline)


def _still_named(fd: int, path: Path) -> bool:
    """Whether `path` still is the file that was locked (somebody may have replaced it)."""
    try:
        there, mine = os.stat(path), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _wait(pause: float, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise LockBusy
    time.sleep(min(pause, left))
    return min(pause * 1.5, 0.02)


@contextmanager
def _exclusive_file(path: Path, deadline: float) -> Iterator[None]:
    pause = 0.0005
    while True:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            break
        except FileExistsError:
            _remove_if_dead(path)
        pause = _wait(pause, deadline)
    try:
        os.write(fd, this_process().to_text().encode())
        os.close(fd)
        yield
    finally:
        path.unlink(missing_ok=True)


def _remove_if_dead(path: Path) -> None:
    try:
        holder = ProcessId.from_text(path.read_text())
    except (OSError, ValueError):
        return
    if not is_alive(holder):
        # Renaming first: of several waiters only one gets to remove this very file.
        grave = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            os.rename(path, grave)
            os.unlink(grave)
        except FileNotFoundError:
            pass
