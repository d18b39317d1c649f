"""`guild completion`: the script that completes `guild` on the command line of a shell."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS
from guild.errors import GuildError

_SHELLS = ("bash", "zsh", "fish")
_RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/completions/guild.fish"}


@click.command(
    "completion",
    context_settings=SETTINGS,
    short_help="Print or install command completion for a shell.",
)
@click.argument("name", metavar="[SHELL]", required=False, type=click.Choice(_SHELLS))
@click.option("-s", "--shell", type=click.Choice(_SHELLS), help="The shell; by default yours.")
@click.option(
    "-i", "--install", is_flag=True, help="Install it for every terminal that is opened from now on."
)
@click.option(
    "--shell-init", metavar="FILE", help="With --install: change this file, not the shell's usual one."
)
@click.pass_obj
def command(app: App, /, name: str | None, shell: str | None, install: bool, shell_init: str | None) -> None:
    """Print the script that completes commands, options, runs, operations, flags and tags.

    \b
    guild completion -i              install it for your shell
    source <(guild completion bash)  only for this bash
    guild completion fish | source   only for this fish
    """
    from guild.commands._complete_scripts import SCRIPTS

    if name and shell and name != shell:
        raise GuildError(f"two shells are given: {name} and {shell}")
    if shell_init is not None and not install:
        raise GuildError("--shell-init goes with --install")
    chosen = name or shell or _active_shell(app.environ)
    if install:
        _install(app, chosen, SCRIPTS[chosen], shell_init)
    else:
        click.echo(SCRIPTS[chosen], nl=False)


def _active_shell(environ: Mapping[str, str]) -> str:
    """The shell that this was started from, else the user's login shell."""
    import psutil

    names = []
    try:
        names = [process.name().lstrip("-") for process in psutil.Process().parents()]
    except psutil.Error:
        pass
    names.append(os.path.basename(environ.get("SHELL", "")))
    found = next((name for name in names if name in _SHELLS), None)
    if found is None:
        raise GuildError("cannot tell which shell you use", "Name it: bash, zsh or fish.")
    return found


def _install(app: App, shell: str, script: str, shell_init: str | None) -> None:
    """The script goes into the user's `.guild`, and a line that reads it into what the shell reads at its
    start. Nothing else of that file is changed."""
    from guild.base import files
    from guild.home import choose_home

    user = Path(app.environ.get("HOME") or os.path.expanduser("~"))
    path = choose_home(None, {"HOME": str(user)}, user) / f"{shell}_completion"
    rc = app.cwd / os.path.expanduser(shell_init) if shell_init else user / _RC[shell]
    click.echo(f"Writing the completion script to {_short(path, user)}", err=True)
    os.makedirs(path.parent, exist_ok=True)
    files.write_named(path, script.encode())
    line = _line(shell, path, user)
    text = rc.read_text("utf-8", "surrogateescape") if rc.exists() else ""
    there = next((at for at, each in enumerate(text.splitlines(), 1) if _is_ours(each, path)), None)
    if there is not None:
        click.echo(f"It is read already by {_short(rc, user)} (line {there})", err=True)
    else:
        click.echo(f"Adding a line to {_short(rc, user)}:\n  {line}", err=True)
        os.makedirs(rc.parent, exist_ok=True)
        with open(rc, "a", encoding="utf-8") as f:
            f.write(("\n" if text and not text.endswith("\n") else "") + line + "\n")
    click.echo("Completion works in every terminal that you open from now on.")


def _is_ours(line: str, path: Path) -> bool:
    """Whether a line reads the script; Guild 0.9 wrote it in the same way."""
    return path.name in line and path.parent.name in line and not line.lstrip().startswith("#")


def _line(shell: str, path: Path, user: Path) -> str:
    import shlex

    shown = _short(path, user)
    word = shown if shown.startswith("~") else shlex.quote(shown)
    if shell == "fish":
        return f"test -s {word}; and source {word}  # Completion of guild"
    return f"[ -s {word} ] && . {word}  # Completion of guild"


def _short(path: Path, user: Path) -> str:
    try:
        return f"~/{path.relative_to(user)}"
    except ValueError:
        return str(path)
