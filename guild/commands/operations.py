"""`guild operations`: what can be run in this project."""

import click

from guild.app import App
from guild.commands._runs_options import SETTINGS
from guild.commands._show import echo_table
from guild.errors import GuildError, GuildfileError


@click.command("operations", context_settings=SETTINGS, short_help="List the operations of this project.")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("-a", "--all", "hidden", is_flag=True, help="Include those whose name begins with '_'.")
@click.pass_obj
def command(app: App, /, filters: tuple[str, ...], hidden: bool) -> None:
    """List the operations of this project's guild.yml.

    \b
    guild operations               all of them
    guild operations train         those with 'train' in their names
    """
    from guild.launch.machine import find_place
    from guild.ops.resolve import Context, available

    place = find_place(app.environ, str(app.cwd))
    try:
        found = available(Context(app.cwd, app.home.cache, place.python_exe, app.environ))
    except GuildfileError as e:
        raise GuildError(f"error loading guildfile from .: {e.message}", e.hint) from None
    rows = [
        [op.name, op.description.strip().partition("\n")[0]]
        for op in found
        if (hidden or not op.name.rpartition(":")[2].startswith("_"))
        and (not filters or any(text in op.name for text in filters))
    ]
    if not rows:
        where = "match" if found and filters else f"are defined in {app.cwd}"
        click.echo(f"No operations {where}. A script can be run directly: guild run train.py", err=True)
    echo_table(sorted(rows))
