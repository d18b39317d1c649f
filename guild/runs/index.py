"""The index: what was read from the files of runs, kept in SQLite and believed only as long as those files
are what they were.

It is a cache and nothing more (docs/adr/0011): each value is kept with the times and the inode of the file
that it was read from, and compared with that file whenever it is asked for. So it may be deleted, damaged,
old, or left out (a read-only home, another process that writes) at any time, and nothing that is shown
changes. A file that was changed a moment ago may change again without its times moving: of such a
one nothing is kept.
"""

import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
Stamp = tuple[int, int]  # the newer of a file's two times (ns), and its inode
Fact = tuple[int, int, str]  # a stamp, and the value as JSON

VERSION = 1
_SCHEMA = (
    "CREATE TABLE facts (name TEXT, run TEXT, stamp INTEGER, inode INTEGER, value TEXT,"
    " PRIMARY KEY (name, run)) WITHOUT ROWID",
    "CREATE TABLE starts (shard TEXT PRIMARY KEY, entries BLOB) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
# A file system's clock may tick only every few milliseconds, on a network drive every second or two.
_SETTLED_NS = 2_500_000_000
# From so many questions about one attribute on, all of its values are read at once.
_MANY = 20
_PENDING_MAX = 20_000
_MASK = (1 << 63) - 1


def stamp_of(info: os.stat_result) -> Stamp:
    mtime, ctime = info.st_mtime_ns, info.st_ctime_ns
    return (mtime if mtime > ctime else ctime), info.st_ino & _MASK


def is_settled(stamp: Stamp, now: int) -> bool:
    """Whether a file with this stamp would have another one if it were changed now (ns)."""
    return stamp[0] < now - _SETTLED_NS


class Index:
    """What is known about the runs of one home. Never raises: what cannot be kept is read anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._is_off = False
        self._columns: dict[str, dict[str, Fact]] = {}
        self._asked: dict[str, int] = {}
        self._learnt: dict[tuple[str, str], Fact] = {}

    def recall(self, run_id: str, name: str, path: str, read: Callable[[], T]) -> T:
        """What `read` gives of the file or directory `path`, from here where that is unchanged. What
        JSON does not give back as it is is not kept. Raises what `read` raises."""
        try:
            stamp = stamp_of(os.stat(path))
        except (OSError, ValueError):
            return read()
        return self.recall_stamped(run_id, name, stamp, read)

    def recall_stamped(self, run_id: str, name: str, stamp: Stamp, read: Callable[[], T]) -> T:
        """The same for something of which the caller knows a stamp."""
        if not run_id.isprintable():  # undecodable bytes: no text for a database
            return read()
        fact = self._fact(run_id, name)
        if fact is not None and fact[:2] == stamp:
            import json

            with suppress(ValueError, RecursionError):
                known: T = json.loads(fact[2])
                return known
        value = read()
        if is_settled(stamp, time.time_ns()):
            text = _to_json(value)
            if text is not None:
                self._learnt[name, run_id] = (*stamp, text)
                if len(self._learnt) >= _PENDING_MAX:
                    self.save()
        return value

    def _fact(self, run_id: str, name: str) -> Fact | None:
        learnt = self._learnt.get((name, run_id))
        if learnt is not None:
            return learnt
        column = self._columns.get(name)
        if column is not None:
            return column.get(run_id)
        asked = self._asked[name] = self._asked.get(name, 0) + 1
        if asked > _MANY:
            rows = self._query("SELECT run, stamp, inode, value FROM facts WHERE name = ?", name)
            self._columns[name] = {row[0]: row[1:] for row in rows}
            return self._columns[name].get(run_id)
        rows = self._query("SELECT stamp, inode, value FROM facts WHERE name = ? AND run = ?", name, run_id)
        return rows[0] if rows else None

    # Start times: of every run, in few rows, since each listing needs them all.

    def starts(self) -> dict[str, bytes]:
        """Shard -> entries, as `save_starts` got them."""
        return {str(shard): bytes(entries) for shard, entries in self._query("SELECT * FROM starts")}

    def save_starts(self, shards: dict[str, bytes], gone: Collection[str]) -> None:
        """Keep these shards, an empty one being removed; and forget the runs that are gone."""

        def write(db: "sqlite3.Connection") -> None:
            db.executemany("INSERT OR REPLACE INTO starts VALUES (?, ?)", shards.items())
            db.execute("DELETE FROM starts WHERE entries = x''")
            if gone:
                db.execute("CREATE TEMP TABLE gone (run TEXT PRIMARY KEY)")
                db.executemany("INSERT INTO gone VALUES (?)", [(run,) for run in gone])
                db.execute("DELETE FROM facts WHERE run IN (SELECT run FROM gone)")
                db.execute("DROP TABLE gone")

        self._write(write)

    def save(self) -> None:
        """Write down what was learnt."""
        if not self._learnt:
            return
        rows = [(name, run, *fact) for (name, run), fact in self._learnt.items()]
        for (name, run), fact in self._learnt.items():
            if name in self._columns:
                self._columns[name][run] = fact
        self._learnt.clear()
        self._write(lambda db: db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows))

    def close(self) -> None:
        self.save()
        if self._db is not None:
            self._db.close()
            self._db = None
        self._is_off = True

    # The database.

    def _is_there(self) -> bool:
        """Whether there is an index to ask; a Python may come without SQLite."""
        try:
            import sqlite3  # noqa: F401
        except ImportError:
            self._is_off = True
        return not self._is_off

    def _query(self, sql: str, *args: str) -> list[Any]:
        if not self._is_there():
            return []
        import sqlite3

        try:
            db = self._open()
            return [] if db is None else db.execute(sql, args).fetchall()
        except sqlite3.Error as e:
            self._give_up(e)
            return []

    def _write(self, act: Callable[["sqlite3.Connection"], object]) -> None:
        """One transaction, unless somebody else writes at this moment, or nothing can be written."""
        if not self._is_there():
            return
        from guild.base.locks import LockBusy, file_lock

        with suppress(OSError, LockBusy):
            os.makedirs(self._path.parent, exist_ok=True)
            with file_lock(self._lock, 0):
                self._write_locked(act)

    def _write_locked(self, act: Callable[["sqlite3.Connection"], object]) -> None:
        import sqlite3

        try:
            db = self._open(create=True)
            if db is not None:
                db.execute("BEGIN IMMEDIATE")
                act(db)
                db.execute("COMMIT")
        except sqlite3.Error as e:
            self._give_up(e, locked=True)

    @property
    def _lock(self) -> Path:
        return self._path.with_name(self._path.name + ".lock")

    def _open(self, create: bool = False) -> "sqlite3.Connection | None":
        """The database; None where there is none, and none is to be made. Raises sqlite3.Error."""
        if self._is_off or (self._db is None and not create and not self._path.is_file()):
            return None
        if self._db is None:
            import sqlite3

            db = sqlite3.connect(self._path, timeout=0.5, isolation_level=None)
            self._db = db
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                if not create:
                    self._forget()
                    return None
                self._make(db, version)
        return self._db

    def _make(self, db: "sqlite3.Connection", version: int) -> None:
        """The tables. The lock is held; a file of another version makes way."""
        if version:
            self._forget()
            self._remove()
            self._open(create=True)
            return
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute("COMMIT")

    def _give_up(self, error: Exception, locked: bool = False) -> None:
        """No index for the rest of this process. A file that is damaged goes; the next one makes another."""
        import sqlite3

        from guild.base.locks import LockBusy, file_lock

        self._forget()
        self._is_off = True
        is_busy = isinstance(error, sqlite3.OperationalError)
        if is_busy and "no such" not in str(error):
            return  # locked, read-only, a full disk
        if locked:
            self._remove()
        else:
            with suppress(OSError, LockBusy), file_lock(self._lock, 0):
                self._remove()

    def _forget(self) -> None:
        if self._db is not None:
            with suppress(Exception):
                self._db.close()
        self._db = None

    def _remove(self) -> None:
        for name in (self._path.name, self._path.name + "-journal"):
            with suppress(OSError):
                os.unlink(self._path.with_name(name))


def _to_json(value: Any) -> str | None:
    """None for what JSON would not give back as it is."""
    import json

    try:
        text = json.dumps(value)
        return text if _is_same(json.loads(text), value) else None
    except (TypeError, ValueError, RecursionError):
        return None


def _is_same(a: Any, b: Any) -> bool:
    """Equal, and of the same types (1, 1.0 and True are equal); NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(_is_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_is_same, a, b))
    return bool(a == b) or (a != a and b != b)
