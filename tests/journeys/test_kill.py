"""SIGKILL at every step of real processes: nothing lost, nothing twice, nothing pending for ever.

What was run is judged from a ledger that the jobs write outside of their run directories.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Project, wait_until
from tests.journeys.shim import has_struck, shim_env
from tests.journeys.test_queue import LEDGER, ledger_of, stage, statuses

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]
Make = Callable[[Mapping[str, str]], Project]

# More steps than any of the processes takes; the loops end where the shim did not strike.
MOST = 80


def begun(ledger: Path) -> list[str]:
    return [x for what, x in ledger_of(ledger) if what == "begin"]


def settle(p: Project) -> None:
    """One more queue, which mends and runs what is left."""
    outcome = p.guild("run queue run-once=yes poll-interval=1 -y", timeout=240)
    assert outcome.code == 0, outcome


def test_a_supervisor_killed_at_any_step_loses_nothing_and_runs_nothing_twice(
    project: Make, tmp_path: Path
) -> None:
    p = project({"job.py": LEDGER})
    seen = set()
    for at in range(1, MOST):
        ledger = tmp_path / f"ledger-{at}"
        first = stage(p, "x=1", script="job.py", env={"LEDGER": str(ledger)})
        second = stage(p, "x=2", script="job.py", env={"LEDGER": str(ledger)})
        env = shim_env(tmp_path, "guild.launch.supervise", at)
        outcome = p.guild("run queue run-once=yes poll-interval=1 -y", env=env, timeout=240)
        assert outcome.code == 0, (at, outcome)
        # The job of a killed supervisor goes on by itself; it ends here, as nothing holds it up.
        wait_until(
            lambda i=first: statuses(p)[i] not in ("running", "pending"),
            timeout=120,
            what="the end of the first run",
        )
        settle(p)
        now = statuses(p)
        assert now[second] == "completed", (at, outcome)
        assert begun(ledger).count("2") == 1
        assert begun(ledger).count("1") <= 1
        assert now[first] in ("completed", "error"), (at, now[first])
        if now[first] == "completed":
            assert begun(ledger).count("1") == 1, at
        else:
            reason = next(r for r in p.runs() if r["id"] == first)["reason"]
            assert reason, at
        seen.add(now[first])
        if not has_struck(env):
            break
    else:
        pytest.fail("the supervisor takes more steps than expected")
    assert seen == {"completed", "error"}


def test_a_queue_killed_at_any_step_loses_nothing_and_runs_nothing_twice(
    project: Make, tmp_path: Path
) -> None:
    p = project({"job.py": LEDGER})
    for at in range(1, MOST):
        ledger = tmp_path / f"ledger-{at}"
        run_id = stage(p, "x=1", script="job.py", env={"LEDGER": str(ledger)})
        env = shim_env(tmp_path, "guild.plugins.queue_main", at)
        p.guild("run queue run-once=yes poll-interval=1 -y", env=env, timeout=240)
        struck = has_struck(env)
        settle(p)
        wait_until(
            lambda i=run_id: statuses(p)[i] == "completed", timeout=120, what=f"completion, killed at {at}"
        )
        assert begun(ledger) == ["1"], at
        if not struck:
            break
    else:
        pytest.fail("the queue takes more steps than expected")


def test_stage_killed_at_any_step_leaves_nothing_or_a_whole_run(project: Make, tmp_path: Path) -> None:
    p = project({"job.py": LEDGER})
    ledger = tmp_path / "ledger"
    whole = 0
    for at in range(1, 2 * MOST):
        env = shim_env(tmp_path, "guild", at)
        before = set(statuses(p))
        outcome = p.guild(["run", "job.py", f"x={at}", "--stage", "-y"], env={**env, "LEDGER": str(ledger)})
        new = {i: s for i, s in statuses(p).items() if i not in before}
        assert set(new.values()) <= {"staged"}, at
        whole += len(new)
        if not has_struck(env):
            assert outcome.code == 0
            break
    else:
        pytest.fail("staging takes more steps than expected")
    settle(p)
    assert list((p.home / "staging").iterdir()) == []
    assert len(begun(ledger)) == whole
    assert set(statuses(p).values()) == {"completed"}


@pytest.mark.parametrize("ended", [False, True])
def test_restage_killed_at_any_step_leaves_the_old_run_or_the_new(
    project: Make, tmp_path: Path, ended: bool
) -> None:
    p = project({"job.py": LEDGER})
    for at in range(1, 2 * MOST):
        ledger = {"LEDGER": str(tmp_path / f"ledger-{at}")}
        run_id = stage(p, "x=1", script="job.py", env=ledger)
        if ended:
            assert p.guild(f"run --start {run_id} -y").code == 0
        env = shim_env(tmp_path, "guild", at)
        outcome = p.guild(f"run --restage {run_id} x=2 -y", env=env)
        settle(p)
        assert statuses(p)[run_id] == "completed", at
        values = begun(Path(ledger["LEDGER"]))
        assert values in ([["1"], ["1", "2"]] if ended else [["1"], ["2"]]), at
        assert list((p.home / "staging").iterdir()) == [], at
        if not has_struck(env):
            assert outcome.code == 0
            assert values[-1] == "2"
            break
    else:
        pytest.fail("restaging takes more steps than expected")


def test_a_batch_killed_at_any_step_goes_on_where_it_was_and_repeats_no_trial_that_completed(
    project: Make, tmp_path: Path
) -> None:
    p = project({"job.py": LEDGER})
    for at in range(1, 4 * MOST, 3):
        ledger = tmp_path / f"ledger-{at}"
        env = {**shim_env(tmp_path, "guild.batch_main", at), "LEDGER": str(ledger)}
        before = set(statuses(p))
        p.guild("run job.py x=[1,2] --keep-batch -y", env=env, timeout=240)
        new = [i for i in statuses(p) if i not in before]
        batch = next(r["id"] for r in p.runs() if r["operation"] == "job.py+" and r["id"] in new)
        completed = [i for i in new if i != batch and statuses(p)[i] == "completed"]
        again = p.guild(f"run --restart {batch} -y", env={"LEDGER": str(ledger)}, timeout=240)
        assert again.code == 0, (at, again)
        trials = {i: s for i, s in statuses(p).items() if i not in {*before, batch}}
        assert list(trials.values()) == ["completed"] * 2, (at, trials)
        assert set(completed) <= set(trials)
        assert {x for what, x in ledger_of(ledger) if what == "end"} == {"1", "2"}, at
        assert len(begun(ledger)) <= 3, at
        if not has_struck(env):
            break
    else:
        pytest.fail("the batch takes more steps than expected")
    assert list((p.home / "staging").iterdir()) == []
