"""What Guild 0.9 has left pending: its batches make all trials at once, and one that ends early leaves those
whose turn had not come; a queue that is killed leaves the run that it was about to start. PENDING does not
say who wrote it."""

import os
import time

from guild.runs import layout
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore

YOUNG_SECONDS = 60.0  # so old a PENDING of Guild 0.9 may still be that of a run which is about to start


def is_over(store: RunStore, run: Run, status: RunStatus) -> bool:
    """Whether nobody executes this run or is about to: it has ended, or it is abandoned."""
    return status.is_ended or (status is RunStatus.PENDING and is_abandoned(store, run))


def is_abandoned(store: RunStore, run: Run) -> bool:
    """Whether a pending run is one that nobody is about to start.

    It is, if the batch that it is a trial of has ended, or was started again, since; else if it has been
    pending for long.
    """
    since = _pending_since(run)
    if since is None:
        return False
    return _is_long(since) or any(_came_after(batch, since) for batch in _batches_of(store, run))


def is_long_pending(run: Run) -> bool:
    """Whether a run is pending for longer than a start of Guild 0.9 takes, and ours are not at it. A queue
    asks no more than this, since looking for batches takes as long as there are runs."""
    since = _pending_since(run)
    return since is not None and _is_long(since)


def _pending_since(run: Run) -> float | None:
    """When Guild 0.9 has made it pending, in seconds since the epoch."""
    return None if run.claim_lease() is not None else run.pending_since()


def _is_long(since: float) -> bool:
    return abs(time.time() - since) > YOUNG_SECONDS  # clocks of hosts that share a home differ a little


def _batches_of(store: RunStore, run: Run) -> list[Run]:
    """The runs in whose directory this one is linked by its id."""
    found = [store.home.runs / run_id for run_id in store.ids()]
    return [Run(path) for path in found if os.path.islink(path / run.id)]


def _came_after(batch: Run, since: float) -> bool:
    """Whether a batch has ended, or begins anew, after this moment."""
    name = layout.STOPPED if batch.status().is_ended else layout.STARTED
    at = batch.int_attr(name) if batch.status() is not RunStatus.STAGED else None
    return at is not None and at / 1e6 > since
