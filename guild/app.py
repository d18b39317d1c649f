"""App: the things that every command gets. The only place where the parts are joined."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from guild.errors import GuildError
from guild.home import Home, choose_home
from guild.runs.index import Index
from guild.runs.store import RunStore


class Globals(NamedTuple):
    """The options before the command."""

    home: str | None = None
    debug: bool = False


class App:
    def __init__(self, cwd: Path, environ: Mapping[str, str], options: Globals) -> None:
        self.cwd = cwd
        self.environ = environ
        self.options = options

    @cached_property
    def home(self) -> Home:
        path = choose_home(self.options.home, self.environ, self.cwd)
        if path.exists() and not path.is_dir():
            raise GuildError(f"Guild home '{path}' is not a directory")
        return Home(path)

    @cached_property
    def store(self) -> RunStore:
        """The runs of the home, for looking. Commands that change something call `store.create()`."""
        return RunStore(self.home, index=self._index)

    @cached_property
    def _index(self) -> Index:
        return Index(self.home.index)

    def close(self) -> None:
        """Keep what was read of runs for the next command."""
        self._index.close()


def make_app(options: Globals) -> App:
    try:
        cwd = Path(os.getcwd())
    except FileNotFoundError:
        raise GuildError(
            "the current directory does not exist any more", "Change to another one, or name one with -C DIR."
        ) from None
    return App(cwd, dict(os.environ), options)
