"""`--test-output-scalars`: lines, and below each the scalars that would be taken from it."""

from collections.abc import Callable, Mapping

import pytest

from tests.helpers import Project

Make = Callable[[Mapping[str, str]], Project]

LOG = "begin\nepoch: 1 (step 3)\nloss: 0.25\nacc: 7e-1 (val)\n  pad: 1\nx: 9\nlast: -2\r\nend"
SHOWN = """\
begin
epoch: 1 (step 3)
  epoch=1 (step 3)
loss: 0.25
  loss=0.25 (step 3)
acc: 7e-1 (val)
  acc=0.7 (step 3)
  pad: 1
x: 9
last: -2
  last=-2 (step 3)
end
"""
FILES = {"train.py": "x = 1\n", "log.txt": LOG}


def test_the_default_patterns_are_shown_with_their_steps_and_no_run_is_made(project: Make) -> None:
    p = project(FILES)
    done = p.guild("run train.py --test-output-scalars log.txt")
    assert (done.code, done.err) == (0, "")
    assert done.out == SHOWN
    assert p.runs() == []


def test_lines_come_from_stdin_as_well(project: Make) -> None:
    assert project(FILES).guild("run train.py --test-output-scalars -", input=LOG).out == SHOWN


def test_lines_of_a_pipe_are_shown_as_they_come(project: Make) -> None:
    p = project(FILES)
    running = p.popen("run train.py --test-output-scalars -")
    assert running.process.stdin
    running.process.stdin.write(b"loss: 1\n")
    running.process.stdin.flush()
    running.expect("  loss=1\n")
    running.process.stdin.close()
    assert running.wait().code == 0


def test_the_patterns_of_the_operation_are_used(project: Make) -> None:
    guildfile = (
        r"own: {main: train, output-scalars: {loss: 'L=(\value)', step: 'S=(\step)'}}"
        "\n"
        "quiet: {main: train, output-scalars: no}\n"
    )
    p = project({**FILES, "guild.yml": guildfile, "log.txt": "S=4 L=1.5\nloss: 2\n"})
    shown = "S=4 L=1.5\n  loss=1.5 (step 4)\nloss: 2\n"
    assert p.guild("run own --test-output-scalars log.txt").out == shown
    assert p.guild("run quiet --test-output-scalars log.txt").out == "S=4 L=1.5\nloss: 2\n"


def test_lines_of_any_bytes_are_shown(project: Make) -> None:
    p = project(FILES)
    (p.directory / "log.txt").write_bytes(b"\xff\xfe\nloss: 3\n\n")
    done = p.guild("run train.py --test-output-scalars log.txt")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\nloss: 3\n  loss=3\n\n")


def test_a_script_that_fails_to_import_is_no_matter(project: Make) -> None:
    p = project({"train.py": "raise SystemExit(3)\n", "log.txt": "loss: 3\n"})
    assert p.guild("run train.py --test-output-scalars log.txt").out == "loss: 3\n  loss=3\n"


@pytest.mark.parametrize(
    ("name", "reason"), [("none.txt", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named(project: Make, name: str, reason: str) -> None:
    done = project(FILES).guild(f"run train.py --test-output-scalars {name}")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"guild: cannot read '{name}': {reason}\n"
