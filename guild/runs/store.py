"""RunStore: all runs under one GUILD_HOME. Lists and finds them, and holds the lock of the home."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import overload

from guild.base.clock import Clock, system_clock
from guild.errors import GuildError, LockTimeout
from guild.home import Home
from guild.runs import listing
from guild.runs.index import Index
from guild.runs.run import Run, is_run_dir
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

LOCK_SECONDS = 30.0
_FEW = 200


@dataclass(frozen=True)
class RunStore:
    home: Home
    clock: Clock = field(default=system_clock)
    index: Index | None = None

    def create(self) -> None:
        """Make the directories of the home where they are missing (a new home for its owner only)."""
        home = self.home
        try:
            if not home.path.is_dir():
                os.makedirs(home.path.parent, exist_ok=True)
                os.mkdir(home.path, 0o700)
            for directory in (home.runs, home.staging, home.trash, home.lock.parent, home.cache):
                os.makedirs(directory, exist_ok=True)
        except OSError as e:
            raise GuildError(
                f"cannot use '{home.path}' as Guild home: {e.strerror or e}",
                "Choose another one with -H or GUILD_HOME.",
            ) from None

    @contextmanager
    def lock(self, timeout: float = LOCK_SECONDS, path: Path | None = None) -> Iterator[None]:
        """Guild 0.9's lock of staged runs, or that of a directory. Never held while something runs or is
        fetched.

        Raises LockTimeout, GuildError where the lock file cannot be used.
        """
        from guild.base.locks import LockBusy, file_lock
        from guild.runs import journal

        path = path or self.home.lock
        try:
            os.makedirs(self.home.lock.parent, exist_ok=True)
            with file_lock(path, timeout):
                if path == self.home.lock:
                    journal.shorten(self.home.journal)
                yield
        except LockBusy:
            raise LockTimeout(
                f"could not get the lock '{path}' within {timeout:g} seconds",
                "Another guild process holds it. Try again.",
            ) from None

    def holds(self, run: Run) -> bool:
        """Whether this run lies in `runs/` of this home."""
        return os.path.realpath(run.path.parent) == os.path.realpath(self.home.runs)

    def new_id(self) -> str:
        """A random UUID (version 4) in hexadecimal; the module `uuid` takes longer to load than a listing."""
        data = bytearray(os.urandom(16))
        data[6] = data[6] & 0x0F | 0x40
        data[8] = data[8] & 0x3F | 0x80
        return data.hex()

    def newest_first(self) -> "Newest":
        """All runs, newest first, those without a time last."""
        return Newest(self)

    def runs(self) -> list[Run]:
        """All runs, in no order. A directory is a run if it holds `.guild/opref`."""
        return _runs_in(self.home.runs)

    def trashed(self) -> list[Run]:
        return _runs_in(self.home.trash)

    def ids(self) -> list[str]:
        """Names of all entries of `runs/`, runs or not: one look at one directory."""
        try:
            return os.listdir(self.home.runs)
        except OSError:
            return []

    def get(self, run_id: str) -> Run | None:
        path = self.home.runs / run_id
        return Run(path) if run_id and is_run_dir(path) else None

    def next_start(self) -> int:
        """The start time (µs) of a staging now: later than that of any earlier one. Lock held."""
        from guild.runs import journal

        last = journal.last_staging(self.home.journal)
        if last is None:
            staged = (r for r in self.runs() if r.status() is RunStatus.STAGED)
            last = max((r.timestamp or 0 for r in staged), default=0)
        return max(self.clock.now(), last + 1)

    def ring(self, run_id: str, event: str, at: int | None = None) -> bool:
        """Tell the queues of this home to look at a run; False if that could not be written."""
        from guild.runs import journal

        try:
            journal.append(self.home.journal, run_id, event, self.clock.now() if at is None else at)
        except OSError:
            return False
        return True


def _runs_in(directory: Path) -> list[Run]:
    try:
        with os.scandir(directory) as entries:
            return [Run(Path(e.path)) for e in entries if is_run_dir(e.path)]
    except PermissionError as e:
        raise GuildError(f"cannot read '{directory}': {e.strerror}") from None
    except OSError:
        return []


class Newest(Sequence[Seen]):
    """The runs of a store, newest first; each is made when it comes up. The length may count a run that lost
    its `opref` by hand since it was indexed. Raises GuildError where `runs/` cannot be read."""

    def __init__(self, store: RunStore) -> None:
        self._directory = os.fspath(store.home.runs)
        self._index = store.index
        try:
            self._places = listing.list_runs(self._directory, store.index)
        except OSError as e:
            raise GuildError(f"cannot read '{self._directory}': {e.strerror}") from None

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Seen]:
        return self._seen(listing.all_sorted(self._places), self._index)

    @overload
    def __getitem__(self, at: int) -> Seen: ...

    @overload
    def __getitem__(self, at: slice) -> list[Seen]: ...

    def __getitem__(self, at: int | slice) -> Seen | list[Seen]:
        last = at.stop if isinstance(at, slice) else at + 1 or None
        return (list(self) if last is None or last < 0 else self.page(last))[at]

    def page(self, count: int) -> list[Seen]:
        """The first `count`, as far as there are."""
        # A question to SQLite takes longer than reading a file.
        index = self._index if count > _FEW else None
        found = list(self._seen(listing.first(self._places, count), index))
        return found if len(found) == min(count, len(self)) else list(islice(self, count))

    def starting_with(self, prefix: str) -> list[Seen]:
        """Those whose ids begin so."""
        return list(
            self._seen((each for each in listing.all_sorted(self._places) if each.startswith(prefix)), None)
        )

    def _seen(self, ids: Iterable[str], index: Index | None) -> Iterator[Seen]:
        for run_id in ids:
            path = f"{self._directory}/{run_id}"
            if is_run_dir(path):
                yield Seen(Run(path, index))
