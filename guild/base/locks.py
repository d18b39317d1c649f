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

from guild.base.files import remove_file, write_all
from guild.base.processes import ProcessId, is_alive, this_process

_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_NO_LINK = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)


class LockBusy(Exception):
    """Others held the lock for the whole time limit."""


@contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock named by `path` (a file, made if missing, or a directory), for at most `timeout` seconds
    of waiting.

    Raises `LockBusy` after that, `OSError` where the file cannot be opened. Not re-entrant.
    """
    deadline = time.monotonic() + timeout
    holder_file = path.with_name(path.name + ".holder")
    fd = _flock(path, deadline)
    if fd is None:
        _take_holder_file(holder_file, deadline)
    try:
        yield
    finally:
        if fd is None:
            remove_file(holder_file)
        else:
            _release(fd)


def _flock(path: Path, deadline: float) -> int | None:
    """The locked file; None where its file system has no flock."""
    pause = 0.0005
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    while True:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o666)
        kept = False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = _still_named(fd, path)
            if kept:
                return fd
        except BlockingIOError:
            pass
        except OSError as e:
            if e.errno in _NO_FLOCK:
                return None
            raise
        finally:
            if not kept:
                os.close(fd)
        pause = _wait(pause, deadline)


def _release(fd: int) -> None:
    # Unlocking before closing: a child that was forked meanwhile, and has not yet reached its exec,
    # shares the open file and would hold the lock on.
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


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


def _take_holder_file(path: Path, deadline: float) -> None:
    pause = 0.0005
    while not _create_exclusively(path):
        _remove_if_dead(path)
        pause = _wait(pause, deadline)


def _create_exclusively(path: Path) -> bool:
    """Make the file that names this process; False if it is there already.

    Made complete beside it and linked, so that nobody ever reads half a name. A link whose reply the
    network lost shows in the number of links.
    """
    temp = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    data = this_process().to_text().encode()
    try:
        _write_new(temp, data)
        try:
            os.link(temp, path)
            return True
        except FileExistsError:
            return os.stat(temp).st_nlink == 2
        except OSError as e:
            if e.errno not in _NO_LINK:
                raise
        return _write_new(path, data)
    finally:
        remove_file(temp)


def _write_new(path: Path, data: bytes) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    try:
        write_all(fd, data)
    finally:
        os.close(fd)
    return True


def _remove_if_dead(path: Path) -> None:
    """Take away the holder file of a process that has ended.

    Of several who see that, one alone may remove the file: else a slow one would remove by its name
    the file that the next holder has made since. So whoever creates a second file, named after the
    dead holder, may remove it, having read it again. That file has a holder too, who may die.
    """
    text = _holder(path)
    if text is None:
        return
    import hashlib

    right = path.with_name(f"{path.name}.{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    if not _create_exclusively(right):
        _remove_if_dead(right)
        return
    try:
        if _holder(path) == text:
            remove_file(path)
    finally:
        remove_file(right)


def _holder(path: Path) -> str | None:
    """The text that names the holder, if that is known to have ended."""
    try:
        text = path.read_text(encoding="utf-8")
        return None if is_alive(ProcessId.from_text(text)) else text
    except (OSError, ValueError):
        return None
