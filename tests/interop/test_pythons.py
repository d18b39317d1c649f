"""Staged under one Python, started under another; and what of ours runs in a job runs on Python 3.8."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guild.launch.machine import GUILD_PATH
from tests.helpers import Project
from tests.house import ROOT
from tests.interop.conftest import Both, side_by_side
from tests.interop.peers import Peer
from tests.interop.staged import FILES
from tests.interop.test_staged_across import Results, across, agreed, by_queue

# Imported in the process of an operation, on whatever interpreter that has.
CHILD_SIDE = ("op_main", "op_util", "op_debug", "summary", "pass", "__init__", "base/tfrecord")

WAYS = {"ours": ("ours", "ours"), "ours, on 3.8": ("ours", "theirs"), "theirs on 3.8": ("theirs", "ours")}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, peer38: Peer) -> Iterator[dict[str, Results]]:
    homes: list[Both] = []
    try:
        made = {}
        for way, (stager, starter) in WAYS.items():
            homes.append(side_by_side(peer38, tmp_path_factory.mktemp("pythons"), FILES))
            made[way] = across(homes[-1], stager, starter, by_queue)
        yield made
    finally:
        for both in homes:
            both.close()


@pytest.mark.parametrize("way", ["ours, on 3.8", "theirs on 3.8"])
def test_a_run_that_is_staged_under_one_python_starts_under_another(
    found: dict[str, Results], way: str
) -> None:
    assert agreed(found[way]) == agreed(found["ours"])


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
