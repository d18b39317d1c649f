"""`guild label`, also `guild runs label`: set, change or remove labels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from guild.app import App
from guild.commands._change_runs import change_runs, write_or_delete
from guild.commands._confirm import confirm
from guild.commands._runs_options import (
    SETTINGS,
    RunsCommand,
    chosen,
    filter_options,
    runs_argument,
    take_filters,
    yes_option,
)
from guild.errors import EXIT_USAGE, GuildError
from guild.runs.run import Run

_OWN = "${label}"
_TRY = "Try 'guild label --help' for more information."


@dataclass(frozen=True)
class LabelChange:
    """One of these is given."""

    set: str | None
    prepend: str | None
    append: str | None
    remove: tuple[str, ...]
    clear: bool

    @property
    def given(self) -> list[str]:
        """An empty text counts as none: an unset variable in a script must not remove a label."""
        return [n for n in ("set", "append", "prepend", "remove", "clear") if getattr(self, n)]

    @property
    def intro(self) -> str:
        if self.clear:
            return "You are about to clear the label of the following runs:"
        if self.set:
            return f"You are about to label the following runs with '{self.set}':"
        if self.prepend:
            return f"You are about to prepend '{self.prepend}' to the label of the following runs:"
        if self.append:
            return f"You are about to append '{self.append}' to the label of the following runs:"
        removed = ", ".join(f"'{text}'" for text in self.remove)
        return f"You are about to remove {removed} from the label of the following runs:"

    def apply(self, label: str, flags: Mapping[str, Any]) -> str:
        """The new label. Pure."""
        if self.clear:
            return ""
        if self.set:
            return render(self.set, label, flags)
        if self.prepend:
            return f"{render(self.prepend, label, flags)} {label}".strip()
        if self.append:
            return f"{label} {render(self.append, label, flags)}".strip()
        for text in self.remove:
            label = without_words(label, text) if text else label
        return label


def without_words(label: str, pattern: str) -> str:
    """The label without the words that a regular expression matches from blank to blank.

    Raises GuildError for what is no regular expression. Pure.
    """
    kept, at = [], 0
    try:
        re.compile(pattern)  # by itself, so that an error tells a position in it
        for found in re.finditer(rf"(?<!\S)(?:{pattern})(?!\S)", label):
            kept.append(label[at : found.start()].strip())
            at = found.end()
    except (re.error, OverflowError, RecursionError) as e:
        raise GuildError(f"invalid regular expression for --remove: {pattern!r}: {e}", _TRY) from None
    return " ".join(part for part in (*kept, label[at:].strip()) if part)


def render(template: str, label: str, flags: Mapping[str, Any]) -> str:
    """A template with flag values, without blanks at its ends; `${label}` stands for the label so far, as it
    is."""
    from guild.launch.label import render_label

    parts = template.split(_OWN)
    return label.join(render_label(part, flags) if part.strip() else part for part in parts).strip()


@click.command(
    "label",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Set, change or remove the labels of runs.",
)
@runs_argument
@click.option("-s", "--set", metavar="LABEL", help="Set the label; ${FLAG} and ${label} are replaced.")
@click.option("-a", "--append", metavar="TEXT", help="Append to the label.")
@click.option("-p", "--prepend", metavar="TEXT", help="Put before the label.")
@click.option(
    "-rm",
    "--remove",
    metavar="WORDS",
    multiple=True,
    help="Remove whole words; may be a regular expression. May be repeated.",
)
@click.option("-c", "--clear", is_flag=True, help="Remove the label.")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], yes: bool, **params: Any) -> int:
    """Set, change or remove labels; without RUN, of the newest run that matches the filters.

    \b
    guild label -s "lr=${lr}" 1:3  label three runs with a flag's value
    guild label -a best 3f2a       append a word
    guild label -c : -y            remove all labels, without being asked
    """
    filters = take_filters(params)
    change = LabelChange(**params)
    _check(change)
    runs = chosen(app, specs, filters, "1")
    if not runs:
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    if not yes:
        confirm(app, change.intro, runs, "Continue?", default=True)

    def write(run: Run) -> None:
        write_or_delete(run, "label", change.apply(run.label, run.map_attr("flags")))

    return change_runs(
        app, runs, write, "Cleared label for {} run(s)" if change.clear else "Labeled {} run(s)"
    )


def _check(change: LabelChange) -> None:
    given = change.given
    if not given:
        raise GuildError("missing one of: --set, --append, --prepend, --remove, --clear", _TRY, EXIT_USAGE)
    if len(given) > 1:
        raise GuildError(f"--{given[0]} and --{given[1]} cannot both be specified", _TRY)
    for text in change.remove:
        without_words("", text)
