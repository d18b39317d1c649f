"""Where a project's guildfile is."""

from dataclasses import dataclass
from pathlib import Path

GUILDFILE = "guild.yml"


@dataclass(frozen=True)
class Project:
    """A directory and its guildfile, if it has one."""

    directory: Path
    guildfile: Path | None


def find_guildfile(directory: Path) -> Path | None:
    """`guild.yml` of this very directory."""
    path = directory / GUILDFILE
    return path if path.is_file() else None


def find_project(directory: Path) -> Project:
    return Project(directory, find_guildfile(directory))
