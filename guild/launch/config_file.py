"""Config files (YAML, JSON, INI) as dependencies: read, filled in with flags and params, written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import GuildError
from guild.ops.flag_values import decode
from guild.ops.opdef import FlagDef, FlagValue


def config_kind(name: str) -> str:
    """`yaml`, `json` or `ini`, by the ending of the name, `.in` left aside. Raises GuildError for others."""
    suffix = Path(name.removesuffix(".in")).suffix.lower()
    kinds = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".ini": "ini", ".cfg": "ini"}
    if suffix not in kinds:
        raise GuildError(
            f"unsupported config file '{name}'", "Supported are .yml, .yaml, .json, .ini and .cfg."
        )
    return kinds[suffix]


def fill_in(
    source: Path,
    flags: Mapping[str, FlagValue],
    params: Mapping[str, FlagValue],
    defs: Sequence[FlagDef] = (),
) -> bytes:
    """The content of a config file with `params`, then the flags that are not null, in their places; a dot
    in a name is a level. Texts of flags that are split become lists. Raises GuildError for a broken file."""
    kind = config_kind(source.name)
    text = files.read_regular(source, 1 << 26).decode("utf-8", "surrogateescape")
    split = {flag.name for flag in defs if flag.arg_split}
    values = {name: _listed(value) if name in split else value for name, value in flags.items()}
    changes = {**params, **{name: value for name, value in values.items() if value is not None}}
    filled = _FILL[kind](source, text, changes)
    return filled.encode("utf-8", "surrogateescape")


def _listed(value: FlagValue) -> FlagValue:
    """`1 2` is [1, 2]."""
    import shlex

    if not isinstance(value, str):
        return value if isinstance(value, list) or value is None else [value]
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    return [decode(word) for word in words]


def _set(data: dict[str, Any], name: str, value: FlagValue) -> None:
    """`a.b` is the item `b` of `a`, unless there is an item `a.b`."""
    if _key(data, name) in data or "." not in name:
        data[_key(data, name)] = value
        return
    head, _, rest = name.partition(".")
    below = data.get(_key(data, head))
    if not isinstance(below, dict):
        below = data[_key(data, head)] = {}
    _set(below, rest, value)


def _key(data: dict[Any, Any], name: str) -> Any:
    """The key that is written so: it may be a number."""
    return name if name in data else next((key for key in data if str(key) == name), name)


def _merged(source: Path, data: Any, changes: Mapping[str, FlagValue]) -> dict[str, Any]:
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise GuildError(f"config file '{source}' must hold a mapping, and is a {type(data).__name__}")
    for name, value in changes.items():
        _set(data, name, value)
    return data


def _fill_yaml(source: Path, text: str, changes: Mapping[str, FlagValue]) -> str:
    from guild.base import yamlio

    try:
        data = yamlio.load(text)
    except yamlio.YAMLError as e:
        at = f"line {e.line}: " if e.line else ""
        raise GuildError(f"cannot read config file '{source}': {at}{e}") from None
    return yamlio.encode(_merged(source, data, changes)).decode("utf-8", "surrogateescape")


def _fill_json(source: Path, text: str, changes: Mapping[str, FlagValue]) -> str:
    import json

    try:
        data = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as e:
        raise GuildError(f"cannot read config file '{source}': {e}") from None
    return json.dumps(_merged(source, data, changes), sort_keys=True, default=str)


def _fill_ini(source: Path, text: str, changes: Mapping[str, FlagValue]) -> str:
    import configparser
    import io

    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as e:
        raise GuildError(f"cannot read config file '{source}': {str(e).splitlines()[0]}") from None
    for name, value in changes.items():
        section, _, key = name.rpartition(".")
        if section and not parser.has_section(section):
            parser.add_section(section)
        parser.set(section or parser.default_section, key, "" if value is None else str(value))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue()


_FILL = {"yaml": _fill_yaml, "json": _fill_json, "ini": _fill_ini}
