"""delete, restore, purge."""

import time
from pathlib import Path

import pytest

from guild.base.clock import system_clock
from guild.base.processes import this_process
from guild.commands.runs_purge import parse_age
from guild.home import Home
from guild.runs import lifecycle
from guild.runs.lease import Doing
from guild.runs.run import Run
from guild.runs.store import RunStore
from tests.commands.conftest import Guild
from tests.made_runs import make_run


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def claim(home: Path, run: Run) -> None:
    """As a queue does it; this process is the holder."""
    store = RunStore(Home(home))
    store.create()
    with lifecycle.locked(store) as held:
        lifecycle.claim(held, run, lifecycle.new_lease(store, run, Doing.CLAIMED, queue="q"))


def test_deleting_asks_with_the_runs_in_a_table_and_yes_is_the_default(guild: Guild, home: Path) -> None:
    make_run(home, "aaaaaaaaaa", attrs={"label": "x=1"}, started=None)
    outcome = guild("runs rm", input="\n")
    assert outcome.err == (
        "You are about to delete the following runs:\n"
        "  [aaaaaaaa]  train (/projects/p)    completed  x=1\n"
        "Delete 1 run(s)? (Y/n) Deleted 1 run(s)\n"
    )
    assert (outcome.code, outcome.out) == (0, "")
    assert (names(home / "runs"), names(home / "trash/runs")) == (set(), {"aaaaaaaaaa"})


@pytest.mark.parametrize("command", ["runs rm", "runs rm -p", "runs delete 1"])
def test_answering_no_exits_with_4_and_the_end_of_input_with_1(
    guild: Guild, home: Path, command: str
) -> None:
    make_run(home, "a")
    assert guild(command, input="n\n").code == 4
    ended = guild(command, input="")
    assert ended.code == 1
    assert "guild:" not in ended.err
    assert names(home / "runs") == {"a"}


def test_an_answer_that_is_neither_yes_nor_empty_is_no(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    outcome = guild("runs rm", input="maybe\nYES\n")
    assert (outcome.err.count("Delete 1 run(s)?"), outcome.code) == (1, 4)
    assert guild("runs rm", input=" YES\n").code == 0
    assert names(home / "runs") == set()


def test_permanent_deletion_says_no_by_default_and_leaves_nothing(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    assert guild("runs rm -p", input="\n").code == 4
    outcome = guild("runs rm -p", input="y\n")
    assert "(y/N)" in outcome.err
    assert outcome.err.endswith("Permanently deleted 1 run(s)\n")
    assert names(home / "runs") | names(home / "trash/runs") | names(home / "staging") == set()


def test_filters_and_names_say_what_is_deleted(guild: Guild, home: Path) -> None:
    for at, status in enumerate(("completed", "error", "terminated", "staged")):
        make_run(home, status, status=status, started=at)
    assert guild("runs rm -Set 1 -y").err == "Deleted 1 run(s)\n"
    assert names(home / "runs") == {"completed", "error", "staged"}
    assert guild("runs rm 2: -y").err == "Deleted 2 run(s)\n"
    assert names(home / "runs") == {"staged"}


def test_nothing_to_do_is_no_error_but_a_name_of_no_run_is(guild: Guild, home: Path) -> None:
    assert (guild("runs rm -y").code, guild("runs rm -y").err) == (0, "Nothing to delete.\n")
    assert (guild("runs restore -y").code, guild("runs restore -y").err) == (0, "Nothing to restore.\n")
    assert (guild("runs purge -y").code, guild("runs purge -y").err) == (0, "Nothing to purge.\n")
    outcome = guild("runs rm zzz -y")
    assert outcome.code == 1
    assert outcome.err.startswith("guild: could not find a run matching 'zzz'\n")


def test_a_run_that_is_being_started_is_left_and_the_others_are_deleted(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue takes it between the question and the deletion."""
    taken = make_run(home, "taken", status="staged", started=2)
    make_run(home, "other", started=1)
    monkeypatch.setattr("guild.commands.runs_delete._active", lambda runs: claim(home, taken) or [])
    outcome = guild("runs rm -y")
    assert outcome.err == "guild: run taken is being started: it was not deleted\nDeleted 1 run(s)\n"
    assert outcome.code == 0
    assert names(home / "runs") == {"taken"}


def test_deleting_none_of_the_runs_is_an_error(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = make_run(home, "taken", status="staged")
    monkeypatch.setattr("guild.commands.runs_delete._active", lambda runs: claim(home, taken) or [])
    assert guild("runs rm -y").code == 1


def test_a_claim_whose_holder_is_gone_is_deleted_and_comes_back_staged(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", status="staged")
    store = RunStore(Home(home))
    store.create()
    with lifecycle.locked(store) as held:
        lease = lifecycle.new_lease(store, run, Doing.CLAIMED, queue="q")
        me = this_process()
        dead = type(me)(me.machine, me.host, me.boot, me.namespace, me.pid, me.ticks + 1)
        lifecycle.claim(held, run, lease.with_(holder=dead))
    assert guild("runs rm -y").code == 0
    assert guild("runs restore -y").err == "Restored 1 run(s)\n"
    assert Run(home / "runs" / "a").status().value == "staged"


def test_restoring_brings_runs_back_unless_their_place_is_taken(guild: Guild, home: Path) -> None:
    make_run(home, "a", where="trash/runs", started=2)
    make_run(home, "b", where="trash/runs", started=1)
    make_run(home, "b")
    assert guild("runs restore", input="n\n").code == 4
    outcome = guild("runs restore", input="y\n")
    assert outcome.err.endswith("guild: run b exists already: it was not restored\nRestored 1 run(s)\n")
    assert (names(home / "runs"), names(home / "trash/runs")) == ({"a", "b"}, {"b"})


def test_purging_removes_deleted_runs_for_good(guild: Guild, home: Path) -> None:
    make_run(home, "a", where="trash/runs", started=2)
    make_run(home, "b", where="trash/runs", started=1)
    make_run(home, "c")
    assert guild("runs purge 1", input="\n").code == 4
    outcome = guild("runs purge 1", input="y\n")
    assert outcome.err.startswith("WARNING: You are about to permanently delete the following runs:\n  [a]")
    assert outcome.err.endswith("Permanently deleted 1 run(s)\n")
    assert (names(home / "trash/runs"), names(home / "runs"), names(home / "staging")) == (
        {"b"},
        {"c"},
        set(),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("30d", 30 * 86400), ("12h", 12 * 3600), ("2 weeks", 14 * 86400), ("90 min", 5400)),
        *(("1.5 Hours", 5400), ("1 month", 30 * 86400), ("1y", 365 * 86400), ("0s", 0)),
    ],
)
def test_an_age_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "5m", "-1d", "1d2h", "1 fortnight", "nan d"])
def test_an_age_that_is_unclear_purges_nothing(guild: Guild, home: Path, text: str) -> None:
    make_run(home, "a", where="trash/runs")
    outcome = guild(["runs", "purge", "--older-than", text, "-y"])
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, f"guild: invalid age '{text}' for --older-than")
    assert names(home / "trash/runs") == {"a"}


def test_purging_by_age_asks_when_a_run_was_deleted_not_when_it_ran(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        make_run(home, name, started=1)
    guild("runs rm -y")
    assert guild("runs purge --older-than 1d -y").err == "Nothing to purge.\n"
    tomorrow = (time.time() + 86400 + 1) * 1e6
    monkeypatch.setattr(type(system_clock), "now", lambda clock: int(tomorrow))
    assert guild("runs purge --older-than 2d -y").err == "Nothing to purge.\n"
    assert guild("runs purge b --older-than 1d -y").err == "Permanently deleted 1 run(s)\n"
    assert guild("runs purge --older-than 1d -y").err == "Permanently deleted 1 run(s)\n"
    assert names(home / "trash/runs") == set()
