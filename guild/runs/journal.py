"""The journal of a home: the doorbell of its queues, one line for each change of a run.

A line is `RUN-ID EVENT MICROSECONDS`. It says that a run should be looked at again, and when it was
staged last; nothing else depends on it, and it may be lost at any time.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from guild.base import files

STAGING_EVENTS = ("staged", "restaged")
MAX_SIZE = 1 << 20
_TAIL = 1 << 14


@dataclass(frozen=True)
class Entry:
    run_id: str
    event: str
    at: int  # µs


def append(path: Path, run_id: str, event: str, at: int) -> None:
    """Add one line, whole (one write to a file opened for appending). Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        files.write_all(fd, f"{run_id} {event} {at}\n".encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def parse_line(line: bytes) -> Entry | None:
    words = line.decode("utf-8", "surrogateescape").split(" ")
    if len(words) < 3 or not words[-1].isascii() or not words[-1].isdigit():
        return None
    # Ids are names of directories and may hold blanks.
    return Entry(" ".join(words[:-2]), words[-2], int(words[-1]))


def last_staging(path: Path) -> int | None:
    """The start time (µs) that was given last, None where the journal does not tell."""
    try:
        with open(path, "rb") as f:
            size = f.seek(0, os.SEEK_END)
            for length in (_TAIL, MAX_SIZE * 2):
                f.seek(max(0, size - length))
                stamps = [
                    e.at for e in map(parse_line, f.read().splitlines()) if e and e.event in STAGING_EVENTS
                ]
                if stamps:
                    return max(stamps)
    except OSError:
        pass
    return None


def shorten(path: Path) -> None:
    """Begin a new journal once it is large, keeping what the order of staging needs. Lock held."""
    try:
        if os.stat(path).st_size < MAX_SIZE:
            return
        last = last_staging(path)
        files.write_whole(path, f"- staged {last}\n".encode() if last else b"")
    except OSError:
        pass  # it grows a little more; the next staging tries again


class Follower:
    """Reads what was appended since the last reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0

    def read(self) -> list[Entry] | None:
        """New entries; None where everything has to be looked at: the first time, another or a shorter
        file, a line that cannot be read, no file."""
        try:
            with open(self._path, "rb") as f:
                info = os.fstat(f.fileno())
                same = self._file == (info.st_dev, info.st_ino) and info.st_size >= self._offset
                f.seek(self._offset if same else 0)
                data = f.read()
        except OSError:
            self._file = None
            return None
        whole = data[: data.rfind(b"\n") + 1]
        self._offset = (self._offset if same else 0) + len(whole)
        self._file = (info.st_dev, info.st_ino)
        entries = [parse_line(line) for line in whole.splitlines()]
        if not same or None in entries:
            return None
        return [e for e in entries if e is not None]
