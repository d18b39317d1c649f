"""A new run: resolve the operation, show it, prepare it, and stage it or have it executed."""

import errno
import os
from pathlib import Path

import click

from guild.app import App
from guild.commands._run_job import compile_job
from guild.commands._run_op import choose
from guild.commands._run_options import RunOptions, confirm, console, say, warn
from guild.commands._run_preview import note, preview, subject
from guild.errors import GuildError
from guild.launch.job import Job
from guild.launch.needed import same_runs
from guild.launch.prepare import in_staging, prepare
from guild.runs import lifecycle, swap
from guild.runs.lease import Doing
from guild.runs.run import Run


def run_new(app: App, options: RunOptions) -> int:
    chosen = choose(app, options)
    if options.edit_comment or options.edit_batch_comment:
        options = _with_comments(options)
    job = compile_job(app, options, chosen)
    if options.stage_trials:
        _require_trials(job)
    if options.batch_comment and job.batch is None:
        warn("operation is not a batch - ignoring batch comment")
    if options.needed and job.batch is None and (same := same_runs(app.store, job.spec)):
        _say_skipped(app, options, same)
        return 0
    staging = options.stage or options.stage_dir is not None
    verb = "stage trials for" if options.stage_trials else "stage" if staging else "run"
    if not confirm(verb, subject(job, app.cwd) + note(job), preview(job), options):
        return 0
    if options.stage_trials and job.batch is not None and job.batch.trials:
        from guild.commands._run_batch import stage_trials

        return stage_trials(app, options, job)
    if options.run_dir or options.stage_dir:
        return _run_aside(app, options, job, staging)
    if options.stage:
        return _stage(app, options, job)
    return _run_now(app, options, job)


def _say_skipped(app: App, options: RunOptions, same: list[Run]) -> None:
    """Tell which runs make another one needless."""
    if options.quiet:
        return
    from guild.commands._show import echo_table, run_row
    from guild.runs.seen import Seen

    click.echo("Skipping because the following runs match this operation (--needed specified):")
    oldest_first = sorted(map(Seen, same), key=lambda seen: seen.timestamp or 0)
    echo_table([run_row(seen, f"[{seen.run.short_id}]", app.cwd) for seen in oldest_first], 2)


def _with_comments(options: RunOptions) -> RunOptions:
    from dataclasses import replace

    from guild.commands._edit import edit_comment

    if options.edit_comment:
        options = replace(options, comment=edit_comment(options.comment or "") or None)
    if options.edit_batch_comment:
        options = replace(options, batch_comment=edit_comment(options.batch_comment or "") or None)
    return options


def _require_trials(job: Job) -> None:
    """Raises GuildError where there are no trials that could be staged."""
    if job.batch is None:
        raise GuildError(
            f"cannot stage trials of {job.name}: it makes one run", "Give a flag several values: x=[1,2]"
        )
    if not job.batch.trials and not job.spec.opdef.can_stage_trials:
        raise GuildError(
            f"operation '{job.spec.opdef.name}' does not support --stage-trials",
            "An operation that does, and not by the results of earlier trials, says 'can-stage-trials: yes'.",
        )


def _prepare(
    app: App, options: RunOptions, job: Job, place: Path, run_id: str, run_dir: Path, staged: bool
) -> Run:
    return prepare(
        app.store,
        job,
        app.environ,
        place=place,
        run_id=run_id,
        run_dir=run_dir,
        staged=staged,
        resolve=console(options) if staged else None,
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


def _stage(app: App, options: RunOptions, job: Job) -> int:
    from guild.base.files import sync_tree

    store, place = app.store, _new_place(app, options)
    try:
        made = _prepare(app, options, job, place, place.name, store.home.runs / place.name, True)
        lifecycle.mark_new_staged(made)
        sync = app.environ.get("GUILD_NO_SYNC") != "1"
        if sync:
            sync_tree(place)
        with lifecycle.locked(store) as held:
            run = lifecycle.stage(held, made, sync=sync)
    finally:
        swap.remove(store, place)
    say(f"{job.name} staged as {run.id}", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    if run.is_queue:
        say("(Other queues do not start it: a queue starts no queue.)", options)
    return 0


def _run_now(app: App, options: RunOptions, job: Job) -> int:
    from guild.commands._run_execute import execute

    store, place = app.store, _new_place(app, options)
    try:
        made = _prepare(app, options, job, place, place.name, store.home.runs / place.name, False)
        lease = lifecycle.new_lease(store, made, Doing.PREPARING, gpus=options.visible_gpus)
        lifecycle.mark_new_pending(made, lease)
        run = lifecycle.enter(store, made)
    finally:
        swap.remove(store, place)
    return execute(app, options, run, lease, job.name)


def _run_aside(app: App, options: RunOptions, job: Job, staging: bool) -> int:
    """`--run-dir` and `--stage-dir`: prepared beside its place, which may be on another file system."""
    from guild.commands._run_execute import execute

    run_dir = Path(os.path.abspath(options.stage_dir or options.run_dir or ""))
    _check_run_dir(run_dir)
    place = run_dir.with_name(f".{run_dir.name}.guild-{app.store.new_id()[:8]}")
    made = _prepare(app, options, job, place, run_dir.name, run_dir, staging)
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
        _say_staged_aside(job, run_dir, options)
        return 0
    if not options.quiet and "NO_WARN_RUNDIR" not in app.environ:
        text = f"Run directory is '{options.run_dir}' (results will not be visible to Guild)"
        click.echo(text, err=True)
    return execute(app, options, run, lease, job.name)


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


def _say_staged_aside(job: Job, run_dir: Path, options: RunOptions) -> None:
    import shlex

    shown = options.stage_dir or options.run_dir or str(run_dir)
    quoted = f"'{shown}'" if shlex.quote(shown) == shown else shlex.quote(shown)
    line = f"cd {quoted} && source .guild/ENV && {shlex.join(job.spec.argv)}"
    say(f"{job.name} staged in '{shown}'", options)
    say(f'To start the operation, use "({line})"', options)
