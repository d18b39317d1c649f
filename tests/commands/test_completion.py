import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Guild
from tests.helpers import Project, child_environ
from tests.made_runs import make_run
from tests.terminal import Terminal


def start_of(shell: str, script: Path) -> list[str]:
    return {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
        "fish": ["fish", "--no-config", "-i"],
    }[shell]


@pytest.fixture
def keyboard(tmp_path: Path, project: Callable[..., Project]) -> Iterator[Callable[[str], Terminal]]:
    """`keyboard(SHELL)`: somebody at that shell in a project, with completion."""
    made = project({"guild.yml": "train: {exec: 'echo ${flag_args}', flags: {lr: 0.1}}\n"})
    make_run(made.home, "a" * 32, attrs={"label": "first"})
    make_run(made.home, "b" * 32, attrs={"label": "second"})
    started: list[Terminal] = []

    def start(shell: str) -> Terminal:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed here")
        bin_dir = tmp_path / "bin"
        bin_dir.mkdir()
        program = bin_dir / "guild"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m guild "$@"\n')
        program.chmod(0o755)
        path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
        env = child_environ(made.home, {"PATH": path, "HOME": str(tmp_path), "PS1": "go> "})
        script = tmp_path / "completion"
        prompt = "function fish_prompt; echo 'go> '; end\n" if shell == "fish" else ""
        script.write_text(made.guild(["completion", shell]).out + prompt)
        terminal = Terminal(start_of(shell, script), made.directory, env)
        started.append(terminal)
        terminal.send(f". {script}; echo re''ady\n")
        terminal.expect("ready\r")
        terminal.expect("go> ")
        return terminal

    yield start
    for each in started:
        each.close()


SHELLS = ["bash", "zsh", "fish"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_an_operation_and_a_flag_are_completed_at_the_keyboard(
    keyboard: Callable[[str], Terminal], shell: str
) -> None:
    terminal = keyboard(shell)
    terminal.send("true; guild oper\t")
    terminal.expect("ations")
    terminal.send("\n")
    terminal.expect("go> ")
    for typed, completed in (("guild run tr\t", "ain"), ("l\t", "r="), ("0\t", ".1")):
        terminal.send(typed)
        terminal.expect(completed)
    terminal.send(" --print-cmd\n")
    terminal.expect("echo --lr 0.1")


@pytest.mark.parametrize("shell", SHELLS)
def test_runs_are_listed_with_their_labels(keyboard: Callable[[str], Terminal], shell: str) -> None:
    terminal = keyboard(shell)
    terminal.send("guild runs info \t\t")
    terminal.expect("second")


def test_the_script_is_that_of_the_shell_that_is_named_or_used(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "complete -o" in guild("completion bash").out
    assert guild("completion -s zsh").out.startswith("#compdef guild\n")
    assert guild("completion fish").out == guild("completion --shell fish").out
    outcome = guild("completion tcsh")
    assert outcome.code == 2
    assert "tcsh" in outcome.err
    assert guild("completion bash -s zsh").code == 1


@pytest.mark.parametrize(
    ("shell", "rc"),
    [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/completions/guild.fish")],
)
def test_installing_adds_one_line_once_and_says_so(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, rc: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / rc
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    outcome = guild(["completion", shell, "-i"])
    assert outcome.code == 0
    assert f"~/{rc}" in outcome.err
    script = tmp_path / ".guild" / f"{shell}_completion"
    assert script.read_text() == guild(["completion", shell]).out
    first, second = path.read_text().splitlines()
    assert (first, f"{shell}_completion" in second) == ("mine", True)
    again = guild(["completion", shell, "-i"])
    assert "line 2" in again.err
    assert path.read_text().splitlines() == [first, second]


def test_what_guild_0_9_installed_is_taken_over(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    line = "[ -s ~/.guild/bash_completion ] && . ~/.guild/bash_completion  # Enable completion for guild\n"
    (tmp_path / ".bashrc").write_text(line)
    assert guild("completion bash -i").code == 0
    assert (tmp_path / ".bashrc").read_text() == line


def test_another_start_file_may_be_named(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert guild(["completion", "bash", "-i", "--shell-init", str(tmp_path / "rc")]).code == 0
    assert "bash_completion" in (tmp_path / "rc").read_text()
    assert not (tmp_path / ".bashrc").exists()
    assert guild("completion bash --shell-init x").code == 1
