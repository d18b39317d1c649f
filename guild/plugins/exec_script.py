"""Any executable file as an operation."""

import os
from pathlib import Path

from guild.errors import GuildError
from guild.ops.found import PLUGINS
from guild.ops.opdef import OpDef, SelectRule, SourceRules
from guild.ops.opref import OpRef
from guild.ops.resolve import Context

_OTHERS = {".ipynb": "notebooks", ".qmd": "Quarto documents", ".r": "R scripts"}


def _why_not(path: Path) -> str:
    """Why the system would refuse a file that is marked as executable; '' where that cannot be told."""
    try:
        with open(path, "rb") as f:
            first = f.readline(1024)
    except OSError as e:
        return e.strerror or str(e)
    if not first.startswith(b"#!"):
        is_text = bool(first.strip()) and b"\0" not in first and first.isascii()
        return "its first line does not say what runs it (#!/bin/sh, ...)" if is_text else ""
    line = first[2:].decode("utf-8", "replace").rstrip("\n")
    if line.endswith("\r"):
        return "its lines end as those of Windows do, which hides the interpreter in the first one"
    program = line.split()[0] if line.split() else ""
    return "" if os.path.exists(program) else f"its first line names '{program}', which is not there"


def provide(opspec: str, context: Context) -> OpDef | None:
    """None where there is no such file. Raises GuildError for one that cannot be executed."""
    path = Path(os.path.abspath(context.cwd / opspec))
    if not path.is_file():
        return None
    if path.suffix.lower() in _OTHERS:
        raise GuildError(
            f"cannot run '{opspec}': {_OTHERS[path.suffix.lower()]} are not supported",
            "Export it as a Python script, or name its program in guild.yml with 'exec'.",
        )
    if not os.access(path, os.X_OK):
        raise GuildError(f"cannot run '{opspec}': must be an executable file", f"Try: chmod +x {opspec}")
    if why := _why_not(path):
        raise GuildError(f"cannot run '{opspec}': {why}")
    below = path.is_relative_to(context.cwd)
    root = context.cwd if below else path.parent
    relative = path.relative_to(root).as_posix()
    taken = SelectRule(True, f"/{relative}")
    return OpDef(
        # As Guild 0.9 records it: the current directory, and the file as it was named.
        opref=OpRef("script", str(context.cwd), "", "", opspec),
        opspec=str(path),
        # The copy in the run directory, which is as it was when the run was staged.
        cmd_args=(f"./{relative}",),
        project_dir=str(root),
        # What lies beside a file elsewhere (/usr/bin) is no source code of its.
        sourcecode=SourceRules(rules=(taken,) if below else (SelectRule(False, "*"), taken)),
        plugins=PLUGINS,
    )
