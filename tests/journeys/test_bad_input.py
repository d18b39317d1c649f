"""What is wrong is said plainly, and never hides or holds up what is right."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Project, child_environ
from tests.journeys.test_queue import TRAIN, stage, statuses

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

GUILDFILE = """
train:
  main: train
  flags:
    x: {default: 1, type: int, min: 0, max: 9}
    opt: {default: sgd, choices: [sgd, adam]}
    path: {required: yes}
"""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("run nosuch", ["nosuch"]),
        ("run nosuch.py", ["nosuch.py"]),
        ("run train y=1 path=a", ["unsupported flag", "'y'"]),
        ("run train x=abc path=a", ["abc", "x"]),
        ("run train x=10 path=a", ["out of range", "9"]),
        ("run train opt=foo path=a", ["opt", "sgd", "adam"]),
        ("run train", ["missing flags", "path"]),
        ("run train x", ["invalid argument", "x"]),
        ("run --start nosuch", ["nosuch"]),
        ("run train --stage --background", ["--stage and --background cannot both be used"]),
        ("run train --gpus 0 --no-gpus", ["--no-gpus and --gpus cannot both be used"]),
    ],
)
def test_a_wrong_command_names_what_is_wrong_and_makes_no_run(
    project: Make, args: str, said: list[str]
) -> None:
    p = project({"guild.yml": GUILDFILE, "train.py": TRAIN})
    outcome = p.guild(f"{args} -y")
    assert outcome.code == 1, outcome
    assert "Traceback" not in outcome.err
    assert "internal error" not in outcome.err
    for text in said:
        assert text in outcome.err
    assert p.runs() == []
    assert list(p.home.glob("staging/*")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train:\n  main: [\n", ["guild.yml", "line"]),
        (
            "train:\n  main: train\n  flags:\n    x: {type: nonsense}\n",
            ["guild.yml", "4", "train.flags.x.type"],
        ),
        ("- just\n- a list\n", ["guild.yml"]),
    ],
)
def test_a_broken_guildfile_names_file_line_and_fault(project: Make, text: str, said: list[str]) -> None:
    p = project({"guild.yml": text, "train.py": TRAIN})
    outcome = p.guild("run train -y")
    assert outcome.code == 1, outcome
    assert "internal error" not in outcome.err
    for part in said:
        assert part in outcome.err


def test_an_unwritable_home_is_one_clear_line(project: Make, tmp_path: Path) -> None:
    p = project({"train.py": TRAIN})
    (tmp_path / "file").touch()
    outcome = p.guild("run train.py -y", env={"GUILD_HOME": str(tmp_path / "file" / "home")})
    assert outcome.code == 1
    assert str(tmp_path / "file" / "home") in outcome.err
    assert "Traceback" not in outcome.err


def damage(runs: Path) -> None:
    """Run directories with every kind of fault that a user's disk has shown."""

    def broken(name: str, opref: bytes = b"script:/p '' '' train.py") -> Path:
        guild = runs / name / ".guild"
        (guild / "attrs").mkdir(parents=True)
        (guild / "opref").write_bytes(opref)
        return guild

    broken("empty-opref", b"")
    broken("garbage-opref", b"\xff\xfe\x00 garbage '")
    (runs / "opref-is-a-directory" / ".guild" / "opref").mkdir(parents=True)
    (broken("bad-yaml") / "attrs" / "label").write_text("{: [")
    (broken("bad-flags") / "attrs" / "flags").write_text("- 1\n- 2\n")
    (broken("string-exit-status") / "attrs" / "exit_status").write_text("'0'\n")
    (broken("text-started") / "attrs" / "started").write_text("yesterday\n")
    os.mkfifo(broken("fifo-lock") / "LOCK")
    (broken("directory-staged") / "STAGED").mkdir()
    os.mkfifo(broken("fifo-attr") / "attrs" / "label")
    (broken("staged-without-recipe") / "STAGED").touch()
    (broken("garbage-lease") / "PENDING").write_text("token")
    (runs / "garbage-lease" / ".guild" / "lease.json").write_text("{")
    os.utime(runs / "garbage-lease" / ".guild" / "PENDING", (1e9, 1e9))
    (broken("garbage-names") / os.fsdecode(b"\xff\xfe\n")).touch()
    (runs / os.fsdecode(b"odd\xff\nname")).mkdir()
    (runs / "a-file").touch()
    (runs / "dangling").symlink_to("nowhere")


def test_damaged_runs_never_hide_or_hold_up_good_ones(project: Make) -> None:
    p = project({"train.py": TRAIN})
    first = stage(p, "x=1")
    damage(p.home / "runs")
    second = stage(p, "x=2")
    listing = p.guild("runs -a", timeout=20)
    assert listing.code == 0, listing
    assert first[:8] in listing.out
    assert second[:8] in listing.out
    assert p.guild(f"runs info {first[:8]}", timeout=20).code == 0
    assert p.guild("compare --csv -", timeout=20).code == 0
    queue = p.guild("run queue run-once=yes -y", timeout=60)
    assert queue.code == 0, queue
    now = statuses(p)
    assert (now[first], now[second]) == ("completed", "completed")
    assert now["staged-without-recipe"] == "error"
    assert "Traceback" not in queue.err
    assert queue.err.count("staged-without-recipe") <= 3
    assert p.guild("stop -y", timeout=20).code == 0


def test_a_script_that_reads_the_terminal_works_in_the_foreground(project: Make) -> None:
    p = project({"ask.py": 'name = input("Name? ")\nprint("Hello " + name)\n'})
    terminal = p.pty("run ask.py -y")
    terminal.expect("Name? ")
    terminal.send("World\n")
    terminal.expect("Hello World")
    assert terminal.wait() == 0


def test_the_prompt_takes_no_for_an_answer(project: Make) -> None:
    p = project({"train.py": TRAIN})
    terminal = p.pty("run train.py x=3")
    shown = terminal.expect("Continue? (Y/n)")
    assert "You are about to run train.py" in shown
    assert "x: 3" in shown
    terminal.send("n\n")
    assert terminal.wait() == 0
    assert p.runs() == []
    assert p.guild("run train.py", input="").code == 1, "the end of input at the prompt"
    assert p.guild("run train.py", input="\n").code == 0, "the default is yes"


def test_ctrl_c_ends_a_foreground_run_as_terminated(project: Make) -> None:
    p = project({"wait.py": 'import time\nprint("up", flush=True)\ntime.sleep(600)\n'})
    terminal = p.pty("run wait.py -y")
    terminal.expect("up")
    terminal.send("\x03")
    assert terminal.wait() == 240
    run = p.runs()[0]
    assert (run["status"], run["exit_status"]) == ("terminated", -16)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_an_empty_one(project: Callable[..., Project], closed: str) -> None:
    p = project({"train.py": "print('x')\n"})
    command = f'"{sys.executable}" -m guild runs {closed}'
    done = subprocess.run(
        ["sh", "-c", command], env=child_environ(p.home), cwd=p.directory, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
