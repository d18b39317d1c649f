"""`guild export`, also `guild runs export`: runs to a directory or a zip file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.commands._archive_runs import Progress, full_path, in_hand, warn_skipped
from guild.commands._confirm import act_on_each, confirm
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
    yes_option,
)
from guild.errors import GuildError
from guild.runs.departures import drop
from guild.runs.lifecycle import Witness, locked, recover, witness
from guild.runs.run import Run


@dataclass(frozen=True)
class ExportOptions:
    location: str
    move: bool
    copy_resources: bool


@dataclass
class _Work:
    """What has come of it: the runs that are there, as they were; how many could not be exported."""

    done: list[tuple[Run, Witness]]
    failed: int = 0


@click.command(
    "export",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Copy or move runs to a directory or zip file.",
)
@click.argument("location", metavar="LOCATION")
@runs_argument
@click.option("-m", "--move", is_flag=True, help="Remove the runs from here once they are there.")
@click.option("-r", "--copy-resources", is_flag=True, help="Copy what links in the runs lead to.")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, **params: Any) -> int:
    """Copy runs to LOCATION, a directory or a .zip file; without RUN, all that match the filters.

    \b
    guild export backup            copy all runs to a directory
    guild export best.zip 1:3      put three runs into a zip file
    guild export old -m -Set -y    move what failed or was stopped

    Runs that LOCATION holds already are skipped, as are those that are running. Links stay links, with
    --copy-resources they become what they lead to; in a zip file they always do. Nothing is there until
    it is complete.
    """
    filters = take_filters(params)
    options = ExportOptions(**params)
    runs = chosen(app, specs, filters, ":")
    if not runs:
        click.echo("No runs to export.", err=True)
        return 0
    target = full_path(app, options.location)
    _check_place(app, target)
    if not yes:
        verb = "move" if options.move else "copy"
        intro = f"You are about to {verb} the following runs to '{options.location}':"
        confirm(app, intro, runs, "Continue?", default=True)
    work = _export(app, options, [seen.run for seen in runs])
    click.echo(f"Exported {len(work.done)} run(s) to {options.location}", err=True)
    return 1 if work.failed else 0


def _check_place(app: App, target: Path) -> None:
    """Raises GuildError for the Guild home and what it keeps for itself."""
    home, real = app.home, target.resolve()
    kept = (home.runs, home.staging, home.trash.parent, home.cache, home.lock.parent, home.log)
    if real == home.path.resolve() or any(real.is_relative_to(path.resolve()) for path in kept):
        raise GuildError(f"'{target}' belongs to the Guild home", "Choose a directory elsewhere.")


def _export(app: App, options: ExportOptions, runs: Sequence[Run]) -> _Work:
    from guild.runs.exports import Target, open_target

    work = _Work([])
    progress = Progress("Moving" if options.move else "Copying")

    def add(target: Target, run: Run) -> Run:
        before = witness(run)
        progress.begin(run.id)
        try:
            if target.add(run, progress.warn, progress.count, lambda: witness(run) == before):
                work.done.append((run, before))
            else:
                progress.warn(f"{run.id} has changed meanwhile, skipping")
        finally:
            progress.end()
        return run

    with open_target(full_path(app, options.location), options.copy_resources) as target:
        for run in _ready(app, runs, target.has):
            work.failed += not act_on_each([run], partial(add, target), "export", "exported")
    if options.move:
        for run, _ in work.done:
            target.sync(run.id)
        work.failed += len(work.done) - _remove(app, work.done)
    return work


def _ready(app: App, runs: Sequence[Run], is_there: Any) -> list[Run]:
    """Those that can be exported; says why another cannot. What a dead process has left of a run is mended
    first: elsewhere nobody would."""
    ready = []
    for run in runs:
        why = "exists" if is_there(run.id) else in_hand(run)
        if why:
            warn_skipped(run.id, why)
            continue
        if run.lease() is not None and app.store.holds(run):
            with locked(app.store) as held:
                recover(held, run)
        ready.append(run)
    return ready


def _remove(app: App, exported: Sequence[tuple[Run, Witness]]) -> int:
    """Remove what lies elsewhere by now, unless it has changed since; how many."""
    from guild.runs.swap import remove

    app.store.create()

    def take(run: Run) -> Any:
        if witness(run) != seen[run.id]:
            raise GuildError(f"run {run.id} has changed meanwhile")
        return drop(held, run)

    seen = {run.id: was for run, was in exported}
    with locked(app.store) as held:
        gone = act_on_each([run for run, _ in exported], take, "remove", "removed")
    for path in gone:
        remove(app.store, path)
    return len(gone)
