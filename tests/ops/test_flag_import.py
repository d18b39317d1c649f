import ast
import os
import sys
import textwrap
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.ops import flag_globals, flag_options
from guild.ops.flag_import import ImportedFlags, detect_dest, import_flags
from guild.ops.opdef import Choice, FlagDef
from tests.helpers import wait_until

Import = Callable[..., ImportedFlags]
SWITCH = (Choice(True), Choice(False))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project" / "train.py"


@pytest.fixture
def imported(tmp_path: Path, script: Path) -> Import:
    """`imported(text, *args)`: the flags of a script with this text."""

    def run(text: str | None = None, *args: str, dest: str | None = None, **more: Any) -> ImportedFlags:
        if text is not None:
            script.write_text(textwrap.dedent(text))
        env = {**os.environ, **more.pop("env", {})}
        cache = more.pop("cache", tmp_path / "cache")
        python = more.pop("python_exe", sys.executable)
        return import_flags(script, args, dest=dest, python_exe=python, cache=cache, environ=env, **more)

    return run


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported must be read, or be in the cache."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.Popen", refuse)


# Globals.


@pytest.mark.usefixtures("no_process")
def test_plain_globals_are_flags_of_their_type(imported: Import) -> None:
    found = imported(
        """
        x = 1
        y = -1.5
        b = True
        s = "text"
        n = None
        l = [1, 2.5, "a b", None]
        e = []
        one = two = 4
        """
    )
    assert found == ImportedFlags(
        (
            FlagDef("x", default=1, type="number"),
            FlagDef("y", default=-1.5, type="number"),
            FlagDef("b", default=True, type="boolean"),
            FlagDef("s", default="text", type="string"),
            FlagDef("n"),
            FlagDef("l", default="1 2.5 'a b' null", arg_split=True),
            FlagDef("e", default="", arg_split=True),
            FlagDef("one", default=4, type="number"),
            FlagDef("two", default=4, type="number"),
        ),
        "globals",
    )


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    "text",
    [
        "_x = 1",
        "x = (1, 2)",
        "x = 1 + 2",
        "x = int('3')",
        "x: int = 1",
        "x = {'a': 1}",
        "x = {1, 2}",
        "x = b'1'",
        "x = 1j",
        "x = [[1]]",
        "x, y = 1, 2",
        "o.x = 1",
        "if True:\n    x = 1",
        "def f():\n    x = 1",
        "x = f()\nx = 1",
        "x: int = 1\nx = 2",
        "(1).__class__",
    ],
)
def test_what_is_no_plain_first_assignment_is_no_flag(imported: Import, text: str) -> None:
    assert imported(text) == ImportedFlags()


@pytest.mark.usefixtures("no_process")
def test_the_first_assignment_is_the_default(imported: Import) -> None:
    assert imported("x = 1\nx = 'two'\n").flags == (FlagDef("x", default=1, type="number"),)


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("dest", ["global:p", "dict:p", "namespace:p"])
@pytest.mark.parametrize(
    "text",
    [
        "p = {'a': 1, 'n': {'x': 's', 'e': {}}, 't': (1, 2), 3: 4, 'f': f()}",
        "p = SimpleNamespace(a=1, n=types.SimpleNamespace(x='s'))",
        "p = dict(a=1, n={'x': 's'})",
    ],
)
def test_members_of_a_variable_are_flags_with_dotted_names(imported: Import, text: str, dest: str) -> None:
    found = imported(f"q = 1\n{text}\n", dest=dest)
    names = (FlagDef("a", default=1, type="number"), FlagDef("n.x", default="s", type="string"))
    assert found == ImportedFlags(names, dest)


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("text", ["x = 1", "p = 1", "p = f()"])
def test_a_variable_without_members_is_a_warning(imported: Import, script: Path, text: str) -> None:
    found = imported(text, dest="dict:p")
    why = "'p' is neither a dict nor a SimpleNamespace"
    assert found == ImportedFlags((), "dict:p", (f"cannot import flags from {script}: {why}",))


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n"])
def test_a_script_that_is_no_python_is_a_warning(imported: Import, script: Path, text: str) -> None:
    script.write_bytes(text.encode("latin-1"))
    found = imported()
    assert found.flags == ()
    assert [w.startswith(f"cannot import flags from {script}: ") for w in found.warnings] == [True]


def test_a_script_that_is_not_there_is_a_warning(imported: Import, script: Path) -> None:
    assert imported().warnings == (f"cannot import flags from {script}: No such file or directory",)


@pytest.mark.usefixtures("no_process")
def test_warnings_of_the_compiler_are_not_ours_to_show(imported: Import) -> None:
    assert imported("s = '\\d'\nx = 1 is 1\n").flags == (FlagDef("s", default="\\d", type="string"),)


@pytest.mark.usefixtures("no_process")
def test_defaults_that_are_paths_of_the_project_become_absolute(imported: Import, script: Path) -> None:
    (script.parent / "data").mkdir()
    (script.parent / "data" / "a.csv").touch()
    found = imported('a = "data/a.csv"\nb = "data/none.csv"\nc = "data"\nd = "./data"\n')
    assert [f.default for f in found.flags] == [
        str(script.parent / "data" / "a.csv"),
        "data/none.csv",
        "data",
        str(script.parent / "data"),
    ]


@pytest.mark.usefixtures("no_process")
def test_paths_are_looked_up_each_time(imported: Import, script: Path) -> None:
    assert imported('a = "data/x"\n').flags[0].default == "data/x"
    (script.parent / "data").mkdir()
    (script.parent / "data" / "x").touch()
    assert imported().flags[0].default == str(script.parent / "data" / "x")


LITERALS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=9),
)


@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,5}\Z"), LITERALS, max_size=4))
def test_every_plain_global_is_found_with_its_value(values: dict[str, Any]) -> None:
    values = {n: v for n, v in values.items() if not iskeyword(n)}
    text = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    flags = flag_globals.global_flags(flag_globals.parse(text.encode(), "x.py"), "globals")
    assert {f.name: f.default for f in flags} == values
    assert all(type(f.default) is type(values[f.name]) for f in flags)


# Where flags go.


@pytest.mark.parametrize(
    ("text", "dest"),
    [
        ("x = 1", "globals"),
        ("import argparse", "args"),
        ("import os, argparse as ap", "args"),
        ("from argparse import ArgumentParser", "args"),
        ("def main():\n    import argparse", "args"),
        ("import click", "args:click"),
        ("import click, argparse", "args"),
        ("'import argparse'", "globals"),
        ("# import click", "globals"),
        ("import argparse_tools, clickhouse", "globals"),
        ("from .argparse import x", "globals"),
        ("def f(: argparse", "args"),
    ],
)
def test_where_a_script_takes_its_flags_shows_in_its_imports(script: Path, text: str, dest: str) -> None:
    script.write_text(text)
    assert detect_dest(script) == dest


def test_what_has_no_flags_is_not_looked_at(imported: Import) -> None:
    assert imported("syntax error", dest="none") == ImportedFlags(dest="none")


# argparse.

OPTIONS = """
    import argparse, pathlib, sys
    print("noise")
    print("more noise", file=sys.stderr)
    p = argparse.ArgumentParser()
    """


def options(*lines: str) -> str:
    """A script with these options."""
    calls = "".join(f"p.add_argument({line})\n" for line in lines)
    return textwrap.dedent(OPTIONS) + calls + "p.parse_args()\nraise SystemExit('went on')\n"


@pytest.mark.parametrize(
    ("option", "flag"),
    [
        ("'--x', '-x', type=int, default=3, help='The  %(default)s x'",
         FlagDef("x", default=3, description="The 3 x", type="int")),
        ("'-l', '--learning-rate', type=float", FlagDef("learning-rate", type="float")),
        ("'--x', type=str, required=True", FlagDef("x", type="string", required=True)),
        ("'--x', type=bool, default=False", FlagDef("x", default=False, type="boolean")),
        ("'--x', default=4, dest='y'", FlagDef("x", default=4)),
        ("'--x', type=lambda s: s.split(','), default=[1]", FlagDef("x")),
        ("'--x', type=pathlib.Path, default=pathlib.Path('a')", FlagDef("x", default="a")),
        ("'--x', default=argparse.SUPPRESS, help=argparse.SUPPRESS", FlagDef("x")),
        ("'--x', default=object()", FlagDef("x")),
        ("'--x', help='100%'", FlagDef("x", description="100%")),
        ("'--x', choices=['a', 'b'], default='a'",
         FlagDef("x", default="a", choices=(Choice("a"), Choice("b")))),
        ("'--x', choices=range(2)", FlagDef("x", choices=(Choice(0), Choice(1)))),
        ("'--x', choices=range(9999)", FlagDef("x")),
        ("'--x', nargs='+', type=int, default=[1]", FlagDef("x", default="1", type="int", arg_split=True)),
        ("'--x', nargs='+', type=str, default=['1']", FlagDef("x", default="1", arg_split=True)),
        ("'--x', nargs=2, default=['a b', 'c']", FlagDef("x", default="'a b' c", arg_split=True)),
        ("'--x', nargs='*'", FlagDef("x", arg_split=True)),
        ("'--x', nargs='?', default=1", FlagDef("x", default=1)),
        ("'--x', action='store_true'",
         FlagDef("x", default=False, type="boolean", choices=SWITCH, arg_switch=True, has_arg_switch=True)),
        ("'--x', action='store_false'",
         FlagDef("x", default=True, type="boolean", choices=SWITCH, arg_switch=False, has_arg_switch=True)),
        ("'--x', action=argparse.BooleanOptionalAction, default=True, help='h'",
         FlagDef("x", default=True, type="boolean", choices=SWITCH, arg_switch=False, has_arg_switch=True,
                 arg_name="no-x")),
        ("'--x', action=argparse.BooleanOptionalAction",
         FlagDef("x", default=False, type="boolean", choices=SWITCH, arg_switch=True, has_arg_switch=True)),
    ],
)  # fmt: skip
def test_options_are_flags(imported: Import, option: str, flag: FlagDef) -> None:
    found = imported(options(option))
    if flag.arg_name == "no-x":  # some versions of Python add the default to the help
        assert found.flags[0].description.startswith("h")
        found = ImportedFlags((FlagDef(**{**vars(found.flags[0]), "description": ""}),), found.dest, (), True)
    assert found == ImportedFlags((flag,), "args", refreshed=True)


def test_options_without_a_long_name_or_a_value_are_no_flags(imported: Import) -> None:
    found = imported(
        options(
            "'-s'",
            "'positional', nargs='*'",
            "'--count', action='count'",
            "'--append', action='append'",
            "'--extend', action='extend', nargs='+'",
            "'--const', action='store_const', const=1",
            "'--version', action='version', version='1'",
            "'--own', action=type('Own', (argparse.Action,), {})",
        )
    )
    assert found == ImportedFlags((), "args", refreshed=True)


SUB_COMMANDS = """
    import argparse
    p = argparse.ArgumentParser()
    p.add_argument("--top")
    sub = p.add_subparsers()
    train = sub.add_parser("train")
    train.add_argument("--lr", type=float)
    sub.add_parser("test").add_subparsers().add_parser("fast").add_argument("--n", type=int)
    p.parse_args()
    """


@pytest.mark.parametrize(
    ("args", "names"), [((), ["top"]), (("train",), ["lr"]), (("--top", "1", "test", "fast"), ["n"])]
)
def test_a_sub_command_in_main_has_its_own_options(
    imported: Import, args: tuple[str, ...], names: list[str]
) -> None:
    assert [f.name for f in imported(SUB_COMMANDS, *args).flags] == names


def test_what_a_script_does_before_it_parses_does_no_harm(imported: Import, script: Path) -> None:
    found = imported(
        """
        import argparse, atexit, os, sys, threading, time
        assert __name__ == "__main__" and sys.argv[1:] == ["--base", "--help"], sys.argv
        assert os.path.samefile(os.getcwd(), os.path.dirname(__file__))
        threading.Thread(target=lambda: time.sleep(600)).start()
        atexit.register(time.sleep, 600)
        p = argparse.ArgumentParser()
        p.add_argument("--x")
        try:
            p.parse_known_args()
        finally:
            time.sleep(600)
        """,
        "--base",
    )
    assert [f.name for f in found.flags] == ["x"]
    assert [p.name for p in script.parent.iterdir()] == ["train.py"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import argparse\nimport none_such\n", "ModuleNotFoundError: No module named 'none_such'"),
        ("import argparse\nraise SystemExit('no config')\n", "no config"),
        ("import argparse\nraise SystemExit(3)\n", "it ended with exit code 3"),
        ("import argparse\n", "it does not parse its arguments when it runs with --help"),
    ],
)
def test_a_script_that_does_not_get_to_parsing_is_a_warning(
    imported: Import, script: Path, text: str, why: str
) -> None:
    for _ in range(2):
        assert imported(text).warnings == (f"cannot import flags from {script}: {why}",), "each time"


def test_an_interpreter_that_is_gone_is_a_warning(imported: Import, script: Path) -> None:
    found = imported(options("'--x'"), python_exe="/nonexistent/python")
    why = "/nonexistent/python: No such file or directory"
    assert found.warnings == (f"cannot import flags from {script}: {why}",)


def test_a_script_that_never_parses_is_ended_with_its_children(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, part = tmp_path / "started", tmp_path / "part"
    script.write_text(
        f"import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(part)!r}, 'w').write(str(child.pid))\nos.rename({str(part)!r}, {str(started)!r})\n"
        "child.wait()\n"
    )
    with monkeypatch.context() as patch:
        # The time is over as soon as the child is there.
        patch.setattr("time.monotonic", lambda: 100.0 if started.exists() else 0.0)
        with pytest.raises(flag_options.NoFlags, match="did not parse its arguments within 60 seconds"):
            flag_options.ask(
                "argparse", script, "", (), path=[], python_exe=sys.executable, environ=os.environ,
                cwd=script.parent,
            )  # fmt: skip
    wait_until(lambda: ended(int(started.read_text())), what="the end of the child")


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_script_that_is_no_parser_is_run_only_on_request(imported: Import, script: Path) -> None:
    text = "from options import parser\nparser.parse_args()\n"
    (script.parent / "options.py").write_text(
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--x')\n"
    )
    assert imported(text, dest="args", explicit=False) == ImportedFlags(dest="args")
    assert imported(text, dest="args") == ImportedFlags((FlagDef("x"),), "args", refreshed=True)


def test_modules_of_guild_do_not_hide_those_of_the_script(imported: Import, script: Path) -> None:
    (script.parent / "resolve.py").write_text("default = 3\n")
    text = "import select, sys\nassert not any(p.endswith('guild/ops') for p in sys.path)\nimport resolve\n"
    assert imported(text + options("'--x', default=resolve.default")).flags == (FlagDef("x", default=3),)


def test_a_module_of_a_package_may_import_relatively(imported: Import, tmp_path: Path, script: Path) -> None:
    package = script.parent / "pkg"
    package.mkdir()
    (package / "base.py").write_text("default = 3\n")
    (package / "__init__.py").touch()
    (package / "train.py").write_text("from .base import default\n" + options("'--x', default=default"))
    found = import_flags(
        package / "train.py", (), dest=None, python_exe=sys.executable, cache=None,
        environ=os.environ, root=script.parent, module="pkg.train",
    )  # fmt: skip
    assert found == ImportedFlags((FlagDef("x", default=3),), "args", refreshed=True)


def test_the_child_speaks_the_language_of_older_interpreters() -> None:
    source = Path(flag_options.__file__).with_name("_import_argparse.py").read_text()
    assert ast.parse(source, feature_version=(3, 8))


# click.

CLICK = """
    import click

    @click.group()
    def cli(): raise SystemExit("went on")

    @cli.command()
    @click.option("--lr", "-l", type=float, default=0.1, help="Rate.", show_default=True)
    @click.option("--layers", default=3)
    @click.option("--name", required=True)
    @click.option("--on/--off", default=True)
    @click.option("--fast", is_flag=True)
    @click.option("--size", nargs=2, type=int, default=(1, 2))
    @click.option("--kind", type=click.Choice(["a", "b"]), default="a")
    @click.option("-v", count=True)
    @click.option("--level", count=True)
    @click.argument("files", nargs=-1)
    def train(**kw): raise SystemExit("went on")

    if __name__ == "__main__":
        cli()
    """


def test_options_of_click_are_flags(imported: Import) -> None:
    switch: Any = {"type": "boolean", "choices": SWITCH, "has_arg_switch": True}
    assert imported(CLICK, "train") == ImportedFlags(
        (
            FlagDef("lr", default=0.1, description="Rate.", type="float"),
            FlagDef("layers", default=3, type="int"),
            FlagDef("name", type="string", required=True),
            FlagDef("on", default=True, arg_switch=False, arg_name="off", **switch),
            FlagDef("fast", default=False, arg_switch=True, **switch),
            FlagDef("size", default="1 2", arg_split=True),
            FlagDef("kind", default="a", choices=(Choice("a"), Choice("b"))),
        ),
        "args:click",
        refreshed=True,
    )


# The cache.


def test_what_was_imported_is_kept_while_the_script_stays_the_same(
    imported: Import, script: Path, request: pytest.FixtureRequest
) -> None:
    text = options("'--x', type=int, choices=[1, 2], default=1", "'--y', action='store_true'")
    first = imported(text)
    assert first.refreshed
    request.getfixturevalue("no_process")
    again = imported()
    assert not again.refreshed
    assert (again.flags, again.dest) == (first.flags, first.dest)


@pytest.mark.parametrize("how", ["size", "time", "args", "dest", "python"])
def test_it_is_imported_again_where_anything_differs(imported: Import, script: Path, how: str) -> None:
    imported(options("'--x'"))
    info = script.stat()
    if how == "size":
        script.write_text(options("'--xy'"))
        os.utime(script, ns=(info.st_atime_ns, info.st_mtime_ns))
    if how == "time":
        # Earlier than it was: as of a file that is taken back from an archive.
        script.write_text(options("'--y'"))
        os.utime(script, ns=(info.st_atime_ns, info.st_mtime_ns - 1))
    link = script.with_name("python")
    link.symlink_to(sys.executable)
    found = imported(
        None,
        *(["sub"] if how == "args" else []),
        dest="globals" if how == "dest" else None,
        **({"python_exe": str(link)} if how == "python" else {}),
    )
    if how in ("size", "time"):
        assert [f.name for f in found.flags] == [{"size": "xy", "time": "y"}[how]]
    elif how == "dest":
        assert found.dest == "globals"
    assert found.refreshed == (how != "dest")


def test_it_is_imported_again_when_a_module_of_the_project_changed(imported: Import, script: Path) -> None:
    beside = script.parent / "settings.py"
    beside.write_text("default = 1\n")
    text = "import settings\n" + options("'--x', default=settings.default")
    assert imported(text).flags[0].default == 1
    assert not imported().refreshed
    beside.write_text("default = 22\n")
    again = imported()
    assert (again.flags[0].default, again.refreshed) == (22, True)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"key": {}}', b'{"files": 3}'])
def test_a_damaged_cache_is_imported_again(
    imported: Import, tmp_path: Path, script: Path, damage: bytes
) -> None:
    first = imported(options("'--x'"))
    [entry] = (tmp_path / "cache" / "import-flags2").iterdir()
    entry.write_bytes(damage)
    assert imported() == first


def test_without_a_cache_or_with_one_that_cannot_be_written_flags_are_imported_all_the_same(
    imported: Import, tmp_path: Path
) -> None:
    assert imported("x = 1\n", cache=None).flags == (FlagDef("x", default=1, type="number"),)
    (tmp_path / "file").touch()
    assert imported(cache=tmp_path / "file" / "cache").flags == (FlagDef("x", default=1, type="number"),)


def test_the_cache_may_be_switched_off(imported: Import, tmp_path: Path) -> None:
    imported("x = 1\n", env={"NO_IMPORT_FLAGS_CACHE": "1"})
    assert not (tmp_path / "cache").exists()
