"""Operations of every kind that can be staged, and what came of them once they were started."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from guild.runs.events import read_events
from tests.helpers import Project
from tests.interop.gallery import checked, is_ours, run_id

FILES = {
    "train.py": """\
x = 1
rate = 0.1
name = "plain"
noisy = False
sizes = [1, 2]
print("got %r %r %r %r %r" % (x, rate, name, noisy, sizes))
print("loss: %f (step 1)" % (x * rate))
print("loss: %f (step 2)" % (x * rate / 2))
open("model.txt", "w").write("x=%r\\n" % x)
""",
    "args.py": """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=2)
parser.add_argument("--loss", choices=["mse", "mae"], default="mse")
parser.add_argument("--fast", action="store_true")
parser.add_argument("--layers", nargs="+", type=int, default=[1])
parser.add_argument("--text", default="a")
args = parser.parse_args()
print(args.depth, args.loss, args.fast, args.layers, repr(args.text))
""",
    "use.py": """\
import glob, sys
print(open("data.txt").read().strip(), open("settings.yml").read().strip(), sorted(glob.glob("*.txt")))
""",
    "sub/show.py": """\
import os
print(os.environ['COLOUR'], os.environ['FLAG_X'], sorted(os.listdir('.')))
x = 1
""",
    "fail.py": "print('about to fail: 1')\nraise SystemExit(3)\n",
    "data.txt": "some data\n",
    "settings.yml": "depth: 3\nwidth: 5\n",
    "say.sh": "echo said: $1 $WORD on $CUDA_VISIBLE_DEVICES\necho word $1 > said.txt\n",
    "guild.yml": """\
train: {main: train, flags-import: all}
args: {main: args, flags-import: all, label: 'depth ${depth}'}
say:
  exec: sh say.sh ${word}
  env: {WORD: 'env of ${word}'}
  flags: {word: hello}
  output-scalars: {said: 'said: (\\d+)'}
use:
  main: use
  flags: {depth: 4}
  flags-dest: config:settings.yml
  requires:
    - file: data.txt
    - operation: train
      select: model.txt
      name: upstream
show:
  main: show
  flags: {x: 5}
  env: {COLOUR: 'blue ${x}'}
  sourcecode: {root: sub, dest: code}
fail: {main: fail}
gone: {exec: echo gone, delete-on-success: yes}
flow:
  flags: {x: 7}
  steps:
    - run: train x=${x}
    - run: say word=${x}
""",
}

# A label -> how it is staged.
KINDS = {
    "script": "train.py x=2 rate=1e-3 name='a b' noisy=yes --random-seed 7",
    "lines": "train name='one\n\u2603 \"two\" $HOME' x=-5",
    "texts": "train.py name='' sizes='3 4'",
    "argparse": "args depth=5 fast=yes loss=mae layers='3 4' text='1'",
    "switch-off": "args text='ü é: x'",
    "restaged": "args depth=8",
    "exec": "say word=12 --gpus 1,3",
    "dependencies": "use depth=9",
    "code": "show x=6",
    "failing": "fail",
    "gone": "gone --no-gpus",
    "batch": "train x=[4,5] --keep-batch",
    "steps": "flow",
}
# Flags that are given in a second step: ours stages the run again.
LATER = {"restaged": "depth=9 fast=yes"}
FEW = ("script", "argparse", "dependencies", "batch", "steps")


@dataclass(frozen=True)
class Result:
    """What can be compared of an ended run, wherever and by whom it was executed."""

    output: str
    exit_status: int
    flags: dict[str, Any]
    label: str
    seed: int | None  # if one was given
    scalars: list[tuple[str, float, int]]
    files: dict[str, str]


def prepare(project: Project) -> None:
    """The upstream run that `use` needs."""
    checked(project, "run train x=100 -y --label upstream")


def stage_all(project: Project, kinds: Collection[str]) -> None:
    for label in kinds:
        again = LATER.get(label, "")
        spec = KINDS[label] if is_ours(project) else f"{KINDS[label]} {again}"
        option = "--batch-label" if label == "batch" else "--label"
        named = "" if label == "argparse" else f"{option} {label}"
        checked(project, f"run {spec} --stage -y {named}")
        if again and is_ours(project):
            checked(project, f"run --restage {run_id(project, label)} {again} -y")


def results(project: Project) -> dict[str, list[Result]]:
    """By operation, by label, in the order of execution, batches and workflows themselves included."""
    found: dict[str, list[tuple[int, Result]]] = {}
    for directory in (project.home / "runs").iterdir():
        opref = (directory / ".guild/opref").read_text()
        if not opref.endswith(" queue"):
            found.setdefault(opref.split()[-1], []).append((_attr(directory, "started"), result(directory)))
    return {
        op: [each for _at, each in sorted(runs, key=lambda run: (run[1].label, run[0]))]
        for op, runs in found.items()
    }


def result(directory: Path) -> Result:
    seed = _attr(directory, "random_seed")
    scalars = [
        (tag, round(value, 6), step)
        for path in sorted((directory / ".guild").glob("events.*"))
        for tag, value, step in read_events(path)
    ]
    files = {
        each.relative_to(directory).as_posix(): each.read_text().rstrip("\n")
        for each in sorted(directory.rglob("*"))
        if each.is_file() and not each.is_symlink() and each.relative_to(directory).parts[0] != ".guild"
    }
    return Result(
        neutral(_output(directory)),
        _attr(directory, "exit_status"),
        {k: neutral(v) if isinstance(v, str) else v for k, v in _attr(directory, "flags").items()},
        neutral(str(_attr(directory, "label") or "")),
        seed if seed == 7 else None,
        scalars,
        {name: text for name, text in files.items() if "__pycache__" not in name},
    )


def _output(directory: Path) -> str:
    """What was written, one stream after the other: which of two came first is chance."""
    try:
        lines = (directory / ".guild/output").read_text().splitlines(keepends=True)
        streams = (directory / ".guild/output.index").read_bytes()[8::9]
    except FileNotFoundError:
        return ""
    return "".join(line for _, line in sorted(zip(streams, lines, strict=True), key=lambda pair: pair[0]))


def neutral(text: str) -> str:
    """Without ids and times; and whether flags are read anew depends on the cache."""
    text = text.replace("Refreshing flags...\n", "")
    text = re.sub(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}\b", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)


def _attr(directory: Path, name: str) -> Any:
    try:
        return yaml.safe_load((directory / ".guild/attrs" / name).read_text())
    except FileNotFoundError:
        return None
