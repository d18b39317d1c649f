"""Workflows: their steps are runs like others, made of what was there when the workflow was made."""

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import Project, wait_until

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

# Writes a line before and after its work to a file that is not part of any run.
JOB = """
import os, sys, time
x = 1
y = "a"
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"begin {os.environ['GUILD_OP']} {x} {y}\\n")
print("x: %s" % x, flush=True)
with open("made.txt", "w") as f:
    f.write("x=%s\\n" % x)
while x == 3 and os.path.exists(os.environ["HOLD"]):
    time.sleep(0.01)
if x == 13:
    sys.exit(5)
with open(os.environ["LEDGER"], "a") as f:
    f.write(f"end {os.environ['GUILD_OP']} {x} {y}\\n")
"""
OPS = """
a: {main: job, flags: {x: 1, y: a}}
b: {main: job, flags: {x: 1, y: a}}
use: {main: job, flags: {x: 1, y: a}, requires: {operation: a, name: upstream}}
"""


class World:
    """A project with these operations, and what its jobs themselves wrote."""

    def __init__(self, make: Make, tmp_path: Path) -> None:
        self._make = make
        self.path, self.hold = tmp_path / "ledger", tmp_path / "hold"
        self.env = {"LEDGER": str(self.path), "HOLD": str(self.hold)}
        self.project = make({"job.py": JOB})

    def write(self, steps: str, more: str = "") -> None:
        self.project.write({"guild.yml": f"{OPS}{more}\nflow:\n{steps}"})

    def run(self, args: str = "flow", code: int = 0, **options: Any) -> str:
        """Run it; what it said on stderr."""
        done = self.project.guild(f"run {args} -y", env=self.env, **options)
        assert done.code == code, done
        return done.err

    def lines(self, verb: str) -> list[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(verb)]

    def listed(self) -> list[str]:
        """`OPERATION STATUS` of all runs, oldest first."""
        return [f"{r['operation']} {r['status']}" for r in reversed(self.project.runs())]

    def flow(self) -> dict[str, Any]:
        return next(r for r in self.project.runs() if r["operation"] == "flow")

    def links(self) -> dict[str, str]:
        """Links in the directory of the workflow, and the operations that they lead to."""
        by_id = {r["id"]: r for r in self.project.runs()}
        entries = [e for e in os.scandir(self.flow()["run_dir"]) if e.is_symlink()]
        targets = {e.name: os.readlink(e.path) for e in entries}
        assert all(t == f"../{os.path.basename(t)}" for t in targets.values())
        found = {name: by_id[os.path.basename(t)] for name, t in targets.items()}
        return {name: f"{r['operation']} {r['label'] or ''}".strip() for name, r in sorted(found.items())}


@pytest.fixture
def world(project: Make, tmp_path: Path) -> World:
    return World(project, tmp_path)


def test_steps_run_one_after_the_other_and_are_linked(world: World) -> None:
    world.write("  steps: [a x=1, b, a x=2, {run: 'b y=z', name: my step}]")
    said = world.run()
    assert world.lines("end") == ["a 1 a", "b 1 a", "a 2 a", "b 1 z"]
    assert world.listed() == ["flow completed", "a completed", "b completed", "a completed", "b completed"]
    assert world.links() == {
        "a": "a x=1 y=a", "a_2": "a x=2 y=a", "b": "b x=1 y=a", "my-step": "b x=1 y=z"
    }  # fmt: skip
    assert [line for line in said.splitlines() if "running" in line] == [
        "INFO: [guild] running a: a x=1",
        "INFO: [guild] running b: b",
        "INFO: [guild] running a: a x=2",
        "INFO: [guild] running my step: b y=z",
    ]


def test_a_step_of_a_model_is_recorded_as_if_it_had_been_typed(project: Make) -> None:
    p = project(
        {
            "job.py": "x = 1\nname = 'n'\n",
            "d.txt": "d",
            "guild.yml": "- model: m\n  operations:\n"
            "    a: {main: job, flags-import: all, requires: {file: d.txt}}\n"
            "    flow: {flags: {v: 2}, steps: [{run: 'a x=${v} name=\"a b\"'}]}\n",
        }
    )
    done = p.guild("run m:flow --stage -y")
    assert (done.code, done.err) == (0, "")
    done = p.guild(f"run --start {p.runs()[0]['id']} -y")
    assert done.err.splitlines() == [
        "INFO: [guild] running a: m:a name='a b' x=2",
        "Resolving file:d.txt",
        "Skipping resolution of file:d.txt because it's already resolved",
    ]
    attrs = Path(p.runs()[0]["run_dir"], ".guild/attrs")
    assert (attrs / "user_flags").read_text() == "name: a b\nx: 2\n"
    params = (attrs / "run_params").read_text()
    assert "\nopspec: m:a\n" in params
    assert "\nflags:\n- name=a b\n- x=2\n" in params


def test_steps_get_flags_of_the_workflow(world: World) -> None:
    flags = "  flags: {lr: 7, name: '1', b:y: over}\n"
    steps = (
        "  steps:\n"
        "  - {run: a, flags: {x: '${lr}', y: '${name}'}}\n"
        "  - b x=1${lr} y=${name}-\n"
        "  - {run: a, flags: {y: '2'}}\n"
    )
    world.write(flags + steps)
    world.run()
    assert world.lines("end") == ["a 7 1", "b 17 over", "a 1 2"]
    world.path.unlink()
    world.run("flow lr=8 b:y=typed")
    assert world.lines("end") == ["a 8 1", "b 18 typed", "a 1 2"]
    # Texts stay texts, although they look like numbers.
    assert [r["label"] for r in world.project.runs() if r["operation"] == "a"][:2] == [
        "x=1 y='2'",
        "x=8 y='1'",
    ]


def test_a_step_may_be_a_batch_whose_trials_take_its_place(world: World) -> None:
    world.write("  steps: [{run: 'a x=[1,2]', expect: {file: nope}}, 'b x=uniform[5:6] -m 1', use]")
    said = world.run()
    assert world.lines("end")[:2] == ["a 1 a", "a 2 a"]
    assert list(world.links()) == ["a", "a_2", "b", "use"]
    assert "INFO: [guild] skipping checks for a" in said
    assert "running a: a x=[1, 2]" in said
    use = world.project.runs()[0]
    second = next(r for r in world.project.runs() if r["label"] == "x=2 y=a")
    assert second["id"] in str(Path(use["run_dir"], ".guild/attrs/flags").read_text())


def test_a_step_may_be_a_workflow(world: World) -> None:
    world.write(
        "  flags: {n: 4}\n  steps: ['inner n=${n}', b, use]\n",
        "inner: {flags: {n: 1}, steps: ['a x=${n}', b]}",
    )
    world.run()
    assert world.lines("end") == ["a 4 a", "b 1 a", "b 1 a", "use 1 a"]
    assert list(world.links()) == ["b", "inner", "use"]


@pytest.mark.parametrize(
    ("more", "chain"),
    [("", "flow -> flow"), ("inner: {steps: [a, flow]}", "flow -> inner -> flow")],
)
def test_a_workflow_that_leads_to_itself_is_refused(world: World, more: str, chain: str) -> None:
    world.write(f"  steps: [a, {'inner' if more else 'flow'}]", more)
    said = world.run(code=1)
    assert f"leads back to where it came from: {chain}" in said
    assert world.project.runs() == []


def test_a_failing_step_ends_the_workflow_with_its_code(world: World) -> None:
    world.write("  steps: [a, b x=13, a x=2]")
    world.run(code=5)
    assert world.listed() == ["flow error", "a completed", "b error"]


def test_a_failed_check_ends_the_workflow_with_code_3(world: World) -> None:
    world.write(
        "  steps:\n"
        "  - {run: a x=4, expect: [{output: '^x: 4$'}, {file: '*.txt', contains: x=4},"
        " {file: made.txt, compare-to: '${PROJECT_DIR}/good.txt'}]}\n"
        "  - {run: b, expect: [{output: never}, {file: made.txt}]}\n"
        "  - a\n"
    )
    world.project.write({"good.txt": "x=4\n"})
    said = world.run(code=3)
    assert "3 of 3 checks passed" in said
    assert "1 of 2 checks passed" in said
    assert "guild: stopping because a check failed" in said
    assert world.listed() == ["flow error", "a completed", "b completed"]


def test_a_step_takes_its_upstream_from_its_own_workflow(world: World) -> None:
    world.write("  steps: [{run: use, isolate-runs: no}, a x=2, use]")
    world.run("a x=1")
    world.run()
    ids = {r["label"]: r["id"] for r in world.project.runs()}
    uses = [r for r in world.project.runs() if r["operation"] == "use"]
    late, early = (Path(r["run_dir"], ".guild/attrs/flags").read_text() for r in uses)
    assert ids["x=1 y=a"] in early
    assert ids["x=2 y=a"] in late


def test_a_step_does_not_take_its_upstream_from_elsewhere(world: World) -> None:
    world.write("  steps: [b, use, a]")
    world.run("a")
    said = world.run(code=1)
    assert "no suitable run for a" in said
    assert world.listed() == ["a completed", "flow error", "b completed", "use error"]


def test_steps_inherit_label_and_tags_unless_they_have_their_own(world: World) -> None:
    world.write("  steps: [a, 'b --label own --tag two', {run: a, tags: [x, y]}]")
    said = world.run("flow --label 'the label' --tag one")
    runs = {r["id"]: r for r in world.project.runs()}
    found = [(r["operation"], r["label"], r["tags"]) for r in reversed(list(runs.values()))]
    assert found == [
        ("flow", "the label", ["one"]),
        ("a", "the label", ["one"]),
        ("b", "own", ["two"]),
        ("a", "the label", ["x", "y"]),
    ]
    assert "running b: b --label own --tag two\n" in said
    assert "running a: a --label the label --tag one\n" in said


def test_steps_have_options_of_their_own(world: World) -> None:
    world.write("  steps: [{run: a, gpus: '1', comment: why}, b --no-gpus, 'a x=[1,2,4,5] -m 2', b -f z=1]")
    world.run()
    first = next(r for r in reversed(world.project.runs()) if r["operation"] == "a")
    assert "CUDA_VISIBLE_DEVICES: '1'" in Path(first["run_dir"], ".guild/attrs/op").read_text()
    assert "why" in Path(first["run_dir"], ".guild/attrs/comments").read_text()
    assert len([r for r in world.project.runs() if r["operation"] == "a"]) == 3


def test_a_step_that_is_not_needed_is_skipped(world: World) -> None:
    world.write("  steps: [a --needed, a --needed, {run: a --needed, isolate-runs: no}, use]")
    world.run("a")
    said = world.run()
    assert said.count("Skipping because the following runs match") == 2
    assert world.listed() == ["a completed", "flow completed", "a completed", "use completed"]


BAD = [
    ("steps: [a, none]", "operation 'none' is not defined"),
    ("steps: [a, a z=1]", "unsupported flag 'z'"),
    ("steps: [a, {run: b, flags: {x: '${no}'}}]", "step 'b' refers to 'no', which is no flag of the"),
    ("steps: [a, b @no.csv]", "batch file no.csv does not exist"),
    ("steps: [a, b -o gp x=1]", "optimizer 'gp' is not available"),
    ("steps: [a, b --lable x]", "unknown option '--lable' (did you mean '--label'?)"),
    ("steps: [a, {run: b, expect: {output: '('}}]", "invalid regular expression '('"),
]


@pytest.mark.parametrize(("steps", "message"), BAD)
def test_a_bad_step_is_refused_before_anything_is_made(world: World, steps: str, message: str) -> None:
    world.write(f"  {steps}")
    said = world.run(code=1)
    assert message in said
    assert "Traceback" not in said
    assert world.project.runs() == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_staged_workflow_runs_what_was_staged(world: World, gone: bool) -> None:
    inner = "inner: {flags: {m: 1}, steps: ['b x=${m}']}"
    world.write("  flags: {n: 2}\n  steps: ['a x=${n}', 'b x=[5,6]', 'inner m=7', use]", inner)
    world.run("flow --stage")
    if gone:
        shutil.rmtree(world.project.directory)
        world.project.directory.mkdir()
    else:
        world.project.write({"job.py": "raise SystemExit('changed')", "guild.yml": "flow: {steps: [none]}"})
    world.run("queue run-once=yes")
    assert world.lines("end") == ["a 2 a", "b 5 a", "b 6 a", "b 7 a", "use 1 a"]
    assert "flow completed" in world.listed()


def test_new_flags_of_a_restaged_workflow_reach_its_steps(world: World) -> None:
    world.write(
        "  flags: {n: 2, 'b:y': q}\n  steps: ['a x=${n}', 'b x=1${n}', 'a y=[u,v] x=${n}', 'c m=${n}']",
        "c: {flags: {m: 1}, steps: ['b x=${m}']}",
    )
    world.run("flow --stage")
    world.run("--restage 1 n=4 b:y=r")
    world.project.write({"job.py": "raise SystemExit('changed')"})
    world.run("queue run-once=yes")
    assert world.lines("end") == ["a 4 a", "b 14 r", "a 4 u", "a 4 v", "b 4 a"]


def test_a_workflow_that_is_started_again_runs_all_steps_as_new_runs(world: World) -> None:
    world.write("  steps: [a x=1, b x=13, a x=2]")
    world.run(code=5)
    world.write("  steps: [b]")
    world.run(f"--restart {world.flow()['id']}", code=5)
    assert world.lines("begin") == ["a 1 a", "b 13 a"] * 2
    assert sorted(world.links()) == ["a", "a_2", "b", "b_2"]
    assert world.listed()[1:] == ["b error", "flow error", "a completed", "b error"]


@pytest.mark.parametrize("how", ["stop", "interrupt", "terminate"])
def test_ending_a_workflow_ends_its_step_and_starts_no_other(world: World, how: str) -> None:
    world.write("  steps: [a, b x=3, a x=2]")
    world.hold.touch()
    running = world.project.popen("run flow -y", env=world.env)
    wait_until(lambda: "b 3 a" in world.lines("begin"))
    if how == "stop":
        assert world.project.guild("stop -y -Fo flow").code == 0
    elif how == "interrupt":
        running.interrupt()
    else:
        running.send_signal(signal.SIGTERM)
    assert running.wait().code == {"stop": 241, "interrupt": 240, "terminate": 241}[how]
    assert world.listed() == ["flow terminated", "a completed", "b terminated"]
    assert "steps_main" not in running.err
    world.hold.unlink()


def test_ending_a_step_alone_ends_the_workflow_as_failed(world: World) -> None:
    world.write("  steps: [b x=3, a x=2]")
    world.hold.touch()
    running = world.project.popen("run flow -y", env=world.env)
    wait_until(lambda: "b 3 a" in world.lines("begin"))
    assert world.project.guild("stop -y -Fo b").code == 0
    assert running.wait().code != 0
    assert world.listed() == ["flow error", "b terminated"]


def test_ctrl_c_at_a_terminal_ends_a_workflow(world: World) -> None:
    world.write("  steps: [b x=3, a x=2]")
    world.hold.touch()
    terminal = world.project.pty("run flow -y", env=world.env)
    wait_until(lambda: "b 3 a" in world.lines("begin"))
    terminal.send("\x03")
    assert terminal.wait() == 240
    assert world.listed() == ["flow terminated", "b terminated"]
