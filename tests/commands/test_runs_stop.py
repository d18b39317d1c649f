"""Whom `guild stop` means and what it says; how a run is ended is in tests/launch/test_stop.py.

The runs here are claims in the hands of "the queue", which is this process: a signal would end the test.
"""

from pathlib import Path

import pytest

from guild.base.processes import this_process
from guild.home import Home
from guild.launch import stop
from guild.runs import layout, lifecycle
from guild.runs.lease import Doing
from guild.runs.run import Run
from guild.runs.store import RunStore
from tests.commands.conftest import Guild
from tests.made_runs import make_run

QUEUE = "builtin:guildai 0.9.0 '' queue"


def make_queue(home: Path) -> None:
    """A running queue whose process is this one."""
    store = RunStore(Home(home))
    store.create()
    queue = make_run(home, "queue", opref=QUEUE, status="none", started=9)
    lease = lifecycle.new_lease(store, queue, Doing.STARTING)
    lifecycle.mark_new_pending(queue, lease)
    lifecycle.mark_started(queue, lease, 9)
    lifecycle.mark_running(store, queue, lease, this_process())


def claimed(home: Path, run_id: str, started: int) -> Run:
    store = RunStore(Home(home))
    run = make_run(home, run_id, status="staged", started=started)
    with lifecycle.locked(store) as held:
        lifecycle.claim(held, run, lifecycle.new_lease(store, run, Doing.CLAIMED, queue="queue"))
    return run


def test_without_anything_to_stop_it_says_so(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    outcome = guild("stop")
    assert (outcome.code, outcome.err) == (0, "Nothing to stop.\n")


def test_it_asks_and_no_is_the_default(guild: Guild, home: Path) -> None:
    make_queue(home)
    run = claimed(home, "aa", 3)
    outcome = guild("stop aa", input="\n")
    assert outcome.code == 4
    assert outcome.err.startswith("You are about to stop the following runs:\n  [aa]")
    assert outcome.err.endswith("Stop 1 run(s)? (y/N) ")
    assert run.status().value == "pending"
    assert guild("stop aa", input="y\n").code == 0
    assert run.status().value == "terminated"


def test_numbers_count_what_can_be_stopped(guild: Guild, home: Path) -> None:
    make_run(home, "newest", started=50)
    make_queue(home)
    first, second = claimed(home, "first", 1), claimed(home, "second", 2)
    # "queue" began at 9 µs, so is the oldest
    assert guild("runs stop 1 -y").code == 0
    assert (first.status().value, second.status().value) == ("pending", "terminated")
    outcome = guild("stop 7 -y")
    assert outcome.code == 1
    assert "2 run(s) can be stopped, none of them is 7" in outcome.err


def test_a_named_run_that_has_ended_is_explained(guild: Guild, home: Path) -> None:
    make_run(home, "abc")
    outcome = guild("stop ab -y")
    assert (outcome.code, outcome.err) == (0, "Nothing to stop: run abc is completed\n")
    assert guild("stop zz -y").code == 1


def test_filters_say_which_runs_are_stopped(guild: Guild, home: Path) -> None:
    make_queue(home)
    run = claimed(home, "aa", 3)
    assert guild("stop -Fo other -y").err == "Nothing to stop.\n"
    assert guild("stop -Fo train -y").code == 0
    assert run.status().value == "terminated"


def test_a_run_that_cannot_be_stopped_is_told_and_the_others_are_stopped(guild: Guild, home: Path) -> None:
    make_queue(home)
    run = claimed(home, "aa", 3)
    remote = make_run(home, "remote", started=5)
    (remote.guild_dir / layout.LOCK_REMOTE).write_text("ssh")
    outcome = guild("stop aa remote -y")
    assert outcome.code == 1
    assert outcome.err == "guild: run remote is running on a remote; stop it there\n"
    assert run.status().value == "terminated"


def test_queues_are_stopped_before_their_runs(
    guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_queue(home)
    claimed(home, "aa", 3)
    asked: list[list[str]] = []

    def request(store: RunStore, run: Run, environ: object) -> stop.Stopping:
        asked[-1:] = [*asked[-1:], [run.id]]
        return stop.Stopping(store, run)

    monkeypatch.setattr(stop, "request_stop", request)
    monkeypatch.setattr(stop, "wait", lambda stoppings: (asked.append([]), (stoppings, []))[1])
    assert guild("stop -y").code == 0
    assert [ids for ids in asked if ids] == [["queue"], ["aa"]]


def test_not_waiting_does_not_wait(guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_queue(home)
    claimed(home, "aa", 3)
    monkeypatch.setattr(stop, "wait", lambda stoppings: pytest.fail("it waited"))
    assert guild("stop aa -n -y").code == 0


def test_a_run_that_goes_on_makes_it_fail(guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_queue(home)
    claimed(home, "aa", 3)
    monkeypatch.setattr(stop, "request_stop", lambda store, run, environ: stop.Stopping(store, run, 17))
    outcome = guild("stop aa -y")
    assert (outcome.code, outcome.err) == (
        1,
        "Stopping aa (pid 17)\nguild: run aa was asked to end but goes on\n",
    )


def test_only_queues_are_drained(guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_queue(home)
    claimed(home, "aa", 3)
    outcome = guild("stop aa --drain -y")
    assert (outcome.code, outcome.err) == (1, "guild: run aa is not a queue: only queues can be drained\n")
    monkeypatch.setattr(stop, "request_drain", lambda store, run: 17)
    assert guild("stop --drain", input="y\n").err.endswith("Drain 1 run(s)? (y/N) Draining queue (pid 17)\n")


def test_deleting_stops_first_after_a_second_question(guild: Guild, home: Path) -> None:
    make_queue(home)
    run = claimed(home, "aa", 3)
    outcome = guild("runs rm aa", input="y\n\n")
    assert outcome.code == 4
    assert outcome.err.endswith("Stop 1 run(s)? (y/N) ")
    assert run.status().value == "pending"
    assert guild("runs rm aa", input="y\ny\n").err.endswith("Deleted 1 run(s)\n")
    assert Run(home / "trash" / "runs" / "aa").status().value == "terminated"
