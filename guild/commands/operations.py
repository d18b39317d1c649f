"""`guild operations`: what can be run in this project."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from guild.app import App
from guild.base.text import table
from guild.commands._runs_options import SETTINGS
from guild.commands._show import json_text

if TYPE_CHECKING:
    from guild.ops.guildfile import Guildfile, OpSummary
    from guild.ops.resolve import Context


@click.command("operations", context_settings=SETTINGS, short_help="List the operations of this project.")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("-a", "--all", "hidden", is_flag=True, help="Include those whose name begins with '_'.")
@click.option("-v", "--verbose", is_flag=True, help="Show the whole description and the flags of each.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def command(app: App, /, filters: tuple[str, ...], hidden: bool, verbose: bool, as_json: bool) -> None:
    """List the operations of this project's guild.yml.

    \b
    guild operations               all of them
    guild operations train         those with 'train' in their names

    Those that cannot be run are named in a warning.
    """
    from guild.commands._project import load_project, project_context

    context = project_context(app)
    guildfile = load_project(context)
    found, warnings = guildfile.check() if guildfile is not None else ([], ())
    chosen = sorted(
        (
            op
            for op in found
            if (hidden or not any(part.startswith("_") for part in op.name.split(":")))
            and (not filters or any(text in op.name for text in filters))
        ),
        key=lambda op: op.name.rpartition(":")[::2],
    )
    _warn(warnings, chosen)
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
    for op, line in zip(chosen, table([[op.name, op.description] for op in chosen]), strict=True):
        click.echo(line)
        if verbose and guildfile is not None and not op.fault:
            _echo_details(guildfile, op.name, context)


def _warn(warnings: Iterable[str], chosen: Iterable["OpSummary"]) -> None:
    for text in warnings:
        click.echo(f"WARNING: {text}", err=True)
    for op in chosen:
        for fault in op.fault.splitlines():
            click.echo(f"WARNING: '{op.name}' cannot be run: {fault}", err=True)


def _echo_details(guildfile: "Guildfile", name: str, context: "Context") -> None:
    for line in _details(guildfile, name, context):
        click.echo(f"  {line}".rstrip())


def _details(guildfile: "Guildfile", name: str, context: "Context") -> Iterator[str]:
    """What `guild help` says of an operation, but for the first line, which stands above."""
    from guild.commands._help_text import operation_lines

    for model in guildfile.models:
        for op in model.operations:
            if model.full_name(op) == name:
                lines = operation_lines(guildfile, model, op, context)
                yield from lines[1:] if model.summary(op) else lines
