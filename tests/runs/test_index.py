import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guild.base.locks import file_lock
from guild.runs import index as index_module
from guild.runs.index import Index
from tests.helpers import wait_until


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "runs" / "facts.db"


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what was read of files that were only just written."""
    monkeypatch.setattr(index_module, "_SETTLED_NS", 0)


class Reader:
    """Reads a file of JSON, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        return json.loads(self.path.read_text())


def write_later(path: Path, text: str) -> None:
    """Write a file in place so that its times have moved."""
    before = os.stat(path).st_ctime_ns if path.exists() else 0

    def written() -> bool:
        path.write_text(text)
        return os.stat(path).st_ctime_ns > before

    wait_until(written)


def recall(db: Path, reader: Reader, run: str = "a", name: str = "x") -> Any:
    index = Index(db)
    value = index.recall(run, name, str(reader.path), reader)
    index.close()
    return value


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("value", [None, 1, 1.5, True, "t\udcff", [1, [2.0]], {"b": 1, "a": {"c": None}}])
def test_a_value_is_read_once_and_comes_back_as_it_is(db: Path, tmp_path: Path, value: Any) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, json.dumps(value))
    first, second = recall(db, reader), recall(db, reader)
    assert (repr(first), repr(second), reader.count) == (repr(value), repr(value), 1)


@pytest.mark.usefixtures("_at_once")
def test_a_file_that_was_changed_in_place_is_read_again(db: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    assert recall(db, reader) == 1
    write_later(reader.path, "2")
    assert recall(db, reader) == 2


@pytest.mark.usefixtures("_at_once")
def test_a_file_that_was_replaced_by_one_with_an_older_time_is_read_again(db: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    assert recall(db, reader) == 1
    (tmp_path / "g").write_text("2")
    os.utime(tmp_path / "g", ns=(5, 5))
    os.rename(tmp_path / "g", reader.path)
    assert recall(db, reader) == 2


def test_of_a_file_that_was_changed_a_moment_ago_nothing_is_kept(db: Path, tmp_path: Path) -> None:
    """Its next change might not move its times: a file system's clock ticks every few milliseconds."""
    reader = Reader(tmp_path / "f")
    reader.path.write_text("1")
    assert (recall(db, reader), recall(db, reader), reader.count) == (1, 1, 2)


@pytest.mark.usefixtures("_at_once")
def test_what_json_would_change_is_not_kept(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_later(path, "x")
    for value in ({1: "a"}, (1, 2), {"s": {1}}, b"x"):
        for _ in range(2):
            index = Index(db)
            assert index.recall("a", "x", str(path), lambda value=value: value) is value  # type: ignore[misc]
            index.close()


@pytest.mark.usefixtures("_at_once")
def test_a_missing_file_is_what_its_reader_says(db: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recall(db, Reader(tmp_path / "missing"))
    with pytest.raises(ValueError):
        recall(db, Reader(tmp_path / "nul\0"))


@pytest.mark.usefixtures("_at_once")
def test_many_runs_are_answered_from_one_query(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_later(path, "1")
    index = Index(db)
    for at in range(200):
        index.recall(f"r{at}", "x", str(path), lambda at=at: at)  # type: ignore[misc]
    index.close()
    index = Index(db)

    def unread() -> int:
        raise AssertionError

    assert [index.recall(f"r{at}", "x", str(path), unread) for at in range(200)] == list(range(200))
    index.close()


def _script(sql: str) -> Callable[[Path], object]:
    def run(db: Path) -> None:
        with contextlib.closing(sqlite3.connect(db)) as connection:
            connection.executescript(sql)

    return run


DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda db: db.write_bytes(os.urandom(5000)),
    "empty": lambda db: db.write_bytes(b""),
    "cut": lambda db: db.write_bytes(db.read_bytes()[:5000]),
    "another version": _script("PRAGMA user_version = 77; DROP TABLE facts"),
    "without a table": _script("DROP TABLE facts; DROP TABLE starts"),
    "with another table": _script("DROP TABLE facts; CREATE TABLE facts (a, b)"),
    "removed": lambda db: db.unlink(),
    "values that are no JSON": _script("UPDATE facts SET value = '{'"),
    "values of a wrong type": _script("UPDATE facts SET stamp = 'x'"),
}


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_index_is_read_past_and_made_anew(db: Path, tmp_path: Path, kind: str) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    recall(db, reader)
    DAMAGE[kind](db)
    for _ in range(3):  # the first may find the damage, the second makes a new one, the third uses it
        assert recall(db, reader) == 1
    count = reader.count
    assert recall(db, reader) == 1
    assert reader.count == count


@pytest.mark.usefixtures("_at_once")
def test_a_directory_in_the_place_of_the_index_does_no_harm(db: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    db.mkdir(parents=True)
    assert (recall(db, reader), recall(db, reader)) == (1, 1)


@pytest.mark.usefixtures("_at_once")
def test_where_another_process_writes_nothing_is_kept_and_nothing_waits(db: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    db.parent.mkdir(parents=True)
    with file_lock(db.with_name(db.name + ".lock"), 0):
        assert recall(db, reader) == 1
    assert recall(db, reader) == 1
    assert (reader.count, recall(db, reader), reader.count) == (2, 1, 2)


_WRITER = """
import sys
from pathlib import Path
from guild.runs import index
index._SETTLED_NS = 0
me, db, file = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
for turn in range(30):
    one = index.Index(db)
    for at in range(20):
        value = one.recall(f"run{at}", "x", file, lambda: at)
        assert value == at, (me, value, at)
    one.close()
"""


def test_many_processes_share_it(db: Path, tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_later(file, "1")
    procs = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(n), str(db), str(file)], stderr=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    for turn in range(40):
        if db.exists() and turn % 4 == 0:
            db.write_bytes(b"garbage" * turn)
        wait_until(lambda: db.exists() or all(p.poll() is not None for p in procs))
    outcomes = [(p.communicate()[1], p.returncode) for p in procs]
    assert outcomes == [("", 0)] * 4


@pytest.mark.usefixtures("_at_once")
def test_a_python_without_sqlite_does_without_an_index(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    assert (recall(db, reader), recall(db, reader)) == (1, 1)
    index = Index(db)
    assert index.starts() == {}
    index.save_starts({"ab": b"x"}, ["run"])
    index.close()
    assert not db.exists()


@pytest.mark.usefixtures("_at_once")
def test_where_nothing_can_be_written_nothing_is_kept(db: Path, tmp_path: Path) -> None:
    """Also as root, whom permissions do not hold: a file stands where the directory should be."""
    reader = Reader(tmp_path / "f")
    write_later(reader.path, "1")
    db.parent.parent.mkdir()
    db.parent.write_text("")
    assert (recall(db, reader), recall(db, reader), reader.count) == (1, 1, 2)
