"""Observer: what is staged and what is in progress in a home. Reads again only what may have changed."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from guild.base.processes import is_alive
from guild.launch import recipe
from guild.launch.upstream import Standing, standing
from guild.runs import journal, lifecycle
from guild.runs.abandoned import is_long_pending
from guild.runs.lifecycle import Held
from guild.runs.resources import Gpus, parse_gpus
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from guild.scheduler.model import ActiveRun, Snapshot, StagedRun


@dataclass(frozen=True)
class Note:
    """Something about a run that the queue's log should say, once."""

    run_id: str
    text: str


class Observer:
    """A table of the runs that are not ended, kept up to date by the journal and full looks."""

    def __init__(self, store: RunStore, queue_id: str, restage_lost: bool = False) -> None:
        self._store = store
        self._me = queue_id
        self._restage_lost = restage_lost
        self._follower = journal.Follower(store.home.journal)
        self._staged: dict[str, StagedRun] = {}
        self._active: dict[str, ActiveRun] = {}
        self._known: set[str] = set()
        self._runs_mtime = -1
        self._aside: set[str] = set()
        self._left_out: set[str] = set()
        self.notes: list[Note] = []

    def look(self, held: Held, full: bool = False) -> Snapshot:
        """The snapshot now; mends on the way what dead holders left. The lock is held.

        A full look reads every run (for what Guild 0.9 or a hand has changed in place); else those are read
        that the journal names, that are new in `runs/`, or that were in progress.
        """
        entries = self._follower.read()
        names = self._new_names()
        if full or entries is None:
            names = self._store.ids()
            self._staged.clear()
            self._active.clear()
            self._aside.clear()
            self._known = set(names)
        changed = {e.run_id for e in entries or ()} | set(names) | set(self._active)
        changed |= {run.id for run in self._staged.values() if run.waits_for}
        for run_id in changed:
            self._read(held, run_id)
        return self._snapshot()

    def look_again(self, held: Held, run_ids: Iterable[str]) -> Snapshot:
        """The same with just these runs read again."""
        for run_id in run_ids:
            self._read(held, run_id)
        return self._snapshot()

    @property
    def in_progress(self) -> frozenset[str]:
        """The runs that were in progress at the last look."""
        return frozenset(a.id for a in self._active.values() if a.in_progress)

    def set_aside(self, run_id: str, why: str, for_good: bool = False) -> None:
        """Leave a staged run out that could not be claimed, until the next full look or for good."""
        (self._left_out if for_good else self._aside).add(run_id)
        self._staged.pop(run_id, None)
        self._active.pop(run_id, None)
        self.notes.append(Note(run_id, why))

    def _snapshot(self) -> Snapshot:
        return Snapshot(tuple(self._staged.values()), tuple(self._active.values()))

    def _new_names(self) -> list[str]:
        """Entries of `runs/` not seen before; one look at the directory's time where nothing changed."""
        try:
            changed = os.stat(self._store.home.runs).st_mtime_ns
        except OSError:
            return []
        if changed == self._runs_mtime:
            return []
        # A change within the clock's last tick could hide behind an equal time: look again next time.
        recent = time.time_ns() - changed < 50_000_000
        self._runs_mtime = -1 if recent else changed
        names = set(self._store.ids())
        new = names - self._known
        for gone in self._known - names:
            self._staged.pop(gone, None)
            self._active.pop(gone, None)
        self._known = names
        return sorted(new)

    def _read(self, held: Held, run_id: str) -> None:
        self._staged.pop(run_id, None)
        self._active.pop(run_id, None)
        run = self._store.get(run_id)
        if run is None or run_id == self._me or run_id in self._aside | self._left_out:
            return
        try:
            self._classify(held, run)
        except (OSError, ValueError) as e:
            self.notes.append(Note(run_id, f"Ignoring run {run_id}: {e}"))

    def _classify(self, held: Held, run: Run) -> None:
        status = run.status()
        if status in (RunStatus.PENDING, RunStatus.ERROR):
            mended = lifecycle.recover(held, run, restage_lost=self._restage_lost)
            if mended:
                self.notes.append(Note(run.id, f"Run {run.id}: {mended}"))
                status = run.status()
        if status.is_ended or run.is_queue:
            return
        if status is RunStatus.STAGED:
            self._staged[run.id] = StagedRun(run.id, run.place(), requested_gpus(run), self._to_come(run))
        elif status in (RunStatus.PENDING, RunStatus.RUNNING):
            self._active[run.id] = self._active_run(run, status)

    def _to_come(self, run: Run) -> tuple[str, ...]:
        """The upstream runs that have not ended. One that failed or is gone is not waited for: the run then
        says what it misses."""
        ids = recipe.upstream_of(run)
        return tuple(r for r in ids if standing(self._store.get(r)) is Standing.WAIT)

    def _active_run(self, run: Run, status: RunStatus) -> ActiveRun:
        lease = run.lease()
        return ActiveRun(
            run.id,
            # A job whose supervisor was killed goes on by itself: no longer ours, but in progress.
            is_mine=lease is not None and lease.queue == self._me and is_alive(lease.holder),
            in_progress=status is RunStatus.RUNNING or self._holds_up(run),
            gpus=parse_gpus(lease.gpus) if lease is not None else None,
        )

    def _holds_up(self, run: Run) -> bool:
        """Whether a pending run is in progress: leased by us, or by Guild 0.9 and not for long."""
        if not is_long_pending(run):
            return True
        text = f"Not waiting for run {run.id}: it is pending, and nobody has started it for long"
        self.notes.append(Note(run.id, f"{text} ('guild run --start {run.short_id}' does that)"))
        return False


def requested_gpus(run: Run) -> Gpus:
    """What a run was staged with: `--gpus LIST`, `--no-gpus`, or nothing."""
    params = run.map_attr("run_params")
    if params.get("no_gpus") is True:
        return frozenset()
    gpus = params.get("gpus")
    return parse_gpus(str(gpus)) if gpus is not None else None
