"""Where a project's guildfile is, and the source files of its operations."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GUILDFILE = "guild.yml"


@dataclass(frozen=True)
class MainScript:
    """The source file that `main` names. `module` is its dotted name below `root`, empty for one that runs
    as a plain script."""

    path: Path
    root: Path
    module: str = ""


def find_guildfile(directory: Path) -> Path | None:
    """`guild.yml` of this very directory, whatever it is: what cannot be read is said when it is."""
    path = directory / GUILDFILE
    return path if os.path.lexists(path) else None


def find_main(main: str, roots: Sequence[Path]) -> MainScript | None:
    """The file of `train`, `sub/train`, `pkg.mod` or (a package) `pkg`, below the first root that has it."""
    head, _, last = main.rpartition("/")
    dotted = Path(head, *last.split("."))
    for root in roots:
        for path, module in (
            (root / f"{main}.py", ""),
            (root / f"{dotted}.py", "" if head else main),
            (root / dotted / "__main__.py", "" if head else f"{main}.__main__"),
        ):
            if path.is_file():
                return MainScript(path, root, module)
    return None
