"""A group of commands that are imported when they are asked for (tests go through the help of each)."""

import importlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """`table`: name -> (module of guild.commands with the attribute `command`, line for the help), so that
    help loads none of them. `aliases`: other names, which help leaves out. `absent`: commands of Guild 0.9
    that are not there."""

    def __init__(
        self,
        *args: Any,
        table: dict[str, tuple[str, str]],
        aliases: dict[str, str],
        absent: Collection[str] = (),
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.table = table
        self.aliases = aliases
        self.absent = absent

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.aliases.get(cmd_name, cmd_name)
        if name not in self.table:
            return None
        module = importlib.import_module(f"guild.commands.{self.table[name][0]}")
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The names that could stand there, from the table."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.table[name][1]) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if args[0] in self.absent:
                ctx.fail(f"'{args[0]}' of Guild 0.9 is not supported here")
            from difflib import get_close_matches

            near = get_close_matches(args[0], [*self.table, *self.aliases], 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            ctx.fail(f"unrecognized command '{args[0]}'{hint}")
