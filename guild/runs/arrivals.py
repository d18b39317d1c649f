"""Arrivals: runs from elsewhere enter `runs/`, without any right to be running."""

import os
from pathlib import Path

from guild.base import files
from guild.errors import RunChanged
from guild.runs import layout
from guild.runs.lifecycle import Held, drop_rights, move_in, stage
from guild.runs.run import Run
from guild.runs.status import RunStatus


def arrive(held: Held, made: Path, run_id: str, *, sync: bool = False) -> Run:
    """Put a complete run directory of `staging/` into `runs/` under this id; returns it there.

    One that is staged is staged anew: it is the last in the order of the queues. `sync`: what changes here is
    put on disk. Raises RunChanged where
    there is such a run already.
    """
    store = held.store
    if os.path.lexists(store.home.runs / run_id):
        raise RunChanged(f"run {run_id} exists already")
    drop_rights(Run(made))
    files.remove_file(made / layout.GUILD_DIR / layout.ORDER)
    named = store.home.staging / run_id
    if os.path.lexists(named):
        raise RunChanged(f"run {run_id} is in the making")
    files.move(made, named)
    if Run(named).status() is RunStatus.STAGED:
        return stage(held, Run(named), sync=sync)
    run = move_in(store, Run(named), sync)
    store.ring(run.id, "imported")
    return run
