"""`guild watch`: the output of a run as it comes, until the run ends."""

import re
import sys
import time
from typing import Any

import click

from guild.app import App
from guild.base import files
from guild.base.processes import descendants
from guild.commands._runs_options import SETTINGS, filter_options, one_chosen, take_filters
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import NO_FILTERS, Filters
from guild.runs.output import tail
from guild.runs.run import Run, is_run_dir
from guild.runs.selection import look
from guild.runs.status import RunStatus

_POLL = 0.1
_PID = re.compile(r"[0-9]{1,9}\Z")


@click.command("watch", context_settings=SETTINGS, short_help="Follow the output of a run until it ends.")
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-p", "--pid", metavar="PID|FILE", help="The run of this process, or of a --pidfile.")
@filter_options(statuses=False)
@click.pass_obj
def command(app: App, /, spec: str | None, pid: str | None, **params: Any) -> None:
    """Follow the output of a run until it ends; without RUN, of the newest that is running.

    \b
    guild watch                    what is running now
    guild watch 3f2a               a certain run; a staged one from when it begins
    guild watch -p job.pid         what 'guild run --background --pidfile job.pid' started

    Ctrl-C ends watching, not the run.
    """
    filters = take_filters(params)
    if pid is not None:
        if spec is not None or filters != NO_FILTERS:
            raise GuildError("--pid may not be used with other options")
        run = _run_of(app, pid)
    else:
        run = _newest_running(app, filters) if spec is None else one_chosen(app, spec, filters).run
    if "NO_WATCHING_MSG" not in app.environ:
        click.echo(f"Watching run {run.id}", err=True)
    status = follow(run)
    click.echo(f"Run {run.id} stopped with a status of '{status.value}'", err=True)


def _newest_running(app: App, filters: Filters) -> Run:
    for seen in look(app.store, filters):
        if seen.status is RunStatus.RUNNING:
            return seen.run
    raise GuildError("nothing to watch", "You can view the output of a specific run using 'guild watch RUN'.")


def _run_of(app: App, text: str) -> Run:
    """The run that a process executes: its operation, its supervisor, or what started that. `text` is the
    process's number, or a file that holds it."""
    pid = int(text) if _PID.match(text) else _read_pid(app, text)
    active = {
        seen.run: _pids_of(seen.run)
        for seen in look(app.store)
        if seen.status in (RunStatus.RUNNING, RunStatus.PENDING)
    }
    for run, pids in active.items():
        if pid in pids:
            return run
    below = {process.pid for process in descendants(pid)} if active else set()
    for run, pids in active.items():
        if pids & below:
            return run
    raise GuildError(f"cannot find run for pid {pid}", "Try 'guild runs -Sr' for what is running.")


def _read_pid(app: App, name: str) -> int:
    try:
        text = files.read_regular(app.cwd / name).decode("ascii", "replace").strip()
    except FileNotFoundError:
        raise GuildError(f"pidfile '{name}' does not exist", "Its process may have ended.") from None
    except OSError as e:
        raise GuildError(f"cannot read pidfile '{name}': {e.strerror or e}") from None
    if not _PID.match(text):
        raise GuildError(f"pidfile '{name}' does not contain a valid pid")
    return int(text)


def _pids_of(run: Run) -> set[int]:
    lease = run.lease()
    held = [lease.holder, lease.child] if lease is not None and lease.is_held else []
    return {pid for pid in (run.lock_pid(), *(process.pid for process in held if process)) if pid}


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
