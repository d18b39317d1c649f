import os
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import make_run

RAW = b"\x1b[1mbold\r\n\xff\x00 end"


def with_output(run: Run, data: bytes) -> None:
    (run.guild_dir / layout.OUTPUT).write_bytes(data)


def test_output_is_printed_byte_by_byte(guild: Guild, home: Path) -> None:
    with_output(make_run(home, "a", started=1), b"older\n")
    with_output(make_run(home, "b", started=2), RAW)
    outcome = guild("cat --output")
    assert (outcome.code, os.fsencode(outcome.out)) == (0, RAW)
    assert guild("cat --output 2").out == "older\n"


def test_a_file_of_the_run_is_printed_also_behind_a_link(guild: Guild, home: Path, tmp_path: Path) -> None:
    run = make_run(home, "a")
    (run.path / "sub").mkdir()
    (run.path / "sub" / "f.txt").write_text("file\n")
    (tmp_path / "data").write_text("data\n")
    (run.path / "linked").symlink_to(tmp_path / "data")
    assert guild("cat -p sub/f.txt").out == "file\n"
    assert guild("cat a -p ./sub/../sub/f.txt").out == "file\n"
    assert guild("cat -p linked").out == "data\n"


@pytest.mark.parametrize("path", ["../b/secret", "/etc/hostname", "sub/../../b/secret", "../a-b/secret"])
def test_no_path_leads_out_of_the_run(guild: Guild, home: Path, path: str) -> None:
    make_run(home, "a", started=2)
    for other in ("b", "a-b"):
        (make_run(home, other, started=1).path / "secret").write_text("secret")
    outcome = guild(["cat", "-p", path])
    assert (outcome.code, outcome.out) == (1, "")
    assert "is not inside the run directory" in outcome.err


def test_what_is_not_there_is_named(guild: Guild, home: Path) -> None:
    assert "no matching runs" in guild("cat --output").err
    run = make_run(home, "a")
    assert guild("cat -p x").err == f"guild: {run.path}/x does not exist\n"
    assert guild("cat --output").err == f"guild: {run.guild_dir / layout.OUTPUT} does not exist\n"
    assert "is a directory" in guild("cat -p .").err


def test_one_of_path_and_output_is_needed(guild: Guild, home: Path) -> None:
    make_run(home, "a")
    assert "--path is required unless --output is specified" in guild("cat").err
    assert "cannot both be used" in guild("cat --output -p x").err
    assert "names 2 runs" in (make_run(home, "b") and guild("cat : --output").err)
