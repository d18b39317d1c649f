"""`guild runs delete`, also `rm`: to the trash, or away for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from guild.app import App
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
from guild.runs.departures import drop, to_trash
from guild.runs.filters import Filters
from guild.runs.lifecycle import Held, locked, recover
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.status import RunStatus


@dataclass(frozen=True)
class DeleteOptions:
    specs: tuple[str, ...]
    filters: Filters
    yes: bool
    permanent: bool


@click.command(
    "delete", cls=RunsCommand, context_settings=SETTINGS, short_help="Delete runs; they can be restored."
)
@runs_argument
@filter_options()
@click.option("-p", "--permanent", is_flag=True, help="Remove them for good; they cannot be restored.")
@yes_option
@click.pass_obj
def command(app: App, /, **params: Any) -> int:
    """Delete runs; without RUN, all that match the filters.

    \b
    guild runs rm 1                delete the newest run
    guild runs rm -Set             delete all that failed or were stopped
    guild runs rm 3f2a -p -y       remove a run for good, without being asked

    Deleted runs can be brought back with 'guild runs restore', until 'guild runs purge'. Runs that
    are running are stopped first.
    """
    options = DeleteOptions(filters=take_filters(params), **params)
    runs = chosen(app, options.specs, options.filters, ":")
    if not runs:
        click.echo("Nothing to delete.", err=True)
        return 0
    active = _active(runs)
    if not options.yes:
        _ask(app, runs, active, options.permanent)
    app.store.create()
    if active:
        _stop_first(app, active)
    deleted = _delete(app, [seen.run for seen in runs], options.permanent)
    if deleted:
        verb = "Permanently deleted" if options.permanent else "Deleted"
        click.echo(f"{verb} {deleted} run(s)", err=True)
    return 0 if deleted else 1


def _active(runs: Sequence[Seen]) -> list[Seen]:
    """Those that are running or in somebody's hands; a claim whose holder is gone is neither."""
    return [seen for seen in runs if seen.status is RunStatus.RUNNING or _is_held(seen)]


def _is_held(seen: Seen) -> bool:
    lease = seen.run.claim_lease() if seen.status is RunStatus.PENDING else None
    return lease is not None and lease.is_held


def _ask(app: App, runs: Sequence[Seen], active: Sequence[Seen], permanent: bool) -> None:
    if permanent:
        intro = "WARNING: You are about to permanently delete the following runs:"
        confirm(app, intro, runs, f"Permanently delete {len(runs)} run(s)?", default=False)
    else:
        intro = "You are about to delete the following runs:"
        confirm(app, intro, runs, f"Delete {len(runs)} run(s)?", default=True)
    if active:
        intro = "These are in progress and will be stopped first:"
        confirm(app, intro, active, f"Stop {len(active)} run(s)?", default=False)


def _stop_first(app: App, active: Sequence[Seen]) -> None:
    from guild.commands.runs_stop import stop_runs

    stop_runs(app, [seen.run for seen in active])  # what goes on is refused below


def _delete(app: App, runs: Sequence[Run], permanent: bool) -> int:
    """How many could be deleted; says why another was not."""
    from guild.runs.swap import remove

    with locked(app.store) as held:
        gone = act_on_each(runs, lambda run: _delete_one(held, run, permanent), "delete", "deleted")
    for path in gone if permanent else ():
        remove(app.store, path)
    return len(gone)


def _delete_one(held: Held, run: Run, permanent: bool) -> Path:
    recover(held, run)  # should it be restored, it comes back as what it is
    return drop(held, run) if permanent else to_trash(held, run)
