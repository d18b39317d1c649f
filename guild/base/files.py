"""Files: whole writes, careful reads, copies, removal, digests."""

import hashlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

_counter = itertools.count()

# What is read of a file that should be small (an attribute, a marker) before it counts as damaged.
SMALL = 4 << 20


class NotReadable(OSError):
    """Not a regular file, or larger than what was allowed."""


def read_regular(path: Path | str, limit: int = SMALL) -> bytes:
    """The bytes of a regular file. Never hangs on a fifo or a device.

    Raises FileNotFoundError, NotReadable for another kind of file or a larger one, other OSErrors.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise NotReadable(f"not a regular file: {path}")
        if info.st_size > limit:
            raise NotReadable(f"larger than {limit} bytes: {path}")
        chunks = []
        while chunk := os.read(fd, 1 << 20):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        os.close(fd)


def write_whole(
    path: Path, data: bytes, *, temp_dir: Path | None = None, sync: bool = False, mode: int = 0o644
) -> None:
    """Write a file so that readers see the old or the new content, never a part.

    The temporary file lies in `temp_dir` (same file system; default: beside the target).
    `sync` puts the content on disk before the rename; syncing the directory is the caller's.
    """
    temp = (temp_dir or path.parent) / f".tmp-{os.getpid()}-{next(_counter)}"
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


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


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
    """Remove a directory and all below it; links are removed, not followed. Absent is fine."""

    def retry_writable(function: object, name: str, error: object) -> None:
        parent = os.path.dirname(name)
        os.chmod(parent, stat.S_IRWXU)
        if os.path.isdir(name) and not os.path.islink(name):
            os.chmod(name, stat.S_IRWXU)
            shutil.rmtree(name)
        else:
            os.unlink(name)

    try:
        if path.is_symlink() or not path.is_dir():
            os.unlink(path)
        else:
            shutil.rmtree(path, onerror=retry_writable)
    except FileNotFoundError:
        pass


def sha1_file(path: Path) -> str:
    return _digest(path, "sha1")


def md5_bytes(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as f:
        for chunk in iter_chunks(f.fileno()):
            digest.update(chunk)
    return digest.hexdigest()


def iter_chunks(fd: int, size: int = 1 << 20) -> Iterator[bytes]:
    """The rest of an open file in pieces."""
    while chunk := os.read(fd, size):
        yield chunk
