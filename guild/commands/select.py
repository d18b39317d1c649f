"""`guild select`: the ids, paths or attributes of runs, for scripts."""

from collections.abc import Sequence
from typing import Any

import click

from guild.app import App
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
)
from guild.errors import GuildError
from guild.runs.column_values import COMPUTED, RunValues, attr_value, in_order
from guild.runs.columns import parse_column
from guild.runs.seen import Seen


@click.command(
    "select",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Print the ids, paths or attributes of runs.",
)
@runs_argument
@click.option("-A", "--all", "all_runs", is_flag=True, help="Print all runs that match.")
@click.option(
    "-min", "--min", "min_", metavar="COLUMN", help="Print the run with the lowest value of COLUMN."
)
@click.option(
    "-max", "--max", "max_", metavar="COLUMN", help="Print the run with the highest value of COLUMN."
)
@click.option("-s", "--short-id", is_flag=True, help="Print the first eight characters of the id.")
@click.option("-a", "--attr", metavar="NAME", help="Print this attribute of the run.")
@click.option("-p", "--path", "--dir", "path", is_flag=True, help="Print the run directory.")
@filter_options()
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], all_runs: bool, **params: Any) -> None:
    """Print the id of a run; without RUN, of the newest that matches the filters.

    \b
    guild run --restart $(guild select -Fo train)
    guild select --min "min loss"          the run with the lowest loss
    guild select -Fo train --max acc -p    the directory of the best one
    guild select 1:5 -s                    five ids

    COLUMN is one of 'guild compare': =flag, .attribute, a scalar like loss, or "max acc".
    """
    low, high = params.pop("min_"), params.pop("max_")
    short, attr, path = params.pop("short_id"), params.pop("attr"), params.pop("path")
    filters = take_filters(params)
    _check({"min": low, "max": high})
    _check({"short-id": short, "attr": attr, "path": path})
    best = low if low is not None else high
    found = chosen(app, specs, filters, ":" if all_runs or best is not None else "1")
    if not found:
        if all_runs and best is None:
            return
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    if best is not None:
        found = [_best(found, best, descending=low is None)]
    for seen in found:
        click.echo(_shown(seen, short, attr, path))


def _check(given: dict[str, Any]) -> None:
    if given.get("attr") == "":
        raise GuildError("--attr needs the name of an attribute", "See 'guild runs info'.")
    names = [name for name, value in given.items() if value is not None and value is not False]
    if len(names) > 1:
        raise GuildError(
            f"--{names[0]} and --{names[1]} cannot both be specified",
            "Try 'guild select --help' for more information.",
        )


def _best(runs: Sequence[Seen], text: str, descending: bool) -> Seen:
    """Of equals, the newest. Raises GuildError where no run has the column."""
    column = parse_column(text)
    values = [RunValues(seen).value(column) for seen in runs]
    if all(value is None for value in values):
        raise GuildError(
            f"no matching run has a value for '{text}'", "Flags are written '=name', attributes '.name'."
        )
    return runs[in_order(values, descending)[0]]


def _shown(seen: Seen, short: bool, attr: str | None, path: bool) -> str:
    if path:
        return str(seen.run.path)
    return _attr_text(seen, attr) if attr else seen.run.short_id if short else seen.id


def _fact(seen: Seen, name: str) -> Any:
    """What `guild runs info` tells of every run, empty where this one has none; None for other names."""
    from guild.commands.runs_info import describe_core

    return "" if name in COMPUTED else describe_core(seen).get(name)


def _attr_text(seen: Seen, name: str) -> str:
    """As YAML, a text as it is. Raises GuildError for an attribute that the run does not have."""
    if name == "op":  # the file, though a column of this name is the operation's
        value = seen.run.attr(name)
    else:
        value = seen.is_marked if name == "marked" else attr_value(seen, name)
    if value is None:
        value = _fact(seen, name)
    if value is None:
        raise GuildError(f"no such run attribute '{name}'", f"See 'guild runs info {seen.run.short_id}'.")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        from guild.base import yamlio
        from guild.commands._show import plain

        text = yamlio.encode(plain(value))
        return text.decode("utf-8", "backslashreplace").rstrip("\n")
    return str(value)
