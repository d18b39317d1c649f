"""Flags of a Python script: from its global variables (by reading it) or its options (by running it with
`--help` in a child). What was found is kept under `cache/import-flags2` while its files stay as they are.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from guild.base import files, jsonio
from guild.ops.opdef import Choice, FlagDef

_VERSION = 5
_DIRECTORY = "import-flags2"


@dataclass(frozen=True)
class ImportedFlags:
    """`dest` is where the script takes its flags: `globals`, `args`, `args:click`, or what was asked for.

    `refreshed`: the script was run to find out, which took a moment.
    """

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
    root: Path | None = None,
    module: str = "",
    explicit: bool = True,
) -> ImportedFlags:
    """The flags of `script`, run with `base_args`; `dest` as the guildfile has it, else by what it imports.

    `module` is its dotted name below `root` (default: the script's directory), if it runs as a module;
    existing relative paths among the defaults, seen from `project_dir` (default: `root`), become absolute.
    A script that imports neither argparse nor click is run only if the import is `explicit`. Never fails:
    what cannot be imported gives a warning and no flags.
    """
    if dest is not None and dest.partition(":")[0] in ("none", "config"):
        return ImportedFlags(dest=dest)
    root = root or script.parent
    project_dir = project_dir or root
    key = {
        "version": _VERSION, "script": str(script), "args": list(base_args), "python": python_exe,
        "dest": dest, "module": module, "root": str(root), "explicit": explicit,
    }  # fmt: skip
    entry = _entry(cache, key) if environ.get("NO_IMPORT_FLAGS_CACHE") != "1" else None
    found = _read_cache(entry, key)
    if found is None:
        before = _stamps([str(script)])
        where = _Where(script, module, tuple(base_args), root, project_dir, python_exe, environ)
        found, sources = _import(where, dest, explicit)
        if entry is not None and not found.warnings:
            stamps = {**_stamps(sources), **before}
            _write_cache(entry, key, found, stamps)
    return replace(found, flags=tuple(_with_path(f, project_dir) for f in found.flags))


def detect_dest(script: Path) -> str:
    """Where a script takes its flags, without looking for any; `args` for one that cannot be read."""
    from guild.ops import flag_globals

    try:
        source = files.read_regular(script)
        if b"argparse" not in source and b"click" not in source:
            return "globals"
        return flag_globals.dest_of(flag_globals.parse(source, str(script)))
    except (OSError, flag_globals.NoFlags):
        return "args"


def cannot_import(what: Path | str, why: str) -> str:
    """The warning."""
    return f"cannot import flags from {what}: {why}"


@dataclass(frozen=True)
class _Where:
    """A script and how it is run."""

    script: Path
    module: str
    args: tuple[str, ...]
    root: Path
    project_dir: Path
    python_exe: str
    environ: Mapping[str, str]


def _import(where: _Where, dest: str | None, explicit: bool) -> tuple[ImportedFlags, Iterable[str]]:
    """The flags, and the source files besides the script that they depend on."""
    from guild.ops import flag_globals

    def failed(kind: str, why: str, refreshed: bool = False) -> tuple[ImportedFlags, Iterable[str]]:
        return ImportedFlags((), kind, (cannot_import(where.script, why),), refreshed), ()

    try:
        tree = flag_globals.parse(files.read_regular(where.script), str(where.script))
    except OSError as e:
        return failed(dest or "args", e.strerror or str(e))
    except flag_globals.NoFlags as e:
        return failed(dest or "args", str(e))
    by_imports = flag_globals.dest_of(tree)
    kind = dest or by_imports
    if kind not in ("args", "args:click"):
        try:
            return ImportedFlags(tuple(flag_globals.global_flags(tree, kind)), kind), ()
        except flag_globals.NoFlags as e:
            return failed(kind, str(e))
    if by_imports == "globals" and not explicit:
        return ImportedFlags(dest=kind), ()  # it may do anything but parse its arguments
    try:
        return _from_options(where, kind)
    except flag_globals.NoFlags as e:
        return failed(kind, str(e), refreshed=True)


def _from_options(where: _Where, kind: str) -> tuple[ImportedFlags, Iterable[str]]:
    from guild.ops.flag_options import ask

    beside = [] if where.module else [where.script.parent]
    options = ask(
        "click" if kind == "args:click" else "argparse",
        where.script,
        where.module,
        where.args,
        path=[*beside, where.root],
        python_exe=where.python_exe,
        environ=where.environ,
        cwd=where.project_dir,
    )
    below = (f"{where.root}{os.sep}", f"{where.project_dir}{os.sep}")
    sources = [f for f in options.files if f.startswith(below) and "site-packages" not in f]
    return ImportedFlags(options.flags, kind, refreshed=True), sources


def _with_path(flag: FlagDef, project_dir: Path) -> FlagDef:
    """A default that is an existing relative path, seen from the project, holds in the run directory too."""
    value = flag.default
    if not isinstance(value, str) or "/" not in value or value.startswith("/") or flag.arg_split:
        return flag
    try:
        path = project_dir / value
        return replace(flag, default=os.path.abspath(path)) if path.exists() else flag
    except (OSError, ValueError):
        return flag


# The cache.


def _stamps(paths: Iterable[str]) -> dict[str, list[int]]:
    """Time of change (ns) and size of each file that is there."""
    found = {}
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            continue
        found[path] = [info.st_mtime_ns, info.st_size]
    return found


def _entry(cache: Path | None, key: Mapping[str, Any]) -> Path | None:
    if cache is None:
        return None
    return cache / _DIRECTORY / files.md5_bytes(json.dumps(key, sort_keys=True).encode())


def _read_cache(entry: Path | None, key: Mapping[str, Any]) -> ImportedFlags | None:
    if entry is None:
        return None
    try:
        data = jsonio.load(files.read_regular(entry))
        stamps: dict[str, list[int]] = data["files"]
        if data["key"] != key or not stamps or _stamps(stamps) != stamps:
            return None
        flags = tuple(
            FlagDef(**{**f, "choices": tuple(Choice(**c) for c in f["choices"])}) for f in data["flags"]
        )
        return ImportedFlags(flags, data["dest"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_cache(
    entry: Path, key: Mapping[str, Any], found: ImportedFlags, stamps: Mapping[str, list[int]]
) -> None:
    flags = [asdict(f) for f in found.flags]
    try:
        text = json.dumps({"key": key, "dest": found.dest, "files": stamps, "flags": flags})
        os.makedirs(entry.parent, exist_ok=True)
        files.write_whole(entry, text.encode())
    except (OSError, ValueError, TypeError):
        pass  # it is imported again next time
