"""Archives of dependencies: unpacked whole or not at all, and never outside of their directory."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from guild.base import files
from guild.base.archive_members import MEMBERS, Member
from guild.base.unpack import Refused, TooLarge, safe_path, write_member
from guild.base.unpack import max_bytes as default_max_bytes
from guild.errors import GuildError

_SUFFIXES = (
    (re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tbz2?|tar\.xz|txz)$", re.IGNORECASE), "tar"),
    (re.compile(r"\.zip$", re.IGNORECASE), "zip"),
    (re.compile(r"\.gz$", re.IGNORECASE), "gzip"),
)
_MARK = ".guild-cache-"


def kind_of(name: str, kind: str = "") -> str:
    """`zip`, `tar` or `gzip`, as given or by the name's ending; '' for a file that is no archive."""
    return kind or next((k for pattern, k in _SUFFIXES if pattern.search(name)), "")


def unpack(
    archive: Path,
    cache: Path,
    kind: str,
    *,
    max_bytes: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """The directory with what is in an archive, unpacked below `cache`, anew where the archive has changed.

    Raises GuildError naming the archive and the member for a path or a link that leads outside, a special
    file, more than `max_bytes` in all (default 100 GiB, GUILD_MAX_UNPACKED_SIZE), and for a damaged archive.
    """
    limit = max_bytes if max_bytes is not None else default_max_bytes()
    info = os.stat(archive)
    stamp = f"{info.st_mtime_ns} {info.st_size} {kind}"
    target = place_of(archive, cache)
    mark = target / f"{_MARK}{archive.name}.unpacked"
    try:
        if mark.read_text() == stamp:
            return target
    except (OSError, ValueError):
        pass
    fresh = cache / f"{target.name}.{os.urandom(4).hex()}"
    os.makedirs(fresh)
    try:
        _unpack_into(archive, fresh, kind, limit, stopped)
        (fresh / mark.name).write_text(stamp)
        _replace(fresh, target)
    finally:
        files.remove_tree(fresh)
    return target


def place_of(archive: Path, cache: Path) -> Path:
    """Where an archive is, or will be, unpacked (`cache/resources` of Guild 0.9)."""
    import hashlib

    return cache / hashlib.sha224(os.fsencode(f"file\n{archive.absolute()}")).hexdigest()


def _replace(fresh: Path, target: Path) -> None:
    """Put a directory in the place of another one; whoever comes first wins."""
    if target.exists():
        aside = target.with_name(f"{target.name}.{os.urandom(4).hex()}")
        try:
            files.move(target, aside)
        except FileNotFoundError:
            pass
        files.remove_tree(aside)
    try:
        files.move(fresh, target)
    except OSError:
        if not target.is_dir():
            raise


def is_own_mark(name: str) -> bool:
    """Whether a name at the top of the cache directory of a resource is Guild's own, not of the archive."""
    return name.startswith(_MARK)


def _unpack_into(archive: Path, into: Path, kind: str, limit: int, stopped: Callable[[], bool]) -> None:
    import lzma
    import tarfile
    import zipfile
    import zlib

    try:
        left, links = limit, []
        for member in MEMBERS[kind](archive, stopped):
            left -= _write(archive, into, member, left, stopped)
            if member.type == "link":
                links.append(member)
        _check_links(archive, into, links)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as e:
        why = str(e).partition("\n")[0].rstrip(":")
        raise GuildError(
            f"cannot unpack '{archive}': {why}", "Is it complete, and really an archive?"
        ) from None
    except (NotImplementedError, RuntimeError) as e:  # a method that zipfile does not know; a password
        raise GuildError(f"cannot unpack '{archive}': {e}") from None
    except OSError as e:
        raise GuildError(f"cannot unpack '{archive}': {e.strerror or e}") from None


def _check_links(archive: Path, into: Path, links: Iterable[Member]) -> None:
    """Links that each seem to stay inside can lead outside together: with `a -> .`, `a/a/../..` does."""
    base = os.path.realpath(into)
    for member in links:
        real = os.path.realpath(into / (safe_path(member.name) or ""))
        if real != base and not real.startswith(base + os.sep):
            raise _refused(archive, member, f"its link to '{member.link}' leads outside of the archive")


def _write(archive: Path, into: Path, member: Member, left: int, stopped: Callable[[], bool]) -> int:
    """Write one member; the bytes that it takes."""

    def check() -> None:
        if stopped():
            raise GuildError("stopped while an archive was unpacked")

    path = safe_path(member.name)
    if path is None:
        raise _refused(archive, member, "its path leads outside of the archive")
    if not path:
        return 0
    if is_own_mark(path):
        raise _refused(archive, member, f"'{_MARK}' begins a name of Guild's own")
    try:
        return write_member(member, path, into, left, check)
    except Refused as e:
        raise _refused(archive, member, str(e)) from None
    except TooLarge:
        why = "the archive holds more than GUILD_MAX_UNPACKED_SIZE allows"
        raise _refused(archive, member, why) from None


def _refused(archive: Path, member: Member, why: str) -> GuildError:
    return GuildError(f"cannot unpack '{archive}': member '{member.name}' is refused: {why}")
