"""What of a run is taken elsewhere: its files, directories and links, one after the other."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from guild.base import files
from guild.runs import layout
from guild.runs.links import Act, Leads, LinkRule, leads
from guild.runs.run import Run

# They say who executes a run, where it lies; elsewhere nobody does.
_RIGHTS = (layout.LOCK, layout.LEASE)
_CHUNK = 1 << 24

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """`path`: below the run directory, with `/`. `source`: where it is now. `link`: the text of a link, else
    ''; what is neither a link nor a directory is a regular file."""

    path: str
    source: str
    is_dir: bool = False
    link: str = ""


def items(run: Run, rule: LinkRule, warn: Warn) -> Iterator[Item]:
    """All that belongs to a run, directories before what they hold. Left out, with a warning: what is no
    regular file, what a link cannot be followed to. Raises OSError."""
    base = os.fspath(run.path)
    left_out = {f"{layout.GUILD_DIR}/{name}" for name in _RIGHTS}
    if run.token():
        left_out.add(f"{layout.GUILD_DIR}/{layout.PENDING}")
    # Path, place, real paths of the directories that were followed into.
    todo: list[tuple[str, str, tuple[str, ...]]] = [("", base, ())]
    while todo:
        path, place, followed = todo.pop()
        if path:
            yield Item(path, place, is_dir=True)
        for name in sorted(os.listdir(place)):
            inside = f"{path}/{name}" if path else name
            full = os.path.join(place, name)
            if inside in left_out or files.is_stale_temp(name):
                continue
            found = _item(inside, full, followed, rule, warn)
            if found is None:
                continue
            if found.is_dir:
                todo.append((inside, full, _deeper(full, followed)))
            else:
                yield found


def _deeper(place: str, followed: tuple[str, ...]) -> tuple[str, ...]:
    return (*followed, os.path.realpath(place)) if followed or os.path.islink(place) else ()


def _item(path: str, place: str, followed: tuple[str, ...], rule: LinkRule, warn: Warn) -> Item | None:
    mode = os.lstat(place).st_mode
    if stat.S_ISLNK(mode):
        return _link(path, place, followed, rule, warn)
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        warn(f"'{path}' is no regular file, it is left out")
        return None
    return Item(path, place, is_dir=stat.S_ISDIR(mode))


def _link(path: str, place: str, followed: tuple[str, ...], rule: LinkRule, warn: Warn) -> Item | None:
    text = os.readlink(place)
    is_dir = os.path.isdir(place)
    # Where a link has been followed, the texts of those behind it mean nothing here.
    leading = Leads.ELSEWHERE if followed else leads(path, text)
    act = Act.FOLLOW if followed else rule(leading, is_dir)
    if act is Act.KEEP:
        return Item(path, place, link=text)
    if act is Act.DROP:
        warn(f"'{path}' is a link to '{text}', outside of the run; it is left out")
        return None
    if not os.path.exists(place):
        if followed:
            warn(f"'{path}' leads nowhere, it is left out")
            return None
        return Item(path, place, link=text)
    if not (is_dir or os.path.isfile(place)):
        warn(f"'{path}' leads to no regular file, it is left out")
        return None
    if is_dir and _leads_back(place, followed):
        warn(f"'{path}' leads back to where it is, it is left out")
        return None
    return Item(path, place, is_dir=is_dir)


def _leads_back(place: str, followed: tuple[str, ...]) -> bool:
    real = os.path.realpath(place)
    above = (os.path.realpath(os.path.dirname(place)), *followed)
    return any(a == real or a.startswith(real.rstrip(os.sep) + os.sep) for a in above)


def copy_run(run: Run, target: Path, rule: LinkRule, warn: Warn, count: Callable[[int], None]) -> None:
    """Copy a run to a directory that is not there. `count` is told of bytes as they are copied.

    Raises OSError; what was copied until then is left.
    """
    os.mkdir(target)
    directories = []
    for item in items(run, rule, warn):
        to = os.path.join(target, item.path)
        if item.link:
            os.symlink(_maintained(item), to)
        elif item.is_dir:
            os.mkdir(to)
            directories.append((item.source, to))
        else:
            _copy_file(item.source, to, count)
    for source, to in reversed(directories):
        _copy_times(source, to)


def _maintained(item: Item) -> str:
    """A relative link out of `runs/` goes on leading to the same place, if there is something."""
    if os.path.isabs(item.link) or leads(item.path, item.link) is not Leads.ELSEWHERE:
        return item.link
    return os.path.realpath(item.source) if os.path.exists(item.source) else item.link


def _copy_file(source: str, target: str, count: Callable[[int], None]) -> None:
    # A fifo may have taken the place of a file since it was looked at.
    fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as src, open(target, "xb", buffering=0) as out:
        while chunk := src.read(_CHUNK):
            files.write_all(out.fileno(), chunk)
            count(len(chunk))
        mode = os.fstat(fd).st_mode
    os.chmod(target, (mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR)
    _copy_times(source, target)


def _copy_times(source: str, target: str) -> None:
    info = os.stat(source)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def room_for(size: int, directory: Path) -> str:
    """Why so many bytes do not fit beside a directory; '' if they do, or that cannot be told."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError:
        return ""
    return f"it needs {size} bytes, and '{directory}' has {free} left" if size > free else ""
