"""Run: one run directory, read only. Damage in one attribute never hides the rest."""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from guild.base import files, yamlio
from guild.errors import OpRefError
from guild.ops.opref import OpRef, parse_opref
from guild.runs import layout
from guild.runs.index import Index
from guild.runs.status import MARKERS, RunStatus, read_status

if TYPE_CHECKING:
    from guild.runs.lease import Lease
    from guild.runs.order import Order

T = TypeVar("T")

# A directory (relative to the run's), a tag, a value, a step.
EventValue = tuple[str, str, float, int]

_PID_MAX = 2**31


class Run:
    """A directory with a `.guild/opref`. Its base name is its id."""

    def __init__(self, path: Path | str, index: Index | None = None) -> None:
        """With an `index`, what was read of the run before is not read again where its file is unchanged."""
        self._dir = os.fspath(path)
        self.id = os.path.basename(self._dir) or Path(path).name
        self.index = index

    @cached_property
    def path(self) -> Path:
        return Path(self._dir)

    @cached_property
    def guild_dir(self) -> Path:
        return self.path / layout.GUILD_DIR

    def __repr__(self) -> str:
        return f"Run({self._dir!r})"

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @cached_property
    def opref(self) -> OpRef | None:
        """None where it cannot be read as one."""
        try:
            return parse_opref(self.recall(layout.OPREF, self._read_opref))
        except (OSError, OpRefError):
            return None

    def _read_opref(self) -> str:
        return self.read(layout.OPREF).decode("utf-8", "surrogateescape")

    @property
    def is_queue(self) -> bool:
        return self.opref is not None and self.opref.is_queue

    @property
    def leads_others(self) -> bool:
        """Whether it executes runs of its own: a queue, a batch, a workflow."""
        return self.is_queue or self.has(layout.PROTO) or bool(self.list_attr("steps"))

    def attr(self, name: str, default: Any = None) -> Any:
        """The attribute, or `default` where it is missing, null or damaged."""
        file = f"{layout.ATTRS}/{name}"
        try:
            value = self.recall(file, lambda: yamlio.decode(self.read(file)))
        except (OSError, ValueError):
            return default
        return default if value is None else value

    def int_attr(self, name: str) -> int | None:
        """An attribute that should be a number (a float is taken, as Guild does); else None."""
        value = self.attr(name)
        if isinstance(value, float) and value == value and abs(value) < 1e18:
            return int(value)
        return value if type(value) is int else None

    def map_attr(self, name: str) -> dict[str, Any]:
        value = self.attr(name)
        return value if isinstance(value, dict) else {}

    def list_attr(self, name: str) -> list[Any]:
        value = self.attr(name)
        return value if isinstance(value, list) else []

    @property
    def label(self) -> str:
        value = self.attr("label")
        return "" if value is None else str(value)

    @property
    def timestamp(self) -> int | None:
        """What runs are sorted by: when it started, else when it was made (µs)."""
        started = self.int_attr(layout.STARTED)
        return started if started is not None else self.int_attr("initialized")

    # Status: the three reads of a StatusSource, and what they lead to.

    def markers(self) -> frozenset[str]:
        try:
            return frozenset(self.recall("", self._list_markers))
        except OSError:
            return frozenset()

    def _list_markers(self) -> list[str]:
        with os.scandir(self._file("")) as entries:
            return [e.name for e in entries if e.name in MARKERS and e.is_file(follow_symlinks=False)]

    def exit_status(self) -> int | None:
        value = self.attr(layout.EXIT_STATUS)
        return value if type(value) is int else None

    def is_lock_alive(self) -> bool:
        """A LOCK of ours is alive while the operation or its supervisor is; a bare pid, as Guild 0.9
        writes it, while a process of that number runs that began before LOCK was written."""
        pid = self.lock_pid()
        if pid is None:
            return False
        lease = self.lease()
        if lease is not None and pid in (lease.holder.pid, lease.child.pid if lease.child else None):
            return lease.is_held
        try:
            written = os.stat(self.guild_dir / layout.LOCK).st_mtime
        except OSError:
            return False
        from guild.base.processes import runs_since

        return runs_since(pid, written)

    def lock_pid(self) -> int | None:
        try:
            pid = int(self.read(layout.LOCK)[:10])
        except (OSError, ValueError):
            return None
        return pid if 0 < pid < _PID_MAX else None

    def status(self) -> RunStatus:
        return read_status(self)

    # What is ours: lease, token, order.

    def lease(self) -> "Lease | None":
        """The lease of this run, whether it counts or not; None where there is none that can be read,
        or one that belongs to another run or another home."""
        from guild.runs.lease import Lease

        try:
            lease = Lease.from_bytes(self.read(layout.LEASE))
        except (OSError, ValueError):
            return None
        return lease if lease.run == self.id and lease.home == home_of(self.path) else None

    def token(self) -> str | None:
        """What PENDING holds: '' for Guild 0.9's; None where there is no PENDING that can be read."""
        try:
            return self.read(layout.PENDING).decode("ascii", "replace").strip()
        except OSError:
            return None

    def claim_lease(self) -> "Lease | None":
        """The lease, if PENDING holds its token: the one that counts while the run is pending."""
        lease = self.lease()
        return lease if lease is not None and lease.token == self.token() else None

    def pending_since(self) -> float | None:
        """When PENDING was written, in seconds since the epoch."""
        try:
            return os.stat(self.guild_dir / layout.PENDING).st_mtime
        except OSError:
            return None

    def order(self) -> "Order | None":
        from guild.runs.order import Order

        try:
            return Order.from_bytes(self.read(layout.ORDER))
        except (OSError, ValueError):
            return None

    def place(self) -> tuple[int, int, int, str]:
        """Sort key among staged runs (`order.place_key`)."""
        from guild.runs.order import place_key

        return place_key(self.timestamp, self.order(), self.id)

    def supervisor_log(self) -> list[str]:
        """What a supervisor without a console had to say about the run."""
        try:
            return self.read(layout.SUPERVISOR_LOG).decode("utf-8", "replace").splitlines()
        except OSError:
            return []

    def reason(self) -> str:
        """Why the run ended as it did, where that is recorded or can be told; else ''."""
        recorded = self.attr(layout.REASON)
        if recorded is not None:
            return str(recorded)
        lease = self.lease()
        if lease is None or lease.is_held or self.exit_status() is not None:
            return ""
        if self.status() is RunStatus.PENDING:
            return f"whoever was {lease.doing.value} it is gone; a queue, or 'guild run --start', mends that"
        return lease.loss if self.status() is RunStatus.ERROR else ""

    # All that is read of a run's own files goes through these two.

    def read(self, name: str) -> bytes:
        """A file of the run's own directory, by its name there. Raises OSError."""
        return files.read_regular(self._file(name))

    def has(self, name: str) -> bool:
        return os.path.lexists(self._file(name))

    def recall(self, name: str, read: Callable[[], T]) -> T:
        """What `read` makes of a file of the run's own directory ('': the directory itself)."""
        return read() if self.index is None else self.index.recall(self.id, name, self._file(name), read)

    def event_values(self) -> Iterator[EventValue] | None:
        """What the event files of a run hold that lies in no directory; None for one that does."""
        return None

    def _file(self, name: str) -> str:
        return f"{self._dir}/{layout.GUILD_DIR}/{name}"


def home_of(run_path: Path) -> str:
    """The home that a run directory lies in, as a lease names it: the real path above `runs/`."""
    return os.path.dirname(os.path.dirname(os.path.realpath(run_path)))


def is_run_dir(path: Path | str) -> bool:
    """By Guild 0.9's rule: the directory holds `.guild/opref`, whatever that contains."""
    return os.path.lexists(f"{os.fspath(path)}/{layout.GUILD_DIR}/{layout.OPREF}")
