import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.manifest import ManifestEntry, write_manifest
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.helpers import Project
from tests.made_runs import make_run

SHA = "0" * 40


@pytest.fixture
def run(home: Path) -> Run:
    run = make_run(home, "a", attrs={"op": {"sourcecode": {"dest": "code"}}})
    for name in ("code/t.py", "code/l/m.py", "data/1", "out/a10.csv", "out/a2.csv", ".hid"):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text(name)
    write_manifest(run.guild_dir / layout.MANIFEST, [
        ManifestEntry("s", "code/t.py", SHA, "t.py"),
        ManifestEntry("s", "code/l/m.py", SHA, "l/m.py"),
        ManifestEntry("d", "data", "-", "file:data"),
    ])  # fmt: skip
    return run


def lines(guild: Guild, args: str) -> list[str]:
    outcome = guild(f"ls {args}")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.splitlines()


def test_files_are_listed_below_their_directory_in_natural_order(guild: Guild, run: Run) -> None:
    assert lines(guild, "") == [
        f"{run.path}:",
        "  code/", "  code/l/", "  code/l/m.py", "  code/t.py",
        "  data/", "  data/1",
        "  out/", "  out/a2.csv", "  out/a10.csv",
    ]  # fmt: skip
    assert {"  .hid", "  .guild/opref"} <= set(lines(guild, "--all"))


def test_kinds_are_files_only_and_can_be_combined(guild: Guild, run: Run) -> None:
    assert lines(guild, "-n -s") == ["code/l/m.py", "code/t.py"]
    assert lines(guild, "-n -d") == ["data/1"]
    assert lines(guild, "-n -g") == [".hid", "out/a2.csv", "out/a10.csv"]
    assert lines(guild, "-n -sd") == ["code/l/m.py", "code/t.py", "data/1"]


def test_a_path_may_hold_wildcards_and_is_relative_to_source_code_where_that_is_meant(
    guild: Guild, run: Run
) -> None:
    assert lines(guild, "-n -p out") == ["out/", "out/a2.csv", "out/a10.csv"]
    assert lines(guild, "-n -p 'out/a?.csv'") == ["out/a2.csv"]
    assert lines(guild, "-n -s -p '*.py'") == ["code/t.py"]
    assert lines(guild, "-n -s -p l") == ["code/l/m.py"]
    assert lines(guild, "-n -s -d -p data") == ["data/1"]
    assert lines(guild, "-p none") == [f"{run.path}:"]


@pytest.mark.parametrize("path", ["..", "/etc", "out/../../b"])
def test_no_path_leads_out_of_the_run(guild: Guild, run: Run, path: str) -> None:
    outcome = guild(["ls", "-p", path])
    assert (outcome.code, outcome.out) == (1, "")
    assert "is not inside the run directory" in outcome.err


def test_full_paths_have_no_header(guild: Guild, run: Run) -> None:
    assert lines(guild, "-f -p data") == [f"{run.path}/data/", f"{run.path}/data/1"]


def test_links_that_lead_outside_are_shown_and_followed_on_request(
    guild: Guild, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "f").touch()
    (run.path / "link").symlink_to(tmp_path / "far")
    assert lines(guild, "-n -p link") == ["link/"]
    assert lines(guild, "-n -p link -L") == ["link/", "link/f"]
    assert "link/" in lines(guild, "-n -g")


def test_json_tells_type_size_and_target(guild: Guild, run: Run) -> None:
    (run.path / "out" / "link").symlink_to("a2.csv")
    os.mkfifo(run.path / "out" / "pipe")
    found = json.loads(guild("ls -p out --json").out)
    assert found["run_dir"] == str(run.path)
    assert found["files"] == [
        {"path": "out", "type": "directory", "size": None},
        {"path": "out/a2.csv", "type": "file", "size": 10},
        {"path": "out/a10.csv", "type": "file", "size": 11},
        {"path": "out/link", "type": "link", "size": None, "target": "a2.csv"},
        {"path": "out/pipe", "type": "other", "size": None},
    ]


def test_names_reach_people_without_control_characters_and_scripts_as_they_are(
    guild: Guild, run: Run
) -> None:
    (run.path / "x\x1b[31m").touch()
    (run.path / os.fsdecode(b"x\xff")).touch()
    assert lines(guild, "-p 'x*'")[1:] == ["  x\\x1b[31m", "  x\\udcff"]
    assert os.fsencode(guild("ls -n -p 'x*'").out) == b"x\x1b[31m\nx\xff\n"


def test_a_terminal_gets_no_control_characters_without_format_either(
    project: Callable[..., Project],
) -> None:
    made = project({"t.py": "open('x\\x1b[31m', 'w')\n"})
    assert made.guild("run t.py -y").code == 0
    terminal = made.pty("ls -n -p 'x*'")
    terminal.expect("x\\x1b[31m")


def test_a_run_without_a_manifest_or_with_a_damaged_one_is_listed(guild: Guild, run: Run) -> None:
    (run.guild_dir / layout.MANIFEST).write_bytes(b"\xff junk\ns 'open\n")
    assert len(lines(guild, "")) == 10
    assert lines(guild, "-s -n") == []
    (run.guild_dir / layout.MANIFEST).unlink()
    assert lines(guild, "-s -n") == ["code/l/m.py", "code/t.py"]


def test_no_run_is_an_error(guild: Guild) -> None:
    outcome = guild("ls")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no matching runs" in outcome.err
