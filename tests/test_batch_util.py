"""An optimizer of the project's own: it chooses trials by the results of those before."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from guild.base import yamlio
from tests.helpers import Project, wait_until

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

TRAIN = """
import os, sys, time
x = 1.0
y = "a"
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"begin {x:g} {y}\\n")
print("loss: %f" % (x - 3) ** 2, flush=True)
print("acc: %f" % x, flush=True)
while x == 3.5 and os.path.exists(os.environ["HOLD"]):
    time.sleep(0.01)
if x == 13:
    sys.exit(5)
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"end {x:g} {y}\\n")
"""
# Goes downhill with half the step each time.
TUNE = """
from guild import batch_util
step = 2.0
note = "n"

def main():
    batch = batch_util.batch_run()
    print("FLAGS", batch.flags, batch.max_trials, batch.objective, batch.random_seed, note)
    print("EARLIER", [t.flags["x"] for t in batch.trials])
    best = None
    x, width = batch.flags["x"], step
    for number in range(batch.max_trials):
        trial = batch.run_trial({"x": x})
        loss, ok = trial.scalars.get("loss"), trial.path.name == trial.id
        print("TRIAL", trial.flags["x"], trial.exit_status, loss, ok)
        if best is None or trial.scalars["loss"] < best.scalars["loss"]:
            best = trial
        else:
            width /= -2
        x = best.flags["x"] + width
    print("BEST", best.flags["x"], len(batch.trials))

main()
"""
FILES = {"train.py": TRAIN, "tune.py": TUNE}
GUILDFILE = "train: {flags: {x: 1.0, y: a}, %s}\ntune: {flags: {step: 2.0}}\n"


class World:
    """The project, and what its jobs themselves wrote."""

    def __init__(self, make: Make, tmp_path: Path) -> None:
        self.path, self.hold = tmp_path / "ledger", tmp_path / "hold"
        self.env = {"LEDGER": str(self.path), "HOLD": str(self.hold)}
        self.project = make({**FILES, "guild.yml": GUILDFILE % ""})

    def run(self, args: str, code: int = 0) -> str:
        """Run it; its output, both kinds of it."""
        done = self.project.guild(f"run {args} -y", env=self.env)
        assert done.code == code, done
        return done.out + done.err

    def lines(self, verb: str) -> list[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(verb)]

    def listed(self) -> list[str]:
        """`OPERATION STATUS` of all runs, oldest first."""
        return [f"{r['operation']} {r['status']}" for r in reversed(self.project.runs())]


@pytest.fixture
def world(project: Make, tmp_path: Path) -> World:
    return World(project, tmp_path)


def attr(run: Mapping[str, Any], name: str) -> Any:
    return yamlio.load(Path(run["run_dir"], ".guild", "attrs", name).read_text())


def test_an_operation_of_the_project_chooses_the_trials(world: World) -> None:
    out = world.run("train x=1.0 y=b -o tune -N loss -m 3 --random-seed 5")
    assert "FLAGS {'x': 1.0, 'y': 'b'} 3 ('loss', False) 5 n\n" in out
    assert [line for line in out.splitlines() if line.startswith("TRIAL")] == [
        "TRIAL 1.0 0 4.0 True",
        "TRIAL 3.0 0 0.0 True",
        "TRIAL 5.0 0 4.0 True",
    ]
    assert "BEST 3.0 3\n" in out
    assert world.lines("end") == ["1 b", "3 b", "5 b"]
    assert world.listed() == ["train+tune completed", *["train completed"] * 3]
    trials = [r for r in reversed(world.project.runs()) if r["operation"] == "train"]
    assert [r["label"] for r in trials] == ["x=1.0 y=b", "x=3.0 y=b", "x=5.0 y=b"]
    assert [attr(r, "random_seed") for r in trials] == [5, 6, 7]


def test_the_prompt_names_the_optimizer(world: World) -> None:
    asked = world.project.guild("run train -o tune -X acc -m 3 -Fo step=4", input="n\n", env=world.env)
    assert "with tune optimizer (3 trials, maximize acc)" in asked.err
    assert "Optimizer flags:\n  step: 4" in asked.err
    assert world.project.runs() == []


def test_what_is_to_be_optimized_and_the_flags_of_the_optimizer_are_as_typed(world: World) -> None:
    out = world.run("train -o tune -X acc -m 1 -Fo step=4")
    assert "('acc', True)" in out
    batch = next(r for r in world.project.runs() if r["operation"] == "train+tune")
    assert attr(batch, "flags") == {"step": 4}


def test_the_guildfile_may_name_the_optimizer_and_its_flags(world: World) -> None:
    own = "optimizers: {fine: {algorithm: tune, step: 0.5}, coarse: {algorithm: tune, default: yes, step: 4}}"
    world.project.write({"guild.yml": GUILDFILE % own})
    world.run("train -O -m 2")
    assert world.lines("end") == ["1 a", "5 a"]
    world.run("train -o fine -m 2")
    assert world.lines("end")[2:] == ["1 a", "1.5 a"]


def test_label_and_tags_go_to_the_trials(world: World) -> None:
    world.run("train -o tune -m 2 --label 'at ${x}' --tag t -bl mine -bt b")
    found = [(r["operation"], r["label"], r["tags"]) for r in reversed(world.project.runs())]
    assert found == [
        ("train+tune", "mine", ["b"]),
        ("train", "at 1.0", ["t"]),
        ("train", "at 3.0", ["t"]),
    ]


def test_a_trial_that_fails_is_seen_by_the_optimizer(world: World) -> None:
    world.project.write(
        {"tune.py": "from guild.batch_util import batch_run\nt = batch_run().run_trial({'x': 13})\n"
         "print('CODE', t.exit_status, t.scalars['acc'])\n"}
    )  # fmt: skip
    assert "CODE 5 13.0" in world.run("train -o tune")
    assert world.listed() == ["train+tune completed", "train error"]


@pytest.mark.parametrize("values", ["{'z': 1}", "{'x': 'abc'}"])
def test_values_that_the_operation_does_not_take_end_the_optimizer(world: World, values: str) -> None:
    world.project.write(
        {"tune.py": f"from guild.batch_util import batch_run\nbatch_run().run_trial({values})\n"}
    )
    out = world.run("train -o tune", code=1)
    assert "GuildError" in out
    assert world.listed() == ["train+tune error"]


def test_an_optimizer_that_fails_is_an_error_and_its_trials_stay(world: World) -> None:
    tune = "from guild.batch_util import batch_run\nbatch_run().run_trial({'x': 2})\nraise KeyError('k')\n"
    world.project.write({"tune.py": tune})
    assert "KeyError: 'k'" in world.run("train -o tune", code=1)
    assert world.listed() == ["train+tune error", "train completed"]


def test_run_by_itself_an_optimizer_says_what_it_needs(world: World) -> None:
    out = world.run("tune", code=1)
    assert "is no batch" in out


@pytest.mark.parametrize("how", ["queue", "start"])
def test_a_staged_optimizer_runs_as_it_was_staged(world: World, how: str) -> None:
    out = world.run("train x=1.0 y=q -o tune -m 2 --stage")
    assert "train+tune staged as" in out
    world.project.write({"train.py": "raise SystemExit('changed')", "tune.py": "raise SystemExit('changed')"})
    (Path(world.project.directory) / "guild.yml").unlink()
    run_id = world.project.runs()[0]["id"]
    world.run("queue run-once=yes" if how == "queue" else f"--start {run_id}")
    assert world.lines("end") == ["1 q", "3 q"]
    assert "train+tune completed" in world.listed()


def test_a_restaged_optimizer_has_the_new_values(world: World) -> None:
    world.run("train x=1.0 y=q -o tune -m 2 --stage")
    world.run("--restage 1 x=0.5")
    world.run("queue run-once=yes")
    assert world.lines("end") == ["0.5 q", "2.5 q"]


def test_a_step_may_have_an_optimizer(world: World) -> None:
    world.project.write({"guild.yml": GUILDFILE % "" + "flow: {steps: [train -o tune -m 2]}\n"})
    world.run("flow")
    assert world.lines("end") == ["1 a", "3 a"]


@pytest.mark.parametrize("how", ["stop", "interrupt", "terminate"])
def test_an_optimizer_that_is_ended_starts_no_other_trial(world: World, how: str) -> None:
    world.hold.touch()
    running = world.project.popen("run train x=1.5 -o tune -m 5 -y", env=world.env)
    wait_until(lambda: "3.5 a" in world.lines("begin"))
    if how == "stop":
        assert world.project.guild("stop -y -Fo train+tune").code == 0
    elif how == "interrupt":
        running.interrupt()
    else:
        running.send_signal(signal.SIGTERM)
    assert running.wait().code == {"stop": 241, "interrupt": 240, "terminate": 241}[how]
    assert world.listed() == ["train+tune terminated", "train completed", "train terminated"]
    assert "batch_util" not in running.err


def test_an_optimizer_that_is_started_again_knows_its_earlier_trials(world: World) -> None:
    world.run("train -o tune -m 2")
    batch = world.project.runs()[-1]["id"]
    out = world.run(f"--restart {batch}")
    assert "EARLIER [1.0, 3.0]" in out
    assert "it has completed" in out
    assert world.lines("end") == ["1 a", "3 a"]
