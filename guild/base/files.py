"""Files: whole writes, careful reads, removal, digests."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TEMP = ".tmp-"
_TEMP_NAME = re.compile(re.escape(_TEMP) + r"([0-9a-f]{8})-([1-9][0-9]*)-[0-9a-f]+")

# What is read of a file that should be small (an attribute, a marker) before it counts as damaged.
SMALL = 4 << 20


class NotReadable(OSError):
    """Not a regular file, or larger than what was allowed."""


def read_regular(path: Path | str, limit: int = SMALL) -> bytes:
    """The bytes of a regular file. Never hangs on a fifo or a device.

    Raises FileNotFoundError, NotReadable for another kind of file or a larger one, other OSErrors.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise NotReadable(f"not a regular file: {path}")
        data = b""
        if info.st_size <= limit:
            # One byte past the limit: the file may grow while it is read.
            chunks, left = [], limit + 1
            while left > 0 and (chunk := os.read(fd, min(left, 1 << 20))):
                chunks.append(chunk)
                left -= len(chunk)
            data = b"".join(chunks)
        if max(info.st_size, len(data)) > limit:
            raise NotReadable(f"larger than {limit} bytes: {path}")
        return data
    finally:
        os.close(fd)


def write_whole(
    path: Path, data: bytes, *, temp_dir: Path | None = None, sync: bool = False, mode: int = 0o644
) -> None:
    """Write a file so that readers see the old or the new content, never a part.

    The temporary file lies in `temp_dir` (same file system; default: beside the target).
    `sync` puts the content on disk before the rename; syncing the directory is the caller's.
    """
    temp = (temp_dir or path.parent) / temp_name()
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(fd, data)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temp, path)
    except BaseException:
        remove_file(temp)
        raise


def write_named(path: Path, data: bytes) -> None:
    """Write the file that somebody named: whole, where links lead to, with the permissions that it has; or
    straight into what is no regular file (a pipe, a device). Raises OSError."""
    try:
        info = os.stat(path)
    except FileNotFoundError:
        write_whole(Path(os.path.realpath(path)), data)
        return
    if stat.S_ISREG(info.st_mode):
        write_whole(Path(os.path.realpath(path)), data, mode=stat.S_IMODE(info.st_mode))
        return
    fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def move(source: Path, target: Path) -> None:
    """Give a file or directory another name on the same file system; a file there is replaced."""
    os.rename(source, target)


def temp_name() -> str:
    """A name for something in the making that says whose it is (`is_stale_temp`)."""
    from guild.base.processes import place_mark

    # Random as well: a pid alone comes back, in the next container that shares the directory for one.
    return f"{_TEMP}{place_mark()}-{os.getpid()}-{os.urandom(6).hex()}"


def is_stale_temp(name: str) -> bool:
    """Whether this is the name of a temporary file whose writer, a process of this machine, has ended."""
    from guild.base.processes import is_running, place_mark

    match = _TEMP_NAME.fullmatch(name)
    return match is not None and match[1] == place_mark() and not is_running(int(match[2]))


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_line(fd: int, text: str) -> None:
    """Write a line, unless whoever read it is gone."""
    try:
        write_all(fd, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        pass


def remove_file(path: Path) -> bool:
    """Remove a file if it is there; whether it was."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def sync_dir(path: Path) -> None:
    """Put a directory's entries on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(path: Path) -> None:
    """Put all regular files and directories below `path` on disk (links are not followed)."""
    for root, _dirs, names in os.walk(path):
        for name in names:
            full = os.path.join(root, name)
            if stat.S_ISREG(os.lstat(full).st_mode):
                fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
        sync_dir(Path(root))


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it, write-protected or not; links are removed, not followed.

    Absent is fine, and so is another process that removes the same tree. Raises other OSErrors.
    """
    if path.is_symlink() or not path.is_dir():
        remove_file(path)
        return
    try:
        _remove_present(path)
    except PermissionError:
        _make_writable(path)
        _remove_present(path)
    except RecursionError:
        _remove_deep(path)


def _remove_deep(path: Path) -> None:
    """A tree of so many levels that a function that calls itself for each does not get to its end."""
    todo, directories = [os.fspath(path)], []
    while todo:
        directory = todo.pop()
        directories.append(directory)
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    os.unlink(entry.path)
    for directory in reversed(directories):
        os.rmdir(directory)


def _remove_present(path: Path) -> None:
    def unless_gone(function: Any, name: Any, error: Any) -> None:
        reason = error if isinstance(error, BaseException) else error[1]
        if not isinstance(reason, FileNotFoundError):
            raise reason

    import shutil

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=unless_gone)
    else:
        shutil.rmtree(path, onerror=unless_gone)


def _make_writable(path: Path) -> None:
    """Let the owner change all directories of a tree, as far as that is possible."""
    todo = [os.fspath(path)]
    while todo:
        directory = todo.pop()
        try:
            os.chmod(directory, stat.S_IRWXU)
            with os.scandir(directory) as entries:
                todo += [e.path for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # the removal that follows says what is the matter


def sha1_file(path: Path) -> str:
    return _digest(path, "sha1")


def sha256_file(path: Path) -> str:
    return _digest(path, "sha256")


def md5_bytes(data: bytes) -> str:
    import hashlib

    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _digest(path: Path, algorithm: str) -> str:
    import hashlib

    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as f:
        for chunk in iter_chunks(f.fileno()):
            digest.update(chunk)
    return digest.hexdigest()


def iter_chunks(fd: int, size: int = 1 << 20) -> Iterator[bytes]:
    """The rest of an open file in pieces."""
    while chunk := os.read(fd, size):
        yield chunk
