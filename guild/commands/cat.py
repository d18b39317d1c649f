"""`guild cat`: a run's output, or one of its files, as it is."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.base.files import iter_chunks
from guild.commands._runs_options import SETTINGS, RunsCommand, filter_options, one_chosen, take_filters
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.run import Run


@click.command(
    "cat", cls=RunsCommand, context_settings=SETTINGS, short_help="Print output or files of a run."
)
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-p", "--path", metavar="PATH", help="Print this file of the run directory.")
@click.option("-O", "--output", is_flag=True, help="Print what the run has printed.")
@filter_options()
@click.pass_obj
def command(app: App, /, spec: str | None, path: str | None, output: bool, **params: Any) -> None:
    """Print the output of a run, or one of its files; without RUN, of the newest.

    \b
    guild cat --output             what the newest run has printed
    guild cat 2 -p model.json      a file of run 2

    Bytes are printed as they are.
    """
    if output and path:
        raise GuildError("--output and --path cannot both be used", "Try 'guild cat --help'.")
    if not output and not path:
        raise GuildError("--path is required unless --output is specified", "Try 'guild cat --help'.")
    run = one_chosen(app, spec, take_filters(params)).run
    if path:
        _print(file_of(run, path))
    else:
        _print(run.guild_dir / layout.OUTPUT)


def file_of(run: Run, path: str) -> Path:
    """A file named relative to the run directory. Raises GuildError for one that lies outside."""
    full = os.path.normpath(run.path / path)
    if os.path.isabs(path) or os.path.commonpath((full, run.path)) != str(run.path):
        raise GuildError(f"'{path}' is not inside the run directory", "Give a path relative to it.")
    return Path(full)


def _print(path: Path) -> None:
    try:
        with open(path, "rb") as f:
            for chunk in iter_chunks(f.fileno()):
                sys.stdout.buffer.write(chunk)
    except FileNotFoundError:
        raise GuildError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise GuildError(f"{path} is a directory") from None
    except PermissionError as e:
        raise GuildError(f"cannot read {path}: {e.strerror}") from None
    sys.stdout.buffer.flush()
