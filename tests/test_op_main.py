"""The child's entry: finding the main module, its arguments and flags, and what a script sees of itself."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import guild
from guild import op_main
from tests.helpers import Outcome, child_environ

GUILD_PATH = str(Path(guild.__file__).parent / "onpath")


class RunDir:
    """A run directory with source files, in which an operation is run as a supervisor would run it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def run(
        self,
        *args: str,
        dest: str = "",
        env: Mapping[str, str] | None = None,
        input: str = "",
        options: Sequence[str] = ("-u",),
    ) -> Outcome:
        """`python -um guild.op_main ARGS` in the run directory."""
        own = {"PYTHONPATH": f".:{GUILD_PATH}", "GUILD_SOURCECODE": ".", "PYTHONDONTWRITEBYTECODE": "1"}
        flags_dest = {"FLAGS_DEST": dest} if dest else {}
        done = subprocess.run(
            [sys.executable, *options, "-m", "guild.op_main", *args],
            cwd=self.path,
            env=child_environ(self.path, {**own, **flags_dest, **(env or {})}),
            input=input,
            text=True,
            capture_output=True,
            timeout=60,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run")


# What a script sees of itself


def test_a_script_sees_itself_as_main_with_its_path_in_the_run_directory(rundir: RunDir) -> None:
    rundir.write({"a.py": "import sys\nprint(__name__, __file__, *sys.argv, sep='|')"})
    path = str(rundir.path / "a.py")
    assert rundir.run("a", "one", "--", "--x", "1").out == f"__main__|{path}|{path}|one|--x|1\n"


@pytest.mark.parametrize("dest", ["none", "config:settings.yml"])
def test_a_script_that_gets_its_flags_in_another_way_sees_only_its_own_arguments(
    rundir: RunDir, dest: str
) -> None:
    rundir.write({"a.py": "import sys\nprint(*sys.argv[1:])"})
    assert rundir.run("a", "one", "--", "--x", "1", dest=dest).out == "one\n"


def test_classes_of_the_script_can_be_pickled(rundir: RunDir) -> None:
    rundir.write({"a.py": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)"})
    assert rundir.run("a").out == "True\n"


def test_processes_of_multiprocessing_find_the_script_again(rundir: RunDir) -> None:
    text = (
        "import multiprocessing as mp\ndef f(x): return x * 2\n"
        "if __name__ == '__main__':\n"
        "    with mp.get_context('spawn').Pool(1) as pool: print(pool.map(f, [1, 2]))\n"
    )
    rundir.write(
        {"a.py": text, "pkg/__init__.py": "", "pkg/b.py": "from . import c\n" + text, "pkg/c.py": ""}
    )
    assert rundir.run("a").out == "[2, 4]\n"
    assert rundir.run("pkg.b").out == "[2, 4]\n"


def test_the_script_reads_what_its_stdin_gets(rundir: RunDir) -> None:
    rundir.write({"a.py": "print(input('? ') * 2)"})
    assert rundir.run("a", input="ab\n").out == "? abab\n"


def test_the_debugger_stops_in_the_script(rundir: RunDir) -> None:
    rundir.write({"a.py": "x = 41\nbreakpoint()\nprint('end')"})
    outcome = rundir.run("a", input="p x + 1\nc\n")
    assert "a.py(" in outcome.out
    assert "42" in outcome.out
    assert outcome.out.endswith("end\n")


# Finding the main module


def test_a_path_is_not_taken_for_a_script_of_the_same_name_further_up(rundir: RunDir) -> None:
    rundir.write({"x.py": "print('top')", "sub/x.py": "import y", "sub/y.py": "print('beside')"})
    assert rundir.run("sub/x").out == "beside\n"
    assert rundir.run("x").out == "top\n"


def test_a_module_of_a_package_imports_its_neighbours(rundir: RunDir) -> None:
    rundir.write(
        {
            "pkg/__init__.py": "print('package')",
            "pkg/mod.py": "from .other import x\nprint(x, __name__, __package__, __spec__.name)",
            "pkg/other.py": "x = 3",
        }
    )
    assert rundir.run("pkg.mod").out == "package\n3 __main__ pkg pkg.mod\n"


def test_a_package_is_run_by_its_main(rundir: RunDir) -> None:
    rundir.write({"pkg/__init__.py": "", "pkg/__main__.py": "print(__package__)"})
    assert rundir.run("pkg").out == "pkg\n"
    assert rundir.run("pkg/").code == 1


def test_the_source_code_goes_before_installed_modules(rundir: RunDir) -> None:
    rundir.write({"code/wave.py": "print('mine')", "code/a.py": "import wave"})
    env = {"GUILD_SOURCECODE": "code", "PYTHONPATH": GUILD_PATH}
    assert rundir.run("a", env=env).out == "mine\n"
    assert rundir.run("wave", env=env).out == "mine\n"


def test_an_installed_module_can_be_the_main_one(rundir: RunDir) -> None:
    outcome = rundir.run("json.tool", input='{"a":1}')
    assert (outcome.code, outcome.out) == (0, '{\n    "a": 1\n}\n')


def test_pass_prints_its_arguments_if_there_are_any(rundir: RunDir) -> None:
    assert rundir.run("guild.pass", "--", "--x", "1", dest="args").out == "--x 1\n"
    assert rundir.run("guild.pass", "--x", "1", dest="globals").out == ""


@pytest.mark.parametrize("name", ["nowhere", "no/where", "a.b", "pkg.none", "..", "pkg"])
def test_a_main_that_is_not_found_is_named(rundir: RunDir, name: str) -> None:
    rundir.write({"a.py": "", "pkg/__init__.py": ""})
    outcome = rundir.run(name)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("guild: No module named ")
    assert len(outcome.err.splitlines()) == 1


def test_a_package_that_fails_to_import_says_so_itself(rundir: RunDir) -> None:
    rundir.write({"pkg/__init__.py": "import no_such_thing", "pkg/mod.py": ""})
    outcome = rundir.run("pkg.mod")
    assert outcome.code == 1
    assert "No module named 'no_such_thing'" in outcome.err


# Arguments and flags

SHOW = "import sys\nprint(sys.argv[1:])"


def test_flag_arguments_follow_those_before_the_last_dashes(rundir: RunDir) -> None:
    rundir.write({"a.py": SHOW})
    assert rundir.run("a", "x", "--", "y", "--", "--f", "1").out == "['x', '--', 'y', '--f', '1']\n"


def test_a_click_script_gets_arguments(rundir: RunDir) -> None:
    rundir.write({"a.py": SHOW})
    assert rundir.run("a", "--", "--f", "1", dest="args:click").out == "['--f', '1']\n"


def test_global_flags_replace_the_first_assignment(rundir: RunDir) -> None:
    rundir.write({"a.py": "x = 1\ny = z = 2\nw = 5\nprint(x, y, z, w)\nx = 9\nprint(x)"})
    assert rundir.run("a", "--x", "1.5", "--y", "no", dest="globals").out == "1.5 False 2 5\n9\n"


def test_annotated_assignments_give_way_as_well(rundir: RunDir) -> None:
    rundir.write({"a.py": "x: int = 1\nprint(x, __annotations__)"})
    assert rundir.run("a", "--x", "4", dest="globals").out == "4 {'x': <class 'int'>}\n"


def test_assignments_in_blocks_stay(rundir: RunDir) -> None:
    rundir.write({"a.py": "def f():\n    x = 1\n    return x\nif True:\n    y = 2\nprint(x, y, f())"})
    assert rundir.run("a", "--x", "4", "--y", "5", dest="globals").out == "4 2 1\n"


def test_flags_that_the_script_does_not_assign_are_preset(rundir: RunDir) -> None:
    rundir.write({"a.py": "print(x)"})
    assert rundir.run("a", "--x", "[1, two]", dest="globals").out == "[1, 'two']\n"


def test_with_global_flags_the_arguments_before_the_dashes_are_left_alone(rundir: RunDir) -> None:
    rundir.write({"a.py": SHOW + "\nprint(x)"})
    assert rundir.run("a", "go", "--", "--x", "1", dest="globals").out == "['go']\n1\n"


def test_a_future_import_and_a_docstring_stay_first(rundir: RunDir) -> None:
    rundir.write({"a.py": '"""Doc."""\nfrom __future__ import annotations\nx = 1\nprint(__doc__, x)'})
    assert rundir.run("a", "--x", "2", dest="globals").out == "Doc. 2\n"


@pytest.mark.parametrize(
    ("dest", "expression", "expected"),
    [
        ("global:p", "p", "{'a': 2, 'b': {'c': 'hi'}}"),
        ("dict:p", "p", "{'a': 2, 'b': {'c': 'hi'}}"),
        ("namespace:p", "(p.a, p.b.c, type(p).__name__)", "(2, 'hi', 'SimpleNamespace')"),
    ],
)
def test_flags_replace_one_variable(rundir: RunDir, dest: str, expression: str, expected: str) -> None:
    rundir.write({"a.py": f"p = dict(a=1, kept=0)\nprint({expression})"})
    assert rundir.run("a", "--", "--a", "2", "--b.c", "hi", dest=dest).out == expected + "\n"


def test_a_flag_cannot_be_a_value_and_a_group(rundir: RunDir) -> None:
    rundir.write({"a.py": ""})
    outcome = rundir.run("a", "--b", "1", "--b.c", "2", dest="dict:p")
    assert (outcome.code, outcome.err) == (1, "guild: flag b is both a value and a group of flags\n")


# How it ends


def test_a_traceback_begins_in_the_script_and_shows_its_lines(rundir: RunDir) -> None:
    rundir.write({"a.py": "x = 1\n\ndef f():\n    return 1 / x\n\nf()\n"})
    outcome = rundir.run("a", "--x", "0", dest="globals")
    assert outcome.code == 1
    assert "line 4, in f\n    return 1 / x\n" in outcome.err
    assert "op_main" not in outcome.err
    assert "runpy" not in outcome.err
    assert outcome.err.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("dest", ["args", "globals"])
def test_a_syntax_error_is_shown_at_its_place(rundir: RunDir, dest: str) -> None:
    rundir.write({"a.py": "x = 1\nif:\n"})
    outcome = rundir.run("a", "--x", "1", dest=dest)
    assert outcome.code == 1
    assert 'a.py", line 2' in outcome.err
    assert "op_main" not in outcome.err


def test_the_exit_status_is_that_of_the_script(rundir: RunDir) -> None:
    rundir.write({"a.py": "import sys\nsys.exit(7)", "b.py": "raise SystemExit('told')"})
    assert rundir.run("a").code == 7
    outcome = rundir.run("b")
    assert (outcome.code, outcome.err) == (1, "told\n")


def test_an_interrupt_ends_it_as_it_ends_python(rundir: RunDir) -> None:
    rundir.write(
        {
            "a.py": "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "os.kill(os.getpid(), signal.SIGINT)\nprint('not reached')"
        }
    )
    outcome = rundir.run("a")
    assert (outcome.code, outcome.out) == (-signal.SIGINT, "")


# Logging, and what is loaded


def test_the_root_logger_shows_information(rundir: RunDir) -> None:
    rundir.write(
        {"a.py": "import logging\nlogging.info('a')\nlogging.getLogger('b').warning('c')\nlogging.debug('d')"}
    )
    assert rundir.run("a").err == "INFO: [root] a\nWARNING: [b] c\n"


def test_the_level_of_logging_can_be_set(rundir: RunDir) -> None:
    rundir.write({"a.py": "import logging\nlogging.debug('a')\nlogging.info('b')"})
    assert rundir.run("a", env={"LOG_LEVEL": "10"}).err == "DEBUG: [root] a\nINFO: [root] b\n"
    assert rundir.run("a", env={"LOG_LEVEL": "30"}).err == ""


def test_nothing_dear_is_loaded_before_the_script(rundir: RunDir) -> None:
    rundir.write({"a.py": "import sys\nprint(*sys.modules)"})
    args = ("a", "--x", "1", "--s", "some text", "--q", "'1'")
    # Without site, which may itself load much (the hooks of an editable installation).
    loaded = rundir.run(*args, options=("-uS",)).out.split()
    assert "guild" in loaded
    assert not {"logging", "yaml", "argparse", "ast", "inspect", "typing", "subprocess"} & set(loaded)
    assert not [m for m in loaded if m.startswith("guild.") and m != "guild.op_main"]
    assert "yaml" not in rundir.run(*args, dest="globals", options=("-uS",)).out.split()


# Values of flags

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    st.sampled_from(
        ["1", "1.5", "1e5", "null", "yes", "~", "'", "a: b", "x #y", "it's", " a", "a ", "2020-01-01"]
    ),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner), max_leaves=5
)


def same(a: Any, b: Any) -> bool:
    """Equality, by which NaN is NaN, and 1, 1.0 and True are three."""
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return type(a) is type(b) and bool(a == b)


@given(values)
@settings(deadline=None)
def test_a_value_comes_back_as_it_was_encoded(value: Any) -> None:
    from guild.base import yamlio

    decoded = op_main.decode(yamlio.encode_inline(value))
    assert same(decoded, value), decoded


@given(st.text("0123456789.eE+-_:~ ynolTrueFasNf'/@", max_size=6))
@settings(deadline=None)
def test_the_quick_path_agrees_with_yaml(text: str) -> None:
    try:
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return
    decoded = op_main.decode(text)
    if isinstance(decoded, float) and isinstance(expected, str):
        # `1e5` is a number here, where YAML 1.1 has it a text.
        assert same(decoded, float(expected))
    else:
        assert same(decoded, expected)


def test_without_a_yaml_library_json_is_read(rundir: RunDir) -> None:
    rundir.write({"yaml.py": "raise ImportError", "a.py": "print(x, y)"})
    outcome = rundir.run("a", "--x", "[1, 2]", "--y", "[a, b]", dest="globals")
    assert outcome.out == "[1, 2] [a, b]\n"
    assert "no YAML library" in outcome.err


def test_it_stays_within_the_syntax_of_python_3_8() -> None:
    import ast

    for name in ("op_main.py", "pass.py"):
        source = (Path(guild.__file__).parent / name).read_text()
        ast.parse(source, feature_version=(3, 8))
    assert os.path.exists(os.path.join(GUILD_PATH, "guild", "__init__.py"))
