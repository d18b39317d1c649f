"""Every legal change of a run's status: the only writer of its markers, lease, order, exit status.

The new state is entered before the old one is left, so that whoever reads, or finds what a crash left,
sees a status that the run had (docs/ARCHITECTURE.md, "Transitions"). The order of the file operations in
each function below is what tests/runs/test_crash_points.py, test_status_interleaving.py and
test_model.py prove; change none of them without these. Functions that take `Held` need the lock.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from guild.base import files
from guild.base.processes import ProcessId, this_process
from guild.errors import LockTimeout, RunChanged
from guild.runs import attrs, layout, swap
from guild.runs.abandoned import is_over
from guild.runs.lease import Doing, Lease
from guild.runs.order import Order
from guild.runs.run import Run, home_of
from guild.runs.status import RunStatus
from guild.runs.store import LOCK_SECONDS, RunStore

MAX_LOST = 3


@dataclass(frozen=True)
class Held:
    """Says that the lock of this store is held, and what swaps of dead makers left is settled."""

    store: RunStore


@contextmanager
def locked(store: RunStore, timeout: float = LOCK_SECONDS) -> Iterator[Held]:
    """The lock of the home. Raises LockTimeout."""
    with store.lock(timeout):
        swap.settle(store)
        yield Held(store)


@contextmanager
def locked_for(store: RunStore, run: Run, timeout: float = LOCK_SECONDS) -> Iterator[Held]:
    """The lock that guards this run: of the home, or, for a directory outside of it, of its `.guild`."""
    if store.holds(run):
        with locked(store, timeout) as held:
            yield held
    else:
        with store.lock(timeout, run.guild_dir):
            yield Held(store)


def new_lease(
    store: RunStore, run: Run, doing: Doing, *, queue: str = "", gpus: str | None = None, staged: int = 0
) -> Lease:
    """A lease with a fresh token, held by this process."""
    return Lease(
        token=os.urandom(16).hex(),
        run=run.id,
        home=home_of(run.path),
        holder=this_process(),
        doing=doing,
        since=store.clock.now(),
        queue=queue,
        gpus=gpus,
        staged=staged,
    )


# A run in the making, in `staging/` or beside a --run-dir: nobody else looks at it yet.


def mark_new_staged(run: Run) -> None:
    (run.guild_dir / layout.STAGED).touch()


def mark_new_pending(run: Run, lease: Lease) -> None:
    _write_lease(run, lease)
    (run.guild_dir / layout.PENDING).write_text(lease.token)


# Entering `runs/`: one rename.


def stage(held: Held, made: Run, *, sync: bool = True) -> Run:
    """Give a complete staged run its start time and its place in `runs/`; returns it there."""
    store = held.store
    started = store.next_start()
    attrs.write_attr(made.guild_dir, layout.STARTED, started, sync=sync)
    if sync:
        files.sync_dir(made.guild_dir / layout.ATTRS)
    run = move_in(store, made, sync)
    store.ring(run.id, "staged", started)
    return run


def enter(store: RunStore, made: Run) -> Run:
    """Put a run that is to be executed now (PENDING, leased to this process) into `runs/`."""
    run = move_in(store, made, sync=False)
    store.ring(run.id, "entered")
    return run


def move_in(store: RunStore, made: Run, sync: bool) -> Run:
    run = Run(store.home.runs / made.id)
    if os.path.lexists(run.path):
        raise RunChanged(f"run {run.id} exists already")
    os.rename(made.path, run.path)
    if sync:
        files.sync_dir(store.home.runs)
    return run


def put_aside(made: Run, run_dir: Path, started: int | None = None) -> Run:
    """Give a complete run directory (made beside it) its name outside of `runs/`; staged ones get a start
    time (µs). The destination is absent or an empty directory; raises RunChanged if it is not."""
    if started is not None:
        attrs.write_attr(made.guild_dir, layout.STARTED, started)
    try:
        os.rename(made.path, run_dir)
    except OSError as e:
        raise RunChanged(f"'{run_dir}' is not empty or cannot be replaced: {e.strerror}") from None
    return Run(run_dir)


# From staged to running and ended.


def claim(held: Held, run: Run, lease: Lease) -> None:
    """staged -> pending, ours. Raises RunChanged if it is not staged; undone if it cannot be completed."""
    _expect(run, RunStatus.STAGED)
    try:
        _write_lease(run, lease)
        files.write_whole(run.guild_dir / layout.PENDING, lease.token.encode(), temp_dir=run.guild_dir)
        os.unlink(run.guild_dir / layout.STAGED)
        rung = held.store.ring(run.id, "claimed")
    except OSError:
        _back_to_staged(run)
        raise
    if not rung:
        _back_to_staged(run)
        raise OSError(f"cannot write to the journal '{held.store.home.journal}'")


def restart(held: Held, run: Run, lease: Lease) -> None:
    """ended, or pending and abandoned -> pending, ours, in place. Raises RunChanged if it is neither."""
    status = run.status()
    if not is_over(held.store, run, status):
        raise RunChanged(f"run {run.id} is {status.value}")
    _write_lease(run, lease)
    files.write_whole(run.guild_dir / layout.PENDING, lease.token.encode(), temp_dir=run.guild_dir)
    held.store.ring(run.id, "restarting")


def take_over(held: Held, run: Run, token: str, holder: ProcessId) -> Lease:
    """The holder of a claim becomes the supervisor. Raises RunChanged where the claim does not stand."""
    lease = run.claim_lease()
    if (
        lease is None
        or lease.token != token
        or lease.doing not in (Doing.CLAIMED, Doing.PREPARING)
        or layout.STAGED in run.markers()
    ):
        raise RunChanged(f"run {run.id} is no longer claimed under this token")
    lease = lease.with_(holder=holder, since=held.store.clock.now())
    _write_lease(run, lease)
    return lease


def begin(run: Run, lease: Lease, now: int) -> Lease:
    """claimed/preparing -> starting: from here on a crash is an error, never a second start."""
    lease = lease.with_(doing=Doing.STARTING, since=now)
    _write_lease(run, lease, sync=True)
    return lease


def mark_started(run: Run, lease: Lease, now: int) -> None:
    """pending -> running, with LOCK naming the supervisor; what an earlier execution left goes first."""
    for name in (layout.EXIT_STATUS, layout.STOPPED, layout.REASON):
        attrs.delete_attr(run.guild_dir, name)
    old = [name for name in os.listdir(run.guild_dir) if name.startswith(layout.EVENTS_PREFIX)]
    for name in (layout.OUTPUT, layout.OUTPUT_INDEX, *old, *_stale_temps(run)):
        files.remove_file(run.guild_dir / name)
    attrs.write_attr(run.guild_dir, layout.STARTED, now)
    files.write_whole(run.guild_dir / layout.LOCK, b"%d" % lease.holder.pid)
    files.remove_file(run.guild_dir / layout.PENDING)


def _stale_temps(run: Run) -> list[str]:
    """What a writer that was killed has left beside the files of the run."""
    return [name for name in os.listdir(run.guild_dir) if files.is_stale_temp(name)]


def mark_running(store: RunStore, run: Run, lease: Lease, child: ProcessId) -> Lease:
    """The operation's process is there (and waits to be let go): the lease and LOCK name it."""
    lease = lease.with_(doing=Doing.RUNNING, child=child, since=store.clock.now())
    _write_lease(run, lease, sync=True)
    files.write_whole(run.guild_dir / layout.LOCK, b"%d" % child.pid)
    store.ring(run.id, "started")
    return lease


def finish(store: RunStore, run: Run, code: int, reap: Callable[[], None], reason: str = "") -> None:
    """running -> ended. `reap` takes the ended process away: Guild 0.9 sees the run by it until then."""
    lease = run.lease()
    if reason:
        attrs.write_attr(run.guild_dir, layout.REASON, reason)
    attrs.write_attr(run.guild_dir, layout.STOPPED, store.clock.now())
    files.remove_file(run.guild_dir / layout.ORDER)
    attrs.write_attr(run.guild_dir, layout.EXIT_STATUS, code)
    _clear(store, run, lease, None, layout.LOCK, layout.LEASE)
    reap()
    store.ring(run.id, "finished")


def fail(store: RunStore, run: Run, reason: str, code: int | None = None, held: Held | None = None) -> None:
    """pending, ours -> ended without having run: `error`, or `terminated` for a negative code. With the lock
    held, `held` has to say so."""
    lease = run.lease()
    attrs.write_attr(run.guild_dir, layout.REASON, reason)
    if code is None:
        attrs.delete_attr(run.guild_dir, layout.EXIT_STATUS)
    else:
        attrs.write_attr(run.guild_dir, layout.STOPPED, store.clock.now())
        attrs.write_attr(run.guild_dir, layout.EXIT_STATUS, code)
    for name in (layout.STAGED, layout.LOCK, *_stale_temps(run)):
        files.remove_file(run.guild_dir / name)
    _clear(store, run, lease, held, layout.PENDING, layout.ORDER, layout.LEASE)
    store.ring(run.id, "failed")


def _clear(store: RunStore, run: Run, lease: Lease | None, held: Held | None, *names: str) -> None:
    """The last files of a run that counts as ended before they are all away: only if nobody has restarted
    or restaged it by then. Without the lock they stay, and mean nothing once their holder is gone."""
    with suppress(LockTimeout):
        path = None if store.holds(run) else run.guild_dir
        with nullcontext() if held else store.lock(path=path):
            now = run.lease()
            if (now and now.token) == (lease and lease.token):
                for name in names:
                    files.remove_file(run.guild_dir / name)


# Back to staged, or to an end, after a holder is gone.


def release(held: Held, run: Run, token: str) -> bool:
    """Undo a claim that was not taken over; False if it no longer stands."""
    lease = run.claim_lease()
    if lease is None or lease.token != token or lease.doing is not Doing.CLAIMED:
        return False
    _back_to_staged(run)
    held.store.ring(run.id, "released")
    return True


def recover(held: Held, run: Run, *, restage_lost: bool = False) -> str | None:
    """Mend what a dead holder of ours left; what was done, None if there is nothing to mend.

    Pending and claimed: staged again, in its old place. Anything later: error, with the reason; or, with
    `restage_lost` and where a queue had started it, staged again in its old place, three times at most.
    """
    markers = run.markers()
    is_pending = layout.PENDING in markers
    lease = run.claim_lease() if is_pending else run.lease()
    if lease is None or lease.is_held:
        return None
    if is_pending and lease.doing is Doing.CLAIMED:
        _back_to_staged(run)
        held.store.ring(run.id, "recovered")
        return "staged again: whoever had claimed it is gone"
    if not is_pending and not _is_lost(run, lease, markers):
        return None
    if restage_lost and _stage_lost(held, run, lease):
        return f"staged again: it {lease.loss}"
    fail(held.store, run, lease.loss, held=held)
    return lease.loss


def _is_lost(run: Run, lease: Lease, markers: frozenset[str]) -> bool:
    """Whether a run that is not pending was begun, and nobody will ever say how it ended."""
    if layout.STAGED in markers or lease.doing not in (Doing.STARTING, Doing.RUNNING):
        return False
    return run.status() is RunStatus.ERROR and run.exit_status() is None


def _stage_lost(held: Held, run: Run, lease: Lease) -> bool:
    """Give a run that a queue had started its old place among the staged ones; not for ever, since it may be
    what takes the machine down."""
    order = run.order()
    before = order if order is not None and order.started == lease.staged else Order(lease.staged)
    if not lease.staged or before.lost >= MAX_LOST:
        return False
    order = replace(before, lost=before.lost + 1)
    files.write_whole(run.guild_dir / layout.ORDER, order.to_bytes(), temp_dir=run.guild_dir)
    attrs.write_attr(run.guild_dir, layout.STARTED, lease.staged)
    _back_to_staged(run, layout.LOCK)
    held.store.ring(run.id, "recovered")
    return True


def _back_to_staged(run: Run, *left: str) -> None:
    (run.guild_dir / layout.STAGED).touch()
    for name in (layout.PENDING, *left, layout.LEASE):
        files.remove_file(run.guild_dir / name)


# Restaged, and what a copy may not keep.


@dataclass(frozen=True)
class Witness:
    """What a restage was prepared from: it is carried out only if the run still is the same."""

    status: RunStatus
    started: int | None
    token: str | None


def witness(run: Run) -> Witness:
    return Witness(run.status(), run.int_attr(layout.STARTED), run.token())


def restage(held: Held, run: Run, seen: Witness, made: Run, trash_id: str, sync: bool = True) -> Path | None:
    """The swap: `made` (complete, STAGED, in `staging/`) takes the place of `run` and is next in the order.

    Label, tags and comments are carried over as they are now, unless `made` has its own label. An ended
    run's directory goes to the trash as run `trash_id`; a staged one is dropped (`trash_id` empty).
    Returns a directory to `swap.remove` without the lock, if there is one. Raises RunChanged if the run is
    not what it was prepared from.
    """
    now = witness(run)
    if now != seen or not (now.status is RunStatus.STAGED or is_over(held.store, run, now.status)):
        raise RunChanged(f"run {run.id} has changed meanwhile: it is {now.status.value}")
    for name in ("label", "tags", "comments", "marked"):
        old = run.guild_dir / layout.ATTRS / name
        new = made.guild_dir / layout.ATTRS / name
        if old.is_file() and not new.exists():
            new.write_bytes(files.read_regular(old))
    started = held.store.next_start()
    order = run.order()
    attrs.write_attr(made.guild_dir, layout.STARTED, started)
    data = Order(started, order.priority if order else 0, restaged=started).to_bytes()
    files.write_whole(made.guild_dir / layout.ORDER, data)
    if sync:
        files.sync_tree(made.guild_dir)
    doomed = swap.exchange(held.store, swap.Intent(made.id, run.id, trash_id, started))
    held.store.ring(run.id, "restaged", started)
    return doomed


def drop_rights(run: Run) -> None:
    """Remove lease and LOCK: of a copy or a restored run no process is executing anything."""
    if run.token():
        files.remove_file(run.guild_dir / layout.PENDING)
    for name in (layout.LOCK, layout.LEASE):
        files.remove_file(run.guild_dir / name)


def stage_in_place(held: Held, run: Run, write: Callable[[], None]) -> int:
    """`--restart RUN --stage`: a staged, ended or abandoned run goes to the end of the order, files kept.

    `write` replaces the attributes that changed; returns the new start time (µs).
    """
    status = run.status()
    if not (status is RunStatus.STAGED or is_over(held.store, run, status)):
        raise RunChanged(f"run {run.id} is {status.value}")
    write()
    started = held.store.next_start()
    files.remove_file(run.guild_dir / layout.ORDER)
    attrs.write_attr(run.guild_dir, layout.STARTED, started, sync=True)
    files.write_whole(run.guild_dir / layout.STAGED, b"", sync=True)
    # A dead holder's lease must not be found, and recovered, when Guild 0.9 is about to start this.
    for name in (layout.PENDING, layout.LOCK, layout.LEASE):
        files.remove_file(run.guild_dir / name)
    held.store.ring(run.id, "staged", started)
    return started


def _expect(run: Run, wanted: RunStatus) -> None:
    status = run.status()
    if status is not wanted:
        raise RunChanged(f"run {run.id} is {status.value}, not {wanted.value}")


def _write_lease(run: Run, lease: Lease, sync: bool = False) -> None:
    files.write_whole(run.guild_dir / layout.LEASE, lease.to_bytes(), sync=sync)
