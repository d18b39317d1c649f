"""Flags of a Python script: from its global variables (by reading it) or its argparse options (by running it
with `--help` in a child). What was found is kept under `cache/import-flags2` while the script stays as it is.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guild.base import files
from guild.ops.opdef import Choice, FlagDef

_VERSION = 3
_TIME_LIMIT = 60
_TYPES = {"int": "int", "float": "float", "str": "string", "bool": "boolean"}


@dataclass(frozen=True)
class ImportedFlags:
    """`dest` is where the script takes its flags: `globals`, `args` or `args:click`."""

    flags: tuple[FlagDef, ...] = ()
    dest: str = "globals"
    warnings: tuple[str, ...] = ()
    refreshed: bool = False


def import_flags(
    script: Path,
    base_args: Sequence[str],
    *,
    dest: str | None,
    python_exe: str,
    cache: Path | None,
    environ: Mapping[str, str],
    project_dir: Path | None = None,
) -> ImportedFlags:
    """The flags of `script`; `dest` as the guildfile has it, else by what the script imports.

    Never fails: what cannot be imported gives a warning and no flags.
    """
    if dest == "none":
        return ImportedFlags(dest=dest)
    try:
        source, info = files.read_regular(script), os.stat(script)
    except OSError as e:
        return ImportedFlags(dest=dest or "args", warnings=(_cannot(script, str(e.strerror or e)),))
    key = {
        "version": _VERSION, "script": str(script), "args": list(base_args), "python": python_exe,
        "dest": dest, "mtime": info.st_mtime_ns, "size": info.st_size,
    }  # fmt: skip
    entry = _entry(cache, key)
    known = _read_cache(entry, key) if environ.get("NO_IMPORT_FLAGS_CACHE") != "1" else None
    if known is not None:
        return known
    found = _import(script, source, base_args, dest, python_exe, environ, project_dir or script.parent)
    if entry is not None and not found.warnings:
        _write_cache(entry, key, found)
    return found


def _cannot(script: Path, why: str) -> str:
    return f"cannot import flags from {script}: {why}"


def _import(
    script: Path,
    source: bytes,
    base_args: Sequence[str],
    dest: str | None,
    python_exe: str,
    environ: Mapping[str, str],
    project_dir: Path,
) -> ImportedFlags:
    import ast

    try:
        tree = ast.parse(source, str(script))
    except (SyntaxError, ValueError, RecursionError) as e:
        return ImportedFlags(dest=dest or "globals", warnings=(_cannot(script, str(e)),))
    kind = dest or _dest_of(tree)
    if kind.startswith("args"):
        flags, complaint = _from_argparse(script, base_args, python_exe, environ, project_dir)
        if kind == "args:click":
            flags, complaint = (), "click commands are not supported yet"
        warnings = (_cannot(script, complaint),) if complaint else ()
        return ImportedFlags(flags, kind, warnings, refreshed=True)
    return ImportedFlags(tuple(_from_globals(tree, kind, project_dir)), kind, refreshed=False)


def _dest_of(tree: Any) -> str:
    import ast

    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    if "argparse" in names:
        return "args"
    return "args:click" if "click" in names else "globals"


# Globals.


def _from_globals(tree: Any, dest: str, project_dir: Path) -> list[FlagDef]:
    """Each first assignment of a plain value at the top level. The value is the default, and its type the
    flag's; lists become blank-joined texts that are split again."""
    import ast

    values: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = _namespace_value(node.value)
            if value is None:
                continue
        for target in node.targets:
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                values.setdefault(target.id, value)
    kind, _, variable = dest.partition(":")
    if kind in ("global", "dict", "namespace"):
        nested = values.get(variable)
        values = _flatten(nested) if isinstance(nested, dict) else {}
    return [f for f in (_global_flag(n, v, project_dir) for n, v in values.items()) if f is not None]


def _namespace_value(node: Any) -> dict[str, Any] | None:
    """`SimpleNamespace(a=1)` as a mapping."""
    import ast

    if not isinstance(node, ast.Call) or node.args:
        return None
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name != "SimpleNamespace":
        return None
    found = {}
    for keyword in node.keywords:
        try:
            found[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError):
            nested = _namespace_value(keyword.value)
            if nested is not None:
                found[str(keyword.arg)] = nested
    return found


def _flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _global_flag(name: str, value: Any, project_dir: Path) -> FlagDef | None:
    if isinstance(value, bool):
        return FlagDef(name, default=value, type="boolean")
    if isinstance(value, int | float):
        return FlagDef(name, default=value, type="number")
    if isinstance(value, str):
        return FlagDef(name, default=_absolute(value, project_dir), type="string")
    if isinstance(value, list):
        return FlagDef(name, default=" ".join(str(v) for v in value), arg_split=True)
    return FlagDef(name) if value is None else None


def _absolute(value: str, project_dir: Path) -> str:
    """A default that is an existing relative path, seen from the project, holds in the run directory too."""
    if "/" not in value or value.startswith("/"):
        return value
    try:
        path = project_dir / value
        return os.path.abspath(path) if path.exists() else value
    except (OSError, ValueError):
        return value


# argparse.


def _from_argparse(
    script: Path,
    base_args: Sequence[str],
    python_exe: str,
    environ: Mapping[str, str],
    project_dir: Path,
) -> tuple[tuple[FlagDef, ...], str]:
    """(flags, '' or why there are none)."""
    import subprocess

    child = str(Path(__file__).with_name("_import_argparse.py"))
    with tempfile.TemporaryDirectory(prefix="guild-flags-") as scratch:
        result = Path(scratch, "flags.json")
        try:
            done = subprocess.run(
                [python_exe, child, str(result), str(script), *base_args],
                cwd=project_dir,
                env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return (), f"it did not parse its arguments within {_TIME_LIMIT} seconds"
        except OSError as e:
            return (), f"{python_exe}: {e.strerror or e}"
        try:
            described = json.loads(result.read_text())
        except (OSError, ValueError):
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()
            if done.returncode == 0:
                return (), ""  # it never parses arguments
            return (), last[-1] if last else f"it ended with {done.returncode}"
    return tuple(_argparse_flag(d, project_dir) for d in described), ""


def _argparse_flag(action: Mapping[str, Any], project_dir: Path) -> FlagDef:
    name, kind, default = action["name"], action["kind"], action["default"]
    description = " ".join(str(action["help"] or "").split())
    if kind in ("_StoreTrueAction", "_StoreFalseAction", "BooleanOptionalAction"):
        return _switch(action, name, kind, default, description)
    split = action["nargs"] in ("+", "*") or isinstance(action["nargs"], int)
    if isinstance(default, list):
        default = " ".join(str(v) for v in default)
    elif isinstance(default, str):
        default = _absolute(default, project_dir)
    elif not isinstance(default, int | float | type(None)):
        default = str(default)
    return FlagDef(
        name,
        default=default,
        description=description,
        type=None if split else _TYPES.get(str(action["type"])),
        required=action["required"],
        choices=tuple(Choice(c) for c in action["choices"] or ()),
        arg_split=True if split else None,
    )


def _switch(action: Mapping[str, Any], name: str, kind: str, default: Any, description: str) -> FlagDef:
    """An option without a value: it is given iff the flag has the value of `arg_switch`."""
    switch, arg_name = kind != "_StoreFalseAction", None
    if kind == "BooleanOptionalAction" and default:
        switch, arg_name = False, action["options"][-1][2:]
    return FlagDef(
        name,
        default=bool(default) if default is not None else not switch,
        description=description,
        type="boolean",
        choices=(Choice(True), Choice(False)),
        arg_switch=switch,
        has_arg_switch=True,
        arg_name=arg_name,
    )


# The cache.


def _entry(cache: Path | None, key: Mapping[str, Any]) -> Path | None:
    if cache is None:
        return None
    name = "\0".join([key["script"], key["python"], str(key["dest"]), *key["args"]])
    return cache / "import-flags2" / files.md5_bytes(name.encode("utf-8", "surrogateescape"))


def _read_cache(entry: Path | None, key: Mapping[str, Any]) -> ImportedFlags | None:
    if entry is None:
        return None
    try:
        data = json.loads(files.read_regular(entry))
        if data["key"] != key:
            return None
        flags = tuple(
            FlagDef(**{**f, "choices": tuple(Choice(**c) for c in f["choices"])}) for f in data["flags"]
        )
        return ImportedFlags(flags, data["dest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(entry: Path, key: Mapping[str, Any], found: ImportedFlags) -> None:
    data = {"key": dict(key), "dest": found.dest, "flags": [asdict(f) for f in found.flags]}
    try:
        text = json.dumps(data)
        os.makedirs(entry.parent, exist_ok=True)
        files.write_whole(entry, text.encode())
    except (OSError, ValueError, TypeError):
        pass  # it is imported again next time
