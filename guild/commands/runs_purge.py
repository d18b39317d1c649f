"""`guild runs purge`: what is in the trash, away for good."""

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
from guild.runs.lifecycle import drop, locked
from guild.runs.swap import remove


@click.command(
    "purge", cls=RunsCommand, context_settings=SETTINGS, short_help="Remove deleted runs for good."
)
@runs_argument
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, **params: Any) -> int:
    """Remove deleted runs for good; without RUN, all that match the filters.

    \b
    guild runs -d                  list deleted runs
    guild runs purge               remove them all, having asked

    RUN is a number of 'guild runs -d' or the beginning of a run id.
    """
    runs = chosen(app, specs, take_filters(params), ":", app.store.trashed())
    if not runs:
        click.echo("Nothing to purge.", err=True)
        return 0
    if not yes:
        intro = "WARNING: You are about to permanently delete the following runs:"
        confirm(app, intro, runs, f"Permanently delete {len(runs)} run(s)?", default=False)
    app.store.create()
    with locked(app.store) as held:
        dropped = act_on_each([seen.run for seen in runs], lambda run: drop(held, run), "purge", "deleted")
    for path in dropped:
        remove(app.store, path)
    if dropped:
        click.echo(f"Permanently deleted {len(dropped)} run(s)", err=True)
    return 0 if dropped else 1
