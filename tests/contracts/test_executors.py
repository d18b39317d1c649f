"""The contract, on every executor that there is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.scheduler.local import LocalExecutor
from tests.contracts.executor_contract import ExecutorContract, Rig
from tests.helpers import child_environ, wait_until
from tests.scheduler.fake_executor import FakeExecutor, HandMade


@dataclass
class FakeRig:
    home: HandMade
    executor: FakeExecutor
    codes: dict[str, int | None] = field(default_factory=dict)

    def claimed(self, run_id: str, code: int | None, gpus: str | None = None) -> tuple[Run, Lease]:
        run = self.home.staged(run_id)
        self.codes[run_id] = code
        return run, self.home.claimed(run_id, "me", gpus)

    def let_go(self, run_id: str) -> None:
        self.executor.end(run_id, self.codes[run_id] or 0)


class TestFakeExecutor(ExecutorContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        home = HandMade(tmp_path / "home")
        return FakeRig(home, FakeExecutor(home))


@dataclass
class LocalRig:
    """Runs of a shell that waits for a file, without a project."""

    home: HandMade
    executor: LocalExecutor
    begun: list[Run] = field(default_factory=list)

    def claimed(self, run_id: str, code: int | None, gpus: str | None = None) -> tuple[Run, Lease]:
        end = "sleep 120" if code is None else f"while ! [ -e go ]; do sleep 0.01; done; exit {code}"
        run = self.home.staged(run_id, argv=("sh", "-c", f"echo up; {end}"), opspec="train")
        self.begun.append(run)
        return run, self.home.claimed(run_id, "me", gpus)

    def let_go(self, run_id: str) -> None:
        (self.home.run(run_id).path / "go").touch()

    def close(self) -> None:
        """Nothing that was started goes on after the test."""
        for run in self.begun:
            (run.path / "go").touch()
            self.executor.stop(run.id)
        wait_until(lambda: not self.executor.poll() and not self.executor._started, what="the last ends")
        self.executor.close()


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        home = HandMade(tmp_path / "home")
        rig = LocalRig(home, LocalExecutor(home.store.home, child_environ(home.store.home.path)))
        yield rig
        rig.close()

    def test_the_operation_runs_in_its_run_directory_and_keeps_its_output(self, rig: LocalRig) -> None:
        run, _ = self.start(rig, "a")
        rig.let_go("a")
        self.until_ended(rig)
        assert (run.guild_dir / "output").read_bytes() == b"up\n"
        assert os.path.exists(run.path / "go")
