"""`guild open`: a run directory, or something in it, in another program or a shell."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS, RunsCommand, filter_options, one_chosen, take_filters
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.run import Run

_TRY = "Try 'guild open --help' for more information."


@click.command(
    "open",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Open a run, or one of its files, in another program.",
)
@click.argument("spec", metavar="[RUN]", required=False)
@click.option("-p", "--path", metavar="PATH", default="", help="Open this path of the run directory.")
@click.option("-s", "--sourcecode", is_flag=True, help="Open the source code; PATH is relative to it.")
@click.option("-O", "--output", is_flag=True, help="Open what the run has printed.")
@click.option("-c", "--cmd", metavar="CMD", default="", help="Open it with this command.")
@click.option("--shell", is_flag=True, help="Start a shell there instead.")
@click.option("--shell-cmd", metavar="CMD", default="", help="Start this command there, as a shell.")
@filter_options()
@click.pass_obj
def command(app: App, /, spec: str | None, cmd: str, shell: bool, shell_cmd: str, **params: Any) -> int:
    """Open a run directory in the program that the system has for it; without RUN, of the newest.

    \b
    guild open 2                   the directory of run 2
    guild open -p plot.png         a file of the newest run
    guild open -s -c code          its source code, with a certain program
    guild open --shell             a shell in its directory
    """
    filters = take_filters(params)
    if shell and shell_cmd:
        raise GuildError("--shell-cmd and --shell cannot both be specified", _TRY)
    if cmd and (shell or shell_cmd):
        raise GuildError(f"--{'shell' if shell else 'shell-cmd'} and --cmd cannot both be specified", _TRY)
    if params["output"] and (params["path"] or params["sourcecode"]):
        other = "path" if params["path"] else "sourcecode"
        raise GuildError(f"--output and --{other} cannot both be used", _TRY)
    path = place_of(one_chosen(app, spec, filters).run, **params)
    if not os.path.exists(path):
        raise GuildError(f"{path} does not exist", "Try 'guild ls' for what does.")
    if shell or shell_cmd:
        return _run_shell(app, path, shell_cmd)
    return _open(path, cmd)


def place_of(run: Run, path: str, sourcecode: bool, output: bool) -> str:
    """What is to be opened; a run directory, or one of source code, ends with `/`. Raises GuildError."""
    if output:
        return str(run.guild_dir / layout.OUTPUT)
    from guild.runs.older import source_dir
    from guild.runs.run_files import inside

    found = os.path.join(run.path, inside(path, source_dir(run) if sourcecode else ""))
    return found if path else os.path.join(found, "")


def _open(path: str, cmd: str) -> int:
    import shutil

    from guild.commands._files_tool import run_program, split_command

    if cmd:
        return _exit_code(run_program([*split_command(cmd, "--cmd"), path], "--cmd"))
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(opener) is None:
        raise GuildError(
            f"cannot open {path}: the program '{opener}' is not installed",
            "Name another one with --cmd, or use --shell for a shell there.",
        )
    status = run_program([opener, path], "this system")
    if status:
        raise GuildError(
            f"'{opener}' could not open {path} (exit status {status})", "Name another program with --cmd."
        )
    return 0


def _run_shell(app: App, path: str, shell_cmd: str) -> int:
    from guild.commands._files_tool import run_program, split_command

    directory = path if os.path.isdir(path) else os.path.dirname(path)
    if shell_cmd:
        argv, where = split_command(shell_cmd, "--shell-cmd"), "--shell-cmd"
    else:
        argv, where = [app.environ.get("SHELL") or "/bin/sh"], "SHELL"
    click.echo(f"Running a new shell in {directory}", err=True)
    click.echo("To exit the shell, type 'exit' and press Enter.", err=True)
    # Within a run directory, its own `.guild` would be taken for the home.
    environ = {**app.environ, "GUILD_HOME": str(app.home.path), "PWD": directory}
    status = run_program(argv, where, cwd=Path(directory), environ=environ)
    return _exit_code(status) if shell_cmd else 0  # a shell's is that of the last command typed


def _exit_code(status: int) -> int:
    """As a shell tells it: 128 and the signal's number for a program that one has ended."""
    return status if status >= 0 else 128 - status
