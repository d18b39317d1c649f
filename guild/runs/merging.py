"""Merge: which files of a run go back to its project, and where to."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from guild.base import files
from guild.ops.git import run_git
from guild.runs import layout
from guild.runs.generated import files_below
from guild.runs.manifest import DEPENDENCY, SOURCE, ManifestEntry, read_manifest
from guild.runs.run import Run
from guild.runs.run_files import root_in_project

_GIT_SECONDS = 60.0
_FILE_URI = "file:"
# Nothing is written below these: what lies in a repository may be executed by it.
_FORBIDDEN = (layout.GUILD_DIR, ".git", ".hg", ".svn")
_CHUNK = 1 << 20

NO_FILE = "non-project file"
NO_DEPENDENCY = "non-project dependency"
SKIPPED_DEPENDENCY = "skipped dependency"
SKIPPED_SOURCE = "skipped source code"
EXCLUDED, UNCHANGED = "excluded", "unchanged"
MISSING, FORBIDDEN = "not in the run", "not allowed in a project"
OUTSIDE, TWICE = "outside of the project", "the run holds another file for this one"


@dataclass(frozen=True)
class Rules:
    """What is copied: `--all`, `--skip-sourcecode`, `--skip-deps` (also `--sourcecode`), `--exclude`."""

    all: bool = False
    skip_source: bool = False
    skip_deps: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Move:
    """`path`: below the run directory; `target`: below the project. `skipped`: why it is not copied,
    '' if it is; `replaces`: whether a different file is there."""

    path: str
    target: str
    skipped: str = ""
    replaces: bool = False


def plan(run: Run, project: Path, rules: Rules) -> list[Move]:
    """What becomes of each file of a run, by target. Raises OSError where the run cannot be read."""
    entries = {e.path.rstrip("/"): e for e in read_manifest(run.guild_dir / layout.MANIFEST)}
    taken: set[str] = set()
    moves = []
    for move in sorted(_all_moves(run, entries, rules), key=lambda m: (bool(m.skipped), m.target)):
        if not move.skipped:
            move = _settled(run, project, move, taken)
        moves.append(move)
    return sorted(moves, key=lambda m: m.target)


def _all_moves(run: Run, entries: Mapping[str, ManifestEntry], rules: Rules) -> Iterator[Move]:
    root = root_in_project(run)
    listed = set(entries)
    for path in sorted(listed):
        yield from _listed(run, entries[path], path, root, rules)
    for path in files_below(run.path):
        if not _is_within(path, listed):
            yield _checked(Move(path, path, "" if rules.all else NO_FILE), rules)


def _is_within(path: str, listed: set[str]) -> bool:
    """Whether the manifest names a file, or a directory that it is in."""
    while path:
        if path in listed:
            return True
        path = path.rpartition("/")[0]
    return False


def _listed(run: Run, entry: ManifestEntry, path: str, root: str, rules: Rules) -> Iterator[Move]:
    if entry.kind == SOURCE:
        skipped = SKIPPED_SOURCE if rules.skip_source else ""
        yield _checked(Move(path, os.path.join(root, entry.source), skipped), rules)
        return
    target = entry.source[len(_FILE_URI) :] if entry.source.startswith(_FILE_URI) else ""
    skipped = SKIPPED_DEPENDENCY if rules.skip_deps else ""
    if entry.kind != DEPENDENCY or not target or entry.extra or os.path.isabs(target):
        skipped = skipped or NO_DEPENDENCY
        target = path
    if (run.path / path).is_dir():
        for inside in files_below(run.path / path):
            yield _checked(Move(f"{path}/{inside}", f"{target}/{inside}", skipped), rules)
    else:
        yield _checked(Move(path, target, skipped), rules)


def _checked(move: Move, rules: Rules) -> Move:
    target = os.path.normpath(move.target)
    reason = move.skipped
    if target == ".." or target.startswith("../") or os.path.isabs(target):
        reason = reason or OUTSIDE
    elif any(part.lower() in _FORBIDDEN for part in target.split("/")):
        reason = reason or FORBIDDEN
    elif any(fnmatchcase(target, pattern) for pattern in rules.exclude):
        reason = reason or EXCLUDED
    return Move(move.path, target, reason)


def _settled(run: Run, project: Path, move: Move, taken: set[str]) -> Move:
    """What the disk has to say."""
    place = place_of(project, move.target)
    source = run.path / move.path
    if place is None:
        return Move(move.path, move.target, OUTSIDE)
    if not source.is_file():
        return Move(move.path, move.target, MISSING)
    if move.target in taken:
        return Move(move.path, move.target, TWICE)
    taken.add(move.target)
    if os.path.lexists(place) and _is_same(source, place):
        return Move(move.path, move.target, UNCHANGED)
    return Move(move.path, move.target, "", replaces=os.path.lexists(place))


def place_of(project: Path, target: str) -> Path | None:
    """The real path of a target; None where links on its way lead out of the project."""
    base = os.path.realpath(project)
    place = os.path.realpath(os.path.join(base, target))
    return Path(place) if place.startswith(base.rstrip("/") + "/") else None


def _is_same(a: Path, b: Path) -> bool:
    if not b.is_file() or a.stat().st_size != b.stat().st_size:
        return False
    with open(a, "rb") as first, open(b, "rb") as second:
        while chunk := first.read(_CHUNK):
            if chunk != second.read(_CHUNK):
                return False
    return True


@dataclass(frozen=True)
class Safety:
    """Of files that would be replaced: those with changes that git lacks, and those it does not know."""

    changed: tuple[str, ...]
    unknown: tuple[str, ...]


def safety(project: Path, targets: Sequence[str], environ: Mapping[str, str]) -> Safety:
    """What would be lost if these files of a project were replaced."""

    def ask(*args: str) -> set[str] | None:
        told = run_git(project, args, environ, _GIT_SECONDS)
        return None if told is None else {os.fsdecode(name) for name in told.split(b"\0") if name}

    known = ask("ls-files", "-z") if targets else None
    changed = ask("diff", "--name-only", "-z", "--relative", "--no-renames", "HEAD") if known else None
    if known is None or changed is None:
        return Safety((), tuple(targets))
    return Safety(
        tuple(t for t in targets if t in known and t in changed), tuple(t for t in targets if t not in known)
    )


def merge_file(run: Run, project: Path, move: Move) -> None:
    """Copy one file of a plan, whole. Raises OSError, also for a target that has become a link outwards."""
    place = place_of(project, move.target)
    if place is None:
        raise OSError(f"'{move.target}' leads out of '{project}'")
    os.makedirs(place.parent, exist_ok=True)
    temp = place.with_name(files.temp_name())
    try:
        with open(run.path / move.path, "rb") as source, open(temp, "xb") as out:
            while chunk := source.read(_CHUNK):
                out.write(chunk)
            mode = os.fstat(source.fileno()).st_mode
        os.chmod(temp, stat.S_IMODE(os.stat(place).st_mode) if place.exists() else mode & 0o777 | 0o600)
        files.move(temp, place)
    finally:
        files.remove_file(temp)
