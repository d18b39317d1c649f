"""`guild models`: the models of this project."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from guild.app import App
from guild.base.text import printable, table
from guild.commands._runs_options import SETTINGS
from guild.commands._show import json_text

if TYPE_CHECKING:
    from guild.ops.guildfile import Model


@click.command("models", context_settings=SETTINGS, short_help="List the models of this project.")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("-a", "--all", "hidden", is_flag=True, help="Include those whose name begins with '_'.")
@click.option("-v", "--verbose", is_flag=True, help="Show the whole description and the operations of each.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def command(app: App, /, filters: tuple[str, ...], hidden: bool, verbose: bool, as_json: bool) -> None:
    """List the models of this project's guild.yml.

    \b
    guild models                   all of them
    guild models net               those with 'net' in their names
    """
    from guild.commands._project import load_project, project_context

    guildfile = load_project(project_context(app))
    named = [m for m in guildfile.models if m.name] if guildfile is not None else []
    chosen = sorted(
        (
            m
            for m in named
            if (hidden or not m.name.startswith("_"))
            and (not filters or any(text in m.name for text in filters))
        ),
        key=lambda m: m.name,
    )
    if as_json:
        rows = [
            {"name": m.name, "description": m.description, "operations": sorted(m.operations)} for m in chosen
        ]
        click.echo(json_text(rows))
        return
    if not chosen:
        click.echo(f"No models {'match' if named and filters else f'are defined in {app.cwd}'}.", err=True)
    lines = [[m.name, m.description.partition("\n")[0]] for m in chosen]
    for model, line in zip(chosen, table(lines), strict=True):
        click.echo(line)
        if verbose and guildfile is not None:
            for more in _details(model, guildfile.path):
                click.echo(printable(f"  {more}".rstrip()))


def _details(model: "Model", path: Path) -> list[str]:
    operations = ", ".join(sorted(model.operations))
    return [*model.description.splitlines()[1:], f"source: {path}", f"operations: {operations}"]
