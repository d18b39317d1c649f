"""`guild api`: runs, comparisons and operations as JSON, for scripts."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from guild.app import App
from guild.base.text import printable
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
)
from guild.commands._show import plain
from guild.errors import GuildError

F = Callable[..., Any]


def _format_option(function: F) -> F:
    return click.option("-f", "--format", "pretty", is_flag=True, help="Print with line breaks.")(function)


def _batch_option(function: F) -> F:
    return click.option("--include-batch", is_flag=True, help="Include batches and queues.")(function)


def _echo(value: Any, pretty: bool) -> None:
    click.echo(json.dumps(plain(value), allow_nan=False, indent=2 if pretty else None, sort_keys=pretty))


@click.group(
    "api",
    invoke_without_command=True,
    context_settings=SETTINGS,
    short_help="Print runs and operations as JSON.",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print runs, comparisons and operations as JSON, for scripts.

    \b
    guild api runs -Sc                   completed runs with flags, scalars and files
    guild api compare -Fo train          the table of 'guild compare'
    guild api ops                        the operations of this project
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(
    "runs",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Print runs with all that is known of them.",
)
@runs_argument
@_format_option
@click.option("-v", "--api-version", type=click.Choice(["2"]), hidden=True)
@click.option("-d", "--deleted", is_flag=True, help="Print deleted runs.")
@_batch_option
@filter_options()
@click.pass_obj
def runs(app: App, /, specs: tuple[str, ...], pretty: bool, **params: Any) -> None:
    """Print runs with their flags, scalars and files; without RUN, all that match. Times are in µs, those of
    files in ms."""
    from guild.commands._api_runs import run_json

    params.pop("api_version")
    deleted, batches = params.pop("deleted"), params.pop("include_batch")
    filters = take_filters(params)
    found = chosen(app, specs, filters, ":", app.store.trashed() if deleted else None)
    _echo([run_json(seen, app.home) for seen in found if batches or not seen.is_batch], pretty)


@command.command(
    "compare",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Print the table of 'guild compare': headings, then a row for each run.",
)
@runs_argument
@_format_option
@_batch_option
@filter_options()
@click.pass_obj
def compare(app: App, /, specs: tuple[str, ...], pretty: bool, include_batch: bool, **params: Any) -> None:
    """Print the table of 'guild compare': headings, then a row for each run.

    The first column holds whole ids; what a run does not have is null. Without runs the list is empty.
    """
    from guild.commands._compare_columns import OpColumns
    from guild.commands._compare_table import Wanted, make_table

    found = chosen(app, specs, take_filters(params), ":")
    columns = OpColumns()
    table = make_table((s for s in found if include_batch or not s.is_batch), Wanted(), columns.of)
    for text in columns.warnings:
        click.echo(f"WARNING: {printable(text)}", err=True)
    headings = table.headings[1:]
    rows = [[row.seen.id, *(row.cells.get(heading) for heading in headings)] for row in table.rows]
    _echo([["id", *headings], *rows] if rows else [], pretty)


@command.command("ops", context_settings=SETTINGS, short_help="Print the operations of this project.")
@_format_option
@click.pass_obj
def ops(app: App, /, pretty: bool) -> None:
    """Print the operations of this project, with their flags, by name within each model. Those that cannot be
    run are named in a warning."""
    _echo(list(_operations(app)), pretty)


@command.command("help-op", context_settings=SETTINGS, short_help="Print one operation of this project.")
@click.argument("name", metavar="OPERATION")
@_format_option
@click.pass_obj
def help_op(app: App, /, name: str, pretty: bool) -> None:
    """Print one operation of this project, with its flags."""
    from guild.commands._api_runs import op_json
    from guild.commands._project import load_project, project_context
    from guild.ops.resolve import parse_opspec, with_imported

    context = project_context(app)
    guildfile = load_project(context)
    if guildfile is None:
        raise GuildError("the current directory does not contain a guild.yml", "Run this in a project.")
    spec = parse_opspec(name)
    opdef = with_imported(guildfile.find(spec.model, spec.op), context).opdef
    _echo(op_json(opdef, str(guildfile.path)), pretty)


def _operations(app: App) -> Iterator[dict[str, Any]]:
    from guild.commands._api_runs import op_json
    from guild.commands._project import brief, load_project, project_context
    from guild.ops.resolve import with_imported

    context = project_context(app)
    guildfile = load_project(context)
    if guildfile is None:
        return
    for model, op in [(each, op) for each in guildfile.models for op in sorted(each.operations)]:
        try:
            yield op_json(with_imported(guildfile.read(model, op), context).opdef, str(guildfile.path))
        except GuildError as e:
            click.echo(
                printable(f"WARNING: '{model.full_name(op)}' cannot be run: {brief(e.message)}"), err=True
            )
