import json
import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from guild.base.locks import file_lock
from guild.base.text import format_size
from guild.commands import _check_facts
from tests.commands.conftest import Guild
from tests.made_runs import make_run


def report(guild: Guild, options: str = "") -> dict[str, Any]:
    outcome = guild(f"check --json {options}")
    found: dict[str, Any] = json.loads(outcome.out)
    assert outcome.code == (1 if found["problems"] else 0)
    return found


def test_all_is_well_with_a_home_that_is_used(guild: Guild, home: Path) -> None:
    make_run(home, "a" * 32)
    make_run(home, "b" * 32, where="trash/runs")
    outcome = guild("check")
    assert (outcome.code, outcome.err) == (0, "No problems found\n")
    lines = dict(line.split(":", 1) for line in outcome.out.splitlines())
    assert lines["guild_home"].strip() == str(home)
    assert (lines["runs"].strip(), lines["deleted_runs"].strip()) == ("1", "1")
    assert "click_version" in lines
    assert "python_path" not in lines
    assert "python_path:" in guild("check -v").out


def test_a_home_that_is_not_there_yet_is_no_problem_and_is_not_made(guild: Guild, home: Path) -> None:
    assert report(guild)["home"]["home_state"] == "made by the first run"
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written_is_a_problem(guild: Guild, home: Path) -> None:
    home.mkdir(mode=0o500)
    outcome = guild("check -n")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no files can be made in" in outcome.err


def test_a_missing_or_old_package_is_a_problem_with_what_to_do(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == "click":
            return "7.1"
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    outcome = guild("check -n")
    assert outcome.code == 1
    assert "click 7.1 is too old: pip install 'click>=8.1'" in outcome.err
    assert "PyYAML is not installed" in outcome.err
    assert outcome.err.endswith("4 problems found\n")


def test_a_damaged_index_is_told_but_is_no_problem(guild: Guild, home: Path) -> None:
    index = home / "cache/runs/facts.db"
    index.parent.mkdir(parents=True)
    index.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert "made anew" in report(guild)["home"]["index"]


def test_a_lock_that_is_held_is_told(guild: Guild, home: Path) -> None:
    (home / "locks").mkdir(parents=True)
    with file_lock(home / "locks/run-status", 1):
        assert "held" in report(guild)["home"]["lock"]
    assert report(guild)["home"]["lock"] == "free"


def test_little_space_is_a_problem(guild: Guild, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    monkeypatch.setattr(_check_facts, "_LITTLE_SPACE", 1 << 62)
    assert "runs purge" in guild("check").err


def test_space_counts_the_parts_of_the_home(guild: Guild, home: Path) -> None:
    run = make_run(home, "a" * 32)
    (run.path / "big").write_bytes(os.urandom(300_000))
    os.link(run.path / "big", run.path / "again")
    space = report(guild, "--space")["disk_space"]
    assert space["runs"].startswith(("296K", "297K", "300K", "312K", "31", "32", "33"))
    assert space["cache"].startswith("0 ")


@pytest.mark.parametrize(("spec", "code"), [(">=0.9", 0), (">=0.9,<1", 0), (">=7", 1), ("soon", 2)])
def test_the_version_can_be_asked_for(guild: Guild, spec: str, code: int) -> None:
    outcome = guild(["check", "-n", "--version", spec])
    assert outcome.code == code
    assert (spec in outcome.err) is (code != 0)


@pytest.mark.parametrize("option", ["-T", "--test x", "--r-script", "--remote x"])
def test_what_is_not_offered_is_refused_by_name(guild: Guild, option: str) -> None:
    outcome = guild(f"check {option}")
    assert outcome.code == 2
    assert "not supported" in outcome.err or "pytest" in outcome.err


def test_env_limits_the_report_and_offline_is_taken(guild: Guild) -> None:
    found = report(guild, "--env --offline")
    assert list(found) == ["environment", "problems"]


def test_a_framework_that_runs_cannot_use_is_a_problem(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2.1 with 0 CUDA devices\n")
    python.chmod(0o755)
    monkeypatch.setenv("GUILD_PYTHON_EXE", str(python))
    assert report(guild, "--pytorch")["frameworks"] == {"pytorch_version": "2.1 with 0 CUDA devices"}
    python.write_text("#!/bin/sh\nexit 1\n")
    assert "pytorch cannot be used" in guild("check -n --pytorch").err


def test_sizes_are_short() -> None:
    sizes = [0, 999, 1024, 10 * 1024, 1536 * 1024, 5 << 40, 3 << 60]
    assert [format_size(n) for n in sizes] == ["0", "999", "1.0K", "10K", "1.5M", "5.0T", "3072.0P"]
