"""The rules of the house: layers, purity, names, sizes, imports; what `docs/ARCHITECTURE.md` promises."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests import house
from tests.helpers import child_environ

# Exceptions, each with its reason. Shrink them.
SPELLED = {
    ("guild.home", ".guild"): "the home directory's own name",
    ("guild.ops.select", ".guild"): "directories of this name are never source code",
    ("guild.op_util", ".guild"): "runs in jobs, on the user's interpreter",
    ("guild.summary", ".guild"): "runs in jobs, on the user's interpreter",
}
READERS = {
    "guild.runs.run": "typed reads of one run directory",
    "guild.runs.status": "markers to status",
    "guild.runs.swap": "the half of the life cycle that settles interrupted swaps",
    "guild.runs.carry": "leaves behind what says who executes a run that is taken elsewhere",
    "guild.launch.stop": "ends a run by what its markers say of it",
    "guild.scheduler.loop": "asks whether a job that it started is still pending",
}
WRITERS = {
    "guild.runs.lifecycle": "every legal change of status",
    "guild.runs.arrivals": "the half of the life cycle that lets runs from elsewhere in",
}
RENAMERS = {
    "guild.base.files": "a whole file over its old self",
    "guild.runs.lifecycle": "into and out of runs/",
    "guild.runs.departures": "out of runs/, and back",
    "guild.runs.swap": "into and out of runs/, under an intent",
    "guild.op_util": "an attribute over its old self, in a job",
}
SPOKEN = {
    (
        "guild.launch.process",
        "os._exit",
    ): "the end of a forked child, which must not unwind its parent's stack",
    ("guild.launch.trials", "os._exit"): "the same, of a supervisor",
    ("guild.runs.listing", "os._exit"): "the same, of one that looked at files",
}


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    found = house.load()
    assert len(found) > 10
    return found


def test_imports_go_downwards_only(modules: house.Modules) -> None:
    assert house.layer_faults(modules) == []


def test_no_module_imports_itself_by_way_of_others(modules: house.Modules) -> None:
    assert house.cycles(modules) == []


def test_only_app_commands_and_plugins_know_the_plugin_contract(modules: house.Modules) -> None:
    assert house.plugin_faults(modules) == []


def test_pure_modules_ask_nothing_of_the_world(modules: house.Modules) -> None:
    assert house.purity_faults(modules) == []


def test_names_below_a_runs_guild_directory_are_spelled_in_runs_only(modules: house.Modules) -> None:
    assert house.spelling_faults(modules, SPELLED) == []


def test_only_the_life_cycle_writes_markers(modules: house.Modules) -> None:
    assert house.marker_faults(modules, READERS, WRITERS) == []


def test_only_the_life_cycle_moves_runs(modules: house.Modules) -> None:
    assert house.rename_faults(modules, RENAMERS) == []


def test_only_commands_print_ask_and_exit(modules: house.Modules) -> None:
    assert house.speech_faults(modules, SPOKEN) == []


def test_packages_hold_a_docstring_and_no_module_is_called_util(modules: house.Modules) -> None:
    assert house.name_faults(modules) == []


def test_files_and_functions_are_short(modules: house.Modules) -> None:
    sources = {name: _source(name) for name in modules}
    assert house.size_faults(modules, sources) == []


def _source(name: str) -> str:
    stem = house.ROOT.joinpath(*name.split("."))
    path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
    return path.read_text(encoding="utf-8")


def test_every_module_says_what_it_is_for(modules: house.Modules) -> None:
    assert [name for name, tree in modules.items() if not ast.get_docstring(tree)] == []


def test_what_runs_on_the_users_interpreter_is_old_python_and_needs_nothing(modules: house.Modules) -> None:
    for name in house.CHILD_SIDE:
        if name in modules:
            ast.parse(_source(name), name, feature_version=(3, 8))
    assert house.child_side_faults(modules) == []


def test_no_exception_outlives_its_reason(modules: house.Modules) -> None:
    used = {name for name, tree in modules.items() if house.names_used(tree, house.MARKERS)}
    assert {*READERS, *WRITERS} <= used | (READERS.keys() - modules.keys())
    renaming = house.rename_faults(modules, {})
    assert [name for name in RENAMERS if not any(f.startswith(name + ":") for f in renaming)] == []
    spelled = house.spelling_faults(modules, {})
    stale = [n for n, text in SPELLED if not any(f.startswith(n) and repr(text) in f for f in spelled)]
    assert [n for n in stale if n in modules] == []


# The checks themselves: each must find what it forbids.
BAD_HOUSES: list[tuple[str, Callable[[house.Modules], list[str]], Mapping[str, str]]] = [
    ("upwards", house.layer_faults, {"guild.ops.x": "import guild.runs.y", "guild.runs.y": ""}),
    ("lazily", house.layer_faults, {"guild.base.x": "def f():\n from guild.ops import y", "guild.ops.y": ""}),
    ("relatively", house.layer_faults, {"guild.base.x": "from ..ops import y", "guild.ops.y": ""}),
    ("homeless", house.layer_faults, {"guild.extra.x": ""}),
    ("circle", house.cycles, {"guild.ops.a": "import guild.ops.b", "guild.ops.b": "import guild.ops.a"}),
    ("contract", house.plugin_faults, {"guild.scheduler.x": "import guild.plugin", "guild.plugin": ""}),
    ("clock", house.purity_faults, {"guild.launch.label": "def f():\n import time"}),
    ("disk", house.purity_faults, {"guild.ops.flags": "import os.path\nos.path.exists('x')"}),
    ("environment", house.purity_faults, {"guild.ops.flags": "import os.path\nos.environ"}),
    ("path", house.purity_faults, {"guild.launch.spec": "from pathlib import Path"}),
    ("open", house.purity_faults, {"guild.runs.status": "open('x')"}),
    (
        "policy",
        house.purity_faults,
        {"guild.scheduler.policy": "import guild.runs.store", "guild.runs.store": ""},
    ),
    ("join", lambda m: house.spelling_faults(m, {}), {"guild.launch.x": "p / '.guild/attrs'"}),
    ("marker", lambda m: house.spelling_faults(m, {}), {"guild.launch.x": "f('STAGED')"}),
    ("reader", lambda m: house.marker_faults(m, {}, {}), {"guild.launch.x": "layout.STAGED in names"}),
    (
        "writer",
        lambda m: house.marker_faults(m, {"guild.launch.x": ""}, {}),
        {"guild.launch.x": "(d / layout.STAGED).touch()"},
    ),
    (
        "stolen",
        lambda m: house.marker_faults(m, {}, {}),
        {"guild.launch.x": "from guild.runs.layout import STAGED"},
    ),
    (
        "exit status",
        lambda m: house.marker_faults(m, {}, {}),
        {"guild.launch.x": "attrs.write_attr(d, layout.EXIT_STATUS, 0)"},
    ),
    ("move", lambda m: house.rename_faults(m, {}), {"guild.launch.x": "p.rename(q)"}),
    ("print", lambda m: house.speech_faults(m, {}), {"guild.ops.x": "print('x')"}),
    ("stdout", lambda m: house.speech_faults(m, {}), {"guild.ops.x": "sys.stdout.write('x')"}),
    ("exit", lambda m: house.speech_faults(m, {}), {"guild.ops.x": "raise SystemExit(1)"}),
    ("click", lambda m: house.speech_faults(m, {}), {"guild.ops.x": "import click"}),
    ("util", house.name_faults, {"guild.base.util": ""}),
    ("package", house.name_faults, {"guild.ops": "'''Doc.'''\nX = 1", "guild.ops.x": ""}),
    ("file", lambda m: house.size_faults(m, {"guild.x": "\n" * 401}), {"guild.x": ""}),
    (
        "function",
        lambda m: house.size_faults(m, {"guild.x": ""}),
        {"guild.x": "def f():\n" + " pass\n" * 40},
    ),
    ("yours", house.child_side_faults, {"guild.op_main": "import click"}),
]


@pytest.mark.parametrize(
    ("check", "sources"), [(c, s) for _, c, s in BAD_HOUSES], ids=[b[0] for b in BAD_HOUSES]
)
def test_each_check_finds_what_it_forbids(
    check: Callable[[house.Modules], list[str]], sources: Mapping[str, str]
) -> None:
    assert check({name: ast.parse(text) for name, text in sources.items()})


def loaded(args: list[str], home: Path) -> set[str]:
    """The modules that `guild ARGS` imports beyond what this Python and click import by themselves."""

    def run(argv: list[str]) -> set[str]:
        command = [sys.executable, "-X", "importtime", *argv]
        env = child_environ(home, {"LC_ALL": "C.UTF-8"})
        done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    return run(["-m", "guild", *args]) - run(["-c", "import click"])


def below(names: set[str], *rooms: str) -> list[str]:
    return sorted(n for n in names if any(n == room or n.startswith(room + ".") for room in rooms))


def test_guild_version_loads_next_to_nothing(tmp_path: Path) -> None:
    names = loaded(["--version"], tmp_path)
    assert "guild.cli" in names
    assert below(names, "yaml", "psutil", "importlib.metadata", "watchdog", "guild.ops", "guild.launch") == []


def test_listing_an_empty_home_loads_nothing_that_starts_runs(tmp_path: Path) -> None:
    names = loaded(["runs"], tmp_path)
    assert "guild.runs.store" in names
    rooms = ("guild.ops.guildfile", "guild.launch", "guild.scheduler", "guild.plugins")
    assert below(names, *rooms, "psutil", "yaml", "importlib.metadata", "watchdog", "subprocess") == []


def test_every_command_has_help_that_works() -> None:
    """And the line that its group shows of it, without loading it, is its own first one."""
    from guild.cli import root

    seen, differing = [], []

    def visit(command: click.Command, path: tuple[str, ...]) -> None:
        result = CliRunner().invoke(root, [*path, "--help"])
        assert result.exit_code == 0, (path, result.output, result.exception)
        assert "Usage:" in result.output, path
        assert command.help, f"{path} does not say what it does"
        seen.append(path)
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=path[-1] if path else "guild")
            table = getattr(command, "table", {})
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None, (path, name)
                listed, own = table.get(name, ("", ""))[1], found.get_short_help_str(200)
                if listed and listed.rstrip(".") != own.rstrip("."):
                    differing.append((*path, name, listed, own))
                visit(found, (*path, name))

    visit(root, ())
    assert ("run",) in seen
    assert len(seen) > 3
    assert differing == []


def test_the_tests_cannot_reach_the_developers_own_home() -> None:
    import pwd

    from guild.home import choose_home

    mine = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Path.home() != mine
    assert choose_home(None, {**os.environ, "GUILD_HOME": ""}, Path("/")).parent == Path.home()
    chosen = choose_home(None, os.environ, Path.cwd())
    with pytest.raises(NotADirectoryError):
        chosen.mkdir()


def test_a_test_that_leaves_the_environment_changed_fails(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("__init__.py", "conftest.py", "helpers.py"):
        (tests / name).write_bytes((house.ROOT / "tests" / name).read_bytes())
    (tests / "test_it.py").write_text(
        "import os\n"
        "def test_one(): os.environ['LEFT'] = 'x'\n"
        "def test_two(): assert 'LEFT' not in os.environ\n"
        "def test_three(monkeypatch): monkeypatch.setenv('LENT', 'x')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    env = child_environ(tmp_path / "home")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert "left the environment changed: LEFT" in done.stdout
