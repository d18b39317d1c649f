"""`guild runs`: a table of its commands, loaded on use; without one, the list."""

from typing import Any

import click

from guild.commands import runs_list
from guild.commands._lazy import LazyGroup
from guild.commands._runs_options import SETTINGS, filter_options, split_statuses

# name -> module of guild.commands (its attribute `command`), and the line for `guild runs --help`.
COMMANDS = {
    "comment": ("runs_comment", "Add, list and remove comments of runs."),
    "delete": ("runs_delete", "Delete runs; they can be restored."),
    "diff": ("diff", "Show how two runs differ."),
    "export": ("runs_export", "Copy or move runs to a directory or zip file."),
    "import": ("runs_import", "Copy or move runs from a directory or zip file."),
    "info": ("runs_info", "Show all about a run."),
    "label": ("runs_label", "Set, change or remove the labels of runs."),
    "list": ("runs_list", "List runs."),
    "mark": ("runs_mark", "Mark runs, or remove their marks."),
    "merge": ("merge", "Copy files of a run back to the project."),
    "purge": ("runs_purge", "Remove deleted runs for good."),
    "restore": ("runs_restore", "Bring deleted runs back."),
    "stop": ("runs_stop", "Stop runs and queues."),
    "tag": ("runs_tag", "Add and remove tags of runs."),
}
ALIASES = {"rm": "delete"}
ABSENT = frozenset(("publish", "pull", "push"))


class RunsGroup(LazyGroup):
    """Takes `-Set` or `-S et` for `-Se -St`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, split_statuses(args))


@click.group(
    "runs",
    cls=RunsGroup,
    table=COMMANDS,
    aliases=ALIASES,
    absent=ABSENT,
    invoke_without_command=True,
    context_settings=SETTINGS,
    short_help="List runs; info, delete, restore, and more.",
)
@runs_list.list_options
@filter_options()
@click.pass_context
def command(ctx: click.Context, /, **params: Any) -> None:
    """List runs, newest first; or do something with them.

    \b
    guild runs                     the last 20 runs
    guild runs info 1              all about the newest run
    guild runs rm 2:4              delete three of them
    guild runs stop                stop what is running

    RUN is a number of the list (after filters), a range like 2:5 or :, or the beginning of a run id.
    """
    if ctx.invoked_subcommand is None:
        runs_list.show(ctx.obj, params)
