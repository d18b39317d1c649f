"""Batch files: `@trials.csv`, `.json`, `.yml` -> rows of flag values."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import GuildError
from guild.ops.flags import read_row
from guild.ops.opdef import FlagDef, FlagValue

_LIMIT = 1 << 28  # bytes


def read_batch_files(
    paths: Sequence[str], cwd: Path, flags: Sequence[FlagDef], force: bool = False
) -> list[dict[str, FlagValue]]:
    """The rows of all files, in order, as flag values. Raises GuildError naming the file and the row."""
    return [row for path in paths for row in _rows(path, cwd, flags, force)]


def _rows(name: str, cwd: Path, flags: Sequence[FlagDef], force: bool) -> list[dict[str, FlagValue]]:
    path = cwd / name
    if not name:
        raise GuildError("expected the name of a batch file after '@'")
    try:
        data = files.read_regular(path, _LIMIT)
    except FileNotFoundError:
        raise GuildError(f"batch file {name} does not exist") from None
    except OSError as e:
        raise GuildError(f"cannot read batch file {name}: {e.strerror or e}") from None
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise GuildError(
            f"unsupported extension '{suffix}' of batch file {name}",
            "Supported are .csv, .json, .yml and .yaml.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise GuildError(f"cannot read trials for {name}: it is not UTF-8 text: {e.reason}") from None
    typed = suffix in ("", ".csv")
    rows = []
    for number, row in _READERS[suffix](text, name):
        try:
            rows.append(read_row(flags, row, typed, force))
        except GuildError as e:
            raise GuildError(f"batch file {name}, trial {number}: {e.message}", e.hint) from None
    return rows


def _from_csv(text: str, name: str) -> list[tuple[int, dict[str, Any]]]:
    """A header line with flag names, then a line for each trial; an empty cell leaves the flag as it is."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline="")) if any(c.strip() for c in line)]
    except csv.Error as e:
        raise GuildError(f"cannot read trials for {name}: {e}") from None
    if not lines:
        return []
    header = [cell.strip() for cell in lines[0]]
    if len(set(header)) != len(header) or "" in header:
        raise GuildError(f"cannot read trials for {name}: its first line must name each flag once")
    rows = []
    for number, line in enumerate(lines[1:], 1):
        if len(line) > len(header):
            raise GuildError(f"batch file {name}, trial {number}: more values than flag names")
        cells = zip(header, line, strict=False)
        rows.append((number, {flag: cell.strip() for flag, cell in cells if cell.strip()}))
    return rows


def _from_json(text: str, name: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        return _from_data(json.loads(text), name)
    except (ValueError, RecursionError) as e:
        raise GuildError(f"cannot read trials for {name}: {e}") from None


def _from_yaml(text: str, name: str) -> list[tuple[int, dict[str, Any]]]:
    from guild.base import yamlio

    try:
        return _from_data(yamlio.load(text.encode()), name)
    except yamlio.YAMLError as e:
        at = f"line {e.line}: " if e.line else ""
        raise GuildError(f"cannot read trials for {name}: {at}{e}") from None


def _from_data(data: Any, name: str) -> list[tuple[int, dict[str, Any]]]:
    items = data if isinstance(data, list) else [data]
    if not isinstance(data, list | dict):
        kind = type(data).__name__
        text = f"invalid data type for trials: expected list or dict, got {kind}"
        raise GuildError(f"cannot read trials for {name}: {text}")
    rows = []
    for number, item in enumerate(items, 1):
        if not isinstance(item, Mapping) or not all(isinstance(key, str) for key in item):
            kind = type(item).__name__
            raise GuildError(
                f"cannot read trials for {name}: invalid data type for trial {number}: expected a map of"
                f" flag names and values, got {kind}"
            )
        rows.append((number, dict(item)))
    return rows


_READERS = {"": _from_csv, ".csv": _from_csv, ".json": _from_json, ".yml": _from_yaml, ".yaml": _from_yaml}
