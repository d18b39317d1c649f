"""What every executor does. A new one is tested by a class that says how it is made and driven.

class TestMine(ExecutorContract):
    @pytest.fixture
    def rig(self, tmp_path): ...
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import pytest

from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.scheduler.executor import Ended, Executor, Liveness
from tests.helpers import wait_until
from tests.scheduler.fake_executor import GONE, HandMade


class Rig(Protocol):
    """An executor, and runs for it."""

    home: HandMade
    executor: Executor

    def claimed(self, run_id: str, code: int | None, gpus: str | None = None) -> tuple[Run, Lease]:
        """A claimed run that will end by itself with `code`, or go on until it is stopped (None)."""
        ...

    def let_go(self, run_id: str) -> None:
        """From here on a run that ends by itself may do so."""
        ...


class ExecutorContract:
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        raise NotImplementedError

    def start(self, rig: Rig, run_id: str, code: int | None = 0) -> tuple[Run, Lease]:
        run, lease = rig.claimed(run_id, code)
        rig.executor.start(run, lease)
        return run, lease

    def until_ended(self, rig: Rig, count: int = 1) -> list[Ended]:
        ended: list[Ended] = []

        def have_all() -> bool:
            ended.extend(rig.executor.poll())
            return len(ended) >= count

        wait_until(have_all, what="the end of the runs")
        return ended

    def is_running(self, rig: Rig, run: Run) -> None:
        wait_until(lambda: rig.home.status(run.id) == "running", what="the start of the run")

    def test_it_has_a_name_and_leases_can_hold_it(self, rig: Rig) -> None:
        assert rig.executor.name
        _run, lease = rig.claimed("a", 0)
        named = replace(lease, executor=rig.executor.name)
        assert Lease.from_bytes(named.to_bytes()) == named

    def test_a_started_run_is_executed_and_its_end_told_once(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a")
        rig.let_go("a")
        assert self.until_ended(rig) == [Ended("a", 0)]
        assert run.status().value == "completed"
        assert rig.executor.poll() == []

    def test_the_job_id_is_a_text_that_says_something(self, rig: Rig) -> None:
        run, lease = rig.claimed("a", 0)
        assert rig.executor.start(run, lease).strip()
        rig.let_go("a")
        self.until_ended(rig)

    def test_a_run_that_fails_is_an_end_like_any_other(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a", 3)
        rig.let_go("a")
        assert self.until_ended(rig) == [Ended("a", 3)]
        assert run.exit_status() == 3

    def test_the_end_is_on_record_before_it_is_told(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a")
        rig.let_go("a")
        self.until_ended(rig)
        assert run.exit_status() == 0
        assert run.lease() is None

    def test_polling_never_waits_for_a_run(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a", None)
        self.is_running(rig, run)
        assert [list(rig.executor.poll()) for _ in range(3)] == [[], [], []]

    def test_a_stopped_run_is_terminated_and_its_end_told(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a", None)
        self.is_running(rig, run)
        rig.executor.stop("a")
        rig.executor.stop("a")
        (ended,) = self.until_ended(rig)
        assert ended.run_id == "a"
        assert run.status().value == "terminated"

    def test_stopping_what_is_not_known_or_has_ended_does_nothing(self, rig: Rig) -> None:
        rig.executor.stop("unknown")
        run, _ = self.start(rig, "a")
        rig.let_go("a")
        self.until_ended(rig)
        rig.executor.stop("a")
        assert run.status().value == "completed"

    def test_several_runs_go_on_side_by_side(self, rig: Rig) -> None:
        first, _ = self.start(rig, "a", None)
        second, _ = self.start(rig, "b", 2)
        self.is_running(rig, first)
        rig.let_go("b")
        assert self.until_ended(rig) == [Ended("b", 2)]
        assert first.status().value == "running"
        assert second.status().value == "error"

    def test_a_claim_that_no_longer_stands_is_not_executed(self, rig: Rig) -> None:
        """It was taken back (by `guild stop`, say) and has perhaps been claimed by another queue since."""
        run, lease = rig.claimed("a", 0)
        rig.executor.start(run, replace(lease, token="another"))
        (ended,) = self.until_ended(rig)
        assert ended.run_id == "a"
        assert ended.exit_code not in (0, None)
        assert run.claim_lease() == lease
        assert run.status().value == "pending"

    def test_getting_ready_changes_nothing_to_be_seen(self, rig: Rig) -> None:
        rig.executor.make_ready()
        rig.executor.make_ready()
        assert rig.executor.poll() == []
        run, _ = self.start(rig, "a")
        rig.executor.make_ready()
        rig.let_go("a")
        assert self.until_ended(rig) == [Ended("a", 0)]
        assert run.status().value == "completed"

    def test_liveness_is_told_for_many_at_once(self, rig: Rig) -> None:
        _run, held = rig.claimed("a", 0)
        gone = replace(held, run="b", holder=GONE)
        assert rig.executor.liveness([held, gone]) == {"a": Liveness.ALIVE, "b": Liveness.GONE}
        assert rig.executor.liveness([]) == {}

    def test_a_started_run_goes_on_when_the_executor_is_closed(self, rig: Rig) -> None:
        run, _ = self.start(rig, "a")
        self.is_running(rig, run)
        rig.executor.make_ready()
        rig.executor.close()
        rig.executor.close()
        assert run.status().value == "running"
        rig.let_go("a")
        wait_until(lambda: run.status().value == "completed", what="the end of the run")
