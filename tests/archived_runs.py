"""Archives of runs as they would have been made, by Guild or by somebody who means harm."""

import os
import stat
import zipfile
from pathlib import Path

from guild.runs.generated import files_below

FILE, LINK, FIFO = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644
OPREF = b"script:/p '' '' train.py"
Member = tuple[str, bytes] | tuple[str, bytes, int]


def zip_of(path: Path, *members: Member) -> Path:
    """A zip with members (name, content, type and mode), names as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content, *mode in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else FILE) << 16
            z.writestr(info, content)
    return path


def run_members(run_id: str, *more: Member, started: int = 1) -> list[Member]:
    """A completed run, and what else is in its directory."""
    own = [
        (f"{run_id}/.guild/opref", OPREF),
        (f"{run_id}/.guild/attrs/started", b"%d" % started),
        (f"{run_id}/.guild/attrs/exit_status", b"0"),
    ]
    return [*own, *((f"{run_id}/{name}", *rest) for name, *rest in more)]


def tree(directory: Path) -> dict[str, str]:
    """What is below a directory: contents by path, `-> X` for links."""
    found = {}
    for name in files_below(directory, frozenset()):
        path = directory / name
        found[name] = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text(errors="replace")
    return found
