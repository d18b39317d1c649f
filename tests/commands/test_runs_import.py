"""`guild import`, and the list of an archive: the ways back, and what an archive must not do."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from guild.runs.run import Run
from tests.archived_runs import LINK, run_members, tree, zip_of
from tests.commands.conftest import Guild
from tests.made_runs import make_run

ARCHIVES = pytest.mark.parametrize("archive", ["out", "out.zip"])
HEX = "0123456789abcdef0123456789abcde"


def fill(guild: Guild, home: Path, archive: str, *options: str) -> None:
    """Export the runs of the home, and empty it."""
    assert guild(["export", "-m", archive, "-y", *options]).code == 0
    assert os.listdir(home / "runs") == []


@ARCHIVES
def test_what_was_exported_comes_back_as_it_was(guild: Guild, home: Path, archive: str) -> None:
    run = make_run(home, HEX + "1", attrs={"label": "best", "flags": {"x": 1}})
    (run.path / "sub").mkdir()
    (run.path / "sub" / "f").write_text("f")
    before = tree(run.path)
    times = {name: (run.path / name).lstat().st_mtime // 2 for name in before}
    fill(guild, home, archive)
    outcome = guild(f"import {archive} -y")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"Copying {run.id}\nImported 1 run(s) from {archive}\n"
    assert tree(run.path) == before
    assert {name: (run.path / name).lstat().st_mtime // 2 for name in before} == times
    assert guild(f"import {archive} -y").err == (
        f"WARNING: {run.id} exists, skipping\nImported 0 run(s) from {archive}\n"
    )


@ARCHIVES
def test_the_list_of_an_archive_numbers_its_runs_for_import(guild: Guild, home: Path, archive: str) -> None:
    for at in range(3):
        make_run(home, f"{HEX}{at}", started=at, attrs={"label": f"run {at}"})
    fill(guild, home, archive)
    lines = guild(f"runs -A {archive}").out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["run 2", "run 1", "run 0"]
    assert [each["label"] for each in json.loads(guild(f"runs list -A {archive} --json -Fl 1").out)] == [
        "run 1"
    ]
    assert guild(f"import {archive} 3 1 -y").code == 0
    assert {each["label"] for each in json.loads(guild("runs --json").out)} == {"run 2", "run 0"}
    outcome = guild(f"import {archive} 9 -y")
    assert outcome.code == 1
    assert "could not find a run matching '9'" in outcome.err


@ARCHIVES
def test_staged_runs_come_on_request_only_and_last_in_the_order(
    guild: Guild, home: Path, archive: str
) -> None:
    for at, name in enumerate(("first", "second")):
        make_run(home, name, status="staged", started=at)
    fill(guild, home, archive)
    make_run(home, "here", status="staged", started=5)
    outcome = guild(f"import {archive} -y")
    assert outcome.code == 0
    assert "Imported 0 run(s)" in outcome.err
    assert "first is staged (use --with-staged to import it: a queue will start it), skipping" in outcome.err
    assert guild(f"import {archive} --with-staged -y").code == 0
    runs = [Run(home / "runs" / name) for name in os.listdir(home / "runs")]
    assert [run.id for run in sorted(runs, key=Run.place)] == ["here", "first", "second"]


def test_a_directory_can_be_moved_and_a_zip_cannot(guild: Guild, home: Path) -> None:
    make_run(home, "aa")
    fill(guild, home, "out.zip")
    outcome = guild("import -m out.zip -y")
    assert outcome.code == 1
    assert outcome.err.startswith("guild: '--move' cannot be used with zip archives\n")
    guild("import out.zip -y")
    fill(guild, home, "out")
    assert guild("import -m out -y").err == "Moving aa\nImported 1 run(s) from out\n"
    assert os.listdir("out") == [".guild-nocopy"]
    assert os.listdir(home / "runs") == ["aa"]


def test_a_move_loses_nothing(guild: Guild, home: Path) -> None:
    run = make_run(home, "aa")
    Path("data").write_text("data")
    (run.path / "data").symlink_to(Path("data").absolute())
    fill(guild, home, "out")
    outcome = guild("import -m out -y")
    assert outcome.code == 1
    assert "run aa would lose what was left out: it was not imported" in outcome.err
    assert os.listdir("out/aa")
    assert os.listdir(home / "runs") == []
    assert guild("import -m out -y --keep-links").code == 0
    assert (run.path / "data").readlink() == Path("data").absolute()


def test_a_no_imports_nothing(guild: Guild, home: Path) -> None:
    zip_of(Path("a.zip"), *run_members("aa"))
    outcome = guild("import a.zip", "n\n")
    assert outcome.code == 4
    assert outcome.err.startswith(
        "You are about to import (copy) the following runs from 'a.zip':\n  [aa]  train.py"
    )
    assert not (home / "runs").exists()


def test_one_run_that_is_refused_stops_no_other(guild: Guild, home: Path) -> None:
    evil = [*run_members("evil", ("f", b""), ("f/g", b"")), *run_members("../out")]
    zip_of(Path("a.zip"), *evil, *run_members("good"))
    outcome = guild("import a.zip -y")
    assert outcome.code == 1
    assert "WARNING: 3 name(s) such as '../out/.guild/opref' lead out of the archive\n" in outcome.err
    assert "'f/g' of run evil is refused: a file is where its directory should be" in outcome.err
    assert os.listdir(home / "runs") == ["good"]
    assert sorted(os.listdir(home)) == ["cache", "journal", "locks", "runs", "staging", "trash"]


def test_names_from_an_archive_reach_the_terminal_as_text(guild: Guild, home: Path) -> None:
    name = "a\x1b[2Jb"
    zip_of(Path("a.zip"), *run_members("aa", (name, b"/etc", LINK), (".guild/attrs/label", b"x")))
    outcome = guild("import a.zip -y")
    assert "\x1b" not in outcome.err
    assert "a\\x1b[2Jb" in outcome.err


def test_what_runs_in_the_other_home_is_skipped(guild: Guild, home: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "other", "aa", status="running")
    (run.guild_dir / "LOCK").write_text(str(os.getpid()))
    outcome = guild(["import", str(tmp_path / "other" / "runs"), "-y"])
    assert "WARNING: aa is running, skipping\n" in outcome.err
    assert os.listdir(home / "runs") == []


def test_links_cannot_be_kept_and_copied(guild: Guild, home: Path) -> None:
    assert guild("import x --copy-resources --keep-links").code == 1


@pytest.mark.parametrize("command", ["import", "runs -A"])
def test_what_is_no_archive_is_named(guild: Guild, home: Path, command: str) -> None:
    Path("no.zip").write_text("x")
    for name, says in (("none", "does not exist"), ("no.zip", "File is not a zip file")):
        outcome = guild(f"{command} {name}")
        assert outcome.code == 1
        assert says in outcome.err
    Path("empty").mkdir()
    assert guild("import empty").err == "No runs to import.\n"
    assert guild("runs -A empty").out == ""
    assert guild("runs -A empty -d").code == 1


@pytest.mark.skipif("GUILD_PEER" not in os.environ, reason="GUILD_PEER names no Guild 0.9")
@ARCHIVES
def test_guild_0_9_reads_ours_and_we_read_its(guild: Guild, home: Path, tmp_path: Path, archive: str) -> None:
    other = tmp_path / "other"
    other.mkdir()

    def peer(*args: str) -> str:
        env = {**os.environ, "GUILD_HOME": str(other)}
        return subprocess.run(
            [os.environ["GUILD_PEER"], *args], env=env, capture_output=True, text=True, check=True
        ).stdout

    run = make_run(home, HEX + "1", attrs={"label": "best", "id": HEX + "1"})
    (run.path / "f").write_text("f")
    before = tree(run.path)
    fill(guild, home, archive)
    peer("import", archive, "-y")
    assert "best" in peer("runs")
    assert tree(other / "runs" / run.id) == before
    peer("export", f"back-{archive}", "-y")
    guild(f"import back-{archive} -y")
    assert tree(run.path) == before


def test_a_run_of_very_many_levels_is_refused_and_the_others_come(guild: Guild, home: Path) -> None:
    deep = ("d/" * 3000 + "f", b"x")
    zip_of(Path("a.zip"), *run_members("good"), *run_members("deep", deep))
    outcome = guild("import a.zip -y")
    assert (outcome.code, os.listdir(home / "runs")) == (1, ["good"])
    assert "of run deep is refused: it lies more than 200 directories deep" in outcome.err
    assert os.listdir(home / "staging") == []
