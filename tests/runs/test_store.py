"""The store: lists, finds, gives start times that always increase, holds the lock."""

import os
import stat
from pathlib import Path

import pytest

from guild.errors import GuildError, LockTimeout
from guild.home import Home
from guild.runs import journal
from guild.runs.run import Run
from guild.runs.store import RunStore
from tests.helpers import FakeClock
from tests.scheduler.fake_executor import HandMade


@pytest.fixture
def home(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "home")


@pytest.fixture
def store(home: HandMade) -> RunStore:
    return home.store


def test_a_new_home_is_for_its_owner_only(store: RunStore) -> None:
    assert stat.S_IMODE(store.home.path.stat().st_mode) == 0o700
    assert store.home.runs.is_dir()
    store.create()


def test_a_home_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir(0o755)
    RunStore(Home(tmp_path / "h")).create()
    assert stat.S_IMODE((tmp_path / "h").stat().st_mode) == 0o755
    assert (tmp_path / "h" / "runs").is_dir()


def test_a_home_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GuildError, match="as Guild home") as e:
        RunStore(Home(tmp_path / "file" / "home")).create()
    assert "GUILD_HOME" in e.value.hint


def test_runs_are_the_directories_with_an_operation_reference(home: HandMade, store: RunStore) -> None:
    home.staged("a")
    home.staged("b")
    home.removed("b")
    (store.home.runs / "file").touch()
    (store.home.runs / "empty").mkdir()
    assert [r.id for r in store.runs()] == ["a"]
    assert [r.id for r in store.trashed()] == ["b"]
    assert sorted(store.ids()) == ["a", "empty", "file"]


def test_a_home_without_directories_holds_nothing(tmp_path: Path) -> None:
    store = RunStore(Home(tmp_path / "none"))
    assert store.runs() == store.trashed() == store.ids() == []
    assert store.get("a") is None


@pytest.mark.parametrize("run_id", ["", "b", "file"])
def test_what_is_no_run_is_not_got(home: HandMade, store: RunStore, run_id: str) -> None:
    home.staged("a")
    (store.home.runs / "file").touch()
    assert store.get(run_id) is None
    found = store.get("a")
    assert found is not None
    assert found.id == "a"


def test_it_knows_which_runs_are_its_own(home: HandMade, store: RunStore, tmp_path: Path) -> None:
    os.symlink(store.home.path, tmp_path / "link")
    assert store.holds(home.staged("a"))
    assert store.holds(Run(tmp_path / "link" / "runs" / "a"))
    assert not store.holds(Run(store.home.trash / "a"))
    assert not store.holds(Run(tmp_path / "elsewhere"))


def test_ids_are_32_hexadecimal_digits_and_never_the_same(store: RunStore) -> None:
    ids = {store.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids)


# Start times.


def test_a_start_is_now(home: HandMade, store: RunStore) -> None:
    assert store.next_start() == home.clock.micros


def test_a_start_is_later_than_that_of_any_earlier_staging(home: HandMade, store: RunStore) -> None:
    last = home.staged("a").int_attr("started")
    assert last is not None
    home.clock.advance(-99_999)
    assert store.next_start() == last + 1
    home.removed("a")
    assert store.next_start() == last + 1


def test_a_restaging_counts_as_one(home: HandMade, store: RunStore) -> None:
    home.staged("a")
    home.clock.advance(50)
    home.restaged("a")
    restaged = home.run("a").int_attr("started")
    home.clock.advance(-99_999)
    assert restaged is not None
    assert store.next_start() == restaged + 1


def test_without_a_journal_the_staged_runs_tell(home: HandMade, store: RunStore) -> None:
    last = home.staged("a").int_attr("started")
    assert last is not None
    store.home.journal.unlink()
    home.clock.advance(-99_999)
    assert store.next_start() == last + 1


# The journal and the lock.


def test_a_ring_that_cannot_be_written_is_false(store: RunStore) -> None:
    assert store.ring("a", "staged", 1)
    store.home.journal.unlink()
    store.home.journal.mkdir()
    assert not store.ring("a", "staged", 1)


def test_the_lock_is_held_by_one(store: RunStore) -> None:
    with store.lock(), pytest.raises(LockTimeout, match="within 0 seconds"), store.lock(timeout=0):
        pass
    with store.lock(timeout=0):
        pass


def test_the_lock_is_free_again_after_an_error(store: RunStore) -> None:
    with pytest.raises(RuntimeError), store.lock():
        raise RuntimeError
    with store.lock(timeout=0):
        pass


def test_the_lock_is_guild_09s(store: RunStore) -> None:
    with store.lock():
        assert (store.home.path / "locks" / "run-status").exists()


def test_the_journal_is_shortened_by_whoever_takes_the_lock_and_keeps_the_last_staging(
    tmp_path: Path,
) -> None:
    store = RunStore(Home(tmp_path / "home"), FakeClock())
    store.create()
    store.ring("a", "staged", 7_000_000_000_000_000)
    with open(store.home.journal, "ab") as f:
        f.write(b"b started 1700000000000000\n" * (journal.MAX_SIZE // 20))
    with store.lock():
        pass
    assert store.home.journal.stat().st_size < 1000
    with store.lock():
        assert store.next_start() == 7_000_000_000_000_001
