"""Copies of files and directories for a run: of links what they lead to, and stopped at any time."""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from guild.base import files
from guild.errors import GuildError

_CHUNK = 1 << 25
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.ENOTSUP)

Tell = Callable[[str], None]
Stopped = Callable[[], bool]


def copy_into(source: Path, target: Path, warn: Tell, stopped: Stopped) -> None:
    """Copy a file or a directory. Special files in it are left out with a warning, as are links that lead
    nowhere, or to a directory that they are in.

    Raises GuildError if it is stopped, and for a source that is neither; OSError.
    """
    if not source.is_dir():
        if not source.is_file():
            raise GuildError(f"'{source}' is neither a file nor a directory")
        _copy_file(source, target, stopped)
        return
    # Each with the real paths of the directories that it is in.
    todo: list[tuple[Path, Path, tuple[str, ...]]] = [(source, target, (os.path.realpath(source),))]
    while todo:
        at, to, above = todo.pop()
        to.mkdir()
        with os.scandir(at) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if stopped():
                    raise GuildError(f"stopped while '{source}' was copied")
                if real := _copy_entry(entry, to / entry.name, above, warn, stopped):
                    todo.append((Path(entry.path), to / entry.name, (*above, real)))


def _copy_entry(
    entry: "os.DirEntry[str]", to: Path, above: tuple[str, ...], warn: Tell, stopped: Stopped
) -> str:
    """Copy what is no directory; of one that is to be copied, its real path."""
    try:
        mode = entry.stat().st_mode
    except OSError:
        warn(f"'{entry.path}' leads nowhere, it is left out")
        return ""
    if stat.S_ISDIR(mode):
        real = os.path.realpath(entry.path)
        if entry.is_symlink() and any(a == real or a.startswith(real.rstrip(os.sep) + os.sep) for a in above):
            warn(f"'{entry.path}' leads back to where it is, it is left out")
            return ""
        return real
    if stat.S_ISREG(mode):
        _copy_file(Path(entry.path), to, stopped)
    else:
        warn(f"'{entry.path}' is no regular file, it is left out")
    return ""


def _copy_file(source: Path, target: Path, stopped: Stopped) -> None:
    with open(source, "rb", buffering=0) as src, open(target, "wb", buffering=0) as out:
        while _copy_some(src.fileno(), out.fileno()):
            if stopped():
                raise GuildError(f"stopped while '{source}' was copied")
    shutil.copymode(source, target)
    os.chmod(target, os.stat(target).st_mode | stat.S_IWUSR)


def _copy_some(source: int, out: int) -> int:
    """Copy the next bytes; how many there were."""
    try:
        return os.sendfile(out, source, None, _CHUNK)
    except OSError as e:
        if e.errno not in _NO_SENDFILE:
            raise
    data = os.read(source, 1 << 20)
    files.write_all(out, data)
    return len(data)
