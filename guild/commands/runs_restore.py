"""`guild runs restore`: deleted runs back from the trash."""

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
from guild.runs.departures import restore
from guild.runs.lifecycle import locked


@click.command("restore", cls=RunsCommand, context_settings=SETTINGS, short_help="Bring deleted runs back.")
@runs_argument
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, **params: Any) -> int:
    """Bring deleted runs back; without RUN, all that match the filters.

    \b
    guild runs -d                  list deleted runs
    guild runs restore 1           bring the newest of them back

    RUN is a number of 'guild runs -d' or the beginning of a run id.
    """
    runs = chosen(app, specs, take_filters(params), ":", app.store.trashed())
    if not runs:
        click.echo("Nothing to restore.", err=True)
        return 0
    if not yes:
        intro = "You are about to restore the following runs:"
        confirm(app, intro, runs, f"Restore {len(runs)} run(s)?", default=True)
    app.store.create()
    with locked(app.store) as held:
        restored = act_on_each(
            [seen.run for seen in runs], lambda run: restore(held, run), "restore", "restored"
        )
    if restored:
        click.echo(f"Restored {len(restored)} run(s)", err=True)
    return 0 if restored else 1
