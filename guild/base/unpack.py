"""Members of archives on their way to the disk: each below its directory, or refused."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from guild.base.archive_members import Member

CHUNK = 1 << 20
MAX_BYTES = 100 << 30
MAX_VARIABLE = "GUILD_MAX_UNPACKED_SIZE"
_DEEPEST = 200


class Refused(Exception):
    """A member that is not written; its text says why."""


class TooLarge(Exception):
    """A member with more bytes than what was left."""


def max_bytes() -> int:
    """How much may be unpacked from one archive, or for one run of it."""
    try:
        return int(os.environ[MAX_VARIABLE])
    except (KeyError, ValueError):
        return MAX_BYTES


def write_member(
    member: Member, path: str, into: Path, left: int, check: Callable[[], None] = lambda: None
) -> int:
    """Write one member at `path` (as `safe_path` gave it) below `into`; the bytes that it takes.

    `check` is called now and then, and may raise to stop. Raises Refused, TooLarge for more than `left`
    bytes, OSError, and what reading the archive raises.
    """
    if path.count("/") > _DEEPEST:
        raise Refused(f"it lies more than {_DEEPEST} directories deep")
    target = into / path
    if member.type == "dir":
        make_parents(into, target)
        return 0
    make_parents(into, target.parent)
    if os.path.lexists(target):
        if target.is_dir() and not target.is_symlink():
            raise Refused("a directory has the same name")
        os.unlink(target)
    if member.type == "link":
        if not stays_inside(path, member.link):
            raise Refused(f"it is a link to '{member.link}', outside of the archive")
        os.symlink(member.link, target)
        return 0
    if member.type != "file" or member.open is None:
        raise Refused("it is neither a file, a directory nor a link")
    with member.open() as source, open(target, "xb") as out:
        size = _copy(source, out, left, check)
    os.chmod(target, 0o755 if member.mode & stat.S_IXUSR else 0o644)
    return size


def _copy(source: IO[bytes], out: IO[bytes], left: int, check: Callable[[], None]) -> int:
    size = 0
    while chunk := source.read(CHUNK):
        check()
        size += len(chunk)
        if size > left:
            raise TooLarge
        out.write(chunk)
    return size


def safe_path(name: str) -> str | None:
    """A member's path below the directory; '' for that itself, None for one that leads outside."""
    name = name.replace("\\", "/") if re.match(r"[A-Za-z]:\\|\\\\", name) else name
    if name.startswith("/") or re.match(r"[A-Za-z]:/", name) or "\0" in name:
        return None
    parts = [p for p in name.split("/") if p not in ("", ".")]
    return None if ".." in parts else "/".join(parts)


def stays_inside(path: str, link: str) -> bool:
    """Whether a link at `path` leads to a place below the directory."""
    if not link or link.startswith("/") or "\0" in link:
        return False
    joined = os.path.normpath(os.path.join(os.path.dirname(path), link))
    return joined != ".." and not joined.startswith("../")


def make_parents(into: Path, directory: Path) -> None:
    """The directories on the way; none of them may be a link, whatever that leads to."""
    at = into
    for part in directory.relative_to(into).parts:
        at = at / part
        if at.is_symlink():
            raise Refused("a directory on its path is a link")
        try:
            os.mkdir(at)
        except FileExistsError:
            if not at.is_dir():
                raise Refused("a file is where its directory should be") from None
