"""Runs of a queue that were begun, and of which nobody will ever say how they ended."""

from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from tests.helpers import Project, kill_tree, wait_until
from tests.journeys.test_queue import LEDGER, ledger_of, stage, statuses

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]


def lose(p: Project, run_id: str, ledger: Path, times: int) -> None:
    """Let a queue that restages begin the run, and kill all that works for this home."""
    queue = p.popen("run queue on-lost=restage -y")
    wait_until(lambda: len(ledger_of(ledger)) == times, what=f"beginning number {times}")
    wait_until(lambda: statuses(p)[run_id] == "running", what="the run to be running")
    for process in psutil.process_iter():
        try:
            if process.environ().get("GUILD_HOME") == str(p.home):
                kill_tree(process.pid)
        except psutil.Error:
            continue
    queue.wait()


def test_a_lost_run_is_an_error_with_the_reason_unless_the_queue_is_told_to_restage_it(
    project: Make, tmp_path: Path
) -> None:
    p = project({"job.py": LEDGER})
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    env = {"LEDGER": str(ledger), "GATE": str(gate)}
    first = stage(p, "x=1", script="job.py", env=env)
    second = stage(p, "x=2", script="job.py", env=env)
    lose(p, first, ledger, 1)
    lose(p, first, ledger, 2)  # found, restaged and begun again before the other one, and lost again
    assert [x for _what, x in ledger_of(ledger)] == ["1", "1"]
    assert statuses(p) == {first: "error", second: "staged"}
    gate.touch()
    outcome = p.guild("run queue run-once=yes -y")
    assert f"Run {first}: ended without a word: its supervisor was killed" in outcome.err
    assert statuses(p) == {first: "error", second: "completed"}
    assert "ended without a word" in next(r["reason"] for r in p.runs() if r["id"] == first)


def test_what_is_lost_three_times_is_not_begun_a_fifth_time(project: Make, tmp_path: Path) -> None:
    p = project({"job.py": LEDGER})
    ledger = tmp_path / "ledger"
    run_id = stage(p, "x=1", script="job.py", env={"LEDGER": str(ledger), "GATE": str(tmp_path / "gate")})
    for times in (1, 2, 3, 4):
        lose(p, run_id, ledger, times)
    outcome = p.guild("run queue run-once=yes on-lost=restage -y")
    assert outcome.code == 0
    assert statuses(p) == {run_id: "error"}
    assert len(ledger_of(ledger)) == 4
