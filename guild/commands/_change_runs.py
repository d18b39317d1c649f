"""Changes of the attributes that a user gives to runs: label, tags, mark, comments. All under the lock."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from guild.app import App
from guild.commands._confirm import act_on_each
from guild.errors import GuildError
from guild.runs import layout
from guild.runs.attrs import AttrError, delete_attr, read_attr, write_attr
from guild.runs.lifecycle import locked
from guild.runs.run import Run
from guild.runs.seen import Seen


def change_runs(app: App, runs: Sequence[Seen], change: Callable[[Run], bool | None], done: str) -> int:
    """Apply `change` to each run, say how many were changed, and return the exit code.

    `change` returns False where there is nothing to change and it has said so itself; it may raise
    GuildError for one run, which does not keep it from the others. `done`: "Labeled {} run(s)".
    """
    app.store.create()
    # A restage carries these attributes over, under the lock: outside of it a change could be lost.
    with locked(app.store):
        changed = act_on_each([seen.run for seen in runs], change, "change", "changed")
    count = sum(each is not False for each in changed)
    if count:
        click.echo(done.format(count), err=True)
    return 0 if count else 1


def read_list(run: Run, name: str, command: str) -> list[Any]:
    """An attribute that is a list, as it is now. Raises GuildError for one that is damaged or no list, so
    that nothing in it is lost; `command` is what clears it."""
    try:
        value = read_attr(run.guild_dir, name, [])
    except AttrError:
        value = None
    if not isinstance(value, list):
        raise damaged(run, name, command)
    return value


def damaged(run: Run, name: str, command: str) -> GuildError:
    return GuildError(
        f"attribute '{name}' of run {run.id} is damaged ('{command} {run.short_id}' removes it)"
    )


def write_or_delete(run: Run, name: str, value: Any) -> None:
    """Write an attribute; one without a content has no file."""
    if value:
        (run.guild_dir / layout.ATTRS).mkdir(exist_ok=True)
        write_attr(run.guild_dir, name, value)
    else:
        delete_attr(run.guild_dir, name)
