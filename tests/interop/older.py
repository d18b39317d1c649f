"""Runs as releases before 0.9 make them: the project and the commands. Labels tell the kinds of runs."""

from collections.abc import Container
from dataclasses import dataclass

FILES = {
    "train.py": """\
x = 1
noisy = False
print("loss: %f" % (x * 0.1))
open("model.txt", "w").write("x=%r" % x)
""",
    "args.py": """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=2)
parser.add_argument("--fast", action="store_true")
args = parser.parse_args()
print("depth: %d" % args.depth, args.fast)
""",
    "use.py": "print(open('data.txt').read().strip(), open('model.txt').read())\n",
    "data.txt": "some data\n",
    "guild.yml": """\
train:
  main: train
  flags-import: all
  compare: [=x, loss]
module:
  exec: ${python_exe} -m train
say:
  exec: echo "said ${word}"
  flags: {word: hello}
  sourcecode: no
use:
  main: use
  requires:
    - file: data.txt
    - operation: train
      select: model.txt
      name: upstream
flow:
  flags: {x: 7}
  steps:
    - run: train x=${x}
    - run: say word=${x}
""",
}


@dataclass(frozen=True)
class Kind:
    """A kind of run: its label, the command, and the first release that has it."""

    name: str
    command: str
    since: str = "0.6"


KINDS = (
    Kind("script", "run args.py depth=5 fast=yes"),
    Kind("op", "run train x=3"),
    Kind("module", "run module"),
    Kind("exec", "run say word=12"),
    Kind("dependencies", "run use"),
    Kind("steps", "run flow"),
    Kind("batch", "run train x=[4,5] --keep-batch", "0.7"),
    Kind("staged", "run train x=8 --stage", "0.7"),
    Kind("staged-steps", "run flow x=9 --stage", "0.7"),
    Kind("staged-batch", "run train x=[10,11] --stage", "0.7"),
)


def commands(release: str, names: Container[str] | None = None) -> list[str]:
    """What makes a run of each kind that a release has (or of these), labelled `RELEASE KIND`."""
    option = {"batch": "--batch-label", "staged-batch": "--batch-label"}
    return [
        f"{kind.command} -y {option.get(kind.name, '--label')} '{release} {kind.name}'"
        for kind in KINDS
        if release >= kind.since and (names is None or kind.name in names)
    ]
