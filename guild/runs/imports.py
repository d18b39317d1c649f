"""Import: runs of an archive, which may come from anybody, made ready in `staging/`.

Nothing is written but below the run's own directory there: links come last, and none of them leads out of
`runs/` unless that is wanted.
"""

import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guild.base import files, unpack
from guild.base.archive_members import Member, zip_type
from guild.errors import GuildError
from guild.runs import layout, links, swap
from guild.runs.archives import DAMAGED, ZipRun
from guild.runs.carry import Warn, copy_run, room_for
from guild.runs.generated import files_below
from guild.runs.links import Act, Leads, LinkRule
from guild.runs.run import Run, is_run_dir
from guild.runs.store import RunStore

_LONGEST_LINK = 4096
Count = Callable[[int], None]


@contextmanager
def brought(store: RunStore, run: Run, rule: LinkRule, warn: Warn, count: Count) -> Iterator[Path]:
    """A copy of a run of an archive, in `staging/`, to be taken from there; what is left there is removed.

    Raises GuildError for what is refused or damaged, OSError.
    """
    name = store.new_id()
    swap.announce(store, name)
    place = store.home.staging / name
    try:
        if isinstance(run, ZipRun):
            _unpack(run, place, rule, warn, count)
        else:
            copy_run(run, place, rule, warn, count)
        _check_links(place, rule, warn)
        if not is_run_dir(place):
            raise GuildError(f"run {run.id} is no complete run")
        yield place
    finally:
        swap.remove(store, place)


def _unpack(run: ZipRun, place: Path, rule: LinkRule, warn: Warn, count: Count) -> None:
    if run.id in run.archive.twice:
        raise GuildError(f"the archive holds a file of run {run.id} more than once")
    place.mkdir()
    left = _allowed(run, place)
    found_links = []
    for path, info in sorted(run.members.items()):
        member = _member(run, info)
        if member.type == "link":
            found_links.append((path, info))
            continue
        with _faults(run, path):
            size = unpack.write_member(member, path, place, left)
        left -= size
        count(size)
        if member.type == "file":
            _set_time(place / path, info)
    for path, info in found_links:
        _make_link(run, place, path, info, rule, warn)


def _allowed(run: ZipRun, place: Path) -> int:
    """How many bytes may be written. Raises GuildError where a run says that it has more."""
    size = sum(info.file_size for info in run.members.values())
    limit = unpack.max_bytes()
    if size > limit:
        raise GuildError(
            f"run {run.id} is too large: {size} bytes",
            f"Set {unpack.MAX_VARIABLE} to allow more than {limit}.",
        )
    if why := room_for(size, place):
        raise GuildError(f"there is no room for run {run.id}: {why}")
    return size


def _member(run: ZipRun, info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    return Member(info.filename, zip_type(info), info.file_size, mode, open=lambda: run.archive.open(info))


@contextmanager
def _faults(run: Run, path: str) -> Iterator[None]:
    """What can be wrong with a member, as an error for the user."""
    try:
        yield
    except unpack.Refused as e:
        raise GuildError(f"'{path}' of run {run.id} is refused: {e}") from None
    except unpack.TooLarge:
        raise GuildError(f"'{path}' of run {run.id} is larger than the archive says") from None
    except DAMAGED as e:
        raise GuildError(f"'{path}' of run {run.id} is damaged in the archive: {e}") from None


def _make_link(
    run: ZipRun, place: Path, path: str, info: zipfile.ZipInfo, rule: LinkRule, warn: Warn
) -> None:
    with _faults(run, path):
        if info.file_size > _LONGEST_LINK:
            raise unpack.Refused("it is a link that is too long")
        with run.archive.open(info) as f:
            text = os.fsdecode(f.read())
        if not text or "\0" in text:
            raise unpack.Refused("it is no link that can be made")
        if rule(links.leads(path, text), False) is Act.DROP:
            warn(f"'{path}' is a link to '{text}', outside of the run; it is left out")
            return
        unpack.make_parents(place, (place / path).parent)
        if os.path.lexists(place / path):
            raise unpack.Refused("something else has the same name")
        os.symlink(text, place / path)


def _set_time(path: Path, info: zipfile.ZipInfo) -> None:
    with suppress(ValueError, OverflowError, OSError):
        written = time.mktime((*info.date_time, 0, 0, -1))
        os.utime(path, (written, written))


def _check_links(place: Path, rule: LinkRule, warn: Warn) -> None:
    """Links that each seem to stay inside can lead outside together: with `a -> .`, `a/a/../..` does. Those
    among the run's own data would have us write to other places."""
    around = os.path.realpath(place.parent) + os.sep
    keeps_all = rule(Leads.ELSEWHERE, False) is Act.KEEP
    bad = []
    for path in files_below(place, frozenset()):
        full = place / path
        if not full.is_symlink():
            continue
        is_safe = links.leads(path, os.readlink(full)) is not Leads.ELSEWHERE
        is_safe = is_safe and os.path.realpath(full).startswith(around)
        if is_own_data(path) or not (keeps_all or is_safe):
            bad.append(path)
    for path in bad:
        warn(f"'{path}' is a link that leads outside of the run, or stands for Guild's data; it is left out")
        files.remove_file(place / path)


def is_own_data(path: str) -> bool:
    """Whether a path is that of what Guild keeps of a run, of its prototype, or of its steps."""
    parts = path.split("/")
    if layout.GUILD_DIR not in parts:
        return False
    behind = parts[len(parts) - parts[::-1].index(layout.GUILD_DIR) :]
    return len(behind) < 2 or behind[0] not in (layout.PROTO, layout.STEPS)
