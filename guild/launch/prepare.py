"""From a RunSpec to a complete run directory, made where nobody looks yet."""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import GuildError
from guild.launch import environ as env_rules
from guild.launch import machine, recipe
from guild.launch.sourcecode import copy_snapshot, copy_source, source_digest, vcs_commit
from guild.launch.spec import RunSpec, op_attr, run_environ
from guild.ops.select import Selection
from guild.runs import attrs, layout, manifest, swap
from guild.runs.run import Run
from guild.runs.store import RunStore

# What a run that is made from another one takes over of it (`docs/run-directory.md`).
SNAPSHOT_ATTRS = (
    "sourcecode_digest", "vcs_commit", "host", "user", "platform", "plugins", "pip_freeze",
)  # fmt: skip


@dataclass(frozen=True)
class ProjectSource:
    """The source code as it is in the project now."""

    root: Path
    selection: Selection


@dataclass(frozen=True)
class Snapshot:
    """The source code as an earlier run has it."""

    run: Run


Source = ProjectSource | Snapshot | None


def prepare(
    store: RunStore,
    spec: RunSpec,
    source: Source,
    environ: Mapping[str, str],
    *,
    place: Path,
    run_id: str,
    run_dir: Path,
    staged: bool,
    extra: Mapping[str, Any] | None = None,
) -> Run:
    """Make the directory `place` (on the file system of its destination `run_dir`, where it will be run
    `run_id`), complete with attributes, source code, recipe and, to be staged, its environment.

    `extra` attributes win over the usual ones (None leaves one out). On any error nothing is left.
    Raises GuildError, OSError.
    """
    made = Run(place)
    try:
        os.makedirs(made.guild_dir / layout.ATTRS)
        (made.guild_dir / layout.OPREF).write_text(str(spec.opdef.opref), "utf-8", "surrogateescape")
        new = {**_identity(store, run_id, environ), **describe(spec), **(extra or {})}
        known = {name: value for name, value in new.items() if value is not None}
        attrs.write_new_attrs(made.guild_dir, {**known, "deps": {}})
        add_source(made, spec, source, environ)
        recipe.write(made, recipe.from_spec(spec, environ if staged else {}))
        if staged:
            write_env(made, spec, environ, run_id=run_id, run_dir=run_dir, home=store.home.path)
    except BaseException:
        files.remove_tree(place)
        raise
    return made


def in_staging(store: RunStore) -> Path:
    """A fresh place under `staging/`, announced as ours."""
    name = store.new_id()
    swap.announce(store, name)
    return store.home.staging / name


def _identity(store: RunStore, run_id: str, environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": run_id,
        "initialized": store.clock.now(),
        "host": machine.host(environ),
        "user": machine.user(environ),
        "platform": machine.platform_attr(),
    }


def describe(spec: RunSpec) -> dict[str, Any]:
    """The attributes that follow from the operation, its flags and the command line."""
    request, opdef = spec.request, spec.opdef
    seed = request.random_seed
    described: dict[str, Any] = {
        "cmd": list(spec.argv),
        "plugins": list(spec.plugins),
        "flags": dict(spec.flags),
        "user_flags": dict(spec.user_flags),
        "run_params": dict(request.params),
        "random_seed": random.randrange(2**32) if seed is None else seed,
        "op": op_attr(spec),
        **_own_attrs(opdef.run_attrs),
    }
    if spec.label:
        described["label"] = spec.label
    if tags := sorted({*request.tags, *opdef.tags}):
        described["tags"] = tags
    if opdef.objective is not None:
        described["objective"] = opdef.objective
    return described


def _own_attrs(run_attrs: Mapping[str, Any]) -> dict[str, Any]:
    for name in run_attrs:
        if "/" in name or name.startswith("."):
            raise GuildError(f"invalid name of a run attribute in run-attrs: {name!r}")
    return dict(run_attrs)


def comment(body: str, at: int, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The attribute `comments` with one comment (`at` in µs)."""
    host, user = machine.host(environ), machine.user(environ)
    return [{"body": body, "host": host, "time": at, "user": user}]


def add_source(made: Run, spec: RunSpec, source: Source, environ: Mapping[str, str]) -> None:
    path = made.guild_dir / layout.MANIFEST
    if isinstance(source, Snapshot):
        old = source.run
        entries = [e for e in manifest.read_manifest(old.guild_dir / layout.MANIFEST) if e.kind == "s"]
        copy_snapshot(old.path, made.path, entries)
        manifest.write_manifest(path, entries)
        kept = {n: old.attr(n) for n in SNAPSHOT_ATTRS if old.attr(n) is not None}
        attrs.write_new_attrs(made.guild_dir, {"sourcecode_digest": None, **kept})
        return
    entries = []
    if source is not None:
        dest = spec.opdef.sourcecode.dest
        entries = copy_source(source.root, source.selection.files, made.path, dest)
    others = [e for e in manifest.read_manifest(path) if e.kind != "s"]
    manifest.write_manifest(path, [*entries, *others])
    attrs.write_new_attrs(made.guild_dir, {"sourcecode_digest": source_digest(made.path, entries)})
    if source is not None and spec.opdef.project_dir:
        commit = vcs_commit(Path(spec.opdef.project_dir), environ)
        if commit:
            attrs.write_new_attrs(made.guild_dir, {"vcs_commit": commit})


def write_env(
    made: Run, spec: RunSpec, environ: Mapping[str, str], *, run_id: str, run_dir: Path, home: Path
) -> None:
    """Write `.guild/ENV`: the environment that the run would get, without secrets (0600)."""
    opdef = spec.opdef
    base = env_rules.without_run(environ)
    own = dict(spec.own_env)
    if opdef.is_python:
        own["PYTHONPATH"] = env_rules.python_path(
            opdef.sourcecode.dest, machine.GUILD_PATH, base.get("PYTHONPATH", ""), machine.holds_guild
        )
    run = run_environ(
        str(run_dir), run_id, str(home), opdef.opspec, spec.place.cmd_dir, opdef.sourcecode.dest
    )
    text = env_rules.format_env(env_rules.recorded({**base, **own, **run}, opdef.env_secrets))
    data = text.encode("utf-8", "surrogateescape")
    files.write_whole(made.guild_dir / layout.ENV, data, mode=0o600)
