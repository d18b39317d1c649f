"""All files of a run, whatever they are, those behind links to other runs included (steps and trials)."""

import os
from collections.abc import Iterator
from pathlib import Path

from guild.runs import layout
from guild.runs.run import is_run_dir


def contents(run_dir: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """(directory, entry) of what is no directory, by name within each; the directory is relative to the
    run's, '' for that itself. A link to a directory is followed if it leads to a run. Attributes are left
    out, and so is what cannot be read."""
    attrs = os.path.join(run_dir, layout.GUILD_DIR, layout.ATTRS)
    pending = [os.fspath(run_dir)]
    seen: set[tuple[int, int]] = set()
    while pending:
        directory = pending.pop()
        try:
            info = os.stat(directory)
            with os.scandir(directory) as entries:
                listed = sorted(entries, key=lambda e: e.name)
        except OSError:
            continue
        if (info.st_dev, info.st_ino) in seen:
            continue
        seen.add((info.st_dev, info.st_ino))
        prefix = os.path.relpath(directory, run_dir)
        for entry in listed:
            if _is_dir(entry):
                if entry.path != attrs:
                    pending.append(entry.path)
            else:
                yield ("" if prefix == "." else prefix), entry


def _is_dir(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and is_run_dir(entry.path))
    except OSError:
        return False
