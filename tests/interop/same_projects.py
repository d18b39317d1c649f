"""The example projects: the same commands by ours and by Guild 0.9, each on a home of its own, and what
they made, run by run.

A project is a directory below `projects/`; its file `commands` has a line `NAME: ARGUMENTS` for each command.
In it `<HOME>` is the home, `<LABEL>` the id of the run with this label.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guild import __version__
from guild.launch.machine import GUILD_PATH
from tests.helpers import Outcome, Project
from tests.interop import gallery
from tests.interop.peers import Peer
from tests.interop.run_trees import Difference, Side, differences, facts

PROJECTS = Path(__file__).parent / "projects"
NAMES = sorted(path.name for path in PROJECTS.iterdir())
_ENVIRON = {"NO_IMPORT_FLAGS_PROGRESS": "1", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Made:
    """What one of the two did: what became of each command, and the ids of the runs that it made."""

    side: Side
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    runs: dict[str, list[str]] = field(default_factory=dict)

    def facts(self) -> dict[str, dict[str, Any]]:
        """What is to be told of each command, and of each run, by `COMMAND` or `COMMAND/NUMBER`.

        A batch or a workflow is number 0, then come its runs in the order in which they were started.
        """
        known = {run.name: run for run in _runs(self.side.home)}
        for command, ids in self.runs.items():
            found = sorted((known[id] for id in ids if id in known), key=_order)
            self.side.ids.update({run.name: f"{command}/{n}" for n, run in enumerate(found)})
        told = {name: _of_outcome(outcome, self.side) for name, outcome in self.outcomes.items()}
        for id, name in self.side.ids.items():
            place = known[id].parent.relative_to(self.side.home)
            told[name] = {"lies in": str(place), **facts(known[id], self.side)}
        return told


def make_project(name: str, base: Path, web: str) -> Path:
    """A copy of an example project; what git cannot hold, and the address of the server, are filled in."""
    directory = base / "project"
    shutil.copytree(PROJECTS / name, directory, symlinks=True, ignore=shutil.ignore_patterns("commands"))
    if name == "data":
        _make_archives(directory)
        guildfile = directory / "guild.yml"
        guildfile.write_text(guildfile.read_text().replace("WEB", web))
    if (directory / "gitignore").exists():
        (directory / "gitignore").rename(directory / ".gitignore")
        _commit(directory)
    return directory


def _make_archives(directory: Path) -> None:
    for name in ("arch.zip", "other.zip"):
        with zipfile.ZipFile(directory / name, "w") as z:
            for member in ("z1.txt", "inner/z2.txt", "inner/z3.dat"):
                z.writestr(member, f"{member}\n")
    with tarfile.open(directory / "arch.tar.gz", "w:gz") as t:
        t.add(directory / "files", "files")


def _commit(directory: Path) -> None:
    config = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for args in (("init", "-q"), ("add", "t.py", ".gitignore", "d", "guild.yml"), ("commit", "-qm", "x")):
        subprocess.run(["git", *config, *args], cwd=directory, check=True, capture_output=True)


def make(name: str, base: Path, peer: Peer | None) -> Made:
    """Run the commands of a project, below `base`, with the peer, or with ours."""
    which = "theirs" if peer else "ours"
    program = (str(peer.guild),) if peer else (sys.executable, "-m", "guild")
    project = Project(base, {}, program, f"{which}-logs")
    project.home = base / which
    project.home.mkdir()
    made = Made(Side(project.home, _names(project.home, peer)))
    try:
        for line in (PROJECTS / name / "commands").read_text().splitlines():
            command, _, args = line.partition(": ")
            before = {run.name for run in _runs(project.home)}
            made.outcomes[command] = project.guild(_filled(args, project), env=_ENVIRON)
            made.runs[command] = [run.name for run in _runs(project.home) if run.name not in before]
    finally:
        project.close()
    return made


def _names(home: Path, peer: Peer | None) -> dict[str, str]:
    if peer is None:
        python, guild, version = sys.executable, GUILD_PATH, __version__
    else:
        (packages,) = peer.python.parent.parent.glob("lib/python3*/site-packages")
        python, guild, version = str(peer.python), str(packages), peer.version
    return {str(home): "HOME", python: "PYTHON", guild: "GUILD", f"guildai {version}": "guildai VERSION"}


def _filled(args: str, project: Project) -> str:
    args = args.replace("<HOME>", str(project.home))
    return re.sub(r"<([\w-]+)>", lambda match: gallery.run_id(project, match[1]), args)


def _runs(home: Path) -> Iterator[Path]:
    for place in ("runs", "trash/runs"):
        yield from (opref.parent.parent for opref in (home / place).glob("*/.guild/opref"))


def _order(run: Path) -> tuple[bool, int, int]:
    guild_dir = run / ".guild"
    is_part = not (guild_dir / "proto").exists() and not (guild_dir / "attrs/steps").exists()
    return is_part, _time(run, "started"), _time(run, "initialized")


def _time(run: Path, name: str) -> int:
    try:
        return int((run / ".guild/attrs" / name).read_text())
    except OSError:
        return 0


def _of_outcome(outcome: Outcome, side: Side) -> dict[str, Any]:
    return {"code": outcome.code, "stdout": side.neutral(outcome.out), "stderr": side.neutral(outcome.err)}


def compared(name: str, theirs: Made, ours: Made) -> Iterator[Difference]:
    """Each difference; its `where` is `PROJECT/COMMAND[/NUMBER] PLACE`."""
    a, b = theirs.facts(), ours.facts()
    for what in dict.fromkeys([*a, *b]):
        if what not in a or what not in b:
            yield Difference(f"{name}/{what} run", what in a, what in b)
            continue
        for each in differences(a[what], b[what]):
            yield Difference(f"{name}/{what} {each.where}", each.theirs, each.ours)
