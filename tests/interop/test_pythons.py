"""Staged under one Python, started under another; and what of ours runs in a job runs on Python 3.8."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guild.launch.machine import GUILD_PATH
from tests.helpers import Project
from tests.house import ROOT
from tests.interop.conftest import side_by_side
from tests.interop.gallery import checked, run_dir, run_id
from tests.interop.peers import Peer
from tests.interop.staged import FEW, FILES
from tests.interop.test_staged_across import Results, across, agreed, by_queue

# Imported in the process of an operation, on whatever interpreter that has.
CHILD_SIDE = (
    "op_main",
    "op_util",
    "op_debug",
    "summary",
    "pass",
    "__init__",
    "base/tfrecord",
    "onpath/guild/__init__",
)

WAYS = {"ours": ("ours", "ours"), "ours, on 3.8": ("ours", "theirs"), "theirs on 3.8": ("theirs", "ours")}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, peer38: Peer) -> Iterator[dict[str, Results]]:
    homes = {way: side_by_side(peer38, tmp_path_factory.mktemp("pythons"), FILES) for way in WAYS}
    try:
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(lambda way: across(homes[way], *WAYS[way], by_queue, FEW), WAYS)
        yield dict(zip(WAYS, made, strict=True))
    finally:
        for both in homes.values():
            both.close()


@pytest.mark.parametrize("way", ["ours, on 3.8", "theirs on 3.8"])
def test_a_run_that_is_staged_under_one_python_starts_under_another(
    found: dict[str, Results], way: str
) -> None:
    assert agreed(found[way]) == agreed(found["ours"])


WHERE = """\
import json, sys
import guild, yaml
x = 1
print(json.dumps([sys.executable, guild.__file__, yaml.__file__]))
"""


def test_a_job_has_the_interpreter_and_the_packages_that_it_was_staged_for_and_our_guild(
    tmp_path: Path, peer38: Peer
) -> None:
    """The path that Guild 0.9 bakes in is that of its own packages, which another Python cannot read."""
    both = side_by_side(peer38, tmp_path, {"where.py": WHERE})
    try:
        checked(both.theirs, "run where.py --stage -y --label theirs")
        checked(both.theirs, "run where.py --stage -y --label gone")
        checked(both.ours, "run where.py --stage -y --label ours")
        _move_interpreter(run_dir(both.ours, "gone"), str(peer38.python), "/gone/bin/python")
        ours_of_theirs = checked(both.ours, f"run --start {run_id(both.ours, 'theirs')} -y")
        theirs_of_ours = checked(both.theirs, f"run --start {run_id(both.ours, 'ours')} -y")
        fallen_back = checked(both.ours, f"run --start {run_id(both.ours, 'gone')} -y")
    finally:
        both.close()
    for outcome in (ours_of_theirs, theirs_of_ours):
        python, guild_file, yaml_file = json.loads(outcome.out)
        assert python == str(peer38.python)
        assert guild_file.startswith(GUILD_PATH)
        assert Path(yaml_file).is_relative_to(peer38.python.parents[1])
    assert json.loads(fallen_back.out)[0] == sys.executable
    assert f"WARNING: the interpreter /gone/bin/python is gone, using {sys.executable}" in fallen_back.err


def _move_interpreter(directory: Path, old: str, new: str) -> None:
    for path in (directory / ".guild/attrs").iterdir():
        path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("module", CHILD_SIDE)
def test_what_runs_in_a_job_is_python_3_8(peer38: Peer, module: str) -> None:
    code = "import ast, sys; ast.parse(open(sys.argv[1]).read())"
    subprocess.run([peer38.python, "-c", code, ROOT / "guild" / f"{module}.py"], check=True)


TOUR = """\
import json, sys
import argparse
import guild
import yaml
from guild import op_util
from guild.summary import SummaryWriter
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=int, default=1)
parser.add_argument("--fast", action="store_true")
args = parser.parse_args()
run = op_util.current_run()
run.write_attr("seen", {"x": run["flags"]["x"]})
with SummaryWriter(".") as writer:
    writer.add_scalar("quality", 0.25, 3)
print(json.dumps([sys.version_info[:2], guild.__file__, yaml.__file__, args.x, args.fast]))
"""
CLICKED = """\
import click
@click.command()
@click.option("--depth", type=int, default=2)
@click.option("--name", default="a")
def main(depth, name):
    print(depth, name)
main()
"""
WAITING = "import time\nprint('waiting', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def on_38(tmp_path: Path, peer38: Peer) -> Iterator[tuple[Project, dict[str, str]]]:
    """Ours, and the environment in which jobs run on Python 3.8, with that one's packages: Guild 0.9 too."""
    project = Project(tmp_path, {"tour.py": TOUR, "clicked.py": CLICKED, "waiting.py": WAITING})
    yield project, {"GUILD_PYTHON_EXE": str(peer38.python)}
    project.close()


def test_a_script_on_python_3_8_imports_our_guild_and_its_own_packages(
    on_38: tuple[Project, dict[str, str]], peer38: Peer
) -> None:
    project, env = on_38
    outcome = project.guild("run tour.py x=5 fast=yes -y", env=env)
    assert outcome.code == 0, outcome
    version, guild_file, yaml_file, x, fast = json.loads(outcome.out.splitlines()[-1])
    assert (version, x, fast) == ([3, 8], 5, True)
    assert guild_file.startswith(GUILD_PATH)
    assert Path(yaml_file).is_relative_to(peer38.python.parents[1])
    info = project.guild("runs info").out
    assert "  quality: 0.250000 (step 3)\n" in info
    assert "seen:\n  x: 5\n" in info


def test_click_flags_of_a_script_on_python_3_8(on_38: tuple[Project, dict[str, str]]) -> None:
    project, env = on_38
    outcome = project.guild("run clicked.py name='a b' -y", env=env)
    assert (outcome.code, outcome.out) == (0, "2 a b\n"), outcome


def test_ctrl_c_ends_a_script_on_python_3_8(on_38: tuple[Project, dict[str, str]]) -> None:
    project, env = on_38
    running = project.popen("run waiting.py -y", env=env)
    running.expect("waiting")
    running.interrupt()
    assert running.wait().code in (240, -signal.SIGINT)
    assert project.runs()[0]["status"] == "terminated"
    assert project.runs()[0]["exit_status"] == -16
