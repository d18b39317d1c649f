"""`--start`, `--restart` and `--restage`: an earlier run is executed or staged again."""

from dataclasses import replace

from guild.app import App
from guild.commands._run_execute import execute
from guild.commands._run_op import project_source, split_files, todays_flags, todays_op
from guild.commands._run_options import RunOptions, confirm, console, say
from guild.commands._run_preview import note, preview
from guild.errors import GuildError, RunChanged
from guild.launch import again, recipe
from guild.launch.flag_types import with_types
from guild.launch.job import Console, Job, part_of, step_part
from guild.launch.machine import find_place
from guild.launch.prepare import add_source
from guild.launch.rejob import Changes, Values, refuse_batch, rejob
from guild.launch.spec import RunSpec
from guild.launch.upstream import Standing, standing, upstream_ids
from guild.ops.opdef import FlagDef
from guild.runs import layout, lifecycle
from guild.runs.abandoned import is_over
from guild.runs.lease import Doing, Lease
from guild.runs.lifecycle import Held
from guild.runs.run import Run
from guild.runs.selection import find_one
from guild.runs.status import RunStatus


def run_again(app: App, options: RunOptions) -> int:
    run = find_one(app.store, options.restart or options.restage or "")
    run = Run(run.path.resolve())
    verb = "restage" if options.restage else "start" if not options.stage else "stage"
    _mend(app, run)
    _refuse_active(app, run, "restage" if options.restage else "stage" if options.stage else "restart")
    changes = _changes(app, options, run)
    job = rejob(run, changes, find_place(app.environ, str(app.cwd)))
    refuse_batch(job, changes)
    if not options.restage and (options.stage or run.status() is not RunStatus.STAGED):
        again.refuse_in_place(run, job, changes)
    if options.print_cmd or options.print_env:
        from guild.commands._run_show import print_env_of, print_spec

        return print_spec(job.spec) if options.print_cmd else print_env_of(app, job.spec)
    if options.needed and _is_done(app, run, job.spec):
        say("Skipping run because flags have not changed (--needed specified)", options)
        return 0
    if not confirm(verb, f"{run.id} ({job.name}){note(job)}", preview(job), options):
        return 0
    if options.restage:
        return _restage(app, options, run, job, changes)
    if options.stage:
        return _stage_in_place(app, options, run, job, changes)
    return _start(app, options, run, job, changes)


def _changes(app: App, options: RunOptions, run: Run) -> Changes:
    opdef = source = None
    if options.force_sourcecode:
        if part_of(run, step_part(0)) is not None:
            raise GuildError(
                f"the steps of run {run.id} were made with it, and keep their source code",
                "To take today's, run the workflow anew: guild run --proto RUN --force-sourcecode",
            )
        opdef = todays_op(app, part_of(run, layout.PROTO) or run)
        source = project_source(app, opdef)
    typed, paths = split_files(options.flags)
    known = todays_flags(app, part_of(run, layout.PROTO) or run) if options.flags else ()
    return Changes(
        flags=typed,
        known=known,
        rows=_rows(app, run, paths, known, options.force_flags),
        max_trials=options.max_trials,
        fail_on_trial_error=options.fail_on_trial_error,
        batch_label=options.batch_label,
        batch_tags=options.batch_tags,
        batch_comment=options.batch_comment,
        keep_batch=options.keep_batch,
        label=options.label,
        tags=options.tags,
        comment=options.comment,
        gpus=options.visible_gpus,
        stop_after=options.stop_after,
        force_flags=options.force_flags,
        source=source,
        opdef=opdef,
    )


def _rows(
    app: App, run: Run, paths: list[str], known: tuple[FlagDef, ...], force: bool
) -> tuple[Values, ...] | None:
    """The rows of batch files, for a batch."""
    proto = part_of(run, layout.PROTO)
    if not paths or proto is None:
        return () if paths else None
    from guild.launch.batch_file import read_batch_files

    opdef = recipe.read(proto, find_place(app.environ, str(app.cwd))).opdef
    flags = with_types(opdef.flags, known) if opdef is not None else ()
    return tuple(read_batch_files(paths, app.cwd, flags, force))


def _mend(app: App, run: Run) -> None:
    """Undo what a dead holder left of this run, so that it can be started."""
    if run.status() is RunStatus.PENDING:
        with lifecycle.locked_for(app.store, run) as held:
            lifecycle.recover(held, run)


def _refuse_active(app: App, run: Run, verb: str) -> None:
    status = run.status()
    if status is RunStatus.STAGED or is_over(app.store, run, status):
        return
    hint = "Wait until it has ended, or stop it with 'guild stop'."
    if status is RunStatus.PENDING and run.claim_lease() is None:
        hint = "Guild 0.9 may be about to start it. Try again in a minute."
    raise GuildError(f"cannot {verb} run {run.id} because it's {status.value}", hint)


def _is_done(app: App, run: Run, spec: RunSpec) -> bool:
    return (
        run.map_attr("flags") == dict(spec.flags)
        and run.opref == spec.opdef.opref
        and run.status() not in (RunStatus.PENDING, RunStatus.ERROR)
    )


def _restage(app: App, options: RunOptions, run: Run, job: Job, changes: Changes) -> int:
    _require_home(app, run, "--restage")
    made = again.prepare_restage(app.store, run, job, changes, app.environ, console(options))
    doomed = None
    try:
        with lifecycle.locked(app.store) as held:
            doomed = again.carry_out(held, made)
    finally:
        again.clean_up(app.store, made, doomed)
    say(f"{job.name} staged as {run.id}", options)
    if made.trash_id:
        say(f"Its earlier execution is in the trash: 'guild runs restore {made.trash_id[:8]}'", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    return 0


def _require_home(app: App, run: Run, option: str) -> None:
    if not app.store.holds(run):
        raise GuildError(f"{option} needs a run of this Guild home, and '{run.path}' is not")


def _stage_in_place(app: App, options: RunOptions, run: Run, job: Job, changes: Changes) -> int:
    """`--restart RUN --stage`, as in Guild 0.9: files are kept, and it goes to the end of the order."""
    now = app.store.clock.now()

    def write() -> None:
        _write_changes(app, run, job, changes, now)
        again.rewrite_env(run, job.spec, app.environ, app.store.home.path)

    with lifecycle.locked_for(app.store, run) as held:
        lifecycle.stage_in_place(held, run, write)
    say(f"{job.name} staged as {run.id}", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    return 0


def _write_changes(app: App, run: Run, job: Job, changes: Changes, now: int) -> None:
    if changes.source is not None:
        add_source(run, job.spec, changes.source, app.environ)
    if changes.any:
        again.rewrite(run, job, changes, now, app.environ)


def _start(app: App, options: RunOptions, run: Run, job: Job, changes: Changes) -> int:
    if run.status() is RunStatus.STAGED:
        _refuse_early(app, job)
        lease = _claim_staged(app, options, run, job, changes)
    else:
        lease = _restart_ended(app, options, run, job, changes)
    return execute(app, options, run, lease, job.name)


def _refuse_early(app: App, job: Job) -> None:
    """Raises GuildError for a staged run whose upstream is still to come: it stays staged."""
    for run_id in upstream_ids(job.spec.opdef.requires, job.spec.flags):
        upstream = app.store.get(run_id)
        if standing(upstream) is Standing.WAIT and upstream is not None:
            raise GuildError(
                f"it depends on run {run_id}, which is {upstream.status().value}",
                f"Start that one first, or wait for a queue. 'guild runs info {run_id[:8]}' has more.",
            )


def _claim_staged(app: App, options: RunOptions, run: Run, job: Job, changes: Changes) -> Lease:
    """Ours from now on; with new flags the run is restaged with them first, under the same lock."""
    changed = changes.any and app.store.holds(run)
    made = (
        again.prepare_restage(app.store, run, job, changes, app.environ, _quiet(options)) if changed else None
    )
    doomed = None
    try:
        with lifecycle.locked_for(app.store, run) as held:
            if made is not None:
                doomed = again.carry_out(held, made)
            elif changes.any:
                _write_changes(app, run, job, changes, app.store.clock.now())
            return _claim(held, run, options)
    finally:
        if made is not None:
            again.clean_up(app.store, made, doomed)


def _quiet(options: RunOptions) -> Console:
    """For what is said once more when the run is started."""
    return replace(console(options), say=lambda text: None)


def _claim(held: Held, run: Run, options: RunOptions) -> Lease:
    lease = lifecycle.new_lease(held.store, run, Doing.CLAIMED, gpus=options.visible_gpus)
    try:
        lifecycle.claim(held, run, lease)
    except RunChanged as e:
        raise GuildError(f"cannot start run {run.id}: {e.message}") from None
    return lease


def _restart_ended(app: App, options: RunOptions, run: Run, job: Job, changes: Changes) -> Lease:
    store = app.store
    with lifecycle.locked_for(store, run) as held:
        lease = lifecycle.new_lease(store, run, Doing.PREPARING, gpus=options.visible_gpus)
        lifecycle.restart(held, run, lease)
    try:
        _write_changes(app, run, job, changes, store.clock.now())
    except (GuildError, OSError) as e:
        lifecycle.fail(store, run, f"could not be prepared: {e}", 1)
        raise
    return lease
