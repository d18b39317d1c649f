"""`guild stop`, also `guild runs stop`: end runs and queues in an orderly way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from guild.app import App
from guild.commands._confirm import confirm
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    filter_options,
    runs_argument,
    take_filters,
    yes_option,
)
from guild.errors import GuildError
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.selection import look, select


@dataclass(frozen=True)
class StopOptions:
    specs: tuple[str, ...]
    filters: Filters
    yes: bool
    no_wait: bool
    drain: bool


@click.command("stop", cls=RunsCommand, context_settings=SETTINGS, short_help="Stop runs and queues.")
@runs_argument
@filter_options(statuses=False)
@click.option("-n", "--no-wait", is_flag=True, help="Do not wait until the runs have ended.")
@click.option("--drain", is_flag=True, help="Let a queue finish its current run first; start no other.")
@yes_option
@click.pass_obj
def command(app: App, /, **params: Any) -> int:
    """Stop runs; without RUN, all that are running or about to.

    \b
    guild stop                     stop everything, having asked
    guild stop 1 -y                stop the newest run that can be stopped
    guild stop -Fo queue --drain   let queues end after their current run

    A run is asked to end and, where it does not, is killed after 30 seconds. A queue ends its
    current run first. RUN is a number among the runs that can be stopped, or the beginning of a run id.
    """
    options = StopOptions(filters=take_filters(params), **params)
    runs = _chosen(app, options)
    if not runs:
        return 0
    if not options.yes:
        verb = "drain" if options.drain else "stop"
        intro = f"You are about to {verb} the following runs:"
        confirm(app, intro, runs, f"{verb.capitalize()} {len(runs)} run(s)?", default=False)
    if options.drain:
        return _drain(app, runs)
    return 0 if stop_runs(app, [seen.run for seen in runs], wait=not options.no_wait) else 1


def _chosen(app: App, options: StopOptions) -> list[Seen]:
    """The runs to stop, having said so where one that was named, or all, need not be."""
    from guild.launch.stop import is_active

    matching = look(app.store, options.filters)
    active = [seen for seen in matching if is_active(seen.run, seen.status)]
    if options.drain and not options.specs:
        active = [seen for seen in active if seen.run.is_queue]
    found: list[Seen] = []
    for spec in options.specs or ([":"] if active else ()):
        try:
            found += select(active, [spec])
        except GuildError:
            if re.fullmatch(r"[0-9]{1,4}|[0-9]*:[0-9]*", spec):
                raise GuildError(
                    f"{len(active)} run(s) can be stopped, none of them is {spec}",
                    "Numbers count what can be stopped, newest first ('guild runs -Srp' lists it).",
                ) from None
            for seen in select(matching, [spec]):
                click.echo(f"Nothing to stop: run {seen.id} is {seen.status.value}", err=True)
    if not found and not options.specs:
        click.echo(
            "Nothing to drain: no queue is running." if options.drain else "Nothing to stop.", err=True
        )
    return list({seen.id: seen for seen in found}.values())


def stop_runs(app: App, runs: Sequence[Run], wait: bool = True) -> bool:
    """Stop these: first queues, batches and workflows, which end their own runs, and would begin the next one
    if theirs ended before them. Whether all could be. Says what it does."""
    leaders = [run for run in runs if run.leads_others]
    others = [run for run in runs if not run.leads_others]
    done = [_stop_all(app, group, wait) for group in (leaders, others) if group]
    return all(done)


def _stop_all(app: App, runs: Sequence[Run], wait: bool) -> bool:
    from guild.launch import stop

    asked, done = [], True
    for run in runs:
        try:
            stopping = stop.request_stop(app.store, run, app.environ)
        except (GuildError, OSError) as e:
            _complain(run, e)
            done = False
            continue
        if stopping.pid is not None:
            click.echo(f"Stopping {run.id} (pid {stopping.pid})", err=True)
        asked.append(stopping)
    if not wait:
        return done
    _ended, late = stop.wait(asked)
    for stopping in late:
        click.echo(f"guild: run {stopping.run.id} was asked to end but goes on", err=True)
    return done and not late


def _drain(app: App, runs: Sequence[Seen]) -> int:
    from guild.launch.stop import request_drain

    code = 0
    for seen in runs:
        try:
            pid = request_drain(app.store, seen.run)
            click.echo(f"Draining {seen.id} (pid {pid})", err=True)
        except (GuildError, OSError) as e:
            _complain(seen.run, e)
            code = 1
    return code


def _complain(run: Run, error: GuildError | OSError) -> None:
    if isinstance(error, GuildError):
        click.echo(f"guild: {error.message}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
    else:
        click.echo(f"guild: cannot stop run {run.id}: {error.strerror or error}", err=True)
