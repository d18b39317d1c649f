"""Away from `runs/`, and back: one rename each, under the lock. A run that is active stays where it is."""

import os
from pathlib import Path

from guild.errors import RunChanged
from guild.runs import swap
from guild.runs.lifecycle import Held, drop_rights, move_in
from guild.runs.run import Run
from guild.runs.status import RunStatus


def to_trash(held: Held, run: Run) -> Path:
    """Move a run that is not active to the trash. Raises RunChanged if it is active."""
    _refuse_active(run)
    target = held.store.home.trash / run.id
    if os.path.lexists(target):
        os.rename(target, target.with_name(f"{run.id}_{os.urandom(4).hex()}"))
    os.rename(run.path, target)
    held.store.ring(run.id, "deleted")
    return target


def drop(held: Held, run: Run) -> Path:
    """Take a run that is not active out of sight for good; `swap.remove` then does the rest, unlocked."""
    _refuse_active(run)
    target = swap.doomed_path(held.store, run.id)
    os.rename(run.path, target)
    held.store.ring(run.id, "deleted")
    return target


def restore(held: Held, trashed: Run) -> Run:
    """Bring a run back from the trash, without any right to be running."""
    drop_rights(trashed)
    run = move_in(held.store, trashed, sync=False)
    held.store.ring(run.id, "restored")
    return run


def _refuse_active(run: Run) -> None:
    status = run.status()
    if status is RunStatus.RUNNING:
        raise RunChanged(f"run {run.id} is running")
    if status is RunStatus.PENDING:
        lease = run.claim_lease()
        if lease is not None and lease.is_held:
            raise RunChanged(f"run {run.id} is being started")
