"""From a RunSpec to a complete run directory, made where nobody looks yet."""

import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import GuildError
from guild.launch import environ as env_rules
from guild.launch import machine, recipe
from guild.launch.job import BatchPlan, Console, Job, Snapshot, Source
from guild.launch.resolving import resolve_ahead
from guild.launch.sourcecode import copy_snapshot, copy_source, source_digest, vcs_commit
from guild.launch.spec import RunSpec, op_attr, run_environ
from guild.runs import attrs, layout, manifest, swap
from guild.runs.older import entries_of
from guild.runs.run import Run
from guild.runs.store import RunStore

# What a run that is made from another one takes over of it (`docs/run-directory.md`).
SNAPSHOT_ATTRS = (
    "sourcecode_digest", "vcs_commit", "host", "user", "platform", "plugins", "pip_freeze",
)  # fmt: skip


def prepare(
    store: RunStore,
    job: Job,
    environ: Mapping[str, str],
    *,
    place: Path,
    run_id: str,
    run_dir: Path,
    staged: bool,
    extra: Mapping[str, Any] | None = None,
    resolve: Console | None = None,
) -> Run:
    """Make the directory `place` (on the file system of its destination `run_dir`, where it will be run
    `run_id`), complete with attributes, source code, recipe, its parts and, to be staged, its environment.

    With `resolve`, which then is told what goes on, its dependencies too, but for those on other runs.
    `extra` attributes win over the usual ones (None leaves one out). On any error nothing is left.
    Raises GuildError, OSError.
    """
    made, spec = Run(place), job.spec
    try:
        os.makedirs(made.guild_dir / layout.ATTRS)
        (made.guild_dir / layout.OPREF).write_text(str(spec.opdef.opref), "utf-8", "surrogateescape")
        attrs.write_new_attrs(made.guild_dir, _attributes(store, job, environ, run_id, extra or {}))
        add_source(made, spec, job.source, environ)
        recipe.write(made, recipe.from_spec(spec, environ if staged else {}, job.batch))
        if staged:
            write_env(made, spec, environ, run_id=run_id, run_dir=run_dir, home=store.home.path)
        for name, part in job.parts.items():
            _prepare_part(store, part, environ, made, run_dir, name, resolve, job.batch)
        if resolve is not None and spec.opdef.requires:
            reuse = job.source.run if isinstance(job.source, Snapshot) else None
            resolve_ahead(store, made, spec, run_dir, resolve, reuse)
    except BaseException:
        files.remove_tree(place)
        raise
    return made


def _attributes(
    store: RunStore, job: Job, environ: Mapping[str, str], run_id: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    text = job.spec.request.comment
    new = {**_identity(store, run_id, environ), **describe(job.spec), **of_batch(job), **extra}
    if text:
        new["comments"] = comment(text, new["initialized"], environ)
    if not job.spec.opdef.requires:  # else it is told once they are there
        new.setdefault("deps", {})
    return {name: value for name, value in new.items() if value is not None}


def rows_attr(batch: BatchPlan | None) -> dict[str, Any]:
    """The rows of batch files, where Guild 0.9 looks for them."""
    rows = batch.rows if batch is not None else ()
    return {"trials": [dict(row) for row in rows]} if len(rows) > 1 else {}


def _prepare_part(
    store: RunStore,
    part: Job,
    environ: Mapping[str, str],
    made: Run,
    run_dir: Path,
    name: str,
    resolve: Console | None,
    batch: BatchPlan | None,
) -> None:
    """A prototype or a step, of which copies will be run: below the `.guild` of the run that it is of."""
    prepare(
        store,
        part,
        environ,
        place=made.guild_dir / name,
        run_id=Path(name).name,
        run_dir=run_dir / layout.GUILD_DIR / name,
        staged=False,
        extra={**rows_attr(batch), "deps": None},
        resolve=None if resolve is None else replace(resolve, say=lambda text: None),
    )


def of_batch(job: Job) -> dict[str, Any]:
    """What the attributes say of a batch, besides what they say of any run."""
    plan, proto = job.batch, job.parts.get(layout.PROTO)
    if plan is None or proto is None:
        return {}
    return {
        "max_trials": plan.max_trials,
        "objective": proto.spec.opdef.objective or "loss",
        "random_seed": plan.seed,
    }


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
    if tags := list(dict.fromkeys((*request.tags, *opdef.tags))):
        described["tags"] = tags
    if opdef.steps_attr:
        described["steps"] = list(opdef.steps_attr)
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
        manifest.write_manifest(path, copy_snapshot(old.path, made.path, entries_of(old)))
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
    if opdef.is_python or own.get("PYTHONPATH") == opdef.sourcecode.dest:
        own["PYTHONPATH"] = env_rules.python_path(
            opdef.sourcecode.dest, machine.GUILD_PATH, base.get("PYTHONPATH", ""), machine.holds_guild
        )
    run = run_environ(
        str(run_dir), run_id, str(home), opdef.opspec, spec.place.cmd_dir, opdef.sourcecode.dest
    )
    text = env_rules.format_env(env_rules.recorded({**base, **own, **run}, opdef.env_secrets))
    data = text.encode("utf-8", "surrogateescape")
    files.write_whole(made.guild_dir / layout.ENV, data, mode=0o600)
