"""The files of a run: which are source code, dependencies or generated, and paths that stay inside."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from guild.base.walk import Found, Pattern, relative, walk
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.manifest import DEPENDENCY, SOURCE, ManifestEntry
from guild.runs.older import entries_of
from guild.runs.run import Run


def inside(path: str, below: str = "") -> str:
    """A path that a user names, relative to the run directory or to `below` in it, in normal form ('': the
    run directory). Links are not looked at. Raises GuildError for one that lies outside."""
    normal = relative(path)
    if normal is None:
        raise GuildError(f"'{path}' is not inside the run directory", "Give a path relative to it.")
    return "/".join(part for part in (below, normal) if part)


def source_root(run: Run) -> Path | None:
    """The directory that the source code was copied from; None where it cannot be told. It may be gone."""
    directory = run.opref.directory if run.opref is not None else None
    if not directory:
        return None
    return Path(os.path.normpath(os.path.join(directory, root_in_project(run))))


def root_in_project(run: Run) -> str:
    """Where the source code's paths begin, seen from the project; '' for the project itself."""
    sourcecode = run.map_attr("op").get("sourcecode")
    root = sourcecode.get("root") if isinstance(sourcecode, dict) else None
    return root if isinstance(root, str) else ""


def source_files(run: Run) -> dict[str, str]:
    """Path below the source root -> path below the run directory, of the source code that a run holds.

    Raises GuildError where that cannot be read.
    """
    found = {relative(e.source): e.path for e in manifest_of(run) if e.kind == SOURCE}
    return {key: path for key, path in found.items() if key and _is_there(run, path)}


def manifest_of(run: Run) -> list[ManifestEntry]:
    """As `entries_of`. Raises GuildError for what cannot be read."""
    try:
        return entries_of(run)
    except OSError as e:
        path = run.guild_dir / layout.MANIFEST
        raise GuildError(f"cannot read {path}: {e.strerror or e}") from None


def files_of_kinds(run: Run, source: bool, dependencies: bool, generated: bool, follow: bool) -> set[Found]:
    """The files of these kinds, without directories; Guild's own ones are of none. Raises GuildError."""
    found: set[Found] = set()
    if source:
        found |= {_look(run, path) for path in source_files(run).values()}
    entries = manifest_of(run) if dependencies or generated else []
    for entry in entries if dependencies else ():
        if entry.kind == DEPENDENCY and _is_there(run, entry.path):
            found |= set(_spread(run, entry.path, follow))
    if generated:
        listed = {entry.path.rstrip("/") for entry in entries}
        below = walk(run.path, hidden=True, follow=follow)
        found |= {f for f in below if (f.is_link or not f.is_dir) and not _is_listed(f.path, listed)}
    return found


def _is_there(run: Run, path: str) -> bool:
    """Whether a path of a manifest names something in the run directory."""
    return bool(relative(path)) and os.path.lexists(run.path / path)


def _is_listed(path: str, listed: set[str]) -> bool:
    """Whether a manifest names it or a directory above it; what Guild keeps itself counts as listed."""
    parts = path.split("/")
    above = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
    return parts[0] == layout.GUILD_DIR or any(each in listed for each in above)


def _look(run: Run, path: str) -> Found:
    full = run.path / path
    return Found(os.path.normpath(path), os.path.isdir(full), os.path.islink(full))


def _spread(run: Run, path: str, follow: bool) -> Iterator[Found]:
    """The file, or the files below a directory. A link to a directory is a file, unless it is followed."""
    top = _look(run, path)
    if not top.is_dir or (top.is_link and not follow):
        yield top
        return
    for each in walk(run.path / top.path, hidden=True, follow=follow):
        if each.is_link or not each.is_dir:
            yield each._replace(path=f"{top.path}/{each.path}")


def select_below(files: Iterable[Found], pattern: str, below: str) -> list[Found]:
    """Of these files, those in the directory `below` ('': the run's) that a pattern in normal form means."""
    wanted = Pattern(pattern)
    prefix = f"{below}/" if below else ""
    return [f for f in files if f.path.startswith(prefix) and wanted.covers(f.path[len(prefix) :])]


def part_of(files: Mapping[str, str], path: str) -> dict[str, str]:
    """Of a map from paths, what is `path` or lies below it ('': all). Pure."""
    return {k: v for k, v in files.items() if not path or k == path or k.startswith(path + "/")}
