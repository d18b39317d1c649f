"""What the scripts of the shells get for a line, without a shell."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Project, child_environ
from tests.made_runs import damage, make_run

BREAKS = " \t\n\"'@><=;|&(:"
GUILDFILE = """
- model: net
  operations:
    train:
      description: Train it
      main: train
      flags:
        kind: {default: a, choices: [a, b, {value: c d}]}
        deep: {default: no, type: boolean}
        data: {default: x, type: path}
        lr: {default: 0.1, description: Step size}
    test: {exec: echo}
"""


class Completer:
    def __init__(self, directory: Path, home: Path) -> None:
        self.directory, self.home = directory, home

    def raw(self, line: str, shell: str = "zsh", **more: str) -> subprocess.CompletedProcess[str]:
        env = child_environ(
            self.home, {"_GUILD_COMPLETE": shell, "_GUILD_LINE": line, "_GUILD_BREAKS": BREAKS, **more}
        )
        argv = [sys.executable, "-m", "guild"]
        return subprocess.run(argv, cwd=self.directory, env=env, capture_output=True, text=True, timeout=30)

    def __call__(self, line: str, shell: str = "zsh", **more: str) -> list[str]:
        done = self.raw(line, shell, **more)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def values(self, line: str) -> list[str]:
        return [text.split("\t")[1] for text in self(line)]


@pytest.fixture
def complete(tmp_path: Path, project: Callable[..., Project]) -> Completer:
    made = project(
        {"guild.yml": GUILDFILE, "train.py": "lr = 0.1\n", "trials.csv": "lr\n1\n", "sub/x.csv": ""}
    )
    return Completer(made.directory, made.home)


def test_commands_come_from_the_tables_without_being_loaded(complete: Completer) -> None:
    assert complete("guild ru") == [
        "plain\trun\tRun, stage or restage an operation.",
        "plain\truns\tList runs; info, delete, restore, and more.",
    ]
    assert "label" in complete.values("guild runs ")
    code = (
        "import os, sys\n"
        "from guild import cli\n"
        "os.environ.update(_GUILD_COMPLETE='bash', _GUILD_LINE='guild r')\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "names = [m for m in sys.modules if m.startswith('guild.commands.') and '._' not in m]\n"
        "print(names, file=sys.stderr)"
    )
    env = child_environ(complete.home)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_options_are_completed_but_hidden_ones(complete: Completer) -> None:
    assert "--stage-trials" in complete.values("guild run --st")
    assert complete.values("guild run --remo") == []


def test_runs_come_newest_first_with_what_they_are(complete: Completer) -> None:
    make_run(complete.home, "a" * 32, started=1, attrs={"label": "one\x1b[31m"})
    make_run(complete.home, "ab" + "c" * 30, started=2, op="test", status="error")
    lines = complete("guild runs info a")
    assert [line.split("\t")[1] for line in lines] == ["abcccccc", "aaaaaaaa"]
    assert "test" in lines[0]
    assert "error" in lines[0]
    assert "one\\x1b[31m" in lines[1]
    assert complete.values("guild runs info -Se ") == ["abcccccc"]
    assert complete.values("guild label " + "a" * 10) == ["a" * 32]
    assert complete.values("guild runs rm -Fo t") == ["test", "train"]


def test_a_damaged_run_does_not_hide_the_others(complete: Completer) -> None:
    damage(make_run(complete.home, "a" * 32), "label")
    damage(make_run(complete.home, "b" * 32), "started")
    (complete.home / "runs" / ("c" * 32)).write_text("no directory")
    assert sorted(complete.values("guild runs info ")) == ["aaaaaaaa", "bbbbbbbb"]


def test_deleted_runs_are_for_restore_and_purge(complete: Completer) -> None:
    make_run(complete.home, "a" * 32)
    make_run(complete.home, "b" * 32, where="trash/runs")
    assert complete.values("guild runs restore ") == ["bbbbbbbb"]
    assert complete.values("guild runs purge ") == ["bbbbbbbb"]
    assert complete.values("guild runs rm ") == ["aaaaaaaa"]


def test_tags_are_those_of_the_runs(complete: Completer) -> None:
    make_run(complete.home, "a" * 32, attrs={"tags": ["good", "best"]})
    make_run(complete.home, "b" * 32, attrs={"tags": "no list"})
    assert complete.values("guild runs -Ft ") == ["best", "good"]
    assert complete.values("guild run --tag g") == ["good"]


def test_operations_flags_and_their_values_are_completed(complete: Completer) -> None:
    assert complete.values("guild run ") == ["net:test", "net:train"]
    assert complete("guild run net:tr") == ["plain\tnet:train\tTrain it"]
    assert complete("guild run net:train l") == ["part\tlr=\tStep size, default 0.1"]
    assert complete.values("guild run net:train kind=a ") == ["deep=", "data=", "lr="]
    assert complete.values("guild run net:train kind=") == ["kind=a", "kind=b", "kind=c d"]
    assert complete.values("guild run net:train deep=") == ["deep=yes", "deep=no"]
    assert complete.values("guild run net:train data=su") == ["data=sub/"]
    assert complete.values("guild run net:train @") == ["@guild.yml", "@sub/", "@trials.csv"]


def test_scripts_stand_in_where_there_is_no_such_operation(complete: Completer) -> None:
    assert complete.values("guild run tr") == ["train.py"]
    assert complete.values("guild run train.py ") == ["lr="]


def test_a_damaged_guildfile_leaves_scripts_and_everything_else(complete: Completer) -> None:
    (complete.directory / "guild.yml").write_text("- model: [\n")
    assert complete.values("guild run tr") == ["train.py"]
    assert complete.values("guild run x ") == []
    assert "runs" in complete.values("guild ")


def test_a_script_that_hangs_when_its_flags_are_asked_for_does_not_hang_the_shell(
    complete: Completer,
) -> None:
    script = "import argparse, time\ntime.sleep(600)\np = argparse.ArgumentParser()\np.parse_args()\n"
    (complete.directory / "slow.py").write_text(script)
    assert complete("guild run slow.py ") == []


def test_directories_and_files_are_completed(complete: Completer) -> None:
    assert complete.values("guild -C s") == ["sub/"]
    assert complete.values("guild -C sub run @") == ["@x.csv"]
    assert complete.values("guild -H nowhere/") == []
    run = make_run(complete.home, "a" * 32)
    (run.path / "model.bin").touch()
    assert complete.values("guild cat 1 -p mo") == ["model.bin"]


def test_bash_gets_the_end_of_a_word_quoted_and_help_only_for_a_list(complete: Completer) -> None:
    assert complete("guild run net:tr", "bash") == ["plain\ttrain"]
    assert complete("guild run net:train kind=", "bash") == ["plain\ta", "plain\tb", "plain\t'c d'"]
    assert complete("guild run net:train kind='c", "bash") == ["plain\tc d'"]
    listed = complete("guild run net:", "bash", _GUILD_COMP_TYPE="63")
    assert listed == ["plain\ttest", "plain\ttrain  (Train it)"]


def test_an_option_with_its_value_in_one_word_is_completed(complete: Completer) -> None:
    make_run(complete.home, "a" * 32)
    assert complete.values("guild runs --operation=t") == ["--operation=train"]
    assert complete("guild runs --operation=t", "bash") == ["plain\ttrain"]


def test_fish_gets_words_and_help(complete: Completer) -> None:
    assert complete("guild run net:train l", "fish") == ["lr=\tStep size, default 0.1"]


def test_scripts_that_guild_0_9_installed_go_on_working(complete: Completer) -> None:
    old = {"COMP_WORDS": "guild\nrun\nnet:train\nl", "COMP_CWORD": "3"}
    assert complete("", "bash_complete", **old) == ["plain,lr=", "plain,!!nospace"]
    assert complete("", "zsh_complete", **old)[:3] == ["plain", "lr=", "Step size, default 0.1"]
    fish = {"COMP_WORDS": "guild run net:train l", "COMP_CWORD": "l"}
    assert complete("", "fish_complete", **fish) == ["plain,lr=\tStep size, default 0.1"]


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("guild nonsense ", "bash"),
        ("guild --version ", "bash"),
        ("guild runs info --no-such ", "bash"),
        ("", "bash"),
        ("guild run x --label '", "zsh"),
        ("guild run ", "tcsh"),
        ("guild -C /nowhere run ", "zsh"),
        ("guild runs -Fm -Fn rm ", "zsh"),
        ("guild compare ..", "fish"),
    ],
)
def test_nothing_is_said_whatever_is_typed(complete: Completer, line: str, shell: str) -> None:
    done = complete.raw(line, shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.10" not in done.stdout
