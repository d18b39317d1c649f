import os
import subprocess
from pathlib import Path

import pytest

from guild.runs.manifest import ManifestEntry, write_manifest
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import make_run

HERE = "the current directory"


def project_run(home: Path, **sources: str) -> Run:
    """A run of the current directory; file names with `_` for `.`."""
    run = make_run(home, "aa", opref=f"guildfile:{os.getcwd()}/guild.yml abc '' train")
    files = {name.replace("_", "."): text for name, text in sources.items()}
    write_manifest(run.guild_dir / "manifest", [ManifestEntry("s", name, "-", name) for name in files])
    for name, text in {**files, "out": "out"}.items():
        (run.path / name).write_text(text)
    return run


def git(*args: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *name, *args], check=True, capture_output=True)


def test_missing_files_come_back_after_a_question(guild: Guild, home: Path) -> None:
    project_run(home, a_py="a", b_py="b")
    Path("b.py").write_text("b")
    outcome = guild("merge aa")
    assert outcome.code == 1
    assert not Path("a.py").exists()
    assert "You are about to copy files from the following run to the current directory:\n" in outcome.err
    assert "Files:\n  a.py\n2 files will not be copied" in outcome.err
    assert guild("merge aa", "n\n").code == 4
    assert not Path("a.py").exists()
    assert guild("merge aa", "y\n").code == 0
    assert Path("a.py").read_text() == "a"
    assert guild("merge aa").err.startswith("Nothing to copy for the following run:\n  [aa]  train")


def test_a_preview_changes_nothing(guild: Guild, home: Path) -> None:
    project_run(home, a_py="a", b_py="b")
    Path("b.py").write_text("b")
    outcome = guild("runs merge -p")
    assert outcome.code == 0
    assert "Files:\n  a.py\nSkipped:\n  b.py  unchanged\n  out   non-project file\n" in outcome.err
    assert os.listdir() == ["b.py"]


def test_files_that_differ_are_replaced_on_request_only(guild: Guild, home: Path) -> None:
    project_run(home, a_py="a")
    Path("a.py").write_text("mine")
    for options in ("-y", "-p", "-y --no-replace"):
        outcome = guild(f"merge aa {options}")
        assert outcome.code == 1
        assert f"guild: files in {HERE} would be replaced:\n  a.py\n" in outcome.err
        assert Path("a.py").read_text() == "mine"
    assert guild("merge aa -y --replace").code == 0
    assert Path("a.py").read_text() == "a"


def test_what_is_committed_may_be_replaced(guild: Guild, home: Path) -> None:
    project_run(home, a_py="a", b_py="b")
    git("init", "-q")
    Path("a.py").write_text("mine")
    git("add", ".")
    git("commit", "-qm", "x")
    assert guild("merge aa -y --no-replace").code == 1
    Path("b.py").write_text("not in git")
    outcome = guild("merge aa -y")
    assert outcome.code == 1
    assert "would be replaced:\n  b.py\n" in outcome.err
    Path("b.py").unlink()
    assert guild("merge aa -y").code == 0
    assert (Path("a.py").read_text(), Path("b.py").read_text()) == ("a", "b")
    Path("a.py").write_text("changed")
    for _ in range(2):
        outcome = guild("merge aa -y")
        assert outcome.code == 1
        assert f"files in {HERE} have changes that are not committed:\n  a.py\n" in outcome.err
        git("add", "a.py")
    assert Path("a.py").read_text() == "changed"


def test_a_run_of_another_project_needs_a_target(guild: Guild, home: Path) -> None:
    run = project_run(home, a_py="a")
    (run.guild_dir / "opref").write_text("guildfile:/projects/p/guild.yml abc '' train")
    outcome = guild("merge aa -y")
    assert outcome.code == 1
    assert "run aa was created from a different project (/projects/p) - cannot merge" in outcome.err
    assert guild("merge aa -y -t new/dir").code == 0
    assert Path("new/dir/a.py").read_text() == "a"
    assert guild("merge aa -y -a -t new/dir").err == "Copying out\n"


def test_a_run_without_a_manifest_cannot_be_merged(guild: Guild, home: Path) -> None:
    make_run(home, "aa")
    outcome = guild("merge aa -y -t .")
    assert outcome.code == 1
    assert "has no manifest" in outcome.err


@pytest.mark.parametrize("options", ["--replace --no-replace", "-s -S"])
def test_options_that_contradict_each_other_are_refused(guild: Guild, home: Path, options: str) -> None:
    project_run(home, a_py="a")
    outcome = guild(f"merge aa {options}")
    assert outcome.code == 1
    assert "cannot both be specified" in outcome.err


def test_names_in_a_manifest_reach_the_terminal_as_text(guild: Guild, home: Path) -> None:
    run = project_run(home, a_py="a")
    write_manifest(run.guild_dir / "manifest", [ManifestEntry("s", "a.py", "-", "x\x1b[2Jy")])
    for options in ("-p", "-y"):
        assert "\x1b" not in guild(f"merge aa {options}").err
