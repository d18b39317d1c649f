"""The project here, for commands that tell about it."""

from pathlib import Path

from guild.app import App
from guild.errors import GuildError, GuildfileError
from guild.ops.guildfile import Guildfile
from guild.ops.resolve import Context, project_guildfile


def project_context(app: App, directory: Path | None = None) -> Context:
    """What operations of a directory (by default the current one) are looked up with."""
    from guild.launch.machine import find_place

    cwd = directory or app.cwd
    place = find_place(app.environ, str(cwd))
    return Context(cwd, app.home.cache, place.python_exe, app.environ)


def load_project(context: Context, shown: str = ".") -> Guildfile | None:
    """The guildfile of the project, None where there is none. Raises GuildError for one of a wrong form."""
    try:
        return project_guildfile(context)
    except GuildfileError as e:
        raise GuildError(f"error loading guildfile from {shown}: {e.message}", e.hint) from None


def brief(fault: str) -> str:
    """The first line of a fault, and how many there are besides."""
    first, _, rest = fault.partition("\n")
    more = len(rest.splitlines())
    return f"{first} (and {more} more)" if more else first
