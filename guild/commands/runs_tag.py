"""`guild tag`, also `guild runs tag`: add and remove tags."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from guild.app import App
from guild.base.text import printable
from guild.commands._change_runs import change_runs, damaged, read_list, write_or_delete
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
from guild.runs.seen import Seen

_TRY = "Try 'guild tag --help' for more information."


@dataclass(frozen=True)
class TagChange:
    add: tuple[str, ...]
    delete: tuple[str, ...]
    clear: bool

    def apply(self, tags: Sequence[str]) -> list[str]:
        """The new tags, sorted. What is both deleted and added is there in the end. Pure."""
        kept = () if self.clear else (tag for tag in tags if tag not in self.delete)
        return sorted({*kept, *self.add})

    def apply_to_label(self, label: str, tags: Sequence[str]) -> str:
        """The label without the words of tags that went (`tags`: those before), and with the new ones in
        front. Pure."""
        gone = {*self.delete, *(tags if self.clear else ())} - set(self.add)
        for tag in sorted(gone, key=len, reverse=True):
            label = re.sub(rf"(?<!\S){re.escape(tag)}(?!\S)\s?", "", label) if tag else label
        new = [tag for tag in dict.fromkeys(self.add) if not _has_words(label, tag)]
        return " ".join([*new, label]).strip()


def _has_words(label: str, words: str) -> bool:
    return re.search(rf"(?<!\S){re.escape(words)}(?!\S)", label) is not None


@click.command("tag", cls=RunsCommand, context_settings=SETTINGS, short_help="Add and remove tags of runs.")
@runs_argument
@click.option("-a", "--add", metavar="TAG", multiple=True, help="Add a tag. May be repeated.")
@click.option("-d", "--delete", metavar="TAG", multiple=True, help="Remove a tag. May be repeated.")
@click.option("-c", "--clear", is_flag=True, help="Remove all tags.")
@click.option("-s", "--sync-labels", is_flag=True, help="Change the same words of the labels.")
@click.option("--list-all", is_flag=True, help="List the tags of the runs (of all runs without RUN).")
@filter_options()
@yes_option
@click.pass_obj
def command(
    app: App,
    /,
    specs: tuple[str, ...],
    yes: bool,
    sync_labels: bool,
    list_all: bool,
    add: tuple[str, ...],
    delete: tuple[str, ...],
    clear: bool,
    **params: Any,
) -> int:
    """Add and remove tags; without RUN, of the newest run that matches the filters.

    \b
    guild tag -a best 1:3          add a tag to three runs
    guild tag -d best -s 3f2a      remove it, from the label too
    guild tag --list-all           all tags that are used
    guild runs -Ft best            the runs with a tag
    """
    filters = take_filters(params)
    change = TagChange(add, delete, clear)
    _check(change, list_all)
    runs = chosen(app, specs, filters, ":" if list_all else "1")
    if list_all:
        for tag in sorted({tag for seen in runs for tag in map(str, seen.run.list_attr("tags"))}):
            click.echo(printable(tag))
        return 0
    if not runs:
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    if not yes:
        _ask(app, runs, sync_labels)
    return change_runs(app, runs, lambda run: _write(run, change, sync_labels), "Modified tags for {} run(s)")


def _ask(app: App, runs: Sequence[Seen], sync_labels: bool) -> None:
    labels = (
        "Labels are updated to reflect the latest tags."
        if sync_labels
        else "Labels are not changed; --sync-labels changes them too."
    )
    intro = f"You are about to modify tags for the following runs:\n{labels}"
    confirm(app, intro, runs, "Continue?", default=True)


def _check(change: TagChange, list_all: bool) -> None:
    given = [name for name in ("add", "delete", "clear") if getattr(change, name)]
    if list_all and given:
        raise GuildError(f"--{given[0]} and --list-all cannot both be specified", _TRY)
    if not given and not list_all:
        raise GuildError("missing one of: --add, --delete, --clear, --list-all", _TRY, EXIT_USAGE)
    if any(not tag.strip() for tag in change.add):
        raise GuildError("a tag cannot be empty", _TRY)


def _write(run: Run, change: TagChange, sync_labels: bool) -> None:
    old = run.list_attr("tags") if change.clear else read_list(run, "tags", "guild tag --clear")
    if not change.clear and any(isinstance(tag, dict | list) for tag in old):
        raise damaged(run, "tags", "guild tag --clear")
    tags = [str(tag) for tag in old]
    if sync_labels:
        write_or_delete(run, "label", change.apply_to_label(run.label, tags))
    write_or_delete(run, "tags", change.apply(tags))
