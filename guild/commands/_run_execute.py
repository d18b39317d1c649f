"""Have a run that is leased to this process executed: here, in the foreground, or in the background."""

import time

import click

from guild.app import App
from guild.commands._run_options import RunOptions, console, warn
from guild.errors import GuildError
from guild.launch import supervise
from guild.launch.background import hand_over
from guild.runs.lease import Lease
from guild.runs.run import Run


def execute(app: App, options: RunOptions, run: Run, lease: Lease, name: str) -> int:
    """The exit code of the command: the operation's own, 256 less for one that a signal ended."""
    if options.in_background:
        hand_over(app.store, run, lease, options.pidfile, app.environ)
        suffix = f" (pidfile {options.pidfile})" if options.pidfile else ""
        if not options.quiet:
            click.echo(f"{name} started in background as {run.id}{suffix}", err=True)
        return 0
    voice = console(options)
    started = supervise.start(
        app.store,
        run,
        lease,
        app.environ,
        supervise.Options(
            foreground=True,
            echo=None if options.quiet else (1, 2),
            gpus=options.visible_gpus,
            warn=warn,
            log=_log,
            say=voice.say,
            progress=voice.progress,
        ),
    )
    if started.failure:
        raise GuildError(started.failure, code=started.exit_status & 0xFF or 1)
    return started.exit_status & 0xFF


def _log(text: str) -> None:
    click.echo(f"INFO: [guild] {time.strftime('%Y-%m-%d %H:%M:%S')} {text}", err=True)
