"""A search over the digits example: staged in one command, changed afterwards, run by one queue."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guild.base import yamlio
from tests.helpers import Project

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
pytest.importorskip("sklearn", reason="the digits example needs scikit-learn: pip install '.[examples]'")

DIGITS = Path(__file__).parent.parent.parent / "examples" / "digits"
Make = Callable[[Mapping[str, str]], Project]
SEARCH = (
    "run train learning-rate=loguniform[1e-4:1e-1] hidden-units=[16,32,64] epochs=1"
    " --max-trials 30 --random-seed 7 --stage-trials -y"
)


def flags_of(p: Project, run_id: str) -> dict[str, object]:
    path = p.home / "runs" / run_id / ".guild" / "attrs" / "flags"
    flags = yamlio.load(path.read_text())
    assert isinstance(flags, dict)
    return flags


def test_thirty_trials_are_staged_some_changed_and_all_that_stay_run_once(project: Make) -> None:
    """Most are taken out before the queue starts: each run imports scikit-learn, which takes seconds."""
    p = project({})
    shutil.copytree(DIGITS, p.directory, dirs_exist_ok=True)
    assert "30 trials of train staged" in p.guild(SEARCH).out
    staged = [run["id"] for run in p.runs("-Fo train")]
    trials = [flags_of(p, run_id) for run_id in staged]
    assert {run["status"] for run in p.runs("-a")} == {"staged"}
    assert len({(t["learning-rate"], t["hidden-units"]) for t in trials}) == 30
    assert {t["hidden-units"] for t in trials} <= {16, 32, 64}
    assert all(1e-4 <= float(str(t["learning-rate"])) <= 1e-1 for t in trials)

    kept, changed = staged[:8], staged[2:4]
    for run_id in changed:
        assert p.guild(f"run --restage {run_id} hidden-units=8 -y").code == 0
    assert p.guild(["runs", "rm", "-y", *staged[8:]]).code == 0
    queue = p.guild("run queue run-once=yes -y", timeout=250)

    assert queue.code == 0, queue
    assert "queue processed 8 run(s)" in queue.out + queue.err
    started = re.findall(r"Starting staged run ([0-9a-f]{32})", queue.out + queue.err)
    assert Counter(started) == Counter(kept)
    assert set(started[:2]) == set(changed), "what is restaged is next to be run"
    assert (queue.out + queue.err).count("Saved model.pkl") == 8
    ended = {run["id"]: run for run in p.runs("-Fo train")}
    assert {run_id: run["status"] for run_id, run in ended.items()} == dict.fromkeys(kept, "completed")
    assert {run_id for run_id in kept if flags_of(p, run_id)["hidden-units"] == 8} == set(changed)
    compared = p.guild("compare --csv - --max accuracy -Fo train").out.splitlines()
    assert len(compared) == 9
    assert {"hidden-units", "learning-rate", "accuracy"} <= set(compared[0].split(","))
