"""`guild compare`: flags and results of runs, side by side."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from guild.app import App
from guild.base.text import printable
from guild.commands._compare_table import Table, Wanted, make_table, plain_cell, short_cell
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
)
from guild.commands._show import echo_table, json_text
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.column_values import SYSTEM, elapsed
from guild.runs.columns import Column, parse_columns
from guild.runs.filters import Filters
from guild.runs.seen import Seen

_TRY = "Try 'guild compare --help' for more information."


@dataclass(frozen=True)
class CompareOptions:
    specs: tuple[str, ...]
    filters: Filters
    table: bool
    csv: str | None
    json: bool
    tool: str | None
    print_scalars: bool
    columns: str | None
    strict_columns: str | None
    extra_cols: bool
    all_scalars: bool
    skip_op_cols: bool
    skip_core: bool
    skip_unchanged: bool
    min: str | None
    max: str | None
    top: int | None
    include_batch: bool

    def wanted(self) -> Wanted:
        """Raises GuildError for columns that cannot be read."""
        strict = self.strict_columns is not None and bool(self.strict_columns.strip())
        return Wanted(
            columns=_columns(self.columns) + _columns(self.strict_columns),
            strict=strict,
            core=not self.skip_core,
            extra=self.extra_cols,
            of_ops=not self.skip_op_cols,
            system=self.all_scalars,
            skip_unchanged=self.skip_unchanged,
            min=self.min,
            max=self.max,
            top=self.top,
        )


def _columns(text: str | None) -> tuple[Column, ...]:
    return parse_columns(text) if text is not None else ()


@click.command(
    "compare",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Compare runs: flags and results side by side.",
)
@runs_argument
@click.option("-t", "--table", is_flag=True, help="Print a table instead of showing one to move in.")
@click.option("--csv", metavar="FILE", help="Write CSV to FILE; - for standard output.")
@click.option("--json", is_flag=True, help="Print as JSON.")
@click.option("--tool", metavar="TOOL", type=click.Choice(["hiplot"]), hidden=True)
@click.option("--print-scalars", is_flag=True, help="Print the scalars of each run, and nothing else.")
@click.option("-c", "--columns", "--cols", "columns", metavar="COLUMNS", help="Show these columns too.")
@click.option(
    "-cc", "--strict-columns", "--strict-cols", "strict_columns", metavar="COLUMNS",
    help="Show these columns only.",
)  # fmt: skip
@click.option("-e", "--extra-cols", is_flag=True, help="Show the source code digest too.")
@click.option("-s", "--all-scalars", is_flag=True, help="Include scalars of the system (sys/...).")
@click.option("-p", "--skip-op-cols", is_flag=True, help="Leave out flags and results.")
@click.option("-r", "--skip-core", is_flag=True, help="Leave out operation, times, status and label.")
@click.option("-u", "--skip-unchanged", is_flag=True, help="Leave out what is the same for all runs.")
@click.option("--min", metavar="COLUMN", help="Show the lowest values of COLUMN first.")
@click.option("--max", metavar="COLUMN", help="Show the highest values of COLUMN first.")
@click.option("-n", "--top", "--limit", "top", metavar="N", type=click.IntRange(min=1), help="Show N runs.")
@click.option("--include-batch", is_flag=True, help="Include batches and queues.")
@filter_options()
@click.pass_obj
def command(app: App, /, **params: Any) -> None:
    """Show flags and results of runs side by side; without RUN, of all that match the filters.

    On a terminal this is a table to move in (? tells the keys, q quits), else a printed one.

    \b
    guild compare -Fo train              all runs of train
    guild compare 1:10 --min loss -t     ten runs, the lowest loss first, printed
    guild compare -cc "=lr, min loss, min loss step"
    guild compare --csv results.csv      for other programs

    COLUMNS are separated by commas: =FLAG, .ATTRIBUTE, or a scalar like loss, "max acc", "loss step",
    valid#loss (min, max, first, last, avg, total, count), each with "as HEADING" where wanted. Without
    -c, each operation has those that 'compare' in guild.yml names, else its flags and last scalars.
    """
    options = CompareOptions(filters=take_filters(params), **params)
    _check(options)
    wanted = options.wanted()
    if options.print_scalars:
        # Of batches too: those of their trials are there under the names of these.
        _print_scalars(chosen(app, options.specs, options.filters, ":"))
    elif options.json:
        rows = make_table(_seen(app, options), wanted, lambda _: None).rows
        click.echo(json_text([as_json(row.seen, options.all_scalars) for row in rows]))
    elif options.csv:
        _write_csv(app, options.csv, _table(app, options, wanted))
    else:
        table = _table(app, options, wanted)
        if options.table or not _is_interactive():
            _print_table(table)
        else:
            from guild.commands._compare_screen import show

            show(table, lambda: _table(app, options, wanted, quiet=True))


def _print_table(table: Table) -> None:
    if table.rows:
        echo_table([table.headings, *([short_cell(r, h) for h in table.headings] for r in table.rows)])


def _check(options: CompareOptions) -> None:
    """Raises GuildError for options that cannot be used together."""
    if options.tool:
        raise GuildError(
            f"--tool {options.tool} is not supported here", "Use --csv FILE and give that file to the tool."
        )
    if options.csv == "":
        raise GuildError("--csv needs the name of a file", "Or - for standard output.")
    given = [name for name in ("table", "csv", "json", "print_scalars") if getattr(options, name)]
    pairs = [given] if len(given) > 1 else []
    if options.min is not None and options.max is not None:
        pairs.append(["min", "max"])
    if options.columns and options.strict_columns:
        pairs.append(["columns", "strict_columns"])
    for first, second, *_ in pairs:
        names = [name.replace("_", "-") for name in (first, second)]
        raise GuildError(f"--{names[0]} and --{names[1]} cannot both be specified", _TRY)


def _is_interactive() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        from guild.commands._compare_screen import can_show
    except ImportError:  # a Python without curses
        return False
    return can_show()


def _seen(app: App, options: CompareOptions) -> list[Seen]:
    found = chosen(app, options.specs, options.filters, ":")
    return [each for each in found if options.include_batch or not each.is_batch]


def _table(app: App, options: CompareOptions, wanted: Wanted, quiet: bool = False) -> Table:
    from guild.commands._compare_columns import OpColumns

    columns = OpColumns()
    table = make_table(_seen(app, options), wanted, columns.of)
    for text in () if quiet else columns.warnings:
        click.echo(f"WARNING: {printable(text)}", err=True)
    return table


def _print_scalars(runs: Sequence[Seen]) -> None:
    for seen in runs:
        click.echo(printable(f"[{seen.run.short_id}] {seen.operation}"))
        for scalar in seen.scalars:
            click.echo(printable(f"  {scalar.key}: {scalar.last_val:f} (step {scalar.last_step})"))


def _write_csv(app: App, target: str, table: Table) -> None:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if table.rows:
        writer.writerow(table.headings)
    for row in table.rows:
        writer.writerow([plain_cell(row, heading) for heading in table.headings])
    data = buffer.getvalue().encode("utf-8", "backslashreplace")
    if target == "-":
        click.echo(data.decode("utf-8"), nl=False)
        return
    from guild.base.files import write_named

    path = Path(os.path.abspath(app.cwd / target))
    try:
        os.makedirs(path.parent, exist_ok=True)
        write_named(path, data)
    except OSError as e:
        raise GuildError(
            f"cannot write '{target}': {e.strerror or e}", "Choose another file for --csv."
        ) from None
    click.echo(f"Wrote {len(table.rows)} row(s) to {target}", err=True)


def as_json(seen: Seen, all_scalars: bool) -> dict[str, Any]:
    """A run for `--json`; times in µs, scalars as [last value, step]."""
    return {
        "run": seen.id,
        "operation": seen.operation,
        "started": seen.run.int_attr(layout.STARTED),
        "stopped": seen.run.int_attr(layout.STOPPED),
        "time": elapsed(seen),
        "status": seen.status.value,
        "label": seen.label,
        "flags": seen.flags,
        "scalars": {
            s.key: [s.last_val, s.last_step]
            for s in sorted(seen.scalars, key=lambda s: s.key)
            if all_scalars or not s.tag.startswith(SYSTEM)
        },
    }
