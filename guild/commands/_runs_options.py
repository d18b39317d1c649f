"""What the commands for runs have in common: their filters, the runs that they name, `-y`."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from guild.app import App
from guild.errors import GuildError
from guild.runs.filters import Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.selection import look, select
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.expressions import Expr
    from guild.runs.time_range import TimeRange

F = Callable[..., Any]
SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}

_LETTERS = {
    "r": RunStatus.RUNNING,
    "c": RunStatus.COMPLETED,
    "e": RunStatus.ERROR,
    "t": RunStatus.TERMINATED,
    "p": RunStatus.PENDING,
    "s": RunStatus.STAGED,
}
_COMBINED = re.compile(r"-S([rcetps]{2,})\Z")
_STATUSES = re.compile(r"[rcetps]+\Z")

_FILTERS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-F", "--filter", "f_expressions"), {
        "metavar": "EXPR", "multiple": True,
        "help": "Runs for which this holds, for example 'op = train and loss < 0.3'."}),
    (("-Fo", "--operation", "f_operations"), {
        "metavar": "OP", "multiple": True, "help": "Runs of this operation; may hold *. May be repeated."}),
    (("-Fl", "--label", "f_labels"), {
        "metavar": "TEXT", "multiple": True, "help": "Runs whose label contains TEXT; - for none."}),
    (("-Fu", "--unlabeled", "f_unlabeled"), {"is_flag": True, "help": "Runs without a label."}),
    (("-Ft", "--tag", "f_tags"), {"metavar": "TAG", "multiple": True, "help": "Runs with this tag."}),
    (("-Fc", "--comment", "f_comments"), {
        "metavar": "TEXT", "multiple": True, "help": "Runs with TEXT in a comment, or in its user or host."}),
    (("-Fm", "--marked", "f_marked"), {"is_flag": True, "help": "Marked runs."}),
    (("-Fn", "--unmarked", "f_unmarked"), {"is_flag": True, "help": "Runs that are not marked."}),
    (("-Fs", "--started", "f_started"), {
        "metavar": "RANGE", "multiple": True,
        "help": "Runs started in this time, for example 'last 2 hours', today, 'after 11-30'."}),
    (("-Fd", "--digest", "f_digest"), {
        "metavar": "DIGEST", "help": "Runs whose source code digest begins so."}),
)  # fmt: skip


class RunsCommand(click.Command):
    """Takes combined status options: `-Set` or `-S et` for `-Se -St`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, split_statuses(args))


def split_statuses(args: Sequence[str]) -> list[str]:
    """`-Set` and `-S et` become `-Se -St`, up to `--`."""
    split: list[str] = []
    for at, arg in enumerate(args):
        if arg == "--":
            return [*split, *args[at:]]
        if split and split[-1] == "-S" and _STATUSES.match(arg):
            split[-1:] = [f"-S{letter}" for letter in arg]
        elif combined := _COMBINED.match(arg):
            split += [f"-S{letter}" for letter in combined[1]]
        else:
            split.append(arg)
    return split


def filter_options(statuses: bool = True) -> Callable[[F], F]:
    """Options that `take_filters` turns into Filters."""

    def decorate(function: F) -> F:
        if statuses:
            for letter, status in reversed(_LETTERS.items()):
                name = status.value
                function = click.option(
                    f"-S{letter}",
                    f"--{name}/--not-{name}",
                    f"s_{name}",
                    default=None,
                    help=f"Runs that are (not) {name}." if name != "error" else "Runs that (did not) fail.",
                )(function)
        for names, keywords in reversed(_FILTERS):
            function = click.option(*names, **keywords)(function)
        return function

    return decorate


def yes_option(function: F) -> F:
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def runs_argument(function: F) -> F:
    return click.argument("specs", metavar="[RUN]...", nargs=-1)(function)


def take_filters(params: dict[str, Any]) -> Filters:
    """Take the filter options out of a command's parameters, which are left with the others.

    Raises GuildError for options that cannot be used together, for one with an empty text (an unset variable
    of a script must not mean every run), and for an operation, range or expression that cannot be understood.
    """
    found = {key: params.pop(key) for key in list(params) if key[:2] in ("f_", "s_")}
    for name in ("labels", "tags", "comments", "digest"):
        texts = found[f"f_{name}"]
        if texts == "" or (isinstance(texts, tuple) and "" in texts):
            raise GuildError(f"the text of --{name.rstrip('s')} is empty", "Leave it out to take all runs.")
    if found["f_marked"] and found["f_unmarked"]:
        raise GuildError("--marked and --unmarked cannot both be used")
    if found["f_labels"] and found["f_unlabeled"]:
        raise GuildError("--label and --unlabeled cannot both be used")
    given = {status: found.get(f"s_{status.value}") for status in RunStatus}
    return Filters(
        operations=found["f_operations"],
        labels=found["f_labels"],
        unlabeled=found["f_unlabeled"],
        tags=found["f_tags"],
        comments=found["f_comments"],
        marked=True if found["f_marked"] else False if found["f_unmarked"] else None,
        digest=found["f_digest"] or "",
        started=_ranges(found["f_started"]),
        statuses=frozenset(s for s, wanted in given.items() if wanted is True),
        not_statuses=frozenset(s for s, wanted in given.items() if wanted is False),
        expressions=_expressions(found["f_expressions"]),
    )


def _ranges(texts: Sequence[str]) -> "tuple[TimeRange, ...]":
    if not texts:
        return ()
    from datetime import datetime

    from guild.runs.time_range import parse_range

    now = datetime.now()
    return tuple(parse_range(text, now) for text in texts)


def _expressions(texts: Sequence[str]) -> "tuple[Expr, ...]":
    if not texts:
        return ()
    from guild.runs.expressions import parse_expression

    return tuple(map(parse_expression, texts))


def chosen(
    app: App, specs: Sequence[str], filters: Filters, default: str | None, runs: Sequence[Run] | None = None
) -> list[Seen]:
    """The runs that RUN... and the filters name, newest first or as named.

    Without RUN: `default` (a RUN, `:` for all, None for none). Empty where there is no run at all.
    """
    seen = look(app.store if runs is None else runs, filters)
    if not specs:
        return select(seen, [default]) if default and seen else []
    return select(seen, specs)


def one_chosen(app: App, spec: str | None, filters: Filters) -> Seen:
    """The single run of a command that takes one; the newest by default."""
    found = chosen(app, [] if spec is None else [spec], filters, "1")
    if not found:
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    if len(found) > 1:
        raise GuildError(f"'{spec}' names {len(found)} runs; this command takes one")
    return found[0]
