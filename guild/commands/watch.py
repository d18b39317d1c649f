"""`guild watch`: the output of a run as it comes, until the run ends."""

import sys
import time
from typing import Any

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS, filter_options, one_chosen, take_filters
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import Filters
from guild.runs.output import tail
from guild.runs.run import Run, is_run_dir
from guild.runs.selection import look
from guild.runs.status import RunStatus

_POLL = 0.1


@click.command("watch", context_settings=SETTINGS, short_help="Follow the output of a run until it ends.")
@click.argument("spec", metavar="[RUN]", required=False)
@filter_options(statuses=False)
@click.pass_obj
def command(app: App, /, spec: str | None, **params: Any) -> None:
    """Follow the output of a run until it ends; without RUN, of the newest that is running.

    \b
    guild watch                    what is running now
    guild watch 3f2a               a certain run; a staged one from when it begins

    Ctrl-C ends watching, not the run.
    """
    filters = take_filters(params)
    run = _newest_running(app, filters) if spec is None else one_chosen(app, spec, filters).run
    if "NO_WATCHING_MSG" not in app.environ:
        click.echo(f"Watching run {run.id}", err=True)
    status = follow(run)
    click.echo(f"Run {run.id} stopped with a status of '{status.value}'", err=True)


def _newest_running(app: App, filters: Filters) -> Run:
    for seen in look(app.store.runs(), filters):
        if seen.status is RunStatus.RUNNING:
            return seen.run
    raise GuildError("nothing to watch", "You can view the output of a specific run using 'guild watch RUN'.")


def follow(run: Run) -> RunStatus:
    """Copy a run's output to stdout until the run has ended; its status then.

    Raises GuildError where the run is deleted meanwhile.
    """
    output, offset = run.guild_dir / layout.OUTPUT, 0
    while True:
        status = run.status()
        if not is_run_dir(run.path):
            raise GuildError(f"run {run.id} has been deleted")
        # What lies there before it begins is of an earlier execution.
        while status not in (RunStatus.STAGED, RunStatus.PENDING):
            data, offset = tail(output, offset)
            if not data:
                break
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        if status.is_ended:
            return status
        time.sleep(_POLL)
