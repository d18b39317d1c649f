"""`guild runs purge`: what is in the trash, away for good."""

import os
import re
from collections.abc import Iterable
from typing import Any

import click

from guild.app import App
from guild.commands._confirm import act_on_each, confirm
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
    yes_option,
)
from guild.errors import GuildError
from guild.runs.departures import drop
from guild.runs.lifecycle import locked
from guild.runs.run import Run
from guild.runs.swap import remove

_AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\Z")
_DAY = 86400
# `m` alone may mean minutes or months, and what it takes away is gone: neither is guessed.
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * _DAY),
    **dict.fromkeys(("month", "months"), 30 * _DAY),
    **dict.fromkeys(("y", "year", "years"), 365 * _DAY),
}


@click.command(
    "purge", cls=RunsCommand, context_settings=SETTINGS, short_help="Remove deleted runs for good."
)
@runs_argument
@click.option("--older-than", metavar="AGE", help="Only what was deleted longer ago: 30d, 12h, '2 weeks'.")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, older_than: str | None, **params: Any) -> int:
    """Remove deleted runs for good; without RUN, all that match the filters.

    \b
    guild runs -d                  list deleted runs
    guild runs purge               remove them all, having asked
    guild runs purge --older-than 30d -y

    RUN is a number of 'guild runs -d' or the beginning of a run id.
    """
    deleted: Iterable[Run] = app.store.trashed()
    if older_than is not None:
        latest = app.store.clock.now() / 1e6 - parse_age(older_than)
        deleted = [run for run in deleted if deleted_before(run, latest)]
    runs = chosen(app, specs, take_filters(params), ":", list(deleted))
    if not runs:
        click.echo("Nothing to purge.", err=True)
        return 0
    if not yes:
        intro = "WARNING: You are about to permanently delete the following runs:"
        confirm(app, intro, runs, f"Permanently delete {len(runs)} run(s)?", default=False)
    app.store.create()
    with locked(app.store) as held:
        dropped = act_on_each([seen.run for seen in runs], lambda run: drop(held, run), "purge", "deleted")
    for path in dropped:
        remove(app.store, path)
    if dropped:
        click.echo(f"Permanently deleted {len(dropped)} run(s)", err=True)
    return 0 if dropped else 1


def parse_age(text: str) -> float:
    """Seconds of `30d`, `12h`, `2 weeks`, `90 min`; a month has 30 days. Raises GuildError."""
    match = _AGE.match(text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise GuildError(
            f"invalid age '{text}' for --older-than",
            "Use a number and a unit: s, min, h, d, w, months or y, as in 12h or '2 weeks'.",
        )
    return float(match[1]) * _UNITS[match[2]]


def deleted_before(run: Run, moment: float) -> bool:
    """Whether a deleted run came to the trash before `moment` (seconds since the epoch).

    The rename that takes it there is the last change of its directory's inode. What changes that later, such
    as a copy of the home, makes a run look younger, never older.
    """
    try:
        return os.lstat(run.path).st_ctime < moment
    except OSError:
        return False
