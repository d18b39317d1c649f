"""`guild comment`, also `guild runs comment`: add, list and remove the comments of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from guild.app import App
from guild.base.text import table
from guild.commands._change_runs import change_runs, read_list, write_or_delete
from guild.commands._comments import comment_lines, comments_of
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
from guild.commands._show import run_row
from guild.errors import GuildError
from guild.runs.run import Run
from guild.runs.seen import Seen

_TRY = "Try 'guild comment --help' for more information."


@dataclass(frozen=True)
class CommentOptions:
    """At most one of list, add (which may be edited), delete, clear."""

    list: bool
    add: str | None
    edit: bool
    delete: int | None
    clear: bool
    user: str | None
    yes: bool


@click.command(
    "comment",
    cls=RunsCommand,
    context_settings=SETTINGS,
    short_help="Add, list and remove comments of runs.",
)
@runs_argument
@click.option("-l", "--list", is_flag=True, help="List the comments.")
@click.option("-a", "--add", metavar="TEXT", help="Add this comment.")
@click.option("-e", "--edit", is_flag=True, help="Write the comment in an editor (so without --add, too).")
@click.option(
    "-d", "--delete", metavar="INDEX", type=click.IntRange(min=1), help="Remove a comment, by its number."
)
@click.option("-c", "--clear", is_flag=True, help="Remove all comments.")
@click.option("-u", "--user", metavar="USER[@HOST]", help="Who comments (default: the current user).")
@filter_options()
@yes_option
@click.pass_obj
def command(app: App, /, specs: tuple[str, ...], **params: Any) -> int:
    """Add, list and remove comments; without RUN, of the newest run that matches the filters.

    \b
    guild comment                  write a comment for the newest run in the editor
    guild comment -a "too noisy" 2:4
    guild comment -l :             list the comments of all runs
    guild comment -d 2 3f2a        remove the second comment of a run
    """
    filters = take_filters(params)
    options = CommentOptions(**params)
    _check(options)
    runs = chosen(app, specs, filters, "1")
    if not runs:
        raise GuildError("no matching runs", "Try 'guild runs' for a list.")
    if options.list:
        _list(app, runs)
        return 0
    if options.clear:
        return _clear(app, runs, options)
    if options.delete is not None:
        return _delete(app, runs, options, options.delete)
    return _add(app, runs, options)


def _check(options: CommentOptions) -> None:
    given = [
        name for name in ("list", "add", "delete", "clear") if getattr(options, name) not in (None, False)
    ]
    if options.edit and options.add is None:
        given.append("edit")
    if len(given) > 1:
        raise GuildError(f"--{given[0]} and --{given[1]} cannot both be specified", _TRY)


def _list(app: App, runs: Sequence[Seen]) -> None:
    rows = table([run_row(seen, seen.run.short_id, app.cwd) for seen in runs])
    for seen, row in zip(runs, rows, strict=True):
        click.echo(row)
        comments = comments_of(seen.run)
        for at, comment in enumerate(comments, 1):
            for line in comment_lines(comment, f"[{at}] "):
                click.echo(line)
        if not comments:
            click.echo("  <no comments>")


def _clear(app: App, runs: Sequence[Seen], options: CommentOptions) -> int:
    if not options.yes:
        intro = "WARNING: You are about to delete ALL comments from the following runs:"
        confirm(app, intro, runs, "Continue?", default=False)
    done = "Deleted all comments for {} run(s)"
    return change_runs(app, runs, lambda run: write_or_delete(run, "comments", None), done)


def _delete(app: App, runs: Sequence[Seen], options: CommentOptions, index: int) -> int:
    if not options.yes:
        intro = f"You are about to delete comment {index} from the following runs:"
        confirm(app, intro, runs, "Continue?", default=True)

    def delete(run: Run) -> bool:
        comments = _read(run)
        if index > len(comments):
            click.echo(f"guild: run {run.id} has no comment {index}", err=True)
            return False
        write_or_delete(run, "comments", comments[: index - 1] + comments[index:])
        return True

    return change_runs(app, runs, delete, "Deleted comment for {} run(s)")


def _add(app: App, runs: Sequence[Seen], options: CommentOptions) -> int:
    body = (options.add or "").strip()
    if options.edit or options.add is None:
        from guild.commands._edit import edit_comment

        rows = table([run_row(seen, f"[{seen.run.short_id}]", app.cwd) for seen in runs], 1)
        body = edit_comment(body, ["Runs:", *rows])
    if not body:
        raise GuildError("the comment is empty, so nothing was added")
    if not options.yes:
        intro = "You are about to add a comment to the following runs:"
        confirm(app, intro, runs, "Continue?", default=True)
    user, host = _author(app, options.user)

    def add(run: Run) -> None:
        comment = {"body": body, "host": host, "time": app.store.clock.now(), "user": user}
        write_or_delete(run, "comments", [*_read(run), comment])

    return change_runs(app, runs, add, "Added comment to {} run(s)")


def _author(app: App, text: str | None) -> tuple[str, str]:
    from guild.launch import machine

    user, _, host = (text or "").partition("@")
    return user or machine.user(app.environ), host or machine.host(app.environ)


def _read(run: Run) -> list[Any]:
    return read_list(run, "comments", "guild comment --clear")
