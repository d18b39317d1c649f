"""What the observer sees of a home, and what it reads again."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guild.runs import attrs, lifecycle
from guild.runs.abandoned import YOUNG_SECONDS
from guild.runs.run import Run
from guild.scheduler.model import Snapshot
from guild.scheduler.observe import Observer, requested_gpus
from tests.scheduler.fake_executor import QUEUE, HandMade


@pytest.fixture
def home(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "home")


@pytest.fixture
def observer(home: HandMade) -> Observer:
    return Observer(home.store, "me")


def look(home: HandMade, observer: Observer, full: bool = False) -> Snapshot:
    with lifecycle.locked(home.store) as held:
        return observer.look(held, full)


def staged(snapshot: Snapshot) -> list[str]:
    return [r.id for r in sorted(snapshot.staged, key=lambda r: r.place)]


def in_progress(snapshot: Snapshot) -> list[str]:
    return sorted(a.id for a in snapshot.active if a.in_progress)


def notes(observer: Observer) -> str:
    return "\n".join(n.text for n in observer.notes)


def test_an_empty_home_shows_nothing(home: HandMade, observer: Observer) -> None:
    assert look(home, observer) == Snapshot()
    assert look(home, observer) == Snapshot()


def test_runs_that_were_there_before_are_seen(home: HandMade, observer: Observer) -> None:
    home.staged("a")
    home.staged("b")
    home.running("b")
    home.staged("c")
    home.claimed("c")
    home.staged("d")
    home.running("d")
    home.finished("d")
    snapshot = look(home, observer)
    assert staged(snapshot) == ["a"]
    assert in_progress(snapshot) == ["b", "c"]


def test_each_change_that_rings_is_seen_without_a_full_look(home: HandMade, observer: Observer) -> None:
    look(home, observer)
    home.staged("a")
    assert staged(look(home, observer)) == ["a"]
    token = home.claimed("a").token
    assert look(home, observer).staged == ()
    home.begun("a", token)
    assert in_progress(look(home, observer)) == ["a"]
    home.finished("a")
    assert look(home, observer) == Snapshot()
    home.restaged("a")
    assert staged(look(home, observer)) == ["a"]
    home.removed("a")
    assert look(home, observer) == Snapshot()


def test_ended_runs_are_not_read_again(
    home: HandMade, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        home.staged(f"old{i}")
        home.running(f"old{i}")
        home.finished(f"old{i}")
    look(home, observer)
    read: list[str] = []
    real = Run.status
    monkeypatch.setattr(Run, "status", lambda self: read.append(self.id) or real(self))
    home.staged("new")
    read.clear()
    assert staged(look(home, observer)) == ["new"]
    assert set(read) == {"new"}


def test_a_run_in_progress_that_ends_without_ringing_is_seen_at_the_next_look(
    home: HandMade, observer: Observer
) -> None:
    """Guild 0.9 ends its runs without a line in the journal."""
    home.by_guild_09("a", "LOCK")
    (home.run("a").guild_dir / "LOCK").write_text(str(os.getpid()))
    assert in_progress(look(home, observer)) == ["a"]
    attrs.write_attr(home.run("a").guild_dir, "exit_status", 0)
    (home.run("a").guild_dir / "LOCK").unlink()
    assert look(home, observer) == Snapshot()


# Runs that Guild 0.9 has staged: no line in the journal.


def test_a_run_staged_by_guild_09_is_found_by_its_new_name(home: HandMade, observer: Observer) -> None:
    home.staged("a")
    look(home, observer)
    home.by_guild_09("b", "STAGED", started=5)
    assert staged(look(home, observer)) == ["b", "a"]


def test_a_name_is_found_even_if_the_directory_seems_not_to_have_changed(
    home: HandMade, observer: Observer
) -> None:
    """Two changes within one tick of the file system's clock have the same time."""
    home.by_guild_09("a", "STAGED")
    home.store.ring("elsewhere", "finished")
    look(home, observer)
    before = os.stat(home.store.home.runs)
    home.by_guild_09("b", "STAGED")
    os.utime(home.store.home.runs, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert staged(look(home, observer)) == ["a", "b"]


def test_a_run_staged_in_place_by_guild_09_is_found_by_a_full_look(
    home: HandMade, observer: Observer
) -> None:
    run = home.by_guild_09("a")
    attrs.write_attr(run.guild_dir, "exit_status", 0)
    home.store.ring("elsewhere", "finished")
    look(home, observer)
    (run.guild_dir / "STAGED").touch()
    assert staged(look(home, observer)) == []
    assert staged(look(home, observer, full=True)) == ["a"]


def test_a_run_that_is_gone_by_hand_is_forgotten(home: HandMade, observer: Observer) -> None:
    run = home.staged("a")
    look(home, observer)
    os.rename(run.path, home.store.home.trash / "a")
    assert staged(look(home, observer)) == []


# The journal may be lost at any time.

Harm = Callable[[Any], object]


def lost(journal: Path) -> None:
    journal.unlink()


def rotated(journal: Path) -> None:
    journal.with_name("new").write_text("a staged 1\nb staged 2\n" * 99)
    os.replace(journal.with_name("new"), journal)


def cut(journal: Path) -> None:
    journal.write_bytes(b"")


def garbled(journal: Path) -> None:
    with open(journal, "ab") as f:
        f.write(b"\0\xff\n")


def replaced_by_a_directory(journal: Path) -> None:
    journal.unlink()
    journal.mkdir()


@pytest.mark.parametrize("harm", [lost, rotated, cut, garbled, replaced_by_a_directory])
def test_harm_to_the_journal_leads_to_a_full_look(home: HandMade, observer: Observer, harm: Harm) -> None:
    home.staged("a")
    run = home.by_guild_09("ended")
    attrs.write_attr(run.guild_dir, "exit_status", 0)
    look(home, observer)
    (run.guild_dir / "STAGED").touch()  # what only a full look finds
    assert staged(look(home, observer)) == ["a"]
    harm(home.store.home.journal)
    assert staged(look(home, observer)) == ["ended", "a"]


# What dead holders left.


def test_a_claim_whose_holder_is_gone_is_staged_again_in_its_old_place(
    home: HandMade, observer: Observer
) -> None:
    for run_id in "abc":
        home.staged(run_id)
    home.claimed("b")
    assert staged(look(home, observer)) == ["a", "c"]
    home.holder_dies("b")
    assert staged(look(home, observer)) == ["a", "b", "c"]
    assert home.status("b") == "staged"
    assert "b: staged again" in notes(observer)


def test_a_running_run_whose_processes_are_gone_is_an_error_with_the_reason(
    home: HandMade, observer: Observer
) -> None:
    home.staged("a")
    home.running("a")
    assert in_progress(look(home, observer)) == ["a"]
    home.holder_dies("a")
    assert look(home, observer) == Snapshot()
    assert home.status("a") == "error"
    assert "without a word" in home.run("a").attr("_reason")
    assert "without a word" in notes(observer)
    observer.notes.clear()
    look(home, observer, full=True)
    assert observer.notes == []


@pytest.mark.parametrize("doing", ["preparing", "starting"])
def test_a_run_that_was_being_started_is_never_started_a_second_time(
    home: HandMade, observer: Observer, doing: str
) -> None:
    home.staged("a")
    home.claimed("a")
    path = home.run("a").guild_dir / "lease.json"
    path.write_text(path.read_text().replace('"claimed"', f'"{doing}"'))
    home.holder_dies("a")
    assert look(home, observer) == Snapshot()
    assert home.status("a") == "error"


def test_a_live_holder_is_left_alone(home: HandMade, observer: Observer) -> None:
    home.staged("a")
    home.claimed("a")
    for full in (False, True):
        assert in_progress(look(home, observer, full)) == ["a"]
    assert home.status("a") == "pending"
    assert observer.notes == []


# Pending as Guild 0.9 leaves it.


@pytest.mark.parametrize(
    ("age", "holds"),
    [(1, True), (YOUNG_SECONDS - 10, True), (YOUNG_SECONDS + 10, False), (-3600, False)],
)
def test_a_pending_of_guild_09_counts_while_it_is_young(
    home: HandMade, observer: Observer, age: float, holds: bool
) -> None:
    home.by_guild_09("a", "PENDING", age=age)
    snapshot = look(home, observer)
    assert in_progress(snapshot) == (["a"] if holds else [])
    assert home.status("a") == "pending"
    assert ("Not waiting for run a" in notes(observer)) != holds


def test_a_pending_of_guild_09_is_never_recovered(home: HandMade, observer: Observer) -> None:
    home.by_guild_09("a", "PENDING", age=99_999)
    look(home, observer, full=True)
    assert home.status("a") == "pending"


# Whose, and what with.


def test_own_runs_and_their_gpus_are_known_by_the_lease(home: HandMade, observer: Observer) -> None:
    home.staged("mine")
    home.running("mine", queue="me", gpus="0,1")
    home.staged("theirs")
    home.running("theirs", gpus="")
    active = {a.id: a for a in look(home, observer).active}
    assert active["mine"].is_mine
    assert active["mine"].gpus == frozenset("01")
    assert not active["theirs"].is_mine
    assert active["theirs"].gpus == frozenset()


@pytest.mark.parametrize(("gpus", "wanted"), [(None, None), ("", frozenset()), ("1,0", frozenset("01"))])
def test_the_gpus_of_the_staging_are_read(
    home: HandMade, observer: Observer, gpus: str | None, wanted: frozenset[str] | None
) -> None:
    home.staged("a", gpus)
    (run,) = look(home, observer).staged
    assert run.gpus == wanted


@pytest.mark.parametrize("params", [[], "x", {"gpus": {}}, {"gpus": 0}, {"no_gpus": "maybe"}])
def test_strange_run_params_do_not_break_it(home: HandMade, params: object) -> None:
    run = home.staged("a")
    attrs.write_attr(run.guild_dir, "run_params", params)
    assert requested_gpus(run) in (None, frozenset("0"), frozenset(("{}",)))


def test_queues_are_neither_staged_nor_waited_for(home: HandMade, observer: Observer) -> None:
    home.staged("queue-to-come", opref=QUEUE)
    home.staged("queue", opref=QUEUE)
    home.running("queue")
    assert look(home, observer) == Snapshot()


def test_the_queue_does_not_see_itself(home: HandMade) -> None:
    home.staged("me")
    assert look(home, Observer(home.store, "me")) == Snapshot()


# Damage.


def lock_is_a_fifo(run: Run) -> None:
    os.mkfifo(run.guild_dir / "LOCK")


def staged_is_a_directory(run: Run) -> None:
    (run.guild_dir / "STAGED").unlink()
    (run.guild_dir / "STAGED").mkdir()


def opref_is_garbage(run: Run) -> None:
    (run.guild_dir / "opref").write_bytes(b"\xff\0'")


def attributes_are_garbage(run: Run) -> None:
    for name in ("started", "run_params", "exit_status", "flags"):
        (run.guild_dir / "attrs" / name).write_bytes(b"{[\xff\0")


def attributes_are_fifos(run: Run) -> None:
    for name in ("started", "run_params"):
        (run.guild_dir / "attrs" / name).unlink()
        os.mkfifo(run.guild_dir / "attrs" / name)


def lease_and_order_are_garbage(run: Run) -> None:
    (run.guild_dir / "lease.json").write_bytes(b"\0")
    (run.guild_dir / "order.json").write_bytes(b'{"started": "x"}')


def attributes_are_gone(run: Run) -> None:
    os.rename(run.guild_dir / "attrs", run.path / "elsewhere")


HARM = [
    lock_is_a_fifo,
    staged_is_a_directory,
    opref_is_garbage,
    attributes_are_garbage,
    attributes_are_fifos,
    lease_and_order_are_garbage,
    attributes_are_gone,
]


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_run_hides_no_other(home: HandMade, observer: Observer, harm: Harm) -> None:
    harm(home.staged("damaged"))
    home.staged("sound")
    home.staged("busy")
    home.running("busy")
    for full in (False, True):
        snapshot = look(home, observer, full)
        assert "sound" in staged(snapshot)
        assert in_progress(snapshot) == ["busy"]


def test_what_is_no_run_is_passed_over(home: HandMade, observer: Observer) -> None:
    runs = home.store.home.runs
    (runs / "file").touch()
    (runs / "empty").mkdir()
    os.symlink(runs / "nowhere", runs / "dangling")
    home.staged("a")
    assert staged(look(home, observer)) == ["a"]


def test_a_missing_runs_directory_is_an_empty_home(home: HandMade, observer: Observer) -> None:
    home.store.home.runs.rmdir()
    assert look(home, observer) == Snapshot()


# Left out.


def test_a_run_that_was_set_aside_stays_out_until_the_next_full_look(
    home: HandMade, observer: Observer
) -> None:
    home.staged("a")
    home.staged("b")
    look(home, observer)
    observer.set_aside("a", "cannot be started")
    with lifecycle.locked(home.store) as held:
        assert staged(observer.look_again(held, ["a"])) == ["b"]
    assert notes(observer) == "cannot be started"
    home.prioritised("a", 1)
    home.store.ring("a", "reordered")
    assert staged(look(home, observer)) == ["b"]
    assert staged(look(home, observer, full=True)) == ["a", "b"]


# The order.


@pytest.fixture
def abc(home: HandMade) -> Iterator[HandMade]:
    for run_id in "abc":
        home.staged(run_id)
    return home


def test_runs_are_seen_in_the_order_of_their_staging(abc: HandMade, observer: Observer) -> None:
    assert staged(look(abc, observer)) == ["a", "b", "c"]


def test_the_order_holds_when_the_clock_is_set_back(abc: HandMade, observer: Observer) -> None:
    abc.clock.advance(-86_400)
    abc.staged("d")
    abc.clock.advance(-86_400)
    abc.staged("e")
    assert staged(look(abc, observer)) == ["a", "b", "c", "d", "e"]


def test_the_order_holds_when_the_clock_is_set_back_and_the_journal_lost(
    abc: HandMade, observer: Observer
) -> None:
    abc.store.home.journal.unlink()
    abc.clock.advance(-86_400)
    abc.staged("d")
    assert staged(look(abc, observer)) == ["a", "b", "c", "d"]


def test_a_restaged_run_is_next_and_the_latest_restaged_before_it(abc: HandMade, observer: Observer) -> None:
    look(abc, observer)
    abc.restaged("c")
    assert staged(look(abc, observer)) == ["c", "a", "b"]
    abc.restaged("b")
    assert staged(look(abc, observer)) == ["b", "c", "a"]
    abc.staged("d")
    assert staged(look(abc, observer)) == ["b", "c", "a", "d"]


def test_priority_goes_before_restaging(abc: HandMade, observer: Observer) -> None:
    abc.restaged("c")
    abc.prioritised("b", 1)
    assert staged(look(abc, observer)) == ["b", "c", "a"]


def test_a_claim_that_is_recovered_keeps_being_restaged(abc: HandMade, observer: Observer) -> None:
    abc.restaged("c")
    abc.claimed("c")
    abc.holder_dies("c")
    assert staged(look(abc, observer)) == ["c", "a", "b"]
