"""What a run records about the machine, the user and the interpreters; where our part of a job's path is."""

import os
import platform
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guild.launch.spec import Place

# The directory to put on a job's PYTHONPATH: it holds the package `guild` and nothing else.
GUILD_PATH = str(Path(__file__).resolve().parent.parent / "onpath")


def find_place(environ: Mapping[str, str], cmd_dir: str) -> Place:
    """`${python_exe}` is GUILD_PYTHON_EXE, else the active virtual environment's, else guild's own."""
    python = environ.get("GUILD_PYTHON_EXE") or ""
    active = environ.get("VIRTUAL_ENV")
    if not python and active and os.access(os.path.join(active, "bin", "python"), os.X_OK):
        python = os.path.join(active, "bin", "python")
    return Place(cmd_dir, python or sys.executable, sys.executable, GUILD_PATH)


def holds_guild(directory: str) -> bool:
    """Whether this entry of a PYTHONPATH brings a `guild` package along."""
    return os.path.exists(os.path.join(directory, "guild", "op_main.py"))


def host(environ: Mapping[str, str]) -> str:
    return environ.get("HOST") or os.uname().nodename


def user(environ: Mapping[str, str]) -> str:
    return environ.get("USER") or ""


def platform_attr() -> dict[str, Any]:
    """The attribute `platform`."""
    u = os.uname()
    bits = f"{struct.calcsize('P') * 8}bit"
    processor = platform.machine() if sys.platform == "darwin" else ""
    return {
        "architecture": f"{bits} ELF" if sys.platform == "linux" else bits,
        "cpus": os.cpu_count(),
        "processor": processor,
        "python_version": sys.version.replace("\n", ""),
        "uname": f"{u.sysname} {u.nodename} {u.release} {u.version} {u.machine} {processor}",
    }
