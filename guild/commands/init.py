"""`guild init`: a directory with a Guild home of its own, and a virtual environment if one is asked for."""

import os
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.errors import GuildError
from guild.home import Home, choose_home
from guild.runs import layout

_SETTINGS = {"max_content_width": 100, "help_option_names": ["--help"]}


@click.command("init", context_settings=_SETTINGS, short_help="Prepare a directory as a Guild environment.")
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("-h", "--guild-home", metavar="DIR", help="Link to this home instead of making one.")
@click.option("-H", "--no-isolate", is_flag=True, help="Link to the home that is used now.")
@click.option(
    "-l", "--isolate-resources", is_flag=True, help="Do not share downloads with other homes of yours."
)
@click.option("--venv", is_flag=True, help="Make a virtual environment, too. The options below imply it.")
@click.option("-n", "--name", metavar="NAME", help="Name that the prompt shows.")
@click.option("-p", "--python", metavar="VERSION", help="Version, name or path of the interpreter.")
@click.option(
    "-g", "--guild", "guild_spec", metavar="VERSION|PATH", help="Install Guild, too: a version or a wheel."
)
@click.option(
    "-s", "--system-site-packages", is_flag=True, help="Let it see the packages of the interpreter."
)
@click.option("-r", "--requirement", "requirements", metavar="REQ", multiple=True,
              help="Install a package, or those of a file. May be repeated.")  # fmt: skip
@click.option(
    "-P", "--path", "paths", metavar="DIR", multiple=True, help="Add to its Python path. May be repeated."
)
@click.option("--no-reqs", is_flag=True, help="Install nothing of requirements.txt.")
@click.option("--pre", is_flag=True, help="Take pre-releases of packages, too.")
@click.option("--no-progress", is_flag=True, help="Show no progress of installations.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(
    app: App, /, directory: str | None, guild_home: str | None, no_isolate: bool, isolate_resources: bool,
    yes: bool, **venv: Any,
) -> None:  # fmt: skip
    """Prepare DIR, or this directory: Guild commands there and below use a home of its own.

    \b
    guild init                     a home for this project
    guild init --venv              and a virtual environment in ./venv that uses it
    guild init -p 3.12 env         a virtual environment with this Python in ./env

    What is there already is kept as it is.
    """
    wants_venv = any(value for name, value in venv.items() if name != "no_progress")
    place = app.cwd / os.path.expanduser(directory or ("venv" if wants_venv else "."))
    place = Path(os.path.abspath(place))
    _refuse(app, place)
    if guild_home == "":
        raise GuildError("--guild-home needs the name of a directory")
    if guild_home:
        linked: Path | None = app.cwd / os.path.expanduser(guild_home)
    else:
        linked = app.home.path if no_isolate else None
    if not wants_venv:
        _make_home(app, place, linked, isolate_resources)
        return
    from guild.commands._init_venv import VenvOptions, make_venv, plan

    planned = plan(app, place, VenvOptions(**venv))
    if not yes and not _agreed(place, planned.summary(), isolate_resources, linked):
        raise click.exceptions.Exit(4)
    _make_home(app, place, linked, isolate_resources)
    make_venv(planned, app.environ)


def _refuse(app: App, place: Path) -> None:
    user = Path(app.environ.get("HOME") or os.path.expanduser("~"))
    if place == Path(place.anchor):
        raise GuildError(
            f"'{place}' is the root of all files, no place for an environment", "Name a directory."
        )
    if place.name == layout.GUILD_DIR:
        raise GuildError(f"'{place}' is a Guild home itself", "Name the directory that it is in.")
    if os.path.lexists(place) and not place.is_dir():
        raise GuildError(f"'{place}' is not a directory", "Name a directory, or one that is not there yet.")
    if place == user:
        raise GuildError(
            f"'{place}' is your home directory, whose Guild home is used wherever there is no other",
            "Name the directory of a project.",
        )


def _agreed(place: Path, summary: list[str], isolate: bool, linked: Path | None) -> bool:
    from guild.commands._confirm import ask

    click.echo("You are about to initialize a Guild environment:", err=True)
    home = f"Guild home: {linked}" if linked else f"Downloads: {'its own' if isolate else 'shared'}"
    for line in (f"Location: {place}", *summary, home):
        click.echo(f"  {line}", err=True)
    return ask("Continue?", True)


def _make_home(app: App, place: Path, linked: Path | None, isolate_resources: bool) -> None:
    from guild.runs.store import RunStore

    path = place / layout.GUILD_DIR
    if path.is_dir():
        click.echo(f"{path} is there already; it is kept", err=True)
        if linked is not None and os.path.realpath(path) != os.path.realpath(linked):
            raise GuildError(
                f"cannot make '{path}' a link to '{linked}': it is there already", "Move it away first."
            )
    elif os.path.lexists(path):
        raise GuildError(f"'{path}' is there already, and is no Guild home", "Move it away first.")
    os.makedirs(place, exist_ok=True)
    if linked is not None:
        RunStore(Home(linked)).create()
        if not path.is_dir():
            os.symlink(os.path.relpath(linked, place), path)
    else:
        RunStore(Home(path)).create()
        # Its files are no source code of the project.
        (path / _nocopy()).touch()
        _make_cache(app, Home(path), isolate_resources)
    click.echo(f"Guild environment initialized in {place}")
    _say_if_overruled(app, path)


def _nocopy() -> str:
    from guild.ops.select import NOCOPY

    return NOCOPY


def _make_cache(app: App, home: Home, isolate: bool) -> None:
    """`cache/resources`, shared with the user's own home where that is wanted."""
    resources = home.cache / "resources"
    if os.path.lexists(resources):
        return
    user = Path(app.environ.get("HOME") or os.path.expanduser("~"))
    shared = Home(choose_home(None, {"HOME": str(user)}, user)).cache / "resources"
    if isolate or os.path.realpath(shared) == os.path.realpath(resources):
        resources.mkdir()
        return
    try:
        os.makedirs(shared, exist_ok=True)
        os.symlink(shared, resources)
    except OSError:
        os.makedirs(resources, exist_ok=True)


def _say_if_overruled(app: App, path: Path) -> None:
    """A home that was named for every command is used there as well."""
    given = app.environ.get("GUILD_HOME")
    if given and os.path.realpath(app.cwd / os.path.expanduser(given)) != os.path.realpath(path):
        click.echo(f"WARNING: GUILD_HOME is set: commands use {given}, not {path}", err=True)
