"""The output of a run and its index: written as it comes, read by followers.

`output` holds the raw bytes of stdout and stderr in the order in which they were read. `output.index` holds
nine bytes for each line that ended (and one for an unterminated rest): milliseconds since the epoch, unsigned
64 bit, big-endian, and the stream, 0 for stdout, 1 for stderr. Lines are those of one stream.
"""

import os
import struct
from pathlib import Path

from guild.base import files
from guild.runs import layout

_RECORD = struct.Struct(">QB")
# A line that never ends is not kept in memory for ever: the parser of scalars gets its beginning.
_LONGEST = 1 << 16
_DROPPED = bytes(range(9))


class OutputWriter:
    """Writes both files of a run, truncating what an earlier execution left. Raises OSError."""

    def __init__(self, guild_dir: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._output = os.open(guild_dir / layout.OUTPUT, flags, 0o644)
        try:
            self._index = os.open(guild_dir / layout.OUTPUT_INDEX, flags, 0o644)
        except OSError:
            os.close(self._output)
            raise
        self._rest = [b"", b""]
        self._open = True

    def write(self, data: bytes, stream: int, now_ms: int) -> list[bytes]:
        """Append what was read from a stream; the lines that it completed, without bytes below 9."""
        files.write_all(self._output, data)
        first, *more = data.split(b"\n")
        if not more:
            self._keep(stream, first)
            return []
        lines = [self._rest[stream] + first, *more[:-1]]
        self._rest[stream] = more[-1][:_LONGEST]
        files.write_all(self._index, _RECORD.pack(now_ms, stream) * len(lines))
        return [line.translate(None, _DROPPED) for line in lines]

    def _keep(self, stream: int, data: bytes) -> None:
        rest = self._rest[stream]
        if len(rest) < _LONGEST:
            self._rest[stream] = rest + data[:_LONGEST]

    def close(self, now_ms: int | None = None) -> list[bytes]:
        """End both files; unterminated rests count as a line each and are returned. Twice is fine."""
        if not self._open:
            return []
        self._open = False
        import time

        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        try:
            left = [(stream, rest) for stream, rest in enumerate(self._rest) if rest]
            files.write_all(self._index, b"".join(_RECORD.pack(now, stream) for stream, _ in left))
            return [rest.translate(None, _DROPPED) for _, rest in left]
        finally:
            os.close(self._output)
            os.close(self._index)

    def __enter__(self) -> "OutputWriter":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def tail(path: Path, offset: int, limit: int = 1 << 16) -> tuple[bytes, int]:
    """What lies behind `offset`, at most `limit` bytes, and the new offset. A shorter file has begun anew."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b"", offset
    try:
        if os.fstat(fd).st_size < offset:
            offset = 0
        data = os.pread(fd, limit, offset)
    except OSError:
        return b"", offset
    finally:
        os.close(fd)
    return data, offset + len(data)


def read_index(path: Path) -> list[tuple[int, int]]:
    """(milliseconds, stream) of each line; a truncated last record is left out."""
    data = files.read_regular(path, limit=1 << 30)
    return list(_RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]))
