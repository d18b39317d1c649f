"""Event files: what is written is read back, TensorBoard's forms are understood, damage ends the reading."""

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guild.runs import events
from guild.runs.events import EventWriter, masked_crc, read_events

# What Guild 0.9 wrote for the output `loss: 0.5 (step 3)`: the version, and the scalar.
GUILD_0_9 = (
    "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129"
    "11000000000000009d6db52e10032a0d0a0b0a046c6f7373150000003f69d94026"
)


def written(directory: Path, scalars: list[tuple[str, float, int | None]]) -> Path:
    writer = EventWriter(directory, "host", 7, 1_700_000_000.9)
    for scalar in scalars:
        writer.add_scalar(*scalar)
    writer.close()
    (path,) = directory.iterdir()
    return path


def record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    crcs = [struct.pack("<I", masked_crc(data)) for data in (length, payload)]
    return length + crcs[0] + payload + crcs[1]


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def event(value: bytes, step: int = 3) -> bytes:
    """An event of one summary value, with a wall time as TensorBoard writes it."""
    return b"\x09" + struct.pack("<d", 1e9) + bytes([2 << 3, step]) + field(5, field(1, value))


def test_the_file_comes_with_the_first_scalar_and_its_name_tells_where_from(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path, "host", 7, 1_700_000_000.9)
    assert list(tmp_path.iterdir()) == []
    writer.close()
    path = written(tmp_path, [("a", 1, None)])
    assert path.name.startswith("events.out.tfevents.1700000000.host.7.")


def test_two_files_of_one_process_have_different_names(tmp_path: Path) -> None:
    for directory in (tmp_path / "a", tmp_path / "b"):
        directory.mkdir()
    first, second = (written(tmp_path / d, [("a", 1, None)]) for d in "ab")
    assert first.name != second.name


def test_the_bytes_are_those_of_guild_0_9(tmp_path: Path) -> None:
    path = written(tmp_path, [("loss", 0.5, 3)])
    assert path.read_bytes() == bytes.fromhex(GUILD_0_9)


@pytest.mark.parametrize(("data", "crc"), [(b"", 0), (b"123456789", 0xE3069283), (b"\0" * 32, 0x8A9136AA)])
def test_the_checksum_is_masked_crc_32c(data: bytes, crc: int) -> None:
    unmasked = (masked_crc(data) - 0xA282EAD8) & 0xFFFFFFFF
    assert (unmasked << 15 | unmasked >> 17) & 0xFFFFFFFF == crc


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.floats(width=32, allow_nan=False),
            st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
    )
)
@settings(deadline=None)
def test_what_was_written_is_read(scalars: list[tuple[str, float, int | None]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        assert list(read_events(written(Path(name), scalars))) == scalars


def test_no_step_reads_as_zero_and_large_values_as_infinite(tmp_path: Path) -> None:
    path = written(tmp_path, [("a", 1e300, None), ("b", -1e300, 0), ("c", math.nan, 1)])
    first, second, third = read_events(path)
    assert (first, second) == (("a", math.inf, 0), ("b", -math.inf, 0))
    assert math.isnan(third[1])


@pytest.mark.parametrize(
    "tensor",
    [
        b"\x08\x01" + field(4, struct.pack("<f", 2.5)),
        b"\x08\x02" + field(4, struct.pack("<d", 2.5)),
        b"\x08\x01" + field(5, struct.pack("<f", 2.5)),
        b"\x08\x02" + field(6, struct.pack("<d", 2.5)),
        b"\x08\x01" + b"\x2d" + struct.pack("<f", 2.5),
        b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", 2.5)),
    ],
    ids=["float content", "double content", "packed floats", "packed doubles", "one float", "with a shape"],
)
def test_a_tensor_of_one_number_is_a_scalar(tmp_path: Path, tensor: bytes) -> None:
    path = tmp_path / "events"
    path.write_bytes(record(event(field(1, b"acc") + field(8, tensor))))
    assert list(read_events(path)) == [("acc", 2.5, 3)]


@pytest.mark.parametrize(
    "value",
    [
        b"\x08\x01" + field(4, struct.pack("<ff", 1, 2)),
        b"\x08\x01" + field(5, struct.pack("<ff", 1, 2)),
        b"\x08\x07" + field(8, b"text"),
        b"\x08\x03" + field(4, struct.pack("<i", 1)),
        b"",
    ],
    ids=["two in content", "two packed", "text", "integer", "empty"],
)
def test_other_tensors_are_none(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "events"
    other = record(event(field(1, b"a") + field(8, value)))
    image = record(event(field(1, b"i") + field(4, b"png")))
    path.write_bytes(other + image + record(event(field(1, b"b") + b"\x15" + struct.pack("<f", 1))))
    assert list(read_events(path)) == [("b", 1.0, 3)]


def test_a_truncated_file_gives_what_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path, [("a", 1, 1), ("b", 2, 2)])
    whole = path.read_bytes()
    seen = set()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = list(read_events(path))
        assert found == [("a", 1.0, 1), ("b", 2.0, 2)][: len(found)]
        seen.add(len(found))
    assert seen == {0, 1}


@given(st.binary(max_size=80), st.integers(0, 200))
@settings(deadline=None)
def test_damage_raises_nothing(noise: bytes, at: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name), [("a", 1, 1), ("b", 2, 2)])
        data = path.read_bytes()
        path.write_bytes(data[:at] + noise + data[at + len(noise) :])
        list(read_events(path))
        path.write_bytes(record(noise) + data)
        assert list(read_events(path))[-2:] == [("a", 1.0, 1), ("b", 2.0, 2)]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert list(read_events(tmp_path / "fifo")) == []


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_events(tmp_path / "none"))


def test_each_scalar_is_in_the_file_at_once(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path, "host", 7, 1)
    for step in range(3):
        writer.add_scalar("a", step, step)
        (path,) = tmp_path.iterdir()
        assert len(list(read_events(path))) == step + 1
    writer.close()
    assert events.masked_crc(b"") == 0xA282EAD8


def test_a_step_of_zero_is_not_written(tmp_path: Path) -> None:
    for name in ("none", "zero", "one"):
        (tmp_path / name).mkdir()
    sizes = [
        written(tmp_path / name, [("a", 1, step)]).stat().st_size
        for name, step in (("none", None), ("zero", 0), ("one", 1))
    ]
    assert sizes == [sizes[0], sizes[0], sizes[0] + 2]
