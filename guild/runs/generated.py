"""Which files of a run are generated: made by its operation, neither copied nor linked into it beforehand."""

import os
from collections.abc import Iterable
from pathlib import Path

from guild.runs import layout
from guild.runs.manifest import ManifestEntry
from guild.runs.older import entries_of
from guild.runs.run import Run


def listed_paths(entries: Iterable[ManifestEntry]) -> frozenset[str]:
    """All that a manifest names."""
    return frozenset(entry.path.rstrip("/") for entry in entries)


def generated_top(run: Run) -> list[str]:
    """Names of the generated files, directories and links at the top of a run directory, sorted.

    Raises OSError where the directory or its manifest cannot be read.
    """
    listed = listed_paths(entries_of(run))
    # A directory that holds source code or a dependency is not generated, whatever else lies in it.
    holding = {path.partition("/")[0] for path in listed}
    with os.scandir(run.path) as found:
        names = sorted(entry.name for entry in found)
    return [n for n in names if n != layout.GUILD_DIR and n not in holding]


def files_below(
    directory: Path, skip: frozenset[str] = frozenset((layout.GUILD_DIR,)), *, dirs: bool = False
) -> list[str]:
    """Relative paths (with `/`) of all files below a directory, with `dirs` of the directories too, sorted.
    Links to directories are files here, not followed; `skip` names entries at the top that are left out."""
    found: list[str] = []
    todo = [""]
    while todo:
        below = todo.pop()
        with os.scandir(directory / below) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                if path in skip:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
                    if not dirs:
                        continue
                found.append(path)
    return sorted(found)
