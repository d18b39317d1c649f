"""Runs and operations as `guild api` tells them: Guild 0.9's keys."""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from guild.errors import GuildError
from guild.home import Home
from guild.ops.opdef import FlagDef, OpDef
from guild.ops.opref import OpRef
from guild.runs import layout
from guild.runs.attrs import KNOWN, attr_names
from guild.runs.generated import files_below
from guild.runs.manifest import SOURCE
from guild.runs.older import entries_of, source_dir
from guild.runs.run import Run
from guild.runs.seen import Seen

Json = dict[str, Any]


def run_json(seen: Seen, home: Home) -> Json:
    """A run, with its files. Times in µs, those of files in ms; damaged attributes are left empty."""
    run = seen.run
    exit_status, files = run.exit_status(), _files(run, home)
    names = [n for n in attr_names(run.guild_dir) if n not in KNOWN and n[:1] not in ("_", ".")]
    return {
        "id": run.id,
        "shortId": run.short_id,
        "dir": str(run.path),
        "operation": seen.operation,
        "started": run.int_attr(layout.STARTED),
        "stopped": run.int_attr(layout.STOPPED),
        "label": seen.label,
        "tags": run.list_attr("tags"),
        "comments": run.list_attr("comments"),
        "status": seen.status.value,
        "exitStatus": "" if exit_status is None else exit_status,
        "command": " ".join(shlex.quote(str(word)) for word in run.list_attr("cmd")),
        "otherAttrs": {name: run.attr(name) for name in names},
        "flags": seen.flags,
        "env": run.map_attr("env"),
        "deps": _deps(files),
        "files": files,
        "sourcecode": {"root": source_dir(run) or ".", "files": _source_files(run)},
        "projectDir": run.opref.directory if run.opref is not None else None,
        "opRef": None if run.opref is None else opref_json(run.opref),
        "marked": seen.is_marked,
        "scalars": [_scalar(seen, scalar) for scalar in seen.scalars],
    }


def opref_json(opref: OpRef) -> Json:
    return {
        "pkgType": opref.type,
        "pkgName": opref.name,
        "pkgVersion": opref.version,
        "modelName": opref.model,
        "opName": opref.op,
    }


def _scalar(seen: Seen, scalar: Any) -> Json:
    return {
        "run": seen.id,
        "prefix": scalar.prefix,
        "tag": scalar.tag,
        "firstVal": scalar.first_val,
        "firstStep": scalar.first_step,
        "lastVal": scalar.last_val,
        "lastStep": scalar.last_step,
        "minVal": scalar.min_val,
        "minStep": scalar.min_step,
        "maxVal": scalar.max_val,
        "maxStep": scalar.max_step,
        "avgVal": scalar.avg_val,
        "total": scalar.total,
        "count": scalar.count,
    }


def _deps(files: list[Json]) -> list[Json]:
    """The runs whose files this one links to."""
    found: dict[str, Json] = {}
    for file in files:
        if file["run"]:
            entry = found.setdefault(
                file["run"], {"run": file["run"], "operation": file["operation"], "paths": []}
            )
            entry["paths"].append(file["path"])
    return list(found.values())


def _files(run: Run, home: Home) -> list[Json]:
    try:
        return [_file(run, path, home) for path in files_below(run.path)]
    except OSError:
        return []


def _file(run: Run, path: str, home: Home) -> Json:
    """A file, or a link that is told by what it leads to: whose run that belongs to."""
    full = run.path / path
    try:
        info = os.stat(full)
        size, mtime = info.st_size, info.st_mtime_ns // 1_000_000
    except (OSError, ValueError):
        return {"path": path, "size": None, "mtime": None, "operation": None, "run": None}
    other = _owner(os.path.realpath(full), home) if full.is_symlink() else None
    if other is None or other.id == run.id:
        return {"path": path, "size": size, "mtime": mtime, "operation": None, "run": None}
    return {
        "path": path,
        "size": size,
        "mtime": mtime,
        "operation": Seen(other).operation,
        "run": other.short_id,
    }


def _owner(path: str, home: Home) -> Run | None:
    """The run of this home that a path lies in."""
    runs = os.path.realpath(home.runs)
    if not path.startswith(runs + os.sep):
        return None
    return Run(home.runs / path[len(runs) + 1 :].split(os.sep)[0])


def _source_files(run: Run) -> list[str]:
    try:
        entries = entries_of(run)
    except OSError:
        return []
    return sorted(entry.path for entry in entries if entry.kind == SOURCE)


def op_json(opdef: OpDef, guildfile: str) -> Json:
    """An operation and its flags."""
    return {
        "opref": opref_json(opdef.opref),
        "name": opdef.opref.op,
        "fullname": opdef.name,
        "description": opdef.description.strip(),
        "guildfile": {"dir": opdef.project_dir, "src": guildfile},
        "flags": {flag.name: _flag(flag) for flag in sorted(opdef.flags, key=lambda f: f.name)},
    }


def _flag(flag: FlagDef) -> Mapping[str, Any]:
    from guild.ops.flag_values import format_value

    try:
        text = format_value(flag.default)
    except GuildError:
        text = ""
    return {
        "default": flag.default,
        "defaultAssign": f"{flag.name}={text}",
        "description": flag.description,
        "choices": [{"value": c.value, "alias": c.alias, "description": c.description} for c in flag.choices],
        "type": flag.type,
    }
