import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.helpers import Project
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


def test_source_code_is_printed_from_where_it_lies(guild: Guild, home: Path) -> None:
    run = make_run(home, "a", attrs={"op": {"sourcecode": {"dest": "code"}}})
    (run.path / "code").mkdir()
    (run.path / "code" / "t.py").write_text("source\n")
    assert guild("cat -s -p t.py").out == "source\n"
    assert guild("cat -s -p code/t.py").err == f"guild: {run.path}/code/code/t.py does not exist\n"
    assert "is not inside the run directory" in guild("cat -s -p ../made").err
    assert "--path is required" in guild("cat -s").err
    assert "--output and --sourcecode cannot both be used" in guild("cat -O -s").err


def test_special_files_are_not_waited_for(guild: Guild, home: Path) -> None:
    run = make_run(home, "a")
    os.mkfifo(run.path / "pipe")
    (run.path / "null").symlink_to("/dev/zero")
    for name in ("pipe", "null"):
        assert guild(f"cat -p {name}").err == f"guild: {run.path}/{name} is not a regular file\n"


def test_a_pager_shows_it_on_a_terminal_only(project: Callable[..., Project]) -> None:
    made = project({"t.py": "print('printed')"})
    assert made.guild("run t.py -y").code == 0
    pager = {"PAGER": "sh -c 'echo paged; cat'"}
    assert made.guild("cat -O --page", env=pager).out == "printed\n"
    terminal = made.pty("cat -O --page", env=pager)
    terminal.expect("paged")
    terminal.expect("printed")
