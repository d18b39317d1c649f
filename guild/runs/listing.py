"""The runs of a home, newest first, at a cost that stays small with a hundred thousand of them.

What each run is sorted by, its start time, is kept in the index, in packed form. Each of these files is
looked at, but only those are read that have changed since.
"""

import heapq
import os
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from guild.runs import layout
from guild.runs.index import Index, Stamp, is_settled, stamp_of
from guild.runs.run import Run, is_run_dir

# Below this, reading is as quick as loading SQLite. (Most file systems count the directories in a directory
# as links to it.)
_SMALL_HOME = 200
# So many files are worth a process of their own to look at them.
_SHARE = 2_500
_MAX_PROCESSES = 4
_ENTRY = struct.Struct("<32sqqq")  # id, stamp, inode, start time (µs)
# The shard that holds the stamp of `runs/` with which the others named all that is in it, and how many they
# were: another process may have taken one out since.
_WHOLE = ""
_TAIL = os.fsencode(os.sep + os.path.join(layout.GUILD_DIR, layout.ATTRS, layout.STARTED))
NO_TIME = -1

Place = tuple[int, bytes]  # when the run started (µs, or NO_TIME) and its id: sorts as runs do


def list_runs(directory: str, index: Index | None) -> list[Place]:
    """What `runs/` holds, in no order; nothing where it is absent. A run that lost its `opref` by hand since
    it was indexed may still be in it: whoever shows a run looks at it first. Raises OSError."""
    path = os.fsencode(directory)
    with suppress(FileNotFoundError):
        if index is not None and not 2 <= os.stat(path).st_nlink < _SMALL_HOME:
            indexed = _Indexed(path, index)
            if indexed.is_useful:
                return indexed.places()
        return [place for name in os.listdir(path) if (place := _read(path, name))]
    return []


def first(places: Iterable[Place], count: int) -> Iterator[str]:
    """The ids of the newest ones, newest first; runs without a time come last."""
    return (os.fsdecode(name) for _, name in heapq.nlargest(count, places))


def all_sorted(places: Iterable[Place]) -> Iterator[str]:
    return (os.fsdecode(name) for _, name in sorted(places, reverse=True))


def _read(directory: bytes, name: bytes) -> Place | None:
    """Where a run stands; None for what is no run."""
    path = os.fsdecode(os.path.join(directory, name))
    if not is_run_dir(path):
        return None
    timestamp = Run(path).timestamp
    return (NO_TIME if timestamp is None else timestamp), name


class _Indexed:
    """One look at the runs of a directory, with what the index tells of them."""

    def __init__(self, directory: bytes, index: Index) -> None:
        self._directory = directory
        self._index = index
        self._stamp = _stamp(directory)
        shards = {name: data for name, data in index.starts().items() if len(data) % _ENTRY.size == 0}
        whole = shards.pop(_WHOLE, b"")
        self._data = b"".join(shards.values())
        # The names that were added since, or None where it is known that there are none.
        count = len(self._data) // _ENTRY.size
        self._names = None if whole == _whole_entry(self._stamp, count) else os.listdir(directory)
        self.is_useful = self._names is None or len(self._names) >= _SMALL_HOME

    def places(self) -> list[Place]:
        wrong = set(_changed(self._directory, self._data))
        if self._names is None:
            if not wrong:
                return [(start, name) for name, _, _, start in _ENTRY.iter_unpack(self._data)]
            self._names = os.listdir(self._directory)
        present = set(self._names)
        places = [
            (start, name)
            for name, _, _, start in _ENTRY.iter_unpack(self._data)
            if name in present and name not in wrong
        ]
        fresh = present.difference(name for _, name in places)
        learnt = {name: _learn(self._directory, name) for name in fresh}
        self._save(learnt, present)
        return places + [place for place, _ in learnt.values() if place is not None]

    def _save(self, learnt: Mapping[bytes, tuple[Place | None, bytes]], present: Collection[bytes]) -> None:
        """Write the shards that change, and whether all together now name all that is in the directory."""
        known = {entry[:32]: entry for entry in _split(self._data)}
        gone = [name for name in known if name not in present]
        new = {name: entry for name, (_, entry) in learnt.items() if known.get(name, b"") != entry}
        touched = {_shard(name) for name in (*gone, *new)}
        is_whole = all(entry for _, entry in learnt.values()) and is_settled(self._stamp, time.time_ns())
        for name in gone:
            del known[name]
        known.update(new)
        shards: dict[str, list[bytes]] = {shard: [] for shard in touched}
        for name, entry in known.items():
            if (shard := _shard(name)) in shards:
                shards[shard].append(entry)
        changes = {shard: b"".join(entries) for shard, entries in shards.items()}
        if changes or is_whole:
            changes[_WHOLE] = _whole_entry(self._stamp, len(present)) if is_whole else b""
            self._index.save_starts(changes, [os.fsdecode(name) for name in gone])


def _whole_entry(stamp: Stamp, count: int) -> bytes:
    return _ENTRY.pack(b"", *stamp, count)


def _shard(name: bytes) -> str:
    return name[:2].decode("ascii", "replace")


def _split(data: bytes) -> Iterator[bytes]:
    return (data[at : at + _ENTRY.size] for at in range(0, len(data), _ENTRY.size))


def _stamp(path: bytes) -> Stamp:
    return stamp_of(os.stat(path))


def _learn(directory: bytes, name: bytes) -> tuple[Place | None, bytes]:
    """Where a run stands (None: it is no run), and what may be kept of that (nothing: empty)."""
    file = os.path.join(directory, name) + _TAIL
    try:
        before = _stamp(file)
        place = _read(directory, name)
        is_kept = _stamp(file) == before and is_settled(before, time.time_ns())
    except OSError:
        return _read(directory, name), b""
    if place is None or not is_kept or len(name) != 32 or not 0 <= place[0] < 1 << 62:
        return place, b""
    return place, _ENTRY.pack(name, *before, place[0])


def _changed(directory: bytes, data: bytes) -> list[bytes]:
    """The ids of those entries whose file is not what it was. Many are shared among forked children, since
    waiting for the kernel is most of the work."""
    count = len(data) // _ENTRY.size
    processes = max(1, min(_MAX_PROCESSES, os.cpu_count() or 1, count // _SHARE))
    size = -(-count // processes) * _ENTRY.size or _ENTRY.size
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    children = [(part, _fork(directory, part)) for part in parts[1:]]
    changed = _changed_here(directory, parts[0]) if parts else []
    for part, child in children:
        found = _collect(child) if child else None
        changed += _changed_here(directory, part) if found is None else found
    return changed


def _changed_here(directory: bytes, data: bytes) -> list[bytes]:
    changed = []
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stat, tail = os.stat, _TAIL
    try:
        for name, stamp, inode, _ in _ENTRY.iter_unpack(data):
            try:
                if stamp_of(stat(name + tail, dir_fd=fd)) != (stamp, inode):
                    changed.append(name)
            except OSError:
                changed.append(name)
    finally:
        os.close(fd)
    return changed


def _fork(directory: bytes, data: bytes) -> tuple[int, int] | None:
    """(pid, pipe to read) of a child that answers with the ids that changed, and a mark at the end; None
    where there cannot be one."""
    read_end, write_end = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read_end)
        os.close(write_end)
        return None
    if pid == 0:
        try:
            from guild.base.files import write_all

            os.close(read_end)
            write_all(write_end, b"".join(_changed_here(directory, data)) + b".")
        finally:
            os._exit(0)
    os.close(write_end)
    return pid, read_end


def _collect(child: tuple[int, int]) -> list[bytes] | None:
    """What the child found; None where it did not come to an end."""
    from guild.base.files import iter_chunks

    pid, pipe = child
    answer = b"".join(iter_chunks(pipe))
    os.close(pipe)
    os.waitpid(pid, 0)
    return [answer[at : at + 32] for at in range(0, len(answer) - 1, 32)] if answer[-1:] == b"." else None
