"""Records of event files: TFRecord framing around `tensorflow.Event` messages that hold one scalar each.

A record is: length (u64 little-endian), masked CRC-32C of that, payload, masked CRC-32C of the payload. The
messages are small enough to be written without a library for protocol buffers. Also runs in jobs: Python 3.8
syntax, standard library only.
"""

from __future__ import annotations

import struct

_MASK_DELTA = 0xA282EAD8
_VERSION = b"brain.Event:2"


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


def record(payload: bytes) -> bytes:
    """A payload in its frame."""
    length = struct.pack("<Q", len(payload))
    return b"".join(
        (length, struct.pack("<I", masked_crc(length)), payload, struct.pack("<I", masked_crc(payload)))
    )


def first_record() -> bytes:
    """What an event file begins with."""
    return record(_field(3, _VERSION))


def scalar_record(tag: str, value: float, step: int) -> bytes:
    """A scalar: kept as a 32-bit float; a step of 0 is not written."""
    entry = _field(1, tag.encode("utf-8", "replace")) + bytes((2 << 3 | 5,)) + _float32(value)
    summary = _field(5, _field(1, entry))
    return record((bytes((2 << 3,)) + _varint(step) if step else b"") + summary)


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", float("inf") if value > 0 else float("-inf"))
