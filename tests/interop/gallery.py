"""One run of every kind, made by either Guild in the same project.

`make` runs the same commands with whichever program the project has; only where the two differ by intention
(restage) is there a branch. The kinds are named by their label, which is how they are found again.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import Outcome, Project, wait_until

FILES = {
    "train.py": """\
import sys
x = 1
rate = 0.1
name = "plain"
noisy = False
print("training", name)
print("loss: %f (step 1)" % (x * rate))
print("loss: %f (step 2)" % (x * rate / 2))
print("accuracy: %f" % (1 - rate))
print("to the other stream", file=sys.stderr)
open("model.txt", "w").write("x=%r\\n" % x)
""",
    "args.py": """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=2, help="How deep")
parser.add_argument("--loss", choices=["mse", "mae"], default="mse")
parser.add_argument("--fast", action="store_true")
args = parser.parse_args()
print("depth: %d" % args.depth, args.loss, args.fast)
""",
    "fail.py": "print('about to fail: 1')\nraise SystemExit(3)\n",
    "wait.py": "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n",
    "use.py": """\
import glob
print(open("data.txt").read().strip())
print(sorted(glob.glob("*.txt")))
print(open("settings.yml").read().strip())
""",
    "data.txt": "some data\n",
    "settings.yml": "depth: 3\nwidth: 5\n",
    "say.sh": "#!/bin/sh\necho said: $1\necho word $1 > said.txt\n",
    "guild.yml": """\
train:
  description: Train it
  main: train
  flags-import: all
  compare: [=x, =rate, loss, accuracy]
say:
  exec: sh say.sh ${word}
  flags: {word: hello}
  output-scalars: {said: 'said: (\\d+)'}
use:
  main: use
  flags:
    depth: 4
  flags-dest: config:settings.yml
  requires:
    - file: data.txt
    - operation: train
      select: model.txt
      name: upstream
fail: {main: fail}
wait: {main: wait}
flow:
  flags: {x: 7}
  steps:
    - run: train x=${x}
    - run: say word=${x}
""",
}


@dataclass(frozen=True)
class Kind:
    """A kind of run: its label, and the command that makes it."""

    name: str
    command: str
    code: int = 0


SIMPLE = (
    Kind("script", "run train.py x=2 name='a b'"),
    Kind("argparse", "run args.py depth=5 fast=yes"),
    Kind("op", "run train x=3 rate=1e-3 -t first -t second -c 'a comment'"),
    Kind("exec", "run say word=12"),
    Kind("dependencies", "run use"),
    Kind("failed", "run fail", 3),
    Kind("batch", "run train x=[4,5] --keep-batch"),
    Kind("steps", "run flow"),
    Kind("staged", "run train x=8 --stage"),
)


def make(project: Project) -> None:
    """Make a run of every kind with the project's program.

    SIMPLE, then `terminated` (stopped by `guild stop`), `restarted` (`run --restart`), `restaged` (staged
    again with another flag, not started) and `queue` (a queue that found nothing: what it could run is
    staged after it).
    """
    checked(project, "run queue run-once=yes -y --label queue")
    for kind in SIMPLE:
        label = "--batch-label" if kind.name == "batch" else "--label"
        checked(project, f"{kind.command} -y {label} {kind.name}", kind.code)
    _terminated(project)
    checked(project, "run train x=10 -y --label restarted")
    checked(project, f"run --restart {run_id(project, 'restarted')} -y --label restarted")
    checked(project, "run train x=11 --stage -y --label restaged")
    again = "--restage {} x=12" if is_ours(project) else "--restart {} --stage x=12"
    checked(project, f"run {again.format(run_id(project, 'restaged'))} -y --label restaged")


def is_ours(project: Project) -> bool:
    return "-m" in project.program


def _terminated(project: Project) -> None:
    waiting = project.popen("run wait -y --label terminated")
    waiting.expect("waiting")
    # Guild 0.9 writes LOCK after the start: before that there is nothing to stop.
    wait_until(lambda: is_locked(run_dir(project, "terminated")), what="LOCK")
    checked(project, f"stop {run_id(project, 'terminated')} -y")
    waiting.wait()
    wait_until(lambda: not (project.home / "runs" / run_id(project, "terminated") / ".guild/LOCK").exists())


def is_locked(directory: Path) -> bool:
    """Whether LOCK is there, whole: what `guild stop` looks for."""
    lock = directory / ".guild/LOCK"
    return lock.exists() and lock.read_text().isdigit()


def checked(project: Project, command: str, code: int = 0) -> Outcome:
    """Run a command of this project; it must end with `code`."""
    outcome = project.guild(command)
    assert outcome.code == code, (command, outcome)
    return outcome


def run_id(project: Project, label: str) -> str:
    """The run with this label, by its files, without either Guild."""
    for attr in (project.home / "runs").glob("*/.guild/attrs/label"):
        if attr.read_text().strip() == label:
            return attr.parents[2].name
    raise AssertionError(f"no run is labelled {label!r}")


def run_dir(project: Project, label: str) -> Path:
    return project.home / "runs" / run_id(project, label)


def listed(outcome: Outcome) -> list[dict[str, object]]:
    """The runs of `guild runs --json`."""
    assert outcome.code == 0, outcome
    found: list[dict[str, object]] = json.loads(outcome.out)
    return found
