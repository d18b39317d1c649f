"""The journal: whole lines, a follower that knows when it has to look at everything, the last staging."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs import journal
from guild.runs.journal import Entry, Follower, append, last_staging, parse_line, shorten


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def follower(path: Path) -> Follower:
    """One that has read what was there at first."""
    append(path, "first", "staged", 1)
    follower = Follower(path)
    assert follower.read() is None
    return follower


def line_of(path: Path, run_id: str, event: str, at: int) -> bytes:
    path.unlink(missing_ok=True)
    append(path, run_id, event, at)
    return path.read_bytes()


@pytest.mark.parametrize("run_id", ["a" * 32, "with blank", "two  blanks ", "é", "\udcff"])
def test_a_line_reads_back_whatever_the_id(path: Path, run_id: str) -> None:
    line = line_of(path, run_id, "staged", 17)
    assert line.endswith(b"\n")
    assert parse_line(line[:-1]) == Entry(run_id, "staged", 17)


@given(st.binary(max_size=60))
def test_no_line_is_too_strange_to_be_judged(data: bytes) -> None:
    entry = parse_line(data)
    assert entry is None or entry.at >= 0


@pytest.mark.parametrize(
    "line", [b"", b"a", b"a staged", b"a staged x", b"a staged -1", b"a staged 1.5", b"\0\0\0"]
)
def test_what_is_no_line_is_none(line: bytes) -> None:
    assert parse_line(line) is None


def test_the_first_reading_asks_for_a_full_look(path: Path) -> None:
    append(path, "a", "staged", 1)
    assert Follower(path).read() is None


def test_each_line_is_read_once(path: Path, follower: Follower) -> None:
    assert follower.read() == []
    append(path, "a", "staged", 2)
    append(path, "b", "claimed", 3)
    assert follower.read() == [Entry("a", "staged", 2), Entry("b", "claimed", 3)]
    assert follower.read() == []


def test_a_line_that_is_half_written_is_read_when_it_is_whole(path: Path, follower: Follower) -> None:
    with open(path, "ab") as f:
        f.write(b"a sta")
    assert follower.read() == []
    with open(path, "ab") as f:
        f.write(b"ged 2\nb")
    assert follower.read() == [Entry("a", "staged", 2)]


def test_a_line_that_cannot_be_read_asks_for_a_full_look_once(path: Path, follower: Follower) -> None:
    with open(path, "ab") as f:
        f.write(b"garbage\n")
    assert follower.read() is None
    append(path, "a", "staged", 2)
    assert follower.read() == [Entry("a", "staged", 2)]


def test_a_shorter_file_asks_for_a_full_look(path: Path, follower: Follower) -> None:
    os.truncate(path, 0)
    assert follower.read() is None


def test_another_file_asks_for_a_full_look_even_if_it_is_longer(path: Path, follower: Follower) -> None:
    other = path.with_name("other")
    for i in range(9):
        append(other, f"r{i}", "staged", i)
    os.replace(other, path)
    assert follower.read() is None
    append(path, "a", "staged", 10)
    assert follower.read() == [Entry("a", "staged", 10)]


def test_a_lost_journal_asks_for_full_looks_until_there_is_one(path: Path, follower: Follower) -> None:
    path.unlink()
    assert follower.read() is None
    assert follower.read() is None
    append(path, "a", "staged", 2)
    assert follower.read() is None
    assert follower.read() == []


def test_a_directory_in_its_place_asks_for_full_looks(path: Path) -> None:
    path.mkdir()
    assert Follower(path).read() is None
    assert last_staging(path) is None
    with pytest.raises(OSError):
        append(path, "a", "staged", 1)


def test_appending_never_leaves_the_file_open_to_children(path: Path) -> None:
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    append(path, "a", "staged", 1)
    if before:
        assert set(os.listdir("/proc/self/fd")) == before


def test_the_last_staging_is_the_latest_of_staged_and_restaged(path: Path) -> None:
    for event, at in (("staged", 5), ("restaged", 9), ("staged", 7), ("claimed", 99), ("finished", 100)):
        append(path, "a", event, at)
    assert last_staging(path) == 9


def test_the_last_staging_is_found_far_from_the_end(path: Path) -> None:
    append(path, "a", "staged", 5)
    with open(path, "ab") as f:
        f.write(b"a finished 6\n" * 20_000)
    assert last_staging(path) == 5


def test_without_a_staging_the_journal_does_not_tell(path: Path) -> None:
    assert last_staging(path) is None
    append(path, "a", "claimed", 5)
    assert last_staging(path) is None


def test_a_small_journal_is_left_alone(path: Path) -> None:
    append(path, "a", "staged", 5)
    before = path.read_bytes()
    shorten(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("staged", [True, False])
def test_a_large_journal_begins_anew_and_keeps_the_last_staging(path: Path, staged: bool) -> None:
    if staged:
        append(path, "a", "staged", 5)
    with open(path, "ab") as f:
        f.write(b"a finished 6\n" * (journal.MAX_SIZE // 13 + 1))
    follower = Follower(path)
    follower.read()
    shorten(path)
    assert path.stat().st_size < 100
    assert last_staging(path) == (5 if staged else None)
    assert follower.read() is None


def test_shortening_what_is_not_there_is_fine(path: Path) -> None:
    shorten(path)
    assert not path.exists()
