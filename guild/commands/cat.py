"""`guild cat`: a run's output, or one of its files, as it is."""

import os
import stat
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

_TRY = "Try 'guild cat --help'."


@click.command(
    "cat", cls=RunsCommand, context_settings=SETTINGS, short_help="Print output or files of a run."
)
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-p", "--path", metavar="PATH", help="Print this file of the run directory.")
@click.option("-s", "--sourcecode", is_flag=True, help="PATH is relative to the run's source code.")
@click.option("-O", "--output", is_flag=True, help="Print what the run has printed.")
@click.option("-pa", "--page", is_flag=True, help="Show it in a pager, where there is a terminal.")
@filter_options()
@click.pass_obj
def command(
    app: App, /, spec: str | None, path: str | None, sourcecode: bool, output: bool, page: bool, **params: Any
) -> None:
    """Print the output of a run, or one of its files; without RUN, of the newest.

    \b
    guild cat --output             what the newest run has printed
    guild cat 2 -p model.json      a file of run 2
    guild cat -s -p train.py -pa   the source code that it ran, in a pager

    Bytes are printed as they are.
    """
    if output and (path or sourcecode):
        raise GuildError(f"--output and --{'path' if path else 'sourcecode'} cannot both be used", _TRY)
    if not output and not path:
        raise GuildError("--path is required unless --output is specified", _TRY)
    run = one_chosen(app, spec, take_filters(params)).run
    file = _open(file_of(run, path, sourcecode) if path else run.guild_dir / layout.OUTPUT)
    try:
        if page and sys.stdout.isatty():
            _page(file, app)
        else:
            _print(file)
    finally:
        os.close(file)


def file_of(run: Run, path: str, sourcecode: bool = False) -> Path:
    """A file named relative to the run directory, or to its source code. Raises GuildError for one that
    lies outside."""
    from guild.runs.older import source_dir
    from guild.runs.run_files import inside

    return run.path / inside(path, source_dir(run) if sourcecode else "")


def _open(path: Path) -> int:
    """A file descriptor of a regular file. Raises GuildError for anything else, and never waits for it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise GuildError(f"{path} does not exist") from None
    except OSError as e:
        raise GuildError(f"cannot read {path}: {e.strerror}") from None
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    raise GuildError(f"{path} is {'a directory' if stat.S_ISDIR(mode) else 'not a regular file'}")


def _print(fd: int) -> None:
    for chunk in iter_chunks(fd):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _page(fd: int, app: App) -> None:
    """Give a file to the user's pager: `$PAGER`, else less, else more; without any, print it."""
    import shutil

    from guild.commands._files_tool import run_program, split_command

    given = app.environ.get("PAGER", "").strip()
    pager = given or next((name for name in ("less", "more") if shutil.which(name)), "")
    if not pager:
        _print(fd)
        return
    # Colours as the run printed them; a short file stays on the screen. The user's own LESS comes first.
    run_program(split_command(pager, "PAGER"), "PAGER", environ={"LESS": "FRX", **app.environ}, stdin=fd)
