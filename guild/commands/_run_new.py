"""A new run: resolve the operation, show it, prepare it, and stage it or have it executed."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import click

from guild.app import App
from guild.commands._run_options import RunOptions, confirm, say, warn
from guild.errors import GuildError
from guild.launch import recipe
from guild.launch.command import shadowed
from guild.launch.machine import find_place
from guild.launch.prepare import ProjectSource, Snapshot, Source, comment, in_staging, prepare
from guild.launch.spec import RunRequest, RunSpec, build
from guild.ops.flags import assign, format_value, is_batch
from guild.ops.opdef import OpDef
from guild.ops.resolve import Context, resolve
from guild.ops.select import select_source
from guild.plugin import providers
from guild.runs import lifecycle, swap
from guild.runs.lease import Doing
from guild.runs.run import Run
from guild.runs.selection import find_one
from guild.runs.status import RunStatus


@dataclass(frozen=True)
class Chosen:
    """The operation to be run, and the run that it is taken from, if any."""

    opdef: OpDef
    proto: Run | None = None


def run_new(app: App, options: RunOptions) -> int:
    chosen = choose(app, options)
    spec = compile_spec(app, options, chosen)
    if options.needed and (same := _same_run(app, spec)):
        say(f"Skipping because the following runs match: {', '.join(r.short_id for r in same)}", options)
        return 0
    staging = options.stage or options.stage_dir is not None
    if not confirm("stage" if staging else "run", spec.opdef.name, preview(spec), options):
        return 0
    if options.run_dir or options.stage_dir:
        return _run_aside(app, options, spec, chosen, staging)
    if options.stage:
        return _stage(app, options, spec, chosen)
    return _run_now(app, options, spec, chosen)


def preview(spec: RunSpec) -> list[str]:
    """One line for each flag, sorted."""
    nulls = {f.name: f.null_label or "default" for f in spec.opdef.flags}
    return [
        f"{name}: {nulls.get(name, 'default') if value is None else format_value(value)}"
        for name, value in sorted(spec.flags.items())
    ]


def resolve_op(app: App, opspec: str | None) -> OpDef:
    """The operation of this name here; warnings are shown."""
    place = find_place(app.environ, str(app.cwd))
    context = Context(app.cwd, app.home.cache, place.python_exe, app.environ)
    found = resolve(opspec, context, providers())
    if found.refreshed and "NO_IMPORT_FLAGS_PROGRESS" not in app.environ:
        click.echo("Refreshing flags...", err=True)
    for text in found.warnings:
        warn(text)
    return found.opdef


def choose(app: App, options: RunOptions) -> Chosen:
    proto = find_one(app.store, options.proto) if options.proto else None
    if proto is None or options.opspec or options.force_sourcecode:
        opspec = options.opspec
        if proto is not None and opspec is None:
            return Chosen(todays_op(app, proto), proto)
        return Chosen(resolve_op(app, opspec), proto)
    frozen = recipe.read(proto, find_place(app.environ, str(app.cwd))).opdef
    if frozen is None:
        raise GuildError(f"run {proto.id} does not say what operation it is of")
    return Chosen(frozen, proto)


def todays_op(app: App, run: Run) -> OpDef:
    """The operation of a run as its project defines it now."""
    opref = run.opref
    directory = Path(opref.directory) if opref is not None and opref.directory else None
    if opref is None or directory is None or not directory.is_dir():
        raise GuildError(
            f"cannot find the project of run {run.id}",
            "Leave out --force-sourcecode to use the source code that the run has.",
        )
    there = App(directory, app.environ, app.options)
    spec = opref.op if opref.type == "script" else f"{opref.model}:{opref.op}" if opref.model else opref.op
    return resolve_op(there, spec)


def compile_spec(app: App, options: RunOptions, chosen: Chosen) -> RunSpec:
    opdef, proto = chosen.opdef, chosen.proto
    base = proto.map_attr("flags") if proto is not None else None
    flags = assign(opdef.flags, options.flags, base=base, force=options.force_flags, opname=opdef.name)
    if is_batch(flags.values):
        raise GuildError(
            "a list of values or a search range makes a batch, which this version cannot run yet",
            "Stage one run for each value.",
        )
    for flag in shadowed(opdef.cmd_args, opdef.flags):
        warn(f"ignoring flag '{flag.name}': its option is already in the command")
    request = RunRequest(
        label=options.label,
        tags=options.tags,
        comment=options.comment,
        gpus=options.visible_gpus,
        stop_after=options.stop_after,
        keep_run=options.keep_run,
        random_seed=options.random_seed,
        params=options.params(),
    )
    return build(opdef, flags, request, find_place(app.environ, str(app.cwd)))


def _same_run(app: App, spec: RunSpec) -> list[Run]:
    """Runs of the same operation with the same flags that are neither pending nor failed."""
    return [
        run
        for run in app.store.runs()
        if run.opref == spec.opdef.opref
        and run.map_attr("flags") == dict(spec.flags)
        and run.status() not in (RunStatus.PENDING, RunStatus.ERROR)
    ]


def project_source(app: App, opdef: OpDef, *, quiet: bool = False) -> Source:
    """Which files of the project belong to the run, None for operations without source code."""
    if opdef.sourcecode.disabled or not opdef.project_dir or app.environ.get("NO_SOURCECODE") == "1":
        return None
    root = Path(os.path.normpath(os.path.join(opdef.project_dir, opdef.sourcecode.root or "")))
    if not root.is_dir():
        raise GuildError(f"the source code directory '{root}' does not exist")
    selection = select_source(root, opdef.sourcecode, python=opdef.is_python, avoid=[app.home.path])
    if not quiet:
        for text in selection.warnings:
            warn(text)
    return ProjectSource(root, selection)


def _source(app: App, options: RunOptions, chosen: Chosen) -> Source:
    if chosen.proto is not None and not options.force_sourcecode:
        return Snapshot(chosen.proto)
    return project_source(app, chosen.opdef)


def _prepare(
    app: App, options: RunOptions, spec: RunSpec, chosen: Chosen, place: Path, run_id: str, run_dir: Path
) -> Run:
    extra = {}
    if options.comment:
        extra["comments"] = comment(options.comment, app.store.clock.now(), app.environ)
    return prepare(
        app.store,
        spec,
        _source(app, options, chosen),
        app.environ,
        place=place,
        run_id=run_id,
        run_dir=run_dir,
        staged=options.stage or options.stage_dir is not None,
        extra=extra,
    )


def _new_place(app: App, options: RunOptions) -> Path:
    if options.run_id is None:
        return in_staging(app.store)
    if not options.run_id or "/" in options.run_id or options.run_id.startswith("."):
        raise GuildError(f"invalid run id '{options.run_id}'")
    if app.store.get(options.run_id) is not None:
        raise GuildError(f"run {options.run_id} exists already")
    swap.announce(app.store, options.run_id)
    return app.store.home.staging / options.run_id


def _stage(app: App, options: RunOptions, spec: RunSpec, chosen: Chosen) -> int:
    from guild.base.files import sync_tree

    store, place = app.store, _new_place(app, options)
    try:
        made = _prepare(app, options, spec, chosen, place, place.name, store.home.runs / place.name)
        lifecycle.mark_new_staged(made)
        sync = app.environ.get("GUILD_NO_SYNC") != "1"
        if sync:
            sync_tree(place)
        with lifecycle.locked(store) as held:
            run = lifecycle.stage(held, made, sync=sync)
    finally:
        swap.remove(store, place)
    say(f"{spec.opdef.name} staged as {run.id}", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    if run.is_queue:
        say("(Other queues do not start it: a queue starts no queue.)", options)
    return 0


def _run_now(app: App, options: RunOptions, spec: RunSpec, chosen: Chosen) -> int:
    from guild.commands._run_execute import execute

    store, place = app.store, _new_place(app, options)
    try:
        made = _prepare(app, options, spec, chosen, place, place.name, store.home.runs / place.name)
        lease = lifecycle.new_lease(store, made, Doing.PREPARING, gpus=options.visible_gpus)
        lifecycle.mark_new_pending(made, lease)
        run = lifecycle.enter(store, made)
    finally:
        swap.remove(store, place)
    return execute(app, options, run, lease, spec.opdef.name)


def _run_aside(app: App, options: RunOptions, spec: RunSpec, chosen: Chosen, staging: bool) -> int:
    """`--run-dir` and `--stage-dir`: prepared beside its place, which may be on another file system."""
    from guild.commands._run_execute import execute

    run_dir = Path(os.path.abspath(options.stage_dir or options.run_dir or ""))
    _check_run_dir(run_dir)
    place = run_dir.with_name(f".{run_dir.name}.guild-{app.store.new_id()[:8]}")
    made = _prepare(app, options, spec, chosen, place, run_dir.name, run_dir)
    try:
        if staging:
            lifecycle.mark_new_staged(made)
            lifecycle.put_aside(made, run_dir, app.store.clock.now())
        else:
            lease = lifecycle.new_lease(app.store, Run(run_dir), Doing.PREPARING, gpus=options.visible_gpus)
            lifecycle.mark_new_pending(made, lease)
            run = lifecycle.put_aside(made, run_dir)
    finally:
        _remove_left(place)
    if staging:
        _say_staged_aside(spec, run_dir, options)
        return 0
    if not options.quiet and "NO_WARN_RUNDIR" not in app.environ:
        text = f"Run directory is '{options.run_dir}' (results will not be visible to Guild)"
        click.echo(text, err=True)
    return execute(app, options, run, lease, spec.opdef.name)


def _check_run_dir(run_dir: Path) -> None:
    """The directory is absent or empty, and its parents are there, made if need be. Raises GuildError."""
    try:
        if os.path.lexists(run_dir) and not run_dir.is_dir():
            raise GuildError(f"'{run_dir}' is not a directory", "Name a new or an empty directory.")
        if run_dir.is_dir() and any(run_dir.iterdir()):
            raise GuildError(f"directory '{run_dir}' is not empty", "Name a new or an empty directory.")
        os.makedirs(run_dir.parent, exist_ok=True)
        if not os.access(run_dir.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as e:
        raise GuildError(f"cannot use directory '{run_dir}': {e.strerror or e}") from None


def _remove_left(place: Path) -> None:
    from guild.base.files import remove_tree

    remove_tree(place)


def _say_staged_aside(spec: RunSpec, run_dir: Path, options: RunOptions) -> None:
    import shlex

    shown = options.stage_dir or options.run_dir or str(run_dir)
    line = f"cd {shlex.quote(shown)} && source .guild/ENV && {shlex.join(spec.argv)}"
    say(f"{spec.opdef.name} staged in '{shown}'", options)
    say(f'To start the operation, use "({line})"', options)
