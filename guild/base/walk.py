"""Walking a directory with patterns, and the order in which people expect the names."""

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_DIGITS = re.compile(r"([0-9]+)")
_ANY_DEPTH = "**"
_Trail = tuple[tuple[int, int], ...]  # device and inode of each directory from the top


class Found(NamedTuple):
    """A file, directory or link. `path` is relative, with `/`; `is_dir` holds for a link that leads to a
    directory, too."""

    path: str
    is_dir: bool = False
    is_link: bool = False


def natural_key(path: str) -> list[list[tuple[bool, int, str]]]:
    """Sort key for paths: numbers by their value (`a2` before `a10`), directories before what they hold."""
    return [_name_key(name) for name in path.split("/")]


@lru_cache(maxsize=4096)
def _name_key(name: str) -> list[tuple[bool, int, str]]:
    return [(at % 2 == 0, int(p) if at % 2 else 0, p) for at, p in enumerate(_DIGITS.split(name)) if p]


def relative(path: str) -> str | None:
    """The normal form of a relative path, '' for the directory itself; None for one that leads outside or
    is absolute. Pure."""
    normal = os.path.normpath(path or ".")
    if os.path.isabs(path) or normal == ".." or normal.startswith("../") or "\0" in path:
        return None
    return "" if normal == "." else normal


class Pattern:
    """A path in normal form with `*`, `?`, `[..]` within names and `**` for any directories; '' for all.

    What it matches is meant with all that lies below. A name that begins with a dot must be matched by one
    that does. Positions: how much of the pattern the names so far may have used up.
    """

    def __init__(self, text: str) -> None:
        self.parts = tuple(text.split("/")) if text else ()
        self.start = self._closed({0})

    def _closed(self, positions: Iterable[int]) -> frozenset[int]:
        found = set(positions)
        for at in sorted(found):
            while at < len(self.parts) and self.parts[at] == _ANY_DEPTH:
                at += 1
                found.add(at)
        return frozenset(found)

    def step(self, positions: frozenset[int], name: str, hidden: bool) -> frozenset[int]:
        """The positions behind one more name; empty where nothing below can match. `hidden`: names with a
        dot are like others."""
        after = set()
        for at in positions - {len(self.parts)}:
            part = self.parts[at]
            if part == _ANY_DEPTH:
                after |= {at} if hidden or name[:1] != "." else set()
            elif fnmatchcase(name, part) and (hidden or name[:1] != "." or part[:1] == "."):
                after.add(at + 1)
        return self._closed(after)

    def is_end(self, positions: frozenset[int]) -> bool:
        return len(self.parts) in positions

    def covers(self, path: str) -> bool:
        """Whether a path, or a directory above it, is matched; dots do not count."""
        positions = self.start
        for name in path.split("/"):
            if self.is_end(positions):
                return True
            positions = self.step(positions, name, hidden=True)
        return self.is_end(positions)


def walk(directory: Path, pattern: str = "", *, hidden: bool, follow: bool) -> list[Found]:
    """What lies below a directory and is meant by a pattern, in no certain order.

    Names that begin with a dot are left out unless `hidden`. Links are not followed unless `follow`, and
    then never in a circle. Directories that cannot be read count as empty.
    """
    wanted = Pattern(pattern)
    found: list[Found] = []
    todo: list[tuple[str, frozenset[int], bool, _Trail]] = [
        ("", wanted.start, wanted.is_end(wanted.start), ())
    ]
    while todo:
        below, positions, inside, above = todo.pop()
        trail = _with_identity(directory / below, above) if follow else above
        if trail is None:
            continue
        for entry in _scan(directory / below):
            is_dir, is_link = _kind(entry)
            after = wanted.step(positions, entry.name, hidden)
            meant = wanted.is_end(after) or (inside and (hidden or entry.name[:1] != "."))
            path = f"{below}/{entry.name}" if below else entry.name
            if meant:
                found.append(Found(path, is_dir, is_link))
            if is_dir and (meant or after) and (follow or not is_link):
                todo.append((path, after, meant, trail))
    return found


def _kind(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    try:
        return entry.is_dir(), entry.is_symlink()
    except OSError:  # a link to itself
        return False, True


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _with_identity(directory: Path, above: _Trail) -> _Trail | None:
    """`above` and this directory; None where it is one of those above, or gone."""
    try:
        info = os.stat(directory)
    except OSError:
        return None
    identity = (info.st_dev, info.st_ino)
    return None if identity in above else (*above, identity)
