"""List the chosen runs, ask, act; declining ends the command with Guild's exit code for that."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from guild.app import App
from guild.commands._show import echo_table, run_row
from guild.errors import EXIT_DECLINED, GuildError
from guild.runs.run import Run
from guild.runs.seen import Seen

_SHOWN = 50
T = TypeVar("T")


def confirm(app: App, intro: str, runs: Sequence[Seen], question: str, default: bool) -> None:
    """Show `intro` and the runs on stderr and ask. Returns on yes; on no ends with exit code 4, at the end
    of the input silently with 1."""
    click.echo(intro, err=True)
    echo_table([run_row(seen, f"[{seen.run.short_id}]", app.cwd) for seen in runs[:_SHOWN]], 2, err=True)
    if len(runs) > _SHOWN:
        click.echo(f"  ... and {len(runs) - _SHOWN} more", err=True)
    if not ask(question, default):
        raise click.exceptions.Exit(EXIT_DECLINED)


def ask(question: str, default: bool) -> bool:
    """One question on stderr, answered on stdin: what is not `y` or `yes` is no.

    Raises click.Abort at the end of the input.
    """
    click.echo(f"{question} {'(Y/n)' if default else '(y/N)'} ", nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.Abort
    answer = line.strip().lower()
    return answer in ("y", "yes") if answer else default


def act_on_each(runs: Sequence[Run], act: Callable[[Run], T], verb: str, past: str) -> list[T]:
    """What `act` returned for each run; where it could not be done, says why and goes on with the next.

    `verb` and `past` are the words for it: "delete", "deleted".
    """
    results = []
    for run in runs:
        try:
            results.append(act(run))
        except FileNotFoundError:
            click.echo(f"guild: run {run.id} is gone already", err=True)
        except GuildError as e:
            click.echo(f"guild: {e.message}: it was not {past}", err=True)
        except OSError as e:
            click.echo(f"guild: cannot {verb} run {run.id}: {e.strerror or e}", err=True)
    return results
