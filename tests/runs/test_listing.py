import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from guild.home import Home
from guild.runs import index as index_module
from guild.runs import listing
from guild.runs.filters import NO_FILTERS, Filters
from guild.runs.index import Index
from guild.runs.selection import look, look_at_page
from guild.runs.store import RunStore
from tests.made_runs import EPOCH, make_run


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the index for a few runs, for files that were only just written, with children."""
    monkeypatch.setattr(listing, "_SMALL_HOME", 0)
    monkeypatch.setattr(listing, "_SHARE", 2)
    monkeypatch.setattr(index_module, "_SETTLED_NS", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)


def ids(home: Path, index: bool = True) -> list[str]:
    store = RunStore(Home(home), index=Index(Home(home).index) if index else None)
    found = [seen.id for seen in store.newest_first()]
    page = look_at_page(store, NO_FILTERS, 3)
    assert [seen.id for seen in page.seen] == found[:3]
    if store.index:
        store.index.close()
    return found


def run_id(number: int) -> str:
    return f"{number * 7919:032x}"


def wait_for_the_clock(path: Path) -> None:
    """Until a change of a file moves its times."""
    probe = path / "probe"
    before = os.stat(path).st_ctime_ns
    while True:
        probe.write_text("x")
        if os.stat(probe).st_ctime_ns > before:
            probe.unlink()
            return


def test_runs_come_newest_first_and_those_without_a_time_last(tmp_path: Path) -> None:
    for at in range(9):
        make_run(tmp_path, run_id(at), started=at)
    timeless = make_run(tmp_path, run_id(99), started=None)
    expected = [run_id(at) for at in range(8, -1, -1)] + [timeless.id]
    assert [ids(tmp_path) for _ in range(3)] == [expected] * 3


def test_a_start_time_that_changed_in_place_is_seen(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, run_id(at), started=at) for at in range(5)]
    assert ids(tmp_path)[0] == runs[4].id
    wait_for_the_clock(tmp_path)
    runtime = runs[0].guild_dir / "attrs" / "started"
    size = runtime.stat().st_size
    runtime.write_text(f"{EPOCH + 9_000_000}\n")
    assert runtime.stat().st_size == size
    assert ids(tmp_path)[0] == runs[0].id


def test_a_run_that_lost_its_opref_is_not_shown(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, run_id(at), started=at) for at in range(5)]
    ids(tmp_path)
    (runs[4].guild_dir / "opref").unlink()
    assert ids(tmp_path) == [run_id(at) for at in range(3, -1, -1)]


def test_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, run_id(1))
    (tmp_path / "runs" / "file").write_text("x")
    (tmp_path / "runs" / ("d" * 32)).mkdir()
    os.symlink("nowhere", tmp_path / "runs" / ("e" * 32))
    os.makedirs(os.fsencode(tmp_path) + b"/runs/odd\xff\n/.guild/attrs")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/runs/odd\xff\n/.guild/opref")).write_text("a 'b' '' c")
    assert [ids(tmp_path) for _ in range(2)] == [[run_id(1), "odd\udcff\n"]] * 2


def test_a_second_look_reads_no_start_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(9):
        make_run(tmp_path, run_id(at), started=at)
    wait_for_the_clock(tmp_path)
    expected = ids(tmp_path)
    monkeypatch.setattr(listing, "_read", lambda *args: pytest.fail("read"))
    monkeypatch.setattr(os, "listdir", lambda *args: pytest.fail("listed"))
    assert ids(tmp_path) == expected


def test_a_home_without_runs_has_none(tmp_path: Path) -> None:
    assert ids(tmp_path / "none") == []
    (tmp_path / "runs").mkdir()
    assert ids(tmp_path) == []


def test_children_that_cannot_be_made_are_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(9):
        make_run(tmp_path, run_id(at), started=at)
    expected = ids(tmp_path)

    def no_fork() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", no_fork)
    assert ids(tmp_path) == expected


def test_filters_see_what_changed_in_place(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, run_id(at), started=at, attrs={"label": "old"}) for at in range(80)]
    wait_for_the_clock(tmp_path)

    def labeled(text: str) -> list[str]:
        store = RunStore(Home(tmp_path), index=Index(Home(tmp_path).index))
        found = [seen.id for seen in look(store, Filters(labels=(text,)))]
        assert store.index
        store.index.close()
        return found

    assert [len(labeled("old")) for _ in range(2)] == [80, 80]
    (runs[3].guild_dir / "attrs" / "label").write_text("new\n")
    assert (labeled("new"), len(labeled("old"))) == ([runs[3].id], 79)


class Changes(RuleBasedStateMachine):
    """Whatever happens to runs, a listing with an index equals one without."""

    home: Path

    def __init__(self) -> None:
        super().__init__()
        index_module._SETTLED_NS = 0
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "runs").mkdir(parents=True)

    def some_run(self, number: int) -> Path:
        """One of those that there are; a stray name where there is none."""
        there = sorted((self.home / "runs").iterdir())
        return there[number % len(there)] if there else self.home / "runs" / "none"

    @rule(settled=st.sampled_from([0, 10**18]))
    def settle(self, settled: int) -> None:
        """Whether what was only just written may be kept."""
        index_module._SETTLED_NS = settled

    @rule(number=st.integers(0, 12), started=st.integers(0, 50))
    def make(self, number: int, started: int) -> None:
        if not (self.home / "runs" / run_id(number)).exists():
            make_run(self.home, run_id(number), started=started)

    @rule()
    def make_one_without_a_time(self) -> None:
        if not (self.home / "runs" / run_id(99)).exists():
            make_run(self.home, run_id(99), started=None)

    @rule()
    def remove_what_the_index_does_not_hold(self) -> None:
        for name in ("stray", "x" * 32, run_id(99)):
            shutil.rmtree(self.home / "runs" / name, ignore_errors=True)

    @rule(number=st.integers(0, 12))
    def remove(self, number: int) -> None:
        shutil.rmtree(self.some_run(number), ignore_errors=True)

    @rule(number=st.integers(0, 12), to=st.integers(0, 12))
    def rename(self, number: int, to: int) -> None:
        source, target = (self.home / "runs" / run_id(n) for n in (number, to))
        if source.exists() and not target.exists():
            source.rename(target)

    @rule(number=st.integers(0, 12), text=st.sampled_from(["5\n", f"{EPOCH}\n", "[", "", "text", "-3\n"]))
    def write_start(self, number: int, text: str) -> None:
        file = self.some_run(number) / ".guild" / "attrs" / "started"
        if file.parent.exists():
            wait_for_the_clock(self.home)
            file.write_text(text)

    @rule(name=st.sampled_from(["stray", "x" * 32]))
    def stray(self, name: str) -> None:
        (self.home / "runs" / name).mkdir(exist_ok=True)

    @rule(data=st.binary(max_size=99))
    def damage_the_index(self, data: bytes) -> None:
        file = Home(self.home).index
        if file.exists():
            file.write_bytes(data)

    @invariant()
    def the_index_changes_nothing(self) -> None:
        wait_for_the_clock(self.home)
        assert ids(self.home) == ids(self.home, index=False)


def test_an_index_changes_nothing_whatever_happens_to_runs(tmp_path: Path) -> None:
    Changes.home = tmp_path / "home"
    run_state_machine_as_test(
        Changes, settings=settings(max_examples=100, stateful_step_count=20, deadline=None)
    )


def test_a_run_whose_start_time_became_unfit_for_the_index_stays_listed(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, run_id(at), started=at) for at in range(5)]
    wait_for_the_clock(tmp_path)
    ids(tmp_path)
    (runs[2].guild_dir / "attrs" / "started").write_text("[")
    expected = [run_id(at) for at in (4, 3, 1, 0, 2)]
    assert [ids(tmp_path) for _ in range(3)] == [expected] * 3


def test_a_run_that_is_just_being_changed_stays_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run(tmp_path, run_id(at), started=at) for at in range(5)]
    wait_for_the_clock(tmp_path)
    ids(tmp_path)
    monkeypatch.setattr(index_module, "_SETTLED_NS", 10**18)
    (runs[2].guild_dir / "attrs" / "started").write_text(f"{EPOCH + 9_000_000}\n")
    assert [ids(tmp_path)[0] for _ in range(3)] == [runs[2].id] * 3


def test_a_run_that_another_process_took_out_of_the_index_stays_listed(tmp_path: Path) -> None:
    """It saw the run change just before this one said that the index names all."""
    runs = [make_run(tmp_path, run_id(at), started=at) for at in range(5)]
    wait_for_the_clock(tmp_path)
    expected = ids(tmp_path)
    index = Index(Home(tmp_path).index)
    shards = index.starts()
    shard = next(name for name, entries in shards.items() if runs[2].id.encode() in entries)
    entries = [shards[shard][at : at + 56] for at in range(0, len(shards[shard]), 56)]
    index.save_starts({shard: b"".join(e for e in entries if runs[2].id.encode() not in e)}, [])
    index.close()
    assert ids(tmp_path) == expected


def test_a_run_with_an_undecodable_name_is_looked_at_without_the_index(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for at in range(30):
        make_run(tmp_path, f"odd\udcff{at}", started=at, attrs={"label": "x"})
    wait_for_the_clock(tmp_path)
    store = RunStore(Home(tmp_path), index=Index(Home(tmp_path).index))
    assert len(look(store, Filters(labels=("x",)))) == 30
    assert store.index
    store.index.close()
