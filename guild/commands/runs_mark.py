"""`guild mark`, also `guild runs mark`: marked runs go first where a run needs another one."""

from dataclasses import replace
from typing import Any

import click

from guild.app import App
from guild.commands._change_runs import change_runs, write_or_delete
from guild.commands._confirm import confirm
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


@click.command(
    "mark", cls=RunsCommand, context_settings=SETTINGS, short_help="Mark runs, or remove their marks."
)
@runs_argument
@click.option("-c", "--clear", is_flag=True, help="Remove the mark.")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, clear: bool, **params: Any) -> int:
    """Mark runs; a marked run is taken, rather than the latest, where another run needs one of its kind.

    \b
    guild mark                     mark the newest run
    guild mark 3f2a                mark a certain run
    guild mark -c                  remove all marks
    guild runs -Fm                 list marked runs
    """
    filters = take_filters(params)
    if clear and not specs:
        filters = replace(filters, marked=True)
    runs = chosen(app, specs, filters, ":" if clear else "1")
    if not runs:
        if clear:
            click.echo("No runs to unmark.", err=True)
            return 0
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    verb = "unmark" if clear else "mark"
    if not yes:
        confirm(app, f"You are about to {verb} the following runs:", runs, "Continue?", default=True)
    marked = None if clear else True
    done = "Unmarked {} run(s)" if clear else "Marked {} run(s)"
    return change_runs(app, runs, lambda run: write_or_delete(run, "marked", marked), done)
