"""Flags of a config file (`flags-dest: config:FILE`): YAML, JSON or INI; nested keys become dotted names."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guild.base import files
from guild.ops.flag_import import ImportedFlags, cannot_import
from guild.ops.opdef import FlagDef

_TEMPLATE = ".in"


class ConfigError(ValueError):
    """A file that cannot be read as a config."""


def config_kind(path: Path | str) -> str:
    """`yaml`, `json` or `ini`, by the name of a config file; a template may end with `.in`. Raises
    ConfigError for others."""
    name = str(path).removesuffix(_TEMPLATE)
    kinds = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".ini": "ini", ".cfg": "ini"}
    kind = kinds.get(Path(name).suffix.lower())
    if kind is None:
        raise ConfigError("expected a name that ends with .yml, .yaml, .json, .ini or .cfg")
    return kind


def load_config(path: Path) -> Any:
    """The data of a config file; keys of an INI file's sections in a mapping each. Raises ConfigError."""
    kind = config_kind(path)
    try:
        content = files.read_regular(path)
    except OSError as e:
        raise ConfigError(e.strerror or str(e)) from None
    if kind == "ini":
        return _load_ini(content)
    if kind == "json":
        import json

        try:
            return json.loads(content)
        except (ValueError, RecursionError) as e:
            raise ConfigError(f"invalid JSON: {e}") from None
    from guild.base import yamlio

    try:
        return yamlio.load(content)
    except yamlio.YAMLError as e:
        raise ConfigError(f"line {e.line}: {e}" if e.line else str(e)) from None


def _load_ini(content: bytes) -> dict[str, Any]:
    """The defaults, then the sections with the defaults in each, as ConfigParser has them."""
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(content.decode())
    except (configparser.Error, UnicodeDecodeError) as e:
        raise ConfigError(f"invalid INI: {str(e).splitlines()[0]}") from None
    data: dict[str, Any] = {name: _ini_value(text) for name, text in parser.defaults().items()}
    for section in parser.sections():
        data[section] = {name: _ini_value(text) for name, text in parser[section].items()}
    return data


def _ini_value(text: str) -> Any:
    """A number or a boolean where the text is one."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(
        text.lower(), text
    )


def import_config(path: Path, dest: str) -> ImportedFlags:
    """The flags of a config file. Never fails: what cannot be read gives a warning and no flags."""
    try:
        data = load_config(path)
    except ConfigError as e:
        return ImportedFlags(dest=dest, warnings=(cannot_import(path, str(e)),))
    if not isinstance(data, Mapping):
        return ImportedFlags(dest=dest, warnings=(cannot_import(path, "it holds no names and values"),))
    flags = [flag for name, value in _flat(data) if (flag := _flag(name, value)) is not None]
    return ImportedFlags(tuple(flags), dest)


def _flat(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and depth < 50:  # YAML can hold mappings that hold themselves
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def _flag(name: str, value: Any) -> FlagDef | None:
    """None for a value that no flag can have."""
    if value is None:
        return FlagDef(name)
    if isinstance(value, bool):
        return FlagDef(name, default=value, type="boolean")
    if isinstance(value, int | float):
        return FlagDef(name, default=value, type="number")
    if isinstance(value, str):
        return FlagDef(name, default=value, type="string")
    if isinstance(value, list):
        from guild.ops.flag_values import format_value

        words = (v if isinstance(v, str) else format_value(v) for v in value)
        return FlagDef(name, default=" ".join(shlex.quote(word) for word in words), arg_split=True)
    return None
