"""A home that Guild 0.9 has made, taken over: the same commands by ours and by Guild 0.9 itself, each on a
copy of it, and what became of each run."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from guild import __version__
from guild.launch.machine import GUILD_PATH
from tests.helpers import Project
from tests.interop import gallery
from tests.interop.peers import Peer
from tests.interop.run_trees import Side
from tests.interop.same_projects import Made

FILES = {
    **gallery.FILES,
    # Two streams of one run come in any order.
    "train.py": gallery.FILES["train.py"].replace('print("to the other stream", file=sys.stderr)\n', ""),
    "flaky.py": """\
import os
x = 1
print("trial", x)
if x == 2 and not os.path.exists(os.path.join(os.environ["PROJECT_DIR"], "mended")):
    raise SystemExit(1)
""",
    "switches.py": """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--no-cache", action="store_false", dest="cache")
if hasattr(argparse, "BooleanOptionalAction"):
    parser.add_argument("--color", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--n", type=int, default=3)
args = parser.parse_args()
print(args.cache, getattr(args, "color", True), args.fast, args.n)
""",
}

# What Guild 0.9 makes: a label -> the command, and its exit code.
KINDS: Mapping[str, tuple[str, int]] = {
    "script": ("train.py x=2 name='a b'", 0),
    "argparse": ("args.py depth=5 fast=yes", 0),
    "op": ("train x=3 rate=1e-3 -t first", 0),
    "exec": ("say word=12", 0),
    "dependencies": ("use", 0),
    "failed": ("fail", 3),
    "batch": ("train x=[4,5] --keep-batch", 0),
    "interrupted": ("flaky.py x=[1,2,3,4] --fail-on-trial-error", 1),
    "steps": ("flow", 0),
    "staged-uses": ("use depth=9 --stage", 0),
    "staged": ("train x=8 --stage", 0),
    "another": ("train x=9 --stage", 0),
    "cached": ("switches.py --stage", 0),
    "uncached": ("switches.py no-cache=no fast=yes --stage", 0),
}


def make_home(project: Project) -> None:
    """A run of each kind; those that were staged are the last."""
    for label, (command, code) in KINDS.items():
        option = "--batch-label" if "=[" in command else "--label"
        gallery.checked(project, f"run {command} -y {option} {label}", code)
    project.write({"mended": ""})


def take_over(base: Path, which: str, peer: Peer, commands: Mapping[str, str]) -> Made:
    """The commands, by `which` of ours and theirs, on a copy of `base / "home"`; in them `<LABEL>` is the id
    of the run that has this label there."""
    project = on_copy(base, which, peer if which == "theirs" else None)
    made = Made(Side(project.home, _names(base, project.home, peer)))
    ids = labelled(project.home)
    made.runs = {id[:8]: [id] for id in _ids(project.home)} | {label: [id] for label, id in ids.items()}
    try:
        for name, command in commands.items():
            before = _ids(project.home)
            made.outcomes[name] = project.guild(filled(command, ids), env={"NO_IMPORT_FLAGS_PROGRESS": "1"})
            made.runs[name] = [id for id in _ids(project.home) if id not in before]
    finally:
        project.close()
    return made


def on_copy(base: Path, name: str, peer: Peer | None = None) -> Project:
    """The project on a copy of the home of its own, for the peer or for ours."""
    program: Sequence[str] = (str(peer.guild),) if peer else (sys.executable, "-m", "guild")
    project = Project(base, {}, program, f"{name}-logs")
    project.home = base / name
    shutil.copytree(base / "home", project.home, symlinks=True)
    return project


def _names(base: Path, home: Path, peer: Peer) -> dict[str, str]:
    """What stands for the home and for the programs; a run may name that of either."""
    (packages,) = peer.python.parent.parent.glob("lib/python3*/site-packages")
    pythons = {str(peer.python): "PYTHON", sys.executable: "PYTHON"}
    guilds = {str(packages): "GUILD", GUILD_PATH: "GUILD"}
    versions = {f"guildai {version}": "guildai VERSION" for version in (peer.version, __version__)}
    return {str(home): "HOME", str(base / "home"): "HOME", **pythons, **guilds, **versions}


def filled(command: str, ids: Mapping[str, str]) -> str:
    return re.sub(r"<([\w=-]+)>", lambda match: ids[match[1]], command)


def labelled(home: Path) -> dict[str, str]:
    """The ids of the runs by their labels; of several with one label, the one that was made first."""
    attrs = sorted((home / "runs").glob("*/.guild/attrs/label"), key=_made_at, reverse=True)
    return {path.read_text().strip(): path.parents[2].name for path in attrs}


def _made_at(label: Path) -> int:
    return int(label.with_name("initialized").read_text())


def _ids(home: Path) -> list[str]:
    return sorted(path.parents[1].name for path in (home / "runs").glob("*/.guild/opref"))
