"""The output of a run and its index: whole lines of each stream, whatever the pieces they came in."""

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guild.runs import layout
from guild.runs.output import OutputWriter, read_index, tail

OUT, ERR = 0, 1


def index_of(directory: Path) -> list[tuple[int, int]]:
    return read_index(directory / layout.OUTPUT_INDEX)


def test_lines_are_returned_once_they_end(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        assert writer.write(b"a", OUT, 1) == []
        assert writer.write(b"b\nc\nd", OUT, 2) == [b"ab", b"c"]
        assert writer.close(3) == [b"d"]
    assert (tmp_path / layout.OUTPUT).read_bytes() == b"ab\nc\nd"
    assert index_of(tmp_path) == [(2, OUT), (2, OUT), (3, OUT)]


def test_the_streams_do_not_mix_within_a_line(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        writer.write(b"out", OUT, 1)
        assert writer.write(b"err\n", ERR, 2) == [b"err"]
        assert writer.write(b" more\n", OUT, 3) == [b"out more"]
    assert (tmp_path / layout.OUTPUT).read_bytes() == b"outerr\n more\n"
    assert index_of(tmp_path) == [(2, ERR), (3, OUT)]


def test_an_index_record_is_big_endian_milliseconds_and_the_stream(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        writer.write(b"x\n", ERR, 0x01A20ADA84EF)
    assert (tmp_path / layout.OUTPUT_INDEX).read_bytes() == bytes.fromhex("0000 01a2 0ada 84ef 01")


def test_blank_lines_count_and_carriage_returns_do_not_split(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        assert writer.write(b"\n\r\na\rb\n", OUT, 1) == [b"", b"\r", b"a\rb"]
    assert index_of(tmp_path) == [(1, OUT)] * 3


def test_bytes_below_nine_are_kept_in_the_file_and_left_out_of_the_lines(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        assert writer.write(b"\x00a\x08\tb\x1b[0m\xff\n\x01", OUT, 1) == [b"a\tb\x1b[0m\xff"]
        assert writer.close(2) == [b""]
    assert (tmp_path / layout.OUTPUT).read_bytes() == b"\x00a\x08\tb\x1b[0m\xff\n\x01"


@given(st.lists(st.tuples(st.binary(max_size=12), st.sampled_from([OUT, ERR]))))
@settings(deadline=None)
def test_the_files_are_those_of_a_plain_reading(pieces: list[tuple[bytes, int]]) -> None:
    import tempfile

    pieces = [(data.replace(b"x", b"\n"), stream) for data, stream in pieces]
    with tempfile.TemporaryDirectory() as name:
        directory, lines = Path(name), []
        writer = OutputWriter(directory)
        for data, stream in pieces:
            lines += writer.write(data, stream, 7)
        lines += writer.close(9)
        written = (directory / layout.OUTPUT).read_bytes()
        index = index_of(directory)
    assert written == b"".join(data for data, _ in pieces)
    expected = [b"".join(d for d, s in pieces if s == stream).split(b"\n") for stream in (OUT, ERR)]
    tails = [each.pop() for each in expected]
    assert [stream for _, stream in index].count(OUT) == len(expected[OUT]) + bool(tails[OUT])
    assert len(index) == len(lines)
    drop = bytes(range(9))
    wanted = [line for each in expected for line in each] + [t for t in tails if t]
    assert sorted(lines) == sorted(line.translate(None, drop) for line in wanted)


def test_a_new_execution_begins_with_empty_files(tmp_path: Path) -> None:
    for text in (b"long and old\n", b"new\n"):
        with OutputWriter(tmp_path) as writer:
            writer.write(text, OUT, 1)
    assert (tmp_path / layout.OUTPUT).read_bytes() == b"new\n"
    assert index_of(tmp_path) == [(1, OUT)]


def test_followers_see_output_before_its_line_ends(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        writer.write(b"50%", OUT, 1)
        data, offset = tail(tmp_path / layout.OUTPUT, 0)
        assert (data, offset) == (b"50%", 3)
        writer.write(b" 60%", OUT, 1)
        assert tail(tmp_path / layout.OUTPUT, offset) == (b" 60%", 7)
        assert tail(tmp_path / layout.OUTPUT, 7) == (b"", 7)


def test_a_follower_begins_anew_where_the_file_did(tmp_path: Path) -> None:
    path = tmp_path / layout.OUTPUT
    path.write_bytes(b"new")
    assert tail(path, 100) == (b"new", 3)
    assert tail(path, 0, limit=2) == (b"ne", 2)


def test_a_follower_does_not_mind_a_missing_file_or_a_pipe(tmp_path: Path) -> None:
    assert tail(tmp_path / "none", 5) == (b"", 5)
    os.mkfifo(tmp_path / "fifo")
    assert tail(tmp_path / "fifo", 0) == (b"", 0)


def test_a_line_without_an_end_takes_no_memory_without_end(tmp_path: Path) -> None:
    with OutputWriter(tmp_path) as writer:
        for _ in range(64):
            writer.write(b"\r" + b"x" * 65_535, OUT, 1)
        (line,) = writer.close(2)
    assert len(line) < 3 * 65_536
    assert (tmp_path / layout.OUTPUT).stat().st_size == 64 * 65_536
    assert index_of(tmp_path) == [(2, OUT)]


def test_a_full_disk_is_for_the_caller_to_judge(tmp_path: Path) -> None:
    (tmp_path / layout.OUTPUT).symlink_to("/dev/full")
    with OutputWriter(tmp_path) as writer, pytest.raises(OSError) as caught:
        writer.write(b"x\n", OUT, 1)
    assert caught.value.errno == errno.ENOSPC


def test_it_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = os.open(os.devnull, os.O_RDONLY)
    os.close(before)
    writer = OutputWriter(tmp_path)
    writer.close()
    assert writer.close() == []
    (tmp_path / layout.OUTPUT_INDEX).unlink()
    (tmp_path / layout.OUTPUT_INDEX).mkdir()
    with pytest.raises(IsADirectoryError):
        OutputWriter(tmp_path)
    after = os.open(os.devnull, os.O_RDONLY)
    os.close(after)
    assert before == after


def test_half_a_record_at_the_end_of_an_index_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / layout.OUTPUT_INDEX
    path.write_bytes(struct.pack(">QB", 5, 1) + b"\0\0\0")
    assert read_index(path) == [(5, 1)]
