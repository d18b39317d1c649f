"""Batches: each trial is run once, by the batch itself or by a queue, whatever is interrupted."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Project, wait_until

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

# Writes a line before and after its work to a file that is not part of any run.
TRAIN = """
import os, sys, time
x = 1
y = "a"
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"begin {x} {y} {os.environ['RUN_ID']}\\n")
print("loss: %f" % x, flush=True)
while x == 3 and os.path.exists(os.environ["HOLD"]):
    time.sleep(0.01)
if x == 13:
    sys.exit(5)
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"end {x} {y}\\n")
"""


class Ledger:
    """What the jobs themselves wrote."""

    def __init__(self, tmp_path: Path) -> None:
        self.path, self.hold = tmp_path / "ledger", tmp_path / "hold"
        self.env = {"LEDGER": str(self.path), "HOLD": str(self.hold)}

    def lines(self, verb: str) -> list[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return [" ".join(w.split()[1:3]) for w in text.splitlines() if w.startswith(verb)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def operations(project: Project) -> list[str]:
    return [f"{run['operation']} {run['status']}" for run in project.runs()]


def test_a_list_of_values_runs_a_trial_for_each_and_leaves_no_batch(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    done = p.guild("run train.py x=[1,2] y=[a,b] -y", env=ledger.env)
    assert done.code == 0, done
    assert ledger.lines("end") == ["1 a", "1 b", "2 a", "2 b"]
    assert operations(p) == ["train.py completed"] * 4
    assert [r["label"] for r in p.runs()] == ["x=2 y=b", "x=2 y=a", "x=1 y=b", "x=1 y=a"]
    assert [line.partition(": train.py")[2] for line in done.err.splitlines() if "Running trial" in line] == [
        " (x=1, y=a)", " (x=1, y=b)", " (x=2, y=a)", " (x=2, y=b)",
    ]  # fmt: skip


def test_the_prompt_says_how_many_trials_and_no_means_no(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    asked = p.guild("run train.py x=[1,2,4] y=[a,b] -m 4", input="n\n", env=ledger.env)
    assert asked.code == 0
    assert "You are about to run train.py as a batch (4 trials)\n  x: [1, 2, 4]\n  y: [a, b]\n" in asked.err
    asked = p.guild("run train.py x=uniform[1:9] -o random", input="n\n", env=ledger.env)
    assert "with random search (20 trials)" in asked.err or "with random search (9 trials)" in asked.err
    assert p.runs() == []


def test_a_random_search_needs_no_values_where_the_definitions_say_what_may_be_tried(project: Make) -> None:
    flags = "x: {default: 1.5, min: 1, max: 9}\n    y: {default: a, choices: [a, b]}"
    p = project({"train.py": TRAIN, "guild.yml": f"train:\n  main: train\n  flags:\n    {flags}\n"})
    asked = p.guild("run train -o random -m 3", input="n\n")
    assert "train with random search (3 trials)\n  x: uniform[1:9:1.5]\n  y: [a, b]\n" in asked.err
    assert p.guild("run train -o random -m 3 --stage-trials -y").code == 0
    tried = [line.split(",")[1] for line in p.guild("compare --csv - -cc =x").out.splitlines()[1:]]
    assert (len(set(tried)), tried[-1]) == (3, "1.5")


def test_a_kept_batch_is_listed_with_its_trials_linked_and_hidden_from_compare(
    project: Make, ledger: Ledger
) -> None:
    p = project({"train.py": TRAIN})
    options = ["--keep-batch", "-bl", "my batch", "-bt", "night", "-bc", "why", "--tag", "t", "-y"]
    assert p.guild(["run", "train.py", "x=[1,2]", *options], env=ledger.env).code == 0
    two, one, batch = p.runs()
    assert batch["operation"] == "train.py+"
    assert (batch["label"], batch["tags"]) == ("my batch", ["night"])
    assert one["tags"] == ["t"]
    links = {e.name: os.readlink(e.path) for e in os.scandir(batch["run_dir"]) if e.is_symlink()}
    assert links == {r["id"]: f"../{r['id']}" for r in (one, two)}
    assert "train.py+" not in p.guild("compare --csv -").out
    assert "train.py," in p.guild("compare --csv -").out


def test_a_trial_that_fails_is_named_and_the_others_go_on(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    done = p.guild("run train.py x=[13,1] -y", env=ledger.env)
    assert done.code == 0
    assert "exited with an error (5)" in done.err
    assert ledger.lines("end") == ["1 a"]


def test_a_batch_may_stop_at_the_first_failure_and_goes_on_there_when_started_again(
    project: Make, ledger: Ledger
) -> None:
    p = project({"train.py": TRAIN})
    done = p.guild("run train.py x=[1,13,2] --fail-on-trial-error -y", env=ledger.env)
    assert done.code == 5
    assert "Stopping batch because a trial failed, 1 left" in done.err
    assert operations(p) == ["train.py error", "train.py completed", "train.py+ error"]
    batch = p.runs()[-1]["id"]
    again = p.guild(f"run --restart {batch} -y", env=ledger.env)
    assert again.code == 5
    assert "because it has completed" in again.err
    assert ledger.lines("begin") == ["1 a", "13 a", "13 a"]
    assert len(p.runs()) == 3


@pytest.mark.parametrize("how", ["stop", "interrupt", "kill"])
def test_an_interrupted_batch_leaves_nothing_pending_and_goes_on_with_what_is_missing(
    project: Make, ledger: Ledger, how: str
) -> None:
    p = project({"train.py": TRAIN})
    ledger.hold.touch()
    running = p.popen("run train.py x=[1,3,4,5] -y", env=ledger.env)
    wait_until(lambda: "3 a" in ledger.lines("begin"))
    batch = next(r for r in p.runs() if r["operation"] == "train.py+")
    if how == "stop":
        assert p.guild("stop -y").code == 0
    elif how == "interrupt":
        running.interrupt()
    else:
        for run in p.runs("--running"):
            lease = json.loads(Path(run["run_dir"], ".guild/lease.json").read_text())
            for process in (lease["holder"], lease["child"]):
                _kill(process["pid"])
        _kill(running.pid)
    assert running.wait().code != 0
    ended = "train.py error" if how == "kill" else "train.py terminated"
    wait_until(lambda: ended in operations(p))
    assert sorted(o.split()[1] for o in operations(p)) == sorted(["completed", *[ended.split()[1]] * 2])
    ledger.hold.unlink()
    again = p.guild(f"run --restart {batch['id']} -y", env=ledger.env, timeout=100)
    assert again.code == 0, again
    assert ledger.lines("end") == ["1 a", "3 a", "4 a", "5 a"]
    assert ledger.lines("begin") == ["1 a", "3 a", "3 a", "4 a", "5 a"]
    assert operations(p) == ["train.py completed"] * 4


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_a_staged_batch_runs_what_was_staged(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN, "b.csv": "x,y\n1,p\n2,q\n"})
    staged = p.guild("run train.py @b.csv y=z --stage -y", env=ledger.env)
    assert "train.py+ staged as" in staged.out
    p.write({"train.py": "raise SystemExit('changed')", "b.csv": "x\n9\n"})
    assert p.guild("run queue run-once=yes -y", env=ledger.env).code == 0
    assert ledger.lines("end") == ["1 z", "2 z"]


def test_a_staged_batch_is_restaged_with_other_values(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    assert p.guild("run train.py x=[1,2] y=b --stage -y", env=ledger.env).code == 0
    assert p.guild("run --restage 1 x=[4,5,6] -y").code == 0
    assert p.guild("run queue run-once=yes -y", env=ledger.env).code == 0
    assert ledger.lines("end") == ["4 b", "5 b", "6 b"]


def test_staged_trials_are_a_queues_food_and_may_be_restaged_one_by_one(
    project: Make, ledger: Ledger
) -> None:
    p = project({"train.py": TRAIN})
    staged = p.guild("run train.py x=[1,2,4] --stage-trials -y", env=ledger.env)
    assert staged.code == 0
    assert operations(p) == ["train.py staged"] * 3
    second = next(r["id"] for r in p.runs() if r["label"] == "x=2 y=a")
    assert p.guild(f"run --restage {second} x=20 -y").code == 0
    p.write({"train.py": "raise SystemExit('changed')"})
    assert p.guild("run queue run-once=yes -y", env=ledger.env).code == 0
    assert ledger.lines("end") == ["20 a", "1 a", "4 a"]


def test_a_killed_staging_leaves_whole_trials_in_order_and_nothing_else(
    project: Make, ledger: Ledger
) -> None:
    p = project({"train.py": TRAIN})
    running = p.popen("run train.py x=range[100:199] --stage-trials -y", env=ledger.env)
    running.expect("Staged trial")
    _kill(running.pid)
    running.wait()
    runs = p.runs()
    assert 0 < len(runs) < 101
    assert {r["status"] for r in runs} == {"staged"}
    assert [r["label"] for r in reversed(runs)] == [f"x={x} y=a" for x in range(100, 100 + len(runs))]
    p.guild("run queue run-once=yes -y", env={**ledger.env, "GUILD_NO_SYNC": "1"}, timeout=110)
    assert ledger.lines("end") == [f"{x} a" for x in range(100, 100 + len(runs))]
    assert os.listdir(p.home / "staging") == []


def test_a_queue_and_a_batch_in_progress_run_no_trial_twice(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    ledger.hold.touch()
    batch = p.popen("run train.py x=[1,3,4] -y", env=ledger.env)
    wait_until(lambda: "3 a" in ledger.lines("begin"))
    queue = p.popen("run queue wait-for-running=no -y", env=ledger.env)
    queue.expect("Waiting for staged runs")
    assert p.guild("run train.py x=50 --stage -y", env=ledger.env).code == 0
    wait_until(lambda: "50 a" in ledger.lines("end"))
    ledger.hold.unlink()
    assert batch.wait().code == 0
    assert sorted(ledger.lines("begin")) == ["1 a", "3 a", "4 a", "50 a"]


def test_trials_are_printed_and_saved_and_read_again(project: Make) -> None:
    p = project({"train.py": TRAIN})
    printed = p.guild("run train.py x=[1,2] y=[a,'1'] -m 3 --random-seed 7 --print-trials")
    assert printed.out.splitlines()[0].split() == ["#", "x", "y"]
    assert len(printed.out.splitlines()) == 4
    for name in ("t.csv", "t.json"):
        assert p.guild(f"run train.py x=[1,2] y=[a,'1'] -m 3 --random-seed 7 --save-trials {name}").code == 0
        assert p.guild(f"run train.py @{name} --print-trials").out == printed.out
    refused = p.guild("run train.py x=1 --print-trials")
    assert (refused.code, refused.err.splitlines()[0]) == (
        1, "guild: cannot print trials for a non-batch operation"
    )  # fmt: skip
    assert p.runs() == []


BAD: list[tuple[str, str]] = [
    ("x=[1,2] -o gp", "optimizer 'gp' is not available"),
    ("x=[1,2] -O", "no default optimizer defined"),
    ("x=1 -Fo a=1", "invalid optimizer flag a=1: no optimizer specified"),
    ("x=[1,2] -o random -Fo a=1", "unsupported flag 'a'"),
    ("@none.csv", "batch file none.csv does not exist"),
    ("x=1 --stage-trials", "cannot stage trials of train.py: it makes one run"),
    ("x=[1,2] --print-trials --stage-trials", "--print-trials and --stage-trials cannot both be used"),
    ("x=[1,2] -N a -X b", "--minimize and --maximize cannot both be used"),
    ("x=1 --remote far", "--remote is not supported"),
    ("x=loguniform[0:1]", "the lower end must be above 0"),
    ("x=range[1:4:0]", "x=range[1:4:0]: these arguments make no sequence"),
    ("x=[]", "nothing to run: x has no values"),
    ("@", "expected the name of a batch file after '@'"),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_what_a_batch_cannot_be_is_said_and_nothing_is_made(project: Make, args: str, message: str) -> None:
    p = project({"train.py": TRAIN})
    refused = p.guild(f"run train.py {args} -y")
    assert (refused.code, refused.out) == (1, "")
    assert message in refused.err
    assert p.runs() == []


def test_a_limit_without_a_batch_is_ignored_with_a_warning(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    done = p.guild("run train.py x=1 -m 3 -y", env=ledger.env)
    assert done.code == 0
    assert "not a batch run - ignoring --max-trials" in done.err


def test_a_file_with_one_trial_is_a_plain_run(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN, "one.json": '{"x": 7, "y": "q"}'})
    assert p.guild("run train.py @one.json y=r -y", env=ledger.env).code == 0
    assert [(r["operation"], r["label"]) for r in p.runs()] == [("train.py", "x=7 y=r")]


def test_needed_leaves_out_the_trials_of_which_there_is_a_run(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    assert p.guild("run train.py x=2 -y", env=ledger.env).code == 0
    again = p.guild("run train.py x=[1,2] --needed -y", env=ledger.env)
    assert again.code == 0
    assert "Skipping because the following runs match" in again.err
    staged = p.guild("run train.py x=[1,2,5] --needed --stage-trials -y", env=ledger.env)
    assert "1 trial of train.py staged" in staged.out
    assert ledger.lines("end") == ["2 a", "1 a"]


def test_fewer_trials_than_were_asked_for_are_no_surprise(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    shown = p.guild("run train.py x=uniform[1:3] -m 10 --print-trials")
    assert "there are only 3 different trials, fewer than --max-trials 10" in shown.err


def test_a_null_of_a_trial_is_shown_and_saved(project: Make) -> None:
    p = project({"train.py": TRAIN, "t.json": '[{"x": 1, "y": null}, {"x": 2}]'})
    shown = p.guild("run train.py @t.json --print-trials").out
    assert [line.split() for line in shown.splitlines()[1:]] == [["1", "1", "null"], ["2", "2", "a"]]
    assert p.guild("run train.py @t.json --save-trials s.json").code == 0
    assert p.guild("run train.py @s.json --print-trials").out == shown


def test_stopping_one_trial_leaves_the_others_to_be_run(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    ledger.hold.touch()
    running = p.popen("run train.py x=[1,3,4] -y", env=ledger.env)
    wait_until(lambda: "3 a" in ledger.lines("begin"))
    trial = next(r["id"] for r in p.runs() if r["label"] == "x=3 y=a")
    assert p.guild(f"stop {trial} -y").code == 0
    assert running.wait().code == 0
    assert ledger.lines("end") == ["1 a", "4 a"]
    assert sorted(operations(p)) == ["train.py completed", "train.py completed", "train.py terminated"]


def test_a_trial_whose_batch_was_killed_goes_on_and_is_recorded(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    ledger.hold.touch()
    running = p.popen("run train.py x=[3,4] --keep-batch -y", env=ledger.env)
    wait_until(lambda: "3 a" in ledger.lines("begin"))
    batch = next(r for r in p.runs() if r["operation"] == "train.py+")
    lease = json.loads(Path(batch["run_dir"], ".guild/lease.json").read_text())
    _kill(lease["child"]["pid"])
    running.wait()
    ledger.hold.unlink()
    wait_until(lambda: "train.py completed" in operations(p))
    assert p.guild(f"run --restart {batch['id']} -y", env=ledger.env).code == 0
    assert ledger.lines("end") == ["3 a", "4 a"]


def test_a_time_limit_is_for_each_trial(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    ledger.hold.touch()
    done = p.guild("run train.py x=[3,1] --stop-after 0.01 -y", env=ledger.env)
    assert done.code == 0, done
    assert ledger.lines("end") == ["1 a"]
    assert sorted(operations(p)) == ["train.py completed", "train.py terminated"]


DEPENDING = {
    "guild.yml": "train: {main: train, flags: {x: 1}, requires: {file: data.txt}}\n",
    "train.py": "x = 1\nprint(x, open('data.txt').read())\n",
    "data.txt": "old",
}


def test_a_staged_batch_has_the_files_of_its_staging(project: Make) -> None:
    p = project(DEPENDING)
    assert p.guild("run train x=[1,2] --stage -y").code == 0
    assert p.guild("run train x=[3,4] --stage-trials -y").code == 0
    (p.directory / "data.txt").unlink()
    queue = p.guild("run queue run-once=yes -y")
    for x in (1, 2, 3, 4):
        assert f"{x} old" in queue.out


def test_a_restaged_batch_takes_search_ranges_files_and_options(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN, "t.csv": "x\n7\n8\n9\n"})
    assert p.guild("run train.py x=[1,2] --stage -y", env=ledger.env).code == 0
    assert p.guild("run --restage 1 x=uniform[20:29] -m 2 -bl searched -y").code == 0
    batch = p.runs()[0]
    assert batch["label"] == "searched"
    assert p.guild(f"run --start {batch['id']} -y").code == 0
    values = [int(line.split()[0]) for line in ledger.lines("end")]
    assert len(values) == 2
    assert all(20 <= x <= 29 for x in values)
    assert p.guild("run train.py x=[1,2] --stage -y", env=ledger.env).code == 0
    restaged = p.guild("run --restage 1 @t.csv -y")
    assert restaged.code == 0, restaged
    assert p.guild("run --start 1 -y").code == 0
    assert ledger.lines("end")[2:] == ["7 a", "8 a", "9 a"]
    assert p.guild("run train.py --stage -y", env=ledger.env).code == 0
    refused = p.guild("run --restage 1 -m 2 -y")
    assert refused.code == 1
    assert "is no batch" in refused.err


def test_a_staged_batch_says_what_it_will_run(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    assert p.guild("run train.py x=[1,2] --stage -y", env=ledger.env).code == 0
    assert p.runs()[0]["label"] == "x=[1, 2] y=a"
    assert p.guild("run --restage 1 x=[5,6,7] -y").code == 0
    assert p.runs()[0]["label"] == "x=[5, 6, 7] y=a"


def test_trials_stop_at_breakpoints(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    done = p.guild("run train.py x=[1,2] --break 3 -y", input="p x\nc\np x\nc\n", env=ledger.env)
    assert done.out.count("(Pdb)") >= 2, done


def test_a_restaged_batch_is_kept_if_it_was_to_be_kept(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    assert p.guild("run train.py x=[1,2] --keep-batch --stage -y", env=ledger.env).code == 0
    assert p.guild("run --restage 1 x=[4,5] -y").code == 0
    assert p.guild("run --start 1 -y").code == 0
    assert "train.py+ completed" in operations(p)
    assert p.guild("run train.py x=[1,2] --stage -y", env=ledger.env).code == 0
    assert p.guild("run --restage 1 --keep-batch -y").code == 0
    assert p.guild("run --start 1 -y").code == 0
    assert operations(p).count("train.py+ completed") == 2


def test_a_batch_takes_todays_source_code_when_it_is_asked_to(project: Make, ledger: Ledger) -> None:
    p = project({"train.py": TRAIN})
    assert p.guild("run train.py x=[1,2] --stage -y", env=ledger.env).code == 0
    p.write({"train.py": TRAIN.replace('y = "a"', 'y = "new"')})
    assert p.guild("run --restage 1 --force-sourcecode -y").code == 0
    assert p.guild("run --start 1 -y").code == 0
    assert [line.split()[0] for line in ledger.lines("end")] == ["1", "2"]
    assert "new" in (p.home / "runs" / p.runs()[0]["id"] / "train.py").read_text()
