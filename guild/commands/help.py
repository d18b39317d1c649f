"""`guild help`: one page about the models and operations of a project."""

import sys
from pathlib import Path

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS
from guild.errors import GuildError


@click.command("help", context_settings=SETTINGS, short_help="Show help for the operations of a project.")
@click.argument("path", metavar="[PATH]", required=False)
@click.option("-n", "--no-pager", is_flag=True, help="Print the page even on a terminal.")
@click.pass_obj
def command(app: App, /, path: str | None, no_pager: bool) -> None:
    """Show help for the models and operations of a guild.yml, with their flags.

    PATH is a project directory or its guild.yml; by default the current directory. '-' is the current
    directory too, printed without a pager.
    """
    from guild.commands._help_text import help_page
    from guild.commands._project import load_project, project_context

    if path == "-":
        path, no_pager = None, True
    directory = _directory(app.cwd, path)
    context = project_context(app, directory)
    guildfile = load_project(context, path or ".")
    if guildfile is None:
        where = f"'{path}'" if path else "the current directory"
        raise GuildError(
            f"{where} does not contain a guild.yml", "Name a project directory: guild help DIRECTORY"
        )
    package = guildfile.package
    where = f"the '{package.name}' package" if package else f"'{path}'" if path else "the current directory"
    page = help_page(guildfile, context, where) + "\n"
    if no_pager or not sys.stdout.isatty():
        click.echo(page, nl=False)
    else:
        click.echo_via_pager(page)


def _directory(cwd: Path, path: str | None) -> Path:
    """The project directory that a path, if any, stands for. Raises GuildError where there is none."""
    if path is None:
        return cwd
    found = cwd / path
    if found.is_file() and found.name == "guild.yml":
        return found.parent
    if not found.is_dir():
        raise GuildError(
            f"'{path}' is no project directory",
            "Name a directory that holds a guild.yml: guild help DIRECTORY",
        )
    return found
