"""`--start`, `--restart` and `--restage`: an earlier run is executed or staged again."""

from guild.app import App
from guild.commands._run_execute import execute
from guild.commands._run_new import preview, project_source, todays_op
from guild.commands._run_options import RunOptions, confirm, say
from guild.errors import GuildError, RunChanged
from guild.launch import again
from guild.launch.again import Changes
from guild.launch.machine import find_place
from guild.launch.prepare import add_source
from guild.launch.spec import RunSpec
from guild.runs import lifecycle
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
    _refuse_active(run, "restage" if options.restage else "restart")
    changes = _changes(app, options, run)
    spec = again.respec(run, changes, find_place(app.environ, str(app.cwd)))
    if options.print_cmd or options.print_env:
        from guild.commands._run_show import print_env_of, print_spec

        return print_spec(spec) if options.print_cmd else print_env_of(app, spec)
    name = spec.opdef.name
    if options.needed and _is_done(app, run, spec):
        say("Skipping run because flags have not changed", options)
        return 0
    if not confirm(verb, f"{run.id} ({name})", preview(spec), options):
        return 0
    if options.restage:
        return _restage(app, options, run, spec, changes)
    if options.stage:
        return _stage_in_place(app, options, run, spec, changes)
    return _start(app, options, run, spec, changes)


def _changes(app: App, options: RunOptions, run: Run) -> Changes:
    opdef = source = None
    if options.force_sourcecode:
        opdef = todays_op(app, run)
        source = project_source(app, opdef)
    return Changes(
        flags=options.flags,
        label=options.label,
        tags=options.tags,
        comment=options.comment,
        gpus=options.visible_gpus,
        stop_after=options.stop_after,
        force_flags=options.force_flags,
        source=source,
        opdef=opdef,
    )


def _mend(app: App, run: Run) -> None:
    """Undo what a dead holder left of this run, so that it can be started."""
    if run.status() is RunStatus.PENDING:
        with lifecycle.locked_for(app.store, run) as held:
            lifecycle.recover(held, run)


def _refuse_active(run: Run, verb: str) -> None:
    status = run.status()
    if status in (RunStatus.PENDING, RunStatus.RUNNING):
        raise GuildError(
            f"cannot {verb} run {run.id} because it's {status.value}",
            "Wait until it has ended, or stop it with 'guild stop'.",
        )


def _is_done(app: App, run: Run, spec: RunSpec) -> bool:
    return (
        run.map_attr("flags") == dict(spec.flags)
        and run.opref == spec.opdef.opref
        and run.status() not in (RunStatus.PENDING, RunStatus.ERROR)
    )


def _restage(app: App, options: RunOptions, run: Run, spec: RunSpec, changes: Changes) -> int:
    _require_home(app, run, "--restage")
    made = again.prepare_restage(app.store, run, spec, changes, app.environ)
    doomed = None
    try:
        with lifecycle.locked(app.store) as held:
            doomed = again.carry_out(held, made)
    finally:
        again.clean_up(app.store, made, doomed)
    say(f"{spec.opdef.name} staged as {run.id}", options)
    if made.trash_id:
        say(f"Its earlier execution is in the trash: 'guild runs restore {made.trash_id[:8]}'", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    return 0


def _require_home(app: App, run: Run, option: str) -> None:
    if not app.store.holds(run):
        raise GuildError(f"{option} needs a run of this Guild home, and '{run.path}' is not")


def _stage_in_place(app: App, options: RunOptions, run: Run, spec: RunSpec, changes: Changes) -> int:
    """`--restart RUN --stage`, as in Guild 0.9: files are kept, and it goes to the end of the order."""
    now = app.store.clock.now()

    def write() -> None:
        _write_changes(app, run, spec, changes, now)
        again.rewrite_env(run, spec, app.environ, app.store.home.path)

    with lifecycle.locked_for(app.store, run) as held:
        lifecycle.stage_in_place(held, run, write)
    say(f"{spec.opdef.name} staged as {run.id}", options)
    say(f"To start the operation, use 'guild run --start {run.id}'", options)
    return 0


def _write_changes(app: App, run: Run, spec: RunSpec, changes: Changes, now: int) -> None:
    if changes.source is not None:
        add_source(run, spec, changes.source, app.environ)
    if changes.any:
        again.rewrite(run, spec, changes, now, app.environ)


def _start(app: App, options: RunOptions, run: Run, spec: RunSpec, changes: Changes) -> int:
    if run.status() is RunStatus.STAGED:
        lease = _claim_staged(app, options, run, spec, changes)
    else:
        lease = _restart_ended(app, options, run, spec, changes)
    return execute(app, options, run, lease, spec.opdef.name)


def _claim_staged(app: App, options: RunOptions, run: Run, spec: RunSpec, changes: Changes) -> Lease:
    """Ours from now on; with new flags the run is restaged with them first, under the same lock."""
    changed = changes.any and app.store.holds(run)
    made = again.prepare_restage(app.store, run, spec, changes, app.environ) if changed else None
    doomed = None
    try:
        with lifecycle.locked_for(app.store, run) as held:
            if made is not None:
                doomed = again.carry_out(held, made)
            elif changes.any:
                _write_changes(app, run, spec, changes, app.store.clock.now())
            return _claim(held, run, options)
    finally:
        if made is not None:
            again.clean_up(app.store, made, doomed)


def _claim(held: Held, run: Run, options: RunOptions) -> Lease:
    lease = lifecycle.new_lease(held.store, run, Doing.CLAIMED, gpus=options.visible_gpus)
    try:
        lifecycle.claim(held, run, lease)
    except RunChanged as e:
        raise GuildError(f"cannot start run {run.id}: {e.message}") from None
    return lease


def _restart_ended(app: App, options: RunOptions, run: Run, spec: RunSpec, changes: Changes) -> Lease:
    store = app.store
    with lifecycle.locked_for(store, run) as held:
        lease = lifecycle.new_lease(store, run, Doing.PREPARING, gpus=options.visible_gpus)
        lifecycle.restart(held, run, lease)
    try:
        _write_changes(app, run, spec, changes, store.clock.now())
    except (GuildError, OSError) as e:
        lifecycle.fail(store, run, f"could not be prepared: {e}", 1)
        raise
    return lease
