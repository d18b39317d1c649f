"""Event files: scalars in the form that TensorBoard reads (TFRecord framing, `tensorflow.Event` messages).

A record is: length (u64 little-endian), masked CRC-32C of that, payload, masked CRC-32C of the payload. The
messages are small enough to be written and read without a library for protocol buffers.
"""

import itertools
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from guild.base import files
from guild.runs import layout

_MASK_DELTA = 0xA282EAD8
_VERSION = b"brain.Event:2"
_numbers = itertools.count()


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ 0x82F63B78 if byte & 1 else byte >> 1
        table.append(byte)
    return table


_CRC_TABLE = _table()


def masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return b"".join(
        (length, struct.pack("<I", masked_crc(length)), payload, struct.pack("<I", masked_crc(payload)))
    )


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
            files.write_all(self._fd, _record(_field(3, _VERSION)))
        files.write_all(self._fd, _record(_scalar_event(tag, value, step or 0)))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _scalar_event(tag: str, value: float, step: int) -> bytes:
    number = struct.pack("<f", _as_float32(value))
    entry = _field(1, tag.encode("utf-8", "replace")) + bytes((2 << 3 | 5,)) + number
    summary = _field(5, _field(1, entry))
    return (bytes((2 << 3,)) + _varint(step) if step else b"") + summary


def _as_float32(value: float) -> float:
    try:
        struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value


def read_events(path: Path) -> Iterator[tuple[str, float, int]]:
    """(tag, value, step) of each scalar of an event file; ends quietly at a truncated or damaged record.

    Raises OSError where the file cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as f:
        size = os.fstat(fd).st_size
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
