"""The loop of a queue: a real store, a fake executor and a bell that plays a script. Nothing sleeps."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guild.errors import LockTimeout
from guild.runs import attrs, layout, lifecycle
from guild.scheduler import loop
from guild.scheduler.loop import Scheduler
from guild.scheduler.model import QueuePolicy
from tests.scheduler.fake_executor import FakeBell, FakeExecutor, HandMade

ONCE = QueuePolicy(run_once=True)


@dataclass
class Scene:
    """A home, a queue in it, and all that it says, log and relayed output in one."""

    home: HandMade
    executor: FakeExecutor
    said: list[str] = field(default_factory=list)
    bell: FakeBell = field(default_factory=FakeBell)

    def play(self, policy: QueuePolicy, *script: Callable[[], object]) -> list[str]:
        """Run the queue; each time that it waits, the next thing of the script happens."""
        self.bell.script = list(script)
        scheduler = Scheduler(
            self.home.store,
            policy,
            self.executor,
            "me",
            self.bell,  # type: ignore[arg-type]
            lambda text: self.said.append(re.sub(r"^(\w+): \[guild\] [-0-9]+ [:0-9]+ ", r"\1 ", text)),
            lambda data: self.said.append(data.decode()),
        )
        scheduler.run()
        assert self.executor.is_closed
        assert self.bell.is_closed
        return self.said

    def end(self, run_id: str, code: int = 0, output: bytes = b"") -> Callable[[], None]:
        return lambda: self.executor.end(run_id, code, output)

    def times(self, text: str) -> int:
        return sum(text in said for said in self.said)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    home = HandMade(tmp_path / "home")
    return Scene(home, FakeExecutor(home))


def nothing() -> None:
    """Wakes the queue without a cause."""


# One after the other.


def test_an_idle_queue_says_so_once_and_stops_when_asked(scene: Scene) -> None:
    assert scene.play(QueuePolicy(), nothing, nothing) == [
        "INFO Starting queue",
        "INFO Waiting for staged runs",
        "INFO Stopping queue",
    ]


def test_staged_runs_are_started_in_order_each_after_the_end_of_the_one_before(scene: Scene) -> None:
    for run_id in ("b", "c", "a"):
        scene.home.staged(run_id)
    started: list[list[str]] = []

    def end(run_id: str) -> Callable[[], None]:
        def act() -> None:
            started.append(list(scene.executor.started))
            scene.executor.end(run_id)

        return act

    scene.play(ONCE, end("b"), end("c"), end("a"))
    assert started == [["b"], ["b", "c"], ["b", "c", "a"]]
    assert [scene.home.status(r) for r in "abc"] == ["completed"] * 3


def test_a_run_staged_while_the_queue_waits_is_started(scene: Scene) -> None:
    scene.play(QueuePolicy(), lambda: scene.home.staged("a"), scene.end("a"))
    assert scene.executor.started == ["a"]
    assert scene.said[-1] == "INFO Stopping queue"


def test_a_restaged_run_is_the_next(scene: Scene) -> None:
    for run_id in "abc":
        scene.home.staged(run_id)

    def restage_and_end() -> None:
        scene.home.restaged("c")
        scene.executor.end("a")

    def again() -> None:
        scene.executor.end("c")
        scene.home.restaged("a")

    scene.play(ONCE, restage_and_end, again, scene.end("a"), scene.end("b"))
    assert scene.executor.started == ["a", "c", "a", "b"]


def test_a_failed_run_is_logged_once_and_the_next_one_started(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.play(ONCE, scene.end("a", 3), nothing, nothing, scene.end("b", -15))
    assert scene.times("failed") == 1
    assert scene.times("ERROR Run a failed with exit code 3") == 1
    assert scene.times("ERROR Run b was terminated (-15)") == 1
    assert scene.executor.started == ["a", "b"]
    assert scene.said[-2].startswith("INFO queue processed 0 run(s) in ")


def test_a_run_that_ends_with_the_code_of_a_lost_claim_is_a_failure_like_any_other(scene: Scene) -> None:
    scene.home.staged("a")
    scene.play(ONCE, scene.end("a", loop.EXIT_NOT_MINE))
    assert scene.times("ERROR Run a failed with exit code 75") == 1
    assert scene.times("taken back") == 0


def test_a_claim_that_was_taken_back_is_no_failure(scene: Scene) -> None:
    """`guild stop` of a claimed run, before its supervisor takes over."""
    scene.home.staged("a")
    scene.executor.begins = False

    def stopped_by_the_user() -> None:
        lifecycle.fail(scene.home.store, scene.home.run("a"), "stopped before it began", -15)
        scene.executor.begin("a")

    scene.play(ONCE, stopped_by_the_user)
    assert scene.times("INFO Run a was taken back") == 1
    assert scene.times("ERROR") == 0
    assert scene.home.status("a") == "terminated"


def test_a_run_that_is_deleted_on_success_is_a_success(scene: Scene) -> None:
    scene.home.staged("a")

    def end_and_delete() -> None:
        scene.executor.end("a", 0, b"last words\n")
        scene.home.removed("a")

    scene.play(ONCE, end_and_delete)
    assert scene.times("last words") == 1
    assert scene.times("ERROR") == 0
    assert scene.times("queue processed 1 run(s)") == 1


def test_a_supervisor_that_was_killed_leaves_an_error_that_is_told_and_the_next_run_started(
    scene: Scene,
) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.play(ONCE, lambda: scene.executor.is_killed("a"), scene.end("b"))
    assert scene.executor.started == ["a", "b"]
    assert scene.home.status("a") == "error"
    assert scene.times("Run a") >= 1


# Output.


def test_output_is_relayed_between_the_lines_of_the_log(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.play(
        ONCE,
        lambda: scene.executor.print("a", b"one\n"),
        lambda: scene.executor.print("a", b"two\n"),
        scene.end("a", 2, b"three\n"),
        scene.end("b", 0, b"four\n"),
    )
    assert scene.said[:-2] == [
        "INFO Starting queue",
        "INFO Processing staged runs",
        "INFO Starting staged run a",
        "one\n",
        "two\n",
        "three\n",
        "ERROR Run a failed with exit code 2",
        "INFO Starting staged run b",
        "four\n",
    ]


def test_output_of_an_earlier_execution_is_not_relayed(scene: Scene) -> None:
    run = scene.home.staged("a")
    (run.guild_dir / layout.OUTPUT).write_bytes(b"old\n")
    scene.executor.begins = False
    scene.play(ONCE, nothing, lambda: scene.executor.begin("a"), scene.end("a", 0, b"new\n"))
    assert scene.times("old") == 0
    assert scene.times("new") == 1


def test_much_output_is_relayed_whole(scene: Scene) -> None:
    scene.home.staged("a")
    scene.play(ONCE, scene.end("a", 0, b"x" * 300_000))
    assert sum(len(s) for s in scene.said if s.startswith("x")) == 300_000


def test_what_a_run_prints_while_the_queue_ends_it_is_relayed(scene: Scene) -> None:
    scene.home.staged("a")

    def print_and_stop() -> None:
        scene.executor.print("a", b"bye\n")
        scene.bell.stop = True

    scene.play(QueuePolicy(), print_and_stop)
    assert scene.times("bye") == 1


# run-once.


def test_run_once_leaves_at_once_where_nothing_is_staged(scene: Scene) -> None:
    said = scene.play(ONCE)
    assert scene.bell.waits == []
    assert said[:2] == ["INFO Starting queue", "INFO Processing staged runs"]
    assert re.match(r"INFO queue processed 0 run\(s\) in \d\.\d{6} seconds$", said[2])
    assert said[3:] == ["INFO Stopping queue"]


def test_run_once_leaves_although_others_are_in_progress_where_nothing_is_staged(scene: Scene) -> None:
    scene.home.staged("theirs")
    scene.home.running("theirs")
    scene.play(ONCE)
    assert scene.bell.waits == []


def test_run_once_waits_while_others_in_progress_hold_it_up(scene: Scene) -> None:
    scene.home.staged("theirs")
    scene.home.running("theirs")
    scene.home.staged("a")

    def not_yet() -> None:
        assert scene.executor.started == []

    scene.play(ONCE, not_yet, not_yet, lambda: scene.home.finished("theirs"), scene.end("a"))
    assert scene.executor.started == ["a"]
    assert scene.times("Found staged run a (waiting for runs to finish: theirs)") == 1
    assert scene.said[-2].startswith("INFO queue processed 1 run(s)")


def test_run_once_leaves_runs_that_it_may_never_start(scene: Scene) -> None:
    scene.home.staged("a", "1")
    scene.play(QueuePolicy(run_once=True, gpus=frozenset("0")))
    assert scene.bell.waits == []
    assert scene.home.status("a") == "staged"
    assert scene.times("Ignoring staged run a (its GPUs are not served by this queue)") == 1


def test_run_once_takes_what_is_staged_meanwhile(scene: Scene) -> None:
    scene.home.staged("a")

    def more() -> None:
        scene.home.staged("b")
        scene.executor.end("a")

    scene.play(ONCE, more, scene.end("b"))
    assert scene.executor.started == ["a", "b"]


# Others.


def test_the_queue_waits_for_the_processes_of_the_runs_that_hold_it_up(scene: Scene) -> None:
    scene.home.staged("theirs")
    scene.home.running("theirs")
    scene.home.staged("a")
    seen: list[set[int]] = []
    scene.play(
        QueuePolicy(),
        lambda: seen.append(set(scene.bell.pids)),
        lambda: scene.home.finished("theirs"),
        lambda: seen.append(set(scene.bell.pids)),
        scene.end("a"),
    )
    assert seen == [{os.getpid()}, set()]


def test_a_queue_that_does_not_wait_starts_beside_others(scene: Scene) -> None:
    scene.home.staged("theirs")
    scene.home.running("theirs")
    scene.home.staged("a")
    scene.play(QueuePolicy(wait_for_running=False, run_once=True), scene.end("a"))
    assert scene.executor.started == ["a"]


def test_the_journal_is_watched_and_looked_at_once_more_after_that(scene: Scene) -> None:
    """What happened between the first look and the watch would ring nobody."""
    scene.play(QueuePolicy())
    assert scene.bell.watched == [scene.home.store.home.journal]
    assert len(scene.bell.waits) == 2


def test_without_news_the_queue_looks_again_after_the_poll_interval(scene: Scene) -> None:
    scene.play(QueuePolicy(poll_interval=7.0), nothing)
    assert all(0 < seconds <= 7.0 for seconds in scene.bell.waits)
    assert max(scene.bell.waits) > 6.0


def test_a_full_look_is_taken_at_the_poll_interval_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    full: list[bool] = []
    real = loop.claim_next

    def claim_next(*args: object) -> object:
        full.append(bool(args[-1]))
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "claim_next", claim_next)
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])

    def pass_(seconds: float) -> Callable[[], None]:
        return lambda: now.__setitem__(0, now[0] + seconds)

    scene.play(QueuePolicy(poll_interval=10.0), pass_(4), pass_(5), pass_(1), pass_(3))
    assert full == [True, False, False, False, True, False]


def test_several_slots_are_filled(scene: Scene) -> None:
    for run_id in "abc":
        scene.home.staged(run_id)
    seen: list[list[str]] = []
    scene.play(
        QueuePolicy(slots=2, run_once=True),
        lambda: seen.append(list(scene.executor.started)),
        scene.end("b"),
        lambda: seen.append(list(scene.executor.started)),
        scene.end("a"),
        scene.end("c"),
    )
    assert seen == [["a", "b"], ["a", "b", "c"]]


# What does not start.


def test_three_failed_starts_are_an_error_with_the_reason(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.executor.refuses["a"] = "no more processes"
    scene.play(ONCE, scene.end("b"))
    assert scene.times("INFO Starting staged run a") == 3
    assert scene.times("ERROR Run a could not be started in 3 tries: no more processes") == 1
    assert scene.home.status("a") == "error"
    assert "no more processes" in scene.home.run("a").attr("_reason")
    assert scene.home.status("b") == "completed"


def test_a_supervisor_that_ends_before_it_takes_over_is_tried_three_times(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.executor.dies_early["a"] = 9
    scene.play(ONCE, nothing, nothing, nothing, scene.end("b"))
    assert scene.executor.started == ["a", "a", "a", "b"]
    assert scene.times("could not be started in 3 tries: its supervisor ended with 1") == 1
    assert scene.home.status("a") == "error"


def test_a_start_that_succeeds_at_the_second_try_is_no_failure(scene: Scene) -> None:
    scene.home.staged("a")
    scene.executor.dies_early["a"] = 1
    scene.play(ONCE, scene.end("a"))
    assert scene.executor.started == ["a", "a"]
    assert scene.home.status("a") == "completed"
    assert scene.times("ERROR") == 0


def test_a_restaged_run_has_three_tries_again(scene: Scene) -> None:
    scene.home.staged("a")
    scene.executor.refuses["a"] = "no"

    def mend() -> None:
        assert scene.home.status("a") == "error"
        scene.home.restaged("a")

    scene.play(QueuePolicy(), mend, nothing)
    assert scene.times("INFO Starting staged run a") == 6


def test_a_run_that_cannot_be_claimed_is_told_and_holds_nobody_up(scene: Scene) -> None:
    run = scene.home.staged("a")
    (run.guild_dir / layout.LEASE).mkdir()
    (run.guild_dir / layout.LEASE / "x").touch()
    scene.home.staged("b")
    scene.play(ONCE, scene.end("b"))
    assert scene.times("WARNING Run a cannot be started") == 1
    assert scene.executor.started == ["b"]


# A lock that others hold.


@contextmanager
def lock_is_busy(times: int) -> Iterator[list[int]]:
    """For so many looks."""
    left = [times]
    real = lifecycle.locked

    @contextmanager
    def locked(*args: object) -> Iterator[lifecycle.Held]:
        if left[0]:
            left[0] -= 1
            raise LockTimeout("could not get the lock")
        with real(*args) as held:  # type: ignore[arg-type]
            yield held

    with pytest.MonkeyPatch.context() as m:
        m.setattr(lifecycle, "locked", locked)
        yield left


def test_a_lock_that_others_hold_is_told_once_and_tried_again(scene: Scene) -> None:
    scene.home.staged("a")
    with lock_is_busy(3):
        scene.play(ONCE, nothing, nothing, nothing, scene.end("a"))
    assert scene.times("WARNING could not read staged runs: could not get the lock") == 1
    assert scene.home.status("a") == "completed"


def test_a_claim_that_cannot_be_given_back_now_is_given_back_later(scene: Scene) -> None:
    """As long as the queue lives nobody else could: the claim would be pending for ever."""
    scene.home.staged("a")
    scene.executor.dies_early["a"] = 1
    with lock_is_busy(0) as left:

        def others_take_the_lock() -> None:
            left[0] = 2 if len(scene.executor.started) == 1 else 0

        scene.executor.at_start = others_take_the_lock
        scene.play(ONCE, nothing, nothing, scene.end("a"))
    assert scene.times("could not get the lock") == 1
    assert scene.home.status("a") == "completed"
    assert scene.executor.started == ["a", "a"]


# The end of the queue.


def test_a_stop_ends_the_jobs_and_starts_no_other(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.play(QueuePolicy())
    assert scene.executor.stopped == ["a"]
    assert scene.home.status("a") == "terminated"
    assert scene.home.status("b") == "staged"
    assert scene.said[-2:] == ["ERROR Run a was terminated (-15)", "INFO Stopping queue"]


def test_a_stop_gives_a_claim_back_that_nobody_has_taken_over(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")
    scene.executor.begins = False
    scene.play(QueuePolicy())
    assert scene.home.status("a") == "staged"
    assert scene.home.run("a").lease() is None
    assert scene.times("ERROR") == 0


def test_a_stop_before_the_first_look_starts_nothing(scene: Scene) -> None:
    scene.home.staged("a")
    scene.bell.stop = True
    scene.play(QueuePolicy())
    assert scene.executor.started == []


def test_draining_lets_the_current_run_finish_and_starts_no_other(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.staged("b")

    def drain() -> None:
        scene.bell.drain = True

    def still_running() -> None:
        assert scene.home.status("a") == "running"

    scene.play(QueuePolicy(), drain, still_running, scene.end("a"))
    assert scene.executor.stopped == []
    assert scene.home.status("a") == "completed"
    assert scene.home.status("b") == "staged"


def test_draining_an_idle_queue_ends_it(scene: Scene) -> None:
    def drain() -> None:
        scene.bell.drain = True

    scene.play(QueuePolicy(), drain, lambda: pytest.fail("it waits on"))
    assert scene.said[-1] == "INFO Stopping queue"


def test_a_stop_while_draining_ends_the_job(scene: Scene) -> None:
    scene.home.staged("a")

    def drain() -> None:
        scene.bell.drain = True

    scene.play(QueuePolicy(), drain, nothing)
    assert scene.executor.stopped == ["a"]


def test_an_error_of_the_queue_itself_ends_its_jobs_in_order_all_the_same(scene: Scene) -> None:
    scene.home.staged("a")

    def boom() -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        scene.play(QueuePolicy(), boom)
    assert scene.home.status("a") == "terminated"
    assert scene.executor.is_closed
    assert scene.bell.is_closed


def test_a_queue_that_comes_after_a_killed_one_takes_up_its_claim(scene: Scene) -> None:
    scene.home.staged("a")
    scene.home.claimed("a", queue="killed")
    scene.home.holder_dies("a")
    scene.play(ONCE, scene.end("a"))
    assert scene.executor.started == ["a"]
    assert scene.times("WARNING Run a: staged again: whoever had claimed it is gone") == 1


def test_runs_of_guild_09_are_run_as_any(scene: Scene) -> None:
    scene.home.by_guild_09("old", "STAGED")
    left_over = scene.home.by_guild_09("trial", "PENDING", age=3600)
    scene.play(ONCE, scene.end("old"))
    assert scene.home.status("old") == "completed"
    assert attrs.read_attr(left_over.guild_dir, "exit_status") is None
    assert scene.times("WARNING Not waiting for run trial") == 1
