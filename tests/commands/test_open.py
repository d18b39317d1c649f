import os
import sys
from pathlib import Path

import pytest

from guild.runs import layout
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import make_run


@pytest.fixture
def run(home: Path) -> Run:
    run = make_run(home, "a", attrs={"op": {"sourcecode": {"dest": "code"}}})
    (run.path / "code").mkdir()
    (run.path / "code" / "t.py").touch()
    (run.path / "a b; c").touch()
    (run.guild_dir / layout.OUTPUT).touch()
    return run


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("", ""),
        ("-s", "code/"),
        ("-s -p t.py", "code/t.py"),
        ("-p code", "code"),
        ("-p 'a b; c'", "a b; c"),
        ("-O", ".guild/output"),
    ],
)
def test_a_command_gets_the_whole_path_as_one_word(guild: Guild, run: Run, args: str, expected: str) -> None:
    outcome = guild(f"open {args} -c \"printf '%s|' 'x  y' $HOME\"")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"x  y|$HOME|{run.path}/{expected}|"


def test_the_exit_status_of_a_command_is_handed_on(guild: Guild, run: Run) -> None:
    assert guild(["open", "-c", "sh -c 'exit 3'"]).code == 3
    assert guild(["open", "-c", "sh -c 'kill -9 $$'"]).code == 137


def test_the_systems_program_is_taken_or_missed(
    guild: Guild, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    outcome = guild("open")
    assert (outcome.code, outcome.out) == (1, "")
    assert "is not installed" in outcome.err
    assert "--cmd" in outcome.err
    opener = programs / ("open" if sys.platform == "darwin" else "xdg-open")
    opener.write_text('#!/bin/sh\necho "opened $@"\n')
    opener.chmod(0o755)
    assert guild("open").out == f"opened {run.path}/\n"
    opener.write_text("#!/bin/sh\nexit 4\n")
    outcome = guild("open")
    assert outcome.code == 1
    assert "could not open" in outcome.err


def test_a_shell_starts_in_the_directory_of_the_path_and_knows_the_home(
    guild: Guild, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = guild("open -s -p t.py --shell-cmd \"sh -c 'pwd; echo $GUILD_HOME; exit 3'\"")
    assert outcome.out == f"{os.path.realpath(run.path)}/code\n{home}\n"
    assert outcome.code == 3
    assert outcome.err.startswith(f"Running a new shell in {run.path}/code\n")
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\necho "of mine in $PWD"\nexit 5\n')
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    outcome = guild("open --shell")
    assert (outcome.code, outcome.out) == (0, f"of mine in {run.path}/\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--shell -c x", "--shell and --cmd cannot both be specified"),
        ("-O -p x", "--output and --path cannot both be used"),
        ("--shell --shell-cmd sh", "--shell-cmd and --shell cannot both be specified"),
        ("-O -s", "--output and --sourcecode cannot both be used"),
        ("-p none", "none does not exist"),
        ("-p ../b", "is not inside the run directory"),
        ("-p /etc", "is not inside the run directory"),
        ("-c none-such-program", "cannot find 'none-such-program', the command of --cmd"),
        ('-c "\'"', "invalid command"),
        ("-c ' '", "the command of --cmd is empty"),
        ("-c /", "cannot run '/'"),
    ],
)
def test_what_cannot_be_opened_is_told(guild: Guild, run: Run, args: str, said: str) -> None:
    outcome = guild(f"open {args}")
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err
