"""The tests' own tools do what the tests rely on."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.helpers import Project, Running, child_environ, wait_until
from tests.terminal import Terminal

ASK = """
import signal, sys
name = input("Name? ") if sys.stdin.isatty() and sys.stdout.isatty() else "nobody"
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("Hello,", name)
signal.sigwait({signal.SIGINT})
print("interrupted")
sys.exit(7)
"""


def test_a_terminal_asks_is_answered_and_passes_ctrl_c_on(tmp_path: Path) -> None:
    terminal = Terminal([sys.executable, "-c", ASK], tmp_path, child_environ(tmp_path))
    try:
        assert terminal.expect("? ").endswith("Name? ")
        terminal.send("Ada\n")
        terminal.expect("Hello, Ada")
        terminal.send("\x03")
        assert terminal.wait() == 7
        assert "interrupted" in terminal.transcript
    finally:
        terminal.close()


def test_what_does_not_appear_fails_the_test(tmp_path: Path) -> None:
    terminal = Terminal([sys.executable, "-c", "print('this')"], tmp_path, child_environ(tmp_path))
    try:
        with pytest.raises(pytest.fail.Exception, match="'that' did not appear in:\nthis"):
            terminal.expect("that")
    finally:
        terminal.close()


def test_waiting_in_vain_fails_with_what_was_waited_for() -> None:
    assert wait_until(lambda: [1]) == [1]
    with pytest.raises(pytest.fail.Exception, match="in vain for snow"):
        wait_until(lambda: False, timeout=0.02, what="snow")


def test_a_command_gets_a_home_and_nothing_of_the_run_that_the_tests_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GUILD_OP", "FLAG_X", "FLAGS_DEST", "RUN_DIR", "CMD_DIR", "VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    env = child_environ(tmp_path, {"MORE": "1"})
    assert {k: v for k, v in env.items() if v == "x" or k in ("GUILD_HOME", "MORE")} == {
        "GUILD_HOME": str(tmp_path),
        "MORE": "1",
    }


def test_nothing_that_a_test_starts_outlives_it(tmp_path: Path) -> None:
    """Not even what has a session of its own and has lost its parent."""
    project = Project(tmp_path, {})
    code = (
        "import subprocess, sys;"
        " p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],"
        " start_new_session=True); print(p.pid, flush=True)"
    )
    argv = [sys.executable, "-c", code]
    running = Running(argv, tmp_path, child_environ(project.home), tmp_path / "log")
    project._started.append(running)
    outcome = running.wait()
    assert outcome.code == 0
    pid = int(outcome.out)
    assert psutil.pid_exists(pid)
    project.close()
    wait_until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
        what="the end of the orphan",
    )


def test_a_command_that_runs_too_long_is_killed_and_fails_the_test(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "print('here', flush=True); input()"]
    running = Running(argv, tmp_path, dict(os.environ), tmp_path / "log")
    running.expect("here")
    with pytest.raises(pytest.fail.Exception, match="ran for over"):
        running.wait(0.05)
    running.close()
    assert not psutil.pid_exists(running.pid)
