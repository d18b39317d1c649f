"""Runs as rows of a table, and any value as JSON. Nothing that a run holds can break either."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from guild.base.text import format_time, table
from guild.runs import layout
from guild.runs.seen import Seen

_MAX_DEPTH = 100
_ABOVE = ".." + os.sep


def echo_table(rows: Sequence[Sequence[str]], indent: int = 0, err: bool = False) -> None:
    for line in table(rows, indent):
        click.echo(line, err=err)


def run_row(seen: Seen, head: str, cwd: Path) -> list[str]:
    """`head`, operation, start time, status, label."""
    return [head, operation_text(seen, cwd), start_time(seen), seen.status.value, seen.label]


def operation_text(seen: Seen, cwd: Path) -> str:
    """The operation, with its project directory where that is another than `cwd`, and its mark."""
    text = seen.operation
    opref = seen.proto or seen.run.opref
    directory = opref.directory if opref is not None else None
    if directory and directory != str(cwd):
        text += f" ({short_path(directory, cwd)})"
    return text + " [marked]" if seen.is_marked else text


def short_path(path: str, cwd: Path) -> str:
    """Relative to `cwd` where that is not far away, else with `~` for the user's home."""
    relative = os.path.relpath(path, cwd)
    if relative == "..":
        return _ABOVE
    if not relative.startswith(_ABOVE * 2):
        return relative
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + os.sep) else path


def start_time(seen: Seen) -> str:
    return format_time(seen.run.int_attr(layout.STARTED))


def json_text(value: Any) -> str:
    """Valid JSON for anything that YAML can hold; what JSON lacks becomes null or text."""
    import json

    return json.dumps(plain(value), allow_nan=False)


def plain(value: Any, depth: int = 0) -> Any:
    """The value in types that JSON has: NaN and infinities are null, dates and other things text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth >= _MAX_DEPTH:  # YAML can hold lists that hold themselves
        return None
    if isinstance(value, dict):
        return {_key(k): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v, depth + 1) for v in value]
    return str(value)


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)
