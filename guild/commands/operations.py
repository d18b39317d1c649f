"""`guild operations`: what can be run in this project."""

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS
from guild.commands._show import echo_table, json_text


@click.command("operations", context_settings=SETTINGS, short_help="List the operations of this project.")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("-a", "--all", "hidden", is_flag=True, help="Include those whose name begins with '_'.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def command(app: App, /, filters: tuple[str, ...], hidden: bool, as_json: bool) -> None:
    """List the operations of this project's guild.yml.

    \b
    guild operations               all of them
    guild operations train         those with 'train' in their names

    Those that cannot be run are named in a warning.
    """
    from guild.commands._project import load_project, project_context

    guildfile = load_project(project_context(app))
    found, warnings = guildfile.check() if guildfile is not None else ([], ())
    chosen = sorted(
        (
            op
            for op in found
            if (hidden or not any(part.startswith("_") for part in op.name.split(":")))
            and (not filters or any(text in op.name for text in filters))
        ),
        key=lambda op: op.name,
    )
    for text in warnings:
        click.echo(f"WARNING: {text}", err=True)
    for op in chosen:
        if op.fault:
            for fault in op.fault.splitlines():
                click.echo(f"WARNING: '{op.name}' cannot be run: {fault}", err=True)
    if as_json:
        rows = [
            {"name": op.name, "description": op.description, "default": op.default, "error": op.fault or None}
            for op in chosen
        ]
        click.echo(json_text(rows))
        return
    if not chosen:
        where = "match" if found and filters else f"are defined in {app.cwd}"
        click.echo(f"No operations {where}. A script can be run directly: guild run train.py", err=True)
    echo_table([[op.name, op.description] for op in chosen])
