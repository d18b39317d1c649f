"""What tests share: a project with a home of its own, real commands, a terminal, a clock, waiting."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

T = TypeVar("T")

# What would reach a command from the shell, or the run, that the tests were started from.
_FOREIGN = ("GUILD_", "FLAG_", "FLAGS_", "RUN_")
_FOREIGN_NAMES = {
    *("CMD_DIR", "CONDA_PREFIX", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"),
    *("PYTHONUNBUFFERED", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST", "CUDA_VISIBLE_DEVICES"),
}


def wait_until(condition: Callable[[], T], timeout: float = 30, what: str = "") -> T:
    """Ask every 10 ms until the answer is true, and return it; fail with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout} s in vain for {what or condition}")
        time.sleep(0.01)
    return answer


class FakeClock:
    """A clock that stands still, but for 1 µs with each look; the test moves it on."""

    def __init__(self, start: int = 1_700_000_000_000_000) -> None:
        self.micros = start

    def now(self) -> int:
        self.micros += 1
        return self.micros

    def advance(self, seconds: float) -> None:
        self.micros += round(seconds * 1e6)


@dataclass(frozen=True)
class Outcome:
    """What became of a command: its exit code (negative: ended by that signal) and what it wrote."""

    code: int
    out: str
    err: str


def child_environ(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command under test: this process's, without what belongs to another run."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name not in _FOREIGN_NAMES
    }
    return {**kept, "GUILD_HOME": str(home), "GUILD_THIRD_PARTY_PLUGINS": "no", **(extra or {})}


def kill_tree(pid: int) -> None:
    """End a process and all below it, at once."""
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            each.kill()
    except psutil.NoSuchProcess:
        return


class Running:
    """A command that goes on. Its output goes to files, so that it never waits for its reader."""

    def __init__(self, argv: Sequence[str], directory: Path, env: Mapping[str, str], stem: Path) -> None:
        self._out, self._err = stem.with_suffix(".out"), stem.with_suffix(".err")
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                argv,
                cwd=directory,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def out(self) -> str:
        """What it wrote to stdout until now."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    def expect(self, text: str, timeout: float = 30) -> None:
        """Wait until it has written this text."""
        wait_until(
            lambda: text in self.out or text in self.err or self.process.poll() is not None,
            timeout,
            f"{text!r} in the output of {self.process.args}",
        )
        assert text in self.out + self.err, f"ended without {text!r}:\n{self.out}\n{self.err}"

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it: to the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, timeout: float = 60) -> Outcome:
        """Wait for its end; what has not ended by then is killed, and the test fails."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_tree(self.pid)
            pytest.fail(f"{self.process.args} ran for over {timeout} s:\n{self.out}\n{self.err}")
        return Outcome(code, self.out, self.err)

    def close(self) -> None:
        kill_tree(self.pid)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class Project:
    """A project directory and a home of its own; commands run in it as the user would run them.

    `program` is the Guild that runs them: ours, unless another release is named (tests/interop).
    """

    def __init__(
        self,
        tmp_path: Path,
        files: Mapping[str, str],
        program: Sequence[str] = (sys.executable, "-m", "guild"),
        logs: str = "logs",
    ) -> None:
        self.directory = tmp_path / "project"
        self.home = tmp_path / "home"
        self.program = program
        self._logs = tmp_path / logs
        self._started: list[Any] = []
        self.directory.mkdir(exist_ok=True)
        self._logs.mkdir(exist_ok=True)
        self.write(files)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the project; names are relative to it."""
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _argv(self, args: str | Sequence[str]) -> list[str]:
        words = shlex.split(args) if isinstance(args, str) else list(args)
        return [*self.program, *words]

    def guild(
        self,
        args: str | Sequence[str],
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        cwd: Path | None = None,
    ) -> Outcome:
        """Run `guild ARGS` to its end in a process of its own. Without `input`, its stdin is empty."""
        running = self.popen(args, env=env, cwd=cwd)
        assert running.process.stdin
        try:
            running.process.stdin.write((input or "").encode())
            running.process.stdin.close()
        except BrokenPipeError:
            pass  # it ended, or closed its stdin, without reading: nothing wrong
        return running.wait(timeout)

    def popen(
        self, args: str | Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Running:
        """Start `guild ARGS` and leave it running, at most until the end of the test."""
        stem = self._logs / f"{len(self._started)}"
        running = Running(self._argv(args), cwd or self.directory, child_environ(self.home, env), stem)
        self._started.append(running)
        return running

    def pty(
        self, args: str | Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Any:
        """Start `guild ARGS` on a terminal of its own (`tests.terminal.Terminal`)."""
        from tests.terminal import Terminal

        terminal = Terminal(self._argv(args), cwd or self.directory, child_environ(self.home, env))
        self._started.append(terminal)
        return terminal

    def runs(self, args: str = "") -> list[dict[str, Any]]:
        """What `guild runs --json` tells, newest first."""
        outcome = self.guild(f"runs --json {args}")
        assert outcome.code == 0, outcome
        listed: list[dict[str, Any]] = json.loads(outcome.out)
        return listed

    def close(self) -> None:
        """End all that the test started, jobs in sessions of their own included: they have our home."""
        for each in self._started:
            each.close()
        while self._started and (left := self._left()):
            for pid in left:
                kill_tree(pid)

    def _left(self) -> list[int]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("GUILD_HOME") == str(self.home):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found
