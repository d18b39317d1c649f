"""Write docs/cli.md from the help of every command: `python docs/make_cli.py` (a test says when to)."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from guild.cli import root

HEAD = """# Commands

What `guild COMMAND --help` prints, for every command. Made by `python docs/make_cli.py`, with click {click}.
"""


def helps(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """(full name, help text) of a command and all below it."""
    settings = {**command.context_settings, "terminal_width": 100}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            child = command.get_command(context, sub)
            assert child is not None
            yield from helps(child, sub, context)


def text() -> str:
    parts = [HEAD.format(click=".".join(version("click").split(".")[:2]))]
    for name, shown in helps(root, "guild"):
        parts.append(f"\n## {name}\n\n```\n{shown.rstrip()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(text())
    sys.stdout.write("docs/cli.md\n")
