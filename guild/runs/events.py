"""Event files: scalars in the form that TensorBoard reads (`base/tfrecord.py` has the format)."""

import itertools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from guild.base import files
from guild.base.tfrecord import first_record, masked_crc, scalar_record
from guild.runs import layout

_numbers = itertools.count()


class EventWriter:
    """Appends scalars to a new event file in `guild_dir`, made at the first one. `now`: seconds."""

    def __init__(self, guild_dir: Path, hostname: str, pid: int, now: float) -> None:
        name = f"{layout.EVENTS_PREFIX}{int(now):010d}.{hostname}.{pid}.{next(_numbers)}"
        self._path = guild_dir / name
        self._fd: int | None = None

    def add_scalar(self, tag: str, value: float, step: int | None) -> None:
        """Raises OSError. The value is kept as a 32-bit float; a step of 0 is not written."""
        if self._fd is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o644)
            files.write_all(self._fd, first_record())
        files.write_all(self._fd, scalar_record(tag, value, step or 0))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_events(path: Path | str) -> Iterator[tuple[str, float, int]]:
    """(tag, value, step) of each scalar of an event file; ends quietly at a truncated or damaged record.

    Raises OSError where the file cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as f:
        yield from read_event_stream(f, os.fstat(fd).st_size)


def read_event_stream(f: IO[bytes], size: int) -> Iterator[tuple[str, float, int]]:
    """The same of an open file of this many bytes. Raises what reading it raises."""
    while len(head := f.read(12)) == 12:
        (length,) = struct.unpack_from("<Q", head)
        if length > size or struct.unpack_from("<I", head, 8)[0] != masked_crc(head[:8]):
            return
        payload = f.read(length)
        if len(payload) < length or len(f.read(4)) < 4:
            return
        try:
            yield from _scalars_of(payload)
        except (ValueError, IndexError, struct.error):
            continue


def _scalars_of(event: bytes) -> Iterator[tuple[str, float, int]]:
    step, summaries = 0, []
    for number, value in _fields(event):
        if number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, entry in _fields(summary):
            if number == 1 and isinstance(entry, bytes):
                tag, scalar = _entry(entry)
                if scalar is not None:
                    yield tag, scalar, step


def _entry(entry: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, value in _fields(entry):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, float):
            scalar = value
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor_scalar(value)
    return tag, scalar


def _tensor_scalar(tensor: bytes) -> float | None:
    """The value of a float or double tensor of one element (TensorBoard's newer form of a scalar)."""
    kind, content, values = 0, b"", []
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6):
            values.append(value)
    form = {1: "<f", 2: "<d"}.get(kind)
    if form is None:
        return None
    if len(content) == struct.calcsize(form):
        return float(struct.unpack(form, content)[0])
    if len(values) != 1:
        return None
    packed = values[0]
    if isinstance(packed, float):
        return packed
    if isinstance(packed, bytes) and len(packed) == struct.calcsize(form):
        return float(struct.unpack(form, packed)[0])
    return None


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of a protocol buffer message, one level. Raises ValueError, IndexError, struct.error."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == 0:
            number, at = _read_varint(data, at)
            yield key >> 3, number
        elif kind == 1:
            yield key >> 3, float(struct.unpack_from("<d", data, at)[0])
            at += 8
        elif kind == 2:
            length, at = _read_varint(data, at)
            if at + length > len(data):
                raise ValueError("truncated message")
            yield key >> 3, data[at : at + length]
            at += length
        elif kind == 5:
            yield key >> 3, float(struct.unpack_from("<f", data, at)[0])
            at += 4
        else:
            raise ValueError("unknown kind of field")


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")
