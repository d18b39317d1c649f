"""The table to move in, on a real terminal."""

import fcntl
import shutil
import struct
import termios
from pathlib import Path

import pytest

from tests.helpers import Project
from tests.made_runs import make_run
from tests.terminal import Terminal

FULL = "\x1b[?1049"  # a program takes, or gives back, the whole screen


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A home with thirty runs, the newest `id29`."""
    for at in range(30):
        make_run(
            tmp_path / "home", f"id{at:02}", started=at, attrs={"flags": {"x": at % 10}, "label": f"run-{at}"}
        )
    return tmp_path / "home"


def see(terminal: Terminal, keys: str, text: str) -> None:
    """Type the keys, have the screen drawn anew (Ctrl-L), wait for the text on it."""
    terminal.send(keys + "\x0c")
    terminal.expect(text)


@pytest.mark.usefixtures("many")
def test_a_terminal_gets_a_table_to_move_in(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    try:
        terminal = project.pty("compare")
        terminal.expect(FULL + "h")
        terminal.expect("run 1 of 30")
        see(terminal, "\x1bOB", "run 2 of 30")  # down
        see(terminal, "\x1b[6~", "run 24 of 30")  # a page down
        see(terminal, "/run-3\n", "run 27 of 30")
        see(terminal, "\n", "run_dir: ")
        see(terminal, "", "flags:")
        see(terminal, "q?", "Left, Right")
        see(terminal, "q\x1bOC2", "run 27 of 30, by operation, highest first")
        terminal.send("q")
        assert terminal.wait() == 0
        assert FULL + "l" in terminal.transcript
    finally:
        project.close()


def test_a_refresh_shows_new_runs_and_keeps_the_selected_one(tmp_path: Path, many: Path) -> None:
    project = Project(tmp_path, {})
    try:
        terminal = project.pty("compare --max x")
        terminal.expect("run 1 of 30")
        make_run(many, "new", started=50, attrs={"flags": {"x": 100}})
        see(terminal, "r", "run 2 of 31")
        shutil.rmtree(many / "runs" / "new")
        see(terminal, "r", "run 1 of 30")
        terminal.send("q")
        assert terminal.wait() == 0
    finally:
        project.close()


def test_a_refresh_that_fails_leaves_the_table_and_says_why(tmp_path: Path, many: Path) -> None:
    project = Project(tmp_path, {})
    try:
        terminal = project.pty("compare id05 id06")
        terminal.expect("run 1 of 2")
        shutil.rmtree(many / "runs" / "id05")
        see(terminal, "r", "could not find a run matching 'id05'")
        see(terminal, "\x1bOB", "run 2 of 2")
        terminal.send("q")
        assert terminal.wait() == 0
    finally:
        project.close()


@pytest.mark.usefixtures("many")
def test_ctrl_c_quits_quietly_and_a_new_size_is_taken(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    try:
        terminal = project.pty("compare")
        terminal.expect("run 1 of 30")
        fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
        terminal.expect("id00")  # the last run fits in now
        terminal.send("\x03")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.transcript
        assert "Aborted" not in terminal.transcript
    finally:
        project.close()


@pytest.mark.usefixtures("many")
def test_what_is_no_terminal_to_draw_on_gets_a_printed_table(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    try:
        for env in ({"TERM": "dumb"}, {"TERM": "no-such-terminal"}):
            terminal = project.pty("compare 1:2", env=env)
            assert terminal.wait() == 0
            assert "id28" in terminal.transcript
            assert FULL not in terminal.transcript
        terminal = project.pty("compare 1 --table")
        assert terminal.wait() == 0
        assert FULL not in terminal.transcript
        assert "id29" in project.guild("compare 1").out
    finally:
        project.close()
