"""The swap: a run directory changes places with a newly made one, whole or not at all.

`staging/<fresh>/` holds the new directory. `staging/<fresh>.swap` is the intent, written and synced before
the first rename and removed after the last; whoever takes the lock next settles what a dead maker left
(a maker holds the lock all the while, so any intent that a holder of the lock sees is a dead one's).
"""

import errno
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guild.base import files, jsonio
from guild.base.processes import ProcessId, is_alive, this_process
from guild.runs import layout
from guild.runs.order import Order

if TYPE_CHECKING:
    from guild.runs.store import RunStore

_INTENT = ".swap"
_MAKER = ".maker"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Intent:
    """`fresh` in `staging/` becomes run `target`; what that was goes to the trash as `trash`, or, where
    `trash` is empty, is dropped. `restaged` (µs) tells the new directory from the old one."""

    fresh: str
    target: str
    trash: str
    restaged: int


def exchange(store: "RunStore", intent: Intent) -> Path | None:
    """Carry out a swap. The lock is held, the new directory complete and synced.

    A directory to `remove` once the lock is free: what the run was, where it does not go to the trash.
    """
    path = store.home.staging / (intent.fresh + _INTENT)
    data = {"target": intent.target, "trash": intent.trash, "restaged": intent.restaged}
    files.write_whole(path, json.dumps(data).encode(), sync=True)
    files.sync_dir(store.home.staging)
    doomed = _complete(store, intent)
    files.remove_file(path)
    return doomed


def settle(store: "RunStore") -> None:
    """Complete or discard the swaps that dead makers left, and sweep what they were making."""
    try:
        names = os.listdir(store.home.staging)
    except OSError:
        return
    for name in names:
        if name.endswith(_INTENT):
            intent = _read_intent(store.home.staging / name)
            if intent is not None:
                _settle_one(store, intent)
            files.remove_file(store.home.staging / name)
    for name in os.listdir(store.home.staging) if names else ():
        _sweep(store, name)


def _settle_one(store: "RunStore", intent: Intent) -> None:
    """The target is missing: move in. It is there: the swap was never acknowledged, and what was made for
    it is swept once the intent is away (not before: half removed, it would pass for the old one). Unless
    the directory in `staging/` is the old one, whose exchange has happened."""
    fresh = store.home.staging / intent.fresh
    if not fresh.is_dir():
        return
    target_there = os.path.lexists(store.home.runs / intent.target)
    if not target_there or not _is_new(fresh, intent):
        doomed = _complete(store, intent)
        if doomed is not None:
            remove(store, doomed)
        store.ring(intent.target, "restaged", intent.restaged)


def _complete(store: "RunStore", intent: Intent) -> Path | None:
    fresh, target = store.home.staging / intent.fresh, store.home.runs / intent.target
    doomed = None
    if _is_new(fresh, intent):
        if not os.path.lexists(target):
            os.rename(fresh, target)
        elif not _exchanged(fresh, target):
            doomed = _put_away(store, target, intent)
            os.rename(fresh, target)
    if fresh.is_dir():  # the old one, after an exchange
        doomed = _put_away(store, fresh, intent)
    files.sync_dir(store.home.runs)
    return doomed


def _put_away(store: "RunStore", old: Path, intent: Intent) -> Path | None:
    """To the trash; else aside, to be removed."""
    if intent.trash:
        os.rename(old, store.home.trash / intent.trash)
        return None
    doomed = doomed_path(store, intent.fresh)
    os.rename(old, doomed)
    return doomed


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two directories in one step, where the system and the file system can; whether it did."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result = renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE)
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(b))


def _is_new(directory: Path, intent: Intent) -> bool:
    try:
        order = Order.from_bytes(files.read_regular(directory / layout.GUILD_DIR / layout.ORDER))
    except (OSError, ValueError):
        return False
    return order.restaged == intent.restaged


def _read_intent(path: Path) -> Intent | None:
    try:
        raw: Any = jsonio.load(files.read_regular(path))
        fresh = path.name[: -len(_INTENT)]
        return Intent(fresh, str(raw["target"]), str(raw["trash"]), int(raw["restaged"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


# What is in the making, and what is to be removed.


def announce(store: "RunStore", name: str) -> None:
    """Say who makes `staging/<name>`, before it is there: as long as this process lives, it stays."""
    files.write_whole(store.home.staging / (name + _MAKER), this_process().to_text().encode())


def retire(store: "RunStore", name: str) -> None:
    """The end of `announce`: the directory has gone to its place, or never came to be."""
    files.remove_file(store.home.staging / (name + _MAKER))


def doomed_path(store: "RunStore", name: str) -> Path:
    """A name in `staging/` for a directory that this process is about to `remove`."""
    doomed = f"{name}-{os.urandom(4).hex()}"
    with suppress(OSError):  # on a full disk too, what is to go must go; a sweep may come first then
        announce(store, doomed)
    return store.home.staging / doomed


def remove(store: "RunStore", path: Path) -> None:
    """Remove a directory that lies in `staging/`; to be called without the lock.

    Not while a swap of it is under way: where that has failed half-way, it may be what the run was, and
    whoever takes the lock next settles it.
    """
    if os.path.lexists(path.with_name(path.name + _INTENT)):
        return
    files.remove_tree(path)
    retire(store, path.name)


def _sweep(store: "RunStore", name: str) -> None:
    """Remove one left-over whose maker is gone; it was never acknowledged to anybody."""
    staging = store.home.staging
    if name.endswith(_INTENT):
        return
    if name.endswith(_MAKER):
        if _maker_is_gone(staging / name) and not os.path.lexists(staging / name[: -len(_MAKER)]):
            files.remove_file(staging / name)
    elif name.startswith(".tmp-"):
        if files.is_stale_temp(name):
            files.remove_file(staging / name)
    elif _maker_is_gone(staging / (name + _MAKER)):
        remove(store, staging / name)


def _maker_is_gone(path: Path) -> bool:
    maker = _maker_of(path)
    return maker is None or not is_alive(maker)


def _maker_of(path: Path) -> ProcessId | None:
    try:
        return ProcessId.from_text(files.read_regular(path).decode())
    except (OSError, ValueError):
        return None
