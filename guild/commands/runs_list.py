"""`guild runs` and `guild runs list`: the runs, newest first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from guild.app import App
from guild.base.text import table
from guild.commands._runs_options import SETTINGS, RunsCommand, filter_options, take_filters
from guild.commands._show import json_text, operation_text, run_row
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.selection import look_at_page
from guild.runs.store import RunStore

F = Callable[..., Any]
PAGE = 20


class ListOptions(NamedTuple):
    filters: Filters
    all: bool
    more: int
    limit: int | None
    deleted: bool
    archive: str | None
    comments: bool
    verbose: bool
    simplified: bool
    json: bool


def list_options(function: F) -> F:
    for names, keywords in reversed(_OPTIONS):
        function = click.option(*names, **keywords)(function)
    return function


_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-a", "--all"), {"is_flag": True, "help": f"Show all runs, not just the last {PAGE}."}),
    (("-m", "--more"), {"count": True, "help": f"Show {PAGE} more runs. May be repeated."}),
    (("-n", "--limit"), {"metavar": "N", "type": click.IntRange(min=1), "help": "Show at most N runs."}),
    (("-d", "--deleted"), {"is_flag": True, "help": "Show deleted runs (see 'guild runs restore')."}),
    (
        ("-A", "--archive"),
        {"metavar": "PATH", "help": "Show the runs in a directory or zip file of 'guild export'."},
    ),
    (("-c", "--comments"), {"is_flag": True, "help": "Show the comments of each run."}),
    (("-v", "--verbose"), {"is_flag": True, "help": "Show more of each run, below it."}),
    (("-s", "--simplified"), {"is_flag": True, "help": "Show less of each run."}),
    (("--json",), {"is_flag": True, "help": "Print all runs that match as JSON."}),
)


@click.command("list", cls=RunsCommand, context_settings=SETTINGS, short_help="List runs.")
@list_options
@filter_options()
@click.pass_obj
def command(app: App, /, **params: Any) -> None:
    """List runs, newest first.

    \b
    guild runs                     the last 20 runs
    guild runs -a -Sr              all that are running
    guild runs -Ss --json          what is staged, as JSON
    guild runs -Fo train -Set      runs of train that failed or were stopped
    """
    show(app, params)


def show(app: App, params: dict[str, Any]) -> None:
    """What `guild runs` prints; `params` are its options by their names."""
    options = ListOptions(filters=take_filters(params), **params)
    if options.comments and options.verbose:
        raise GuildError("--comments and --verbose cannot both be specified")
    if options.deleted and options.archive is not None:
        raise GuildError("--archive and --deleted cannot both be used")
    with _source(app, options) as source:
        _list(app, options, source)


def _list(app: App, options: ListOptions, source: RunStore | Iterable[Run]) -> None:
    limit = _limit(options)
    page = look_at_page(source, options.filters, limit)
    if options.json:
        click.echo(json_text([describe(each) for each in page.seen]))
        return
    _echo(app, page.seen, options)
    if limit is not None and limit < page.total and options.limit is None:
        click.echo(
            f"Showing the first {limit} runs ({page.total} total) - use --all to show all or -m to show more",
            err=True,
        )


@contextmanager
def _source(app: App, options: ListOptions) -> Iterator[RunStore | Iterable[Run]]:
    """Where the runs come from."""
    if options.archive is None:
        yield app.store.trashed() if options.deleted else app.store
        return
    from guild.commands._archive_runs import archive_at

    with archive_at(app, options.archive) as archive:
        yield archive.runs()


def _limit(options: ListOptions) -> int | None:
    """How many runs are shown; None for all."""
    if options.json or options.all:
        return None
    return PAGE * (1 + options.more) if options.limit is None else options.limit


def _echo(app: App, seen: Sequence[Seen], options: ListOptions) -> None:
    for line, each in zip(table(_rows(app, seen, options.simplified)), seen, strict=True):
        click.echo(line)
        for more in _below(each, options):
            click.echo(f"  {more}" if more else "")


def _below(seen: Seen, options: ListOptions) -> Iterator[str]:
    """What is shown below a run's line."""
    if options.comments:
        from guild.commands._comments import comment_lines, comments_of

        for comment in comments_of(seen.run):
            yield from comment_lines(comment, "")
    elif options.verbose:
        from guild.commands.runs_info import describe_core, info_lines

        for name, value in describe_core(seen).items():
            yield from info_lines(name, value)


def _rows(app: App, seen: Sequence[Seen], simplified: bool) -> list[list[str]]:
    if simplified:
        return [
            [f"[{at}]", operation_text(each, app.cwd), each.status.value, each.label]
            for at, each in enumerate(seen, 1)
        ]
    return [run_row(each, f"[{at}:{each.run.short_id}]", app.cwd) for at, each in enumerate(seen, 1)]


def describe(seen: Seen) -> dict[str, Any]:
    """A run for `--json`: Guild 0.9's keys, and `operation` and `reason`."""
    described = _describe_alone(seen)
    if seen.is_batch:
        proto = _describe_alone(Seen(Run(seen.run.guild_dir / layout.PROTO)))
        described["batch_proto"] = {**proto, "opref": proto["opref"] or ""}  # that of a queue is empty
    return described


def _describe_alone(seen: Seen) -> dict[str, Any]:
    run = seen.run
    return {
        "id": run.id,
        "run_dir": str(run.path),
        "opref": None if run.opref is None else str(run.opref),
        "operation": seen.operation,
        "exit_status": run.exit_status(),
        "cmd": run.attr("cmd"),
        "comments": run.attr("comments"),
        "marked": run.attr("marked"),
        "label": run.attr("label"),
        "started": run.int_attr(layout.STARTED),
        "status": seen.status.value,
        "stopped": run.int_attr(layout.STOPPED),
        "tags": run.attr("tags"),
        "reason": run.reason() or None,
    }
