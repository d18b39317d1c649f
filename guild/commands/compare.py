"""`guild compare`: flags and results of runs, side by side."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.base.files import write_whole
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
)
from guild.commands._show import echo_table, json_text, last_scalars, operation_text, start_time
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import Filters
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

CORE = ("run", "operation", "started", "time", "status", "label")
_SYSTEM = "sys/"


@dataclass(frozen=True)
class CompareOptions:
    specs: tuple[str, ...]
    filters: Filters
    table: bool
    csv: str | None
    json: bool
    all_scalars: bool
    min: str | None
    max: str | None
    top: int | None
    include_batch: bool


@dataclass(frozen=True)
class Result:
    """One run's line. `scalars`: last value and step of each, by its shown name."""

    seen: Seen
    flags: dict[str, Any]
    scalars: dict[str, tuple[float, int]]

    def cells(self) -> dict[str, Any]:
        """Column -> value, in this run's own order: flags, step, scalars."""
        found: dict[str, Any] = {name: self.flags[name] for name in sorted(self.flags)}
        if self.scalars:
            found.setdefault("step", max(step for _, step in self.scalars.values()))
        for name in sorted(self.scalars):
            if found.get(name) is None:
                found[name] = self.scalars[name][0]
        return found


@click.command(
    "compare",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Compare runs: flags and results side by side.",
)
@runs_argument
@click.option("-t", "--table", is_flag=True, help="Print a table (the default).")
@click.option("--csv", metavar="FILE", help="Write CSV to FILE; - for standard output.")
@click.option("--json", is_flag=True, help="Print as JSON.")
@click.option("-s", "--all-scalars", is_flag=True, help="Include scalars of the system (sys/...).")
@click.option("--min", metavar="COLUMN", help="Show the lowest values of COLUMN first.")
@click.option("--max", metavar="COLUMN", help="Show the highest values of COLUMN first.")
@click.option("-n", "--top", "--limit", "top", metavar="N", type=click.IntRange(min=1), help="Show N runs.")
@click.option("--include-batch", is_flag=True, help="Include batches and queues.")
@filter_options()
@click.pass_obj
def command(app: App, /, **params: Any) -> None:
    """Show flags and last scalars of runs side by side; without RUN, of all that match the filters.

    \b
    guild compare -Fo train              all runs of train
    guild compare 1:10 --min loss        ten runs, the lowest loss first
    guild compare --csv results.csv      for other programs
    """
    options = CompareOptions(filters=take_filters(params), **params)
    if options.csv and (options.json or options.table):
        raise GuildError("--csv cannot be used with --table or --json", "Try 'guild compare --help'.")
    seen = chosen(app, options.specs, options.filters, ":")
    results = [read(each, options.all_scalars) for each in seen if options.include_batch or not each.is_batch]
    results = _sorted(results, options)[: options.top]
    if options.json:
        click.echo(json_text([as_json(result) for result in results]))
    elif options.csv:
        _write_csv(app, options.csv, results)
    elif results:
        echo_table(_table(app, results))


def read(seen: Seen, all_scalars: bool) -> Result:
    scalars = last_scalars(seen.run)
    if not all_scalars:
        scalars = {name: pair for name, pair in scalars.items() if not name.startswith(_SYSTEM)}
    return Result(seen, {str(k): v for k, v in seen.run.map_attr("flags").items()}, scalars)


def _sorted(results: list[Result], options: CompareOptions) -> list[Result]:
    """By a column's numbers; runs without one last, else newest first as before."""
    column = options.min or options.max
    if column is None:
        return results
    if options.min and options.max:
        raise GuildError("--min and --max cannot both be used", "Try 'guild compare --help'.")
    numbers = {r.seen.id: _number(r.cells().get(column)) for r in results}
    if results and all(number is None for number in numbers.values()):
        raise GuildError(f"no run has a number in the column '{column}'")
    sign = -1 if options.max else 1

    def key(result: Result) -> tuple[bool, float]:
        number = numbers[result.seen.id]
        return (number is None, sign * (number or 0.0))

    return sorted(results, key=key)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)


def columns(results: Sequence[Result]) -> list[str]:
    """Headings after the core ones, by their first appearance from the first run on."""
    return list(dict.fromkeys(name for result in results for name in result.cells()))


def _core(result: Result) -> list[str]:
    seen = result.seen
    return [
        seen.run.short_id,
        seen.operation,
        start_time(seen),
        duration(_micros(seen)),
        seen.status.value,
        seen.label,
    ]


def _micros(seen: Seen) -> int | None:
    """How long a run took, or has taken until now (µs)."""
    started = seen.run.int_attr(layout.STARTED)
    if seen.status is RunStatus.RUNNING:
        stopped: int | None = time.time_ns() // 1000
    elif seen.status.is_ended:
        stopped = seen.run.int_attr(layout.STOPPED)
    else:
        return None
    return None if started is None or stopped is None or stopped < started else stopped - started


def duration(micros: int | None) -> str:
    """`H:MM:SS`; empty where there is none."""
    if micros is None:
        return ""
    minutes, seconds = divmod(micros // 1_000_000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _table(app: App, results: Sequence[Result]) -> list[list[str]]:
    names = columns(results)
    rows = [[*CORE, *names]]
    for result in results:
        core, cells = _core(result), result.cells()
        core[1] = operation_text(result.seen, app.cwd)
        rows.append([*core, *(_short_cell(cells.get(name)) for name in names)])
    return rows


def _cell(value: Any) -> str:
    """Python style, as Guild 0.9 prints it here."""
    if value is None:
        return ""
    try:
        return str(value)
    except (RecursionError, ValueError):
        return "?"


def _short_cell(value: Any) -> str:
    """The same for a table: numbers are cut after six decimals."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return _cell(value)
    number, e, exponent = repr(value).partition("e")
    whole, point, decimals = number.partition(".")
    return whole + point + decimals[:6] + e + exponent


def _write_csv(app: App, target: str, results: Sequence[Result]) -> None:
    import csv
    import io

    names = columns(results)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if results:
        writer.writerow([*CORE, *names])
    for result in results:
        cells = result.cells()
        writer.writerow([*_core(result), *(_cell(cells.get(name)) for name in names)])
    data = buffer.getvalue().encode("utf-8", "backslashreplace")
    if target == "-":
        click.echo(data.decode("utf-8"), nl=False)
        return
    path = Path(os.path.abspath(app.cwd / target))
    try:
        write_whole(path, data)
    except OSError as e:
        raise GuildError(
            f"cannot write '{target}': {e.strerror or e}", "Choose another file for --csv."
        ) from None
    click.echo(f"Wrote {len(results)} row(s) to {target}", err=True)


def as_json(result: Result) -> dict[str, Any]:
    """A run for `--json`; times in µs, scalars as [last value, step]."""
    seen = result.seen
    return {
        "run": seen.id,
        "operation": seen.operation,
        "started": seen.run.int_attr(layout.STARTED),
        "stopped": seen.run.int_attr(layout.STOPPED),
        "time": _micros(seen),
        "status": seen.status.value,
        "label": seen.label,
        "flags": result.flags,
        "scalars": {name: list(pair) for name, pair in result.scalars.items()},
    }
