"""What the processes of batches and workflows have in common: the run that they are of, and its orders."""

import os
from collections.abc import Callable
from pathlib import Path

from guild.base import files
from guild.errors import GuildError
from guild.home import Home
from guild.launch import process
from guild.launch.machine import find_place
from guild.launch.trials import Runner
from guild.runs.run import Run
from guild.runs.store import RunStore


def run_as_parent(action: Callable[[Runner], int]) -> int:
    """Carry out `action` for the run that this process is of; its exit code."""
    try:
        return action(make_runner())
    except GuildError as e:
        say(f"guild: {e.message}")
        if e.hint:
            say(e.hint)
        return e.code


def make_runner(may_fork: bool = True) -> Runner:
    """`may_fork`: whether this process is Guild's own, with a single thread.

    Raises GuildError where this process is of no run.
    """
    try:
        run_dir, home = Path(os.environ["RUN_DIR"]), Path(os.environ["GUILD_HOME"])
    except KeyError as e:
        raise GuildError(
            f"{e.args[0]} is not set: this is the process of a run, started by 'guild run'"
        ) from None
    orders = process.Orders()
    orders.install()
    environ = dict(os.environ)
    place = find_place(environ, environ.get("CMD_DIR") or str(run_dir))
    store = RunStore(Home(home))
    store.create()
    return Runner(store, Run(run_dir), place, environ, say, orders, may_fork)


def say(text: str) -> None:
    """A line to stderr; if whoever read it is gone, the work goes on."""
    files.write_line(2, text)
