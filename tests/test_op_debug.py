"""`--break` and `--break-on-error`: real jobs in the debugger, at a terminal and with their answers piped."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import guild
from tests.helpers import Outcome, Project, child_environ

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

TRAIN = '''\
import sys

from lib import model

x = 1
name = "a"


def helper(n):
    """Its first statement is below."""

    total = n + x
    return total


class Net:
    def fit(self):
        done = True
        return done


for i in range(3):
    y = helper(i)
print("sum", y, model.size(2))
print("fit", Net().fit())
'''
LIB = {"lib/__init__.py": "", "lib/model.py": "def size(n):\n    twice = n * 2\n    return twice\n"}


@pytest.fixture
def train(project: Make) -> Project:
    return project({"train.py": TRAIN, **LIB})


def debug(p: Project, options: str, input: str) -> Outcome:
    return p.guild(f"run train.py {options} -y", input=input)


def stops(outcome: Outcome) -> list[tuple[str, int]]:
    """Where the debugger stopped: (file, line)."""
    places = re.findall(r"^(?:\(Pdb\) )*> (/.*)\((\d+)\)", outcome.out, re.MULTILINE)
    return [(os.path.basename(path), int(line)) for path, line in places]


@pytest.mark.parametrize(
    ("place", "stop"),
    [
        ("22", ("train.py", 22)),
        ("train.py:22", ("train.py", 22)),
        ("train:20", ("train.py", 22)),
        ("5", ("train.py", 5)),
        ("7", ("train.py", 9)),  # no code there: the next line with code
        ("lib/model.py:1", ("model.py", 1)),
        ("lib/model.py:2", ("model.py", 2)),
        ("Net.fit", ("train.py", 18)),
        ("lib.model.size", ("model.py", 2)),
        ("24", ("train.py", 24)),
    ],
)
def test_a_job_stops_at_a_line_or_a_function(train: Project, place: str, stop: tuple[str, int]) -> None:
    done = debug(train, f"x=5 --break {place}", "c\n" * 9)
    assert done.code == 0, done
    assert stops(done)[0] == stop
    assert done.out.endswith("fit True\n")


def test_the_user_sees_flags_and_local_variables_and_may_change_them(train: Project) -> None:
    done = debug(train, "x=5 --break helper", "p (n, x, name)\n!n = 100\nc\np n\nc\np n\nc\n")
    assert stops(done) == [("train.py", 12)] * 3
    assert "(0, 5, 'a')" in done.out
    assert "sum 7 4" in done.out


def test_a_breakpoint_in_a_loop_is_hit_in_every_round(train: Project) -> None:
    done = debug(train, "--break 23", "p i\nc\np i\nc\np i\nc\n")
    assert stops(done) == [("train.py", 23)] * 3
    assert [line for line in done.out.replace("(Pdb) ", "").splitlines() if line in "012"] == ["0", "1", "2"]


def test_several_breakpoints_are_hit_in_the_order_of_the_program(train: Project) -> None:
    done = debug(train, "--break Net.fit --break lib.model.size --break 24", "c\nc\nc\n")
    assert stops(done) == [("train.py", 24), ("model.py", 2), ("train.py", 18)]


def test_the_user_steps_and_returns(train: Project) -> None:
    done = debug(train, "--break 25", "s\ns\nn\nr\nc\n")
    assert stops(done) == [("train.py", n) for n in (25, 17, 18, 19, 19)]
    assert done.code == 0


def test_quitting_ends_the_job_with_an_error_and_no_traceback_of_ours(train: Project) -> None:
    done = debug(train, "--break 22", "q\n")
    assert done.code == 1
    assert [run["status"] for run in train.runs()] == ["error"]
    assert "sum" not in done.out
    assert "op_debug" not in done.err
    assert "Traceback" not in done.err


def test_an_empty_stdin_ends_the_job(train: Project) -> None:
    done = debug(train, "--break 22", "")
    assert done.code == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("99", "WARNING: no code at or below line 99 of "),
        ("none.py:3", "WARNING: cannot set a breakpoint at none.py:3: there is no file none.py"),
        ("nobody", "WARNING: cannot set a breakpoint at nobody: it is neither a line nor a function"),
        ("Net", "WARNING: cannot set a breakpoint at Net: it is neither a line nor a function"),
        ("lib.model.none", "WARNING: cannot set a breakpoint at lib.model.none: it is neither"),
    ],
)
def test_a_place_that_is_none_is_said_and_the_job_runs(train: Project, place: str, said: str) -> None:
    done = debug(train, f"--break {place}", "")
    assert done.code == 0, done
    assert said in done.err
    assert stops(done) == []


def test_an_error_under_breakpoints_is_an_error_as_without(project: Make) -> None:
    p = project({"train.py": "import sys\nx = 1\nprint(x)\nraise KeyError('k')\n"})
    done = debug(p, "--break 3", "c\n")
    assert done.code == 1
    assert done.err.count("KeyError: 'k'") == 1
    assert "op_debug" not in done.err
    p.write({"train.py": "import sys\nx = 1\nprint(x)\nsys.exit(7)\n"})
    assert debug(p, "--break 3", "c\n").code == 7


def test_arguments_and_modules_stay_what_they_are(project: Make) -> None:
    script = (
        "import argparse, sys, pickle\n"
        "class Box: pass\n"
        "p = argparse.ArgumentParser()\n"
        "p.add_argument('--lr', type=float, default=0.1)\n"
        "a = p.parse_args()\n"
        "print(__name__, sys.argv[1:], a.lr, pickle.loads(pickle.dumps(Box())).__class__ is Box)\n"
    )
    p = project({"train.py": script})
    done = debug(p, "lr=0.5 --break 6", "p a.lr\nc\n")
    assert "(Pdb) 0.5\n" in done.out
    assert "__main__ ['--lr', '0.5'] 0.5 True" in done.out


FAILS = "def inner(depth):\n    secret = depth * 21\n    return 1 / 0\n\n\nx = 2\ninner(x)\n"


def test_an_error_stops_in_the_frame_that_raised_it(project: Make) -> None:
    p = project({"train.py": FAILS})
    done = debug(p, "x=2 --break-on-error", "p secret\nup\np x\nq\n")
    assert done.code == 1
    assert stops(done)[0] == ("train.py", 3)
    assert "(Pdb) 42\n" in done.out
    assert "ZeroDivisionError" in done.err
    assert [run["status"] for run in p.runs()] == ["error"]


def test_an_exit_and_a_good_end_stop_nowhere(project: Make) -> None:
    p = project({"train.py": "import sys\nx = 0\nsys.exit(x)\n"})
    assert (debug(p, "--break-on-error", "").code, debug(p, "x=4 --break-on-error", "").code) == (0, 4)


def test_both_may_be_used_together(project: Make) -> None:
    p = project({"train.py": FAILS})
    done = debug(p, "--break inner --break-on-error", "c\np secret\nq\n")
    assert [line for _, line in stops(done)] == [2, 3]
    assert "(Pdb) 42\n" in done.out


def test_it_works_at_a_terminal(train: Project) -> None:
    terminal = train.pty("run train.py x=5 --break helper -y")
    terminal.expect("(Pdb)")
    terminal.send("p n + x\n")
    terminal.expect("5")
    terminal.expect("(Pdb)")
    terminal.send("cl 1\n")  # clears the breakpoint
    terminal.expect("(Pdb)")
    terminal.send("c\n")
    terminal.expect("sum 7 4")
    assert terminal.wait() == 0
    assert [run["status"] for run in train.runs()] == ["completed"]


def test_an_error_stops_at_a_terminal(project: Make) -> None:
    p = project({"train.py": FAILS})
    terminal = p.pty("run train.py --break-on-error -y")
    terminal.expect("(Pdb)")
    terminal.send("p secret\n")
    terminal.expect("42")
    terminal.expect("(Pdb)")
    terminal.send("q\n")
    assert terminal.wait() == 1


def test_functions_are_found_within_blocks_and_in_packages(project: Make) -> None:
    script = (
        "import lib\n"
        "try:\n"
        "    import nothing_of_this_name\n"
        "except ImportError:\n"
        "    def fallback():\n"
        "        return lib.two()\n"
        "if True:\n"
        "    class Net:\n"
        "        async def fit(self): pass\n"
        "        def run(self):\n"
        "            return fallback()\n"
        "print(Net().run())\n"
    )
    p = project({"train.py": script, "lib/__init__.py": "def two():\n    return 2\n"})
    done = debug(p, "--break fallback --break Net.run --break lib.two", "c\n" * 4)
    assert stops(done) == [("train.py", 11), ("train.py", 6), ("__init__.py", 2)]


LOADED = "import sys\nprint(sorted({'pdb', 'bdb', 'guild.op_debug'} & set(sys.modules)))\n"


def test_without_breakpoints_nothing_is_loaded(project: Make) -> None:
    p = project({"train.py": LOADED})
    assert "[]" in debug(p, "", "").out
    assert "[]" not in debug(p, "--break 1", "c\n").out


@pytest.mark.skipif(not os.environ.get("OLD_PYTHON"), reason="OLD_PYTHON names no older interpreter")
def test_an_older_interpreter_has_it_too(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    for name, text in LIB.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = str(Path(guild.__file__).parent / "onpath")
    env = {"PYTHONPATH": path, "GUILD_SOURCECODE": ".", "FLAGS_DEST": "globals", "PDB_BREAKS": "helper"}
    done = subprocess.run(
        [os.environ.get("OLD_PYTHON", sys.executable), "-um", "guild.op_main", "train", "--", "--x", "5"],
        cwd=tmp_path,
        env=child_environ(tmp_path, env),
        input="p n + x\nc\nc\nc\n",
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert "(Pdb) 5\n" in done.stdout
