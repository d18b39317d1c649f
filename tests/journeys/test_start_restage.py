"""Starting, restarting and restaging earlier runs; directories to run by hand."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Project, wait_until
from tests.journeys.test_queue import LEDGER, TRAIN, ledger_of, output_of, stage, statuses

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

CHECKPOINT = 'x = 1\nprint("x=%s" % x)\nopen("checkpoint", "w").write(str(x))\n'


def test_a_restaged_run_is_next(project: Make) -> None:
    p = project({"train.py": TRAIN})
    first, second, third = (stage(p, f"x={n}") for n in (1, 2, 3))
    outcome = p.guild(f"run --restage {third[:8]} x=30 -y")
    assert outcome.code == 0, outcome
    queue = p.guild("run queue run-once=yes -y")
    order = sorted((queue.err.index(f"Starting staged run {i}"), i) for i in (first, second, third))
    assert [i for _, i in order] == [third, first, second]
    assert output_of(p, third) == "version 1 x=30\n"


def test_an_ended_run_is_restaged_and_its_earlier_execution_comes_back(project: Make) -> None:
    p = project({"train.py": CHECKPOINT})
    assert p.guild("run train.py x=1 -y").code == 0
    run_id = p.runs()[0]["id"]
    p.write({"train.py": 'x = 1\nprint("new code x=%s" % x)\n'})
    other = stage(p, "x=5")
    assert p.guild(f"run --restage {run_id[:8]} x=2 -y").code == 0
    assert statuses(p) == {run_id: "staged", other: "staged"}
    assert not (p.home / "runs" / run_id / "checkpoint").exists()
    queue = p.guild("run queue run-once=yes -y")
    assert queue.err.index(f"Starting staged run {run_id}") < queue.err.index(f"Starting staged run {other}")
    assert output_of(p, run_id) == "x=2\n", "the old code, with the new flag"
    assert p.guild("runs restore -y").code == 0
    earlier = next(i for i in statuses(p) if i not in (run_id, other))
    assert (p.home / "runs" / earlier / "checkpoint").read_text() == "1"
    assert output_of(p, earlier) == "x=1\n"


def test_force_sourcecode_takes_todays_code(project: Make) -> None:
    p = project({"train.py": TRAIN})
    run_id = stage(p)
    p.write({"train.py": TRAIN.replace("version 1", "version 2")})
    assert p.guild(f"run --restage {run_id[:8]} x=7 --force-sourcecode -y").code == 0
    assert p.guild(f"run --start {run_id[:8]} -y").code == 0
    assert output_of(p, run_id) == "version 2 x=7\n"


def test_a_wrong_flag_is_refused_without_the_project_and_changes_nothing(project: Make) -> None:
    p = project({"train.py": TRAIN})
    run_id = stage(p)
    shutil.rmtree(p.directory)
    p.directory.mkdir()
    before = sorted((p.home / "runs").rglob("*"))
    for flags in ("y=1", "x=abc"):
        outcome = p.guild(f"run --restage {run_id[:8]} {flags} -y")
        assert outcome.code == 1
        assert flags.partition("=")[0] in outcome.err
    assert sorted((p.home / "runs").rglob("*")) == before
    assert list((p.home / "staging").iterdir()) == []
    assert p.guild(f"run --start {run_id[:8]} -y").out == "version 1 x=1\n"


def test_start_by_index_prefix_and_path_from_elsewhere(project: Make, tmp_path: Path) -> None:
    p = project({"train.py": TRAIN})
    ids = [stage(p, f"x={n}") for n in (1, 2, 3)]
    shutil.rmtree(p.directory)
    p.directory.mkdir()
    for text, n in (("3", 1), (ids[1][:10], 2), (str(p.home / "runs" / ids[2]), 3)):
        outcome = p.guild(["run", "--start", text, "-y"], cwd=tmp_path)
        assert (outcome.code, outcome.out) == (0, f"version 1 x={n}\n"), outcome


def test_a_running_run_is_refused(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    running = p.popen("run job.py -y", env=env)
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the run to begin")
    for option in ("--start", "--restart", "--restage"):
        outcome = p.guild(f"run {option} 1 -y")
        assert outcome.code == 1
        assert "because it's running" in outcome.err
    (tmp_path / "gate").touch()
    assert running.wait().code == 0


def test_of_two_starts_of_one_run_one_wins(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    run_id = stage(p, script="job.py", env=env)
    both = [p.popen(f"run --start {run_id} -y") for _ in range(2)]
    wait_until(lambda: any(b.process.poll() is not None for b in both), what="one to be refused")
    (tmp_path / "gate").touch()
    assert sorted(b.wait().code for b in both) == [0, 1]
    assert ledger_of(tmp_path / "ledger") == [("begin", "1"), ("end", "1")]


def test_restart_runs_an_ended_run_again_in_place(project: Make) -> None:
    p = project({"train.py": CHECKPOINT})
    assert p.guild("run train.py x=1 -y").code == 0
    run_id = p.runs()[0]["id"]
    assert p.guild(f"run --restart {run_id} x=4 -y").out == "x=4\n"
    assert [r["id"] for r in p.runs()] == [run_id]
    assert (p.home / "runs" / run_id / "checkpoint").read_text() == "4"


def test_restart_and_stage_goes_to_the_end_of_the_order(project: Make) -> None:
    p = project({"train.py": CHECKPOINT})
    first, second = stage(p, "x=1"), stage(p, "x=2")
    assert p.guild(f"run --restart {first} --stage x=3 -y").code == 0
    queue = p.guild("run queue run-once=yes -y")
    assert queue.err.index(second) < queue.err.index(first)
    assert output_of(p, first) == "x=3\n"


def test_a_stage_dir_is_run_by_hand_and_then_started(project: Make, tmp_path: Path) -> None:
    p = project({"train.py": TRAIN})
    (tmp_path / "empty").mkdir()
    for name in ("absent", "empty"):
        outcome = p.guild(["run", "train.py", "x=3", "--stage-dir", str(tmp_path / name), "-y"])
        assert outcome.code == 0, outcome
        line = outcome.out.splitlines()[1].split('use "', 1)[1].rstrip('"')
        by_hand = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert by_hand.stdout == "version 1 x=3\n", by_hand
        started = p.guild(["run", "--start", str(tmp_path / name), "-y"])
        assert (started.code, started.out) == (0, "version 1 x=3\n"), started
    outcome = p.guild(["run", "train.py", "--stage-dir", str(tmp_path / "absent"), "-y"])
    assert outcome.code == 1
    assert "not empty" in outcome.err
    assert p.runs() == []


def test_a_staged_job_has_the_environment_of_its_staging(project: Make) -> None:
    script = "import os, json\nprint(json.dumps(dict(os.environ)))\n"
    p = project({"show.py": script})
    run_id = stage(p, script="show.py", env={"A": "1", "MY_TOKEN": "old"})
    env = {"A": "2", "B": "2", "MY_TOKEN": "new"}
    assert p.guild("run queue run-once=yes poll-interval=3 -y", env=env).code == 0
    import json

    seen = json.loads(output_of(p, run_id))
    assert seen["A"] == "1"
    assert "B" not in seen
    assert seen["MY_TOKEN"] == "new", "what is not recorded comes from who starts it"
    assert "old" not in (p.home / "runs" / run_id / ".guild" / "ENV").read_text()
    assert not [n for n in seen if n.startswith("FLAG_")]
    assert (seen["RUN_ID"], seen["CMD_DIR"]) == (run_id, str(p.directory))


def test_a_batch_is_restarted_with_other_values(project: Make) -> None:
    p = project({"train.py": CHECKPOINT})
    assert p.guild("run train.py x=[1,2] --keep-batch -bl mine -y").code == 0
    batch = next(run["id"] for run in p.runs() if run["label"] == "mine")
    again = p.guild(f"run --restart {batch} x=[2,3] --tag night -y")
    assert (again.code, again.out) == (0, "x=3\n"), again
    assert [run["label"] for run in p.runs("-Ft night")] == ["x=3"]
    assert p.guild(f"run --restart {batch} x=[2,3,4] --stage -y").code == 0
    assert p.guild("run queue run-once=yes -y").out.count("x=4\n") == 1
    assert [run["status"] for run in p.runs("-Fl mine")] == ["completed"]
    proto = p.home / "runs" / batch / ".guild/proto/.guild/attrs/flags"
    assert proto.read_text() == "x:\n- 2\n- 3\n- 4\n"
    like_it = p.guild(f"run --proto {batch} -m 2 -y")
    assert like_it.code == 0, like_it
    newest = p.runs("-Fl mine")[0]
    assert newest["id"] != batch, "it was kept, as the one that it is made from"
    assert p.guild(["select", newest["id"], "-a", "max_trials"]).out == "2\n"


def test_a_workflow_is_restarted_with_other_values(project: Make) -> None:
    flow = "train: {main: train, flags-import: all}\nflow: {flags: {y: 1}, steps: [{run: 'train x=${y}'}]}\n"
    p = project({"train.py": CHECKPOINT, "guild.yml": flow})
    assert p.guild("run flow -y").out == "x=1\n"
    run_id = p.guild("select -Fo flow").out.strip()
    shutil.rmtree(p.directory)
    p.directory.mkdir()
    for y in (5, 6):
        assert p.guild(f"run --restart {run_id} y={y} -y").out == f"x={y}\n"
        (step,) = p.runs(f"-Fo train -F 'x={y}'")
        assert step["label"] == f"x={y}"
    assert p.guild(f"run --restart {run_id} -y").out == "x=6\n"
