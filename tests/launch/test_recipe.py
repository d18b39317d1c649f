"""The recipe: reads back whole, knows when it is out of date, and is rebuilt from the attributes."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildError
from guild.launch import recipe
from guild.launch.recipe import Recipe
from guild.launch.spec import Place
from guild.ops.opdef import Choice, FlagDef, OpDef, SelectRule, SourceRules
from guild.ops.opref import OpRef
from guild.runs import attrs
from guild.runs.run import Run

PLACE = Place("/cmd", "/venv/bin/python", "/guild/bin/python", "/guild/onpath")
OP: dict[str, Any] = {
    "delete-on-success": True,
    "output-scalars": [{"loss": "loss: (\\value)"}],
    "sourcecode": {"dest": "src"},
    "label-template": "x=${x}",
    "op-cmd": {
        "cmd-args": ["${python_exe}", "-um", "guild.op_main", "train", "__flag_args__"],
        "cmd-env": {"PROJECT_DIR": "/project", "MODE": "fast", "GUILD_PLUGINS": "cpu,disk"},
        "cmd-flags": {"x": {}, "hidden": {"arg-skip": True}},
        "flags-dest": "args",
    },
}
FULL = OpDef(
    opref=OpRef("guildfile", "/p/guild.yml", "abc", "m", "train"),
    opspec="m:train",
    cmd_args=("${python_exe}", "-um", "guild.op_main", "train"),
    project_dir="/p",
    is_python=True,
    flags=(
        FlagDef(
            "x",
            default=1.5,
            type="float",
            choices=(Choice(1, "one"), Choice("two", alias="2", flags={"y": 3})),
            arg_switch=False,
            has_arg_switch=True,
            arg_encoding={"true": "yes"},
            extra={"$a": [1, {"b": None}]},
        ),
        FlagDef("when", default=date(2020, 1, 2)),
    ),
    tags=("t",),
    env={"A": "1"},
    env_secrets=("S",),
    sourcecode=SourceRules(dest="src", rules=(SelectRule(True, "*.py", "text"), SelectRule(False, "x"))),
    plugins=("cpu",),
    output_scalars=[{"loss": "(\\value)"}, "x: (\\value)"],
    run_attrs={"a": datetime(2020, 1, 2, 3, 4, 5)},
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "home" / "runs" / "r1")
    attrs.write_new_attrs(run.guild_dir, {"op": OP, "flags": {"x": 1}, "run_params": {"stop_after": 5}})
    attrs.write_opref(run.guild_dir, str(FULL.opref))
    return run


def written(run: Run) -> Recipe:
    made = Recipe(
        argv=("/venv/bin/python", "-um", "guild.op_main", "train", "--x", "1.5"),
        own_env={"FLAG_X": "1.5", "Ü": "\udcff"},
        interpreter="/venv/bin/python",
        is_python=True,
        opspec="m:train",
        cmd_dir="/cmd",
        dest="src",
        output_scalars=FULL.output_scalars,
        flag_names=("x", "when"),
        stop_after=2.5,
        delete_on_success=True,
        pip_freeze=True,
        env_secrets=("S",),
        opdef=FULL,
    )
    recipe.write(run, made)
    return made


def test_a_recipe_reads_back_whole(run: Run) -> None:
    assert recipe.read(run, PLACE) != written(run)
    assert recipe.read(run, PLACE) == written(run)


def test_it_is_read_without_yaml(run: Run) -> None:
    import subprocess
    import sys

    written(run)
    script = (
        "import sys; from pathlib import Path; from guild.launch import recipe;"
        "from guild.launch.spec import Place; from guild.runs.run import Run;"
        f"recipe.read(Run(Path({str(run.path)!r})), Place('', '', '', ''));"
        "sys.exit('yaml' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ["op", "flags"])
def test_it_is_void_once_its_attributes_have_changed(run: Run, name: str) -> None:
    """Guild 0.9 has restarted the run, with other flags."""
    made = written(run)
    attrs.write_attr(run.guild_dir, name, {**run.map_attr(name), "more": 1})
    assert recipe.read(run, PLACE).argv != made.argv


def test_other_attributes_do_not_make_it_void(run: Run) -> None:
    made = written(run)
    attrs.write_attr(run.guild_dir, "label", "new")
    assert recipe.read(run, PLACE) == made


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff", b'"x"'])
def test_a_damaged_one_is_rebuilt(run: Run, data: bytes) -> None:
    (run.guild_dir / "recipe.json").write_bytes(data)
    assert recipe.read(run, PLACE).argv[:4] == ("/venv/bin/python", "-um", "guild.op_main", "train")


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", 2), ("digests", {}), ("argv", 7), ("opdef", {"opref": 1}), ("opdef", []), ("flag_names", 1)],
)
def test_one_with_a_strange_part_is_rebuilt(run: Run, key: str, value: Any) -> None:
    made = written(run)
    path = run.guild_dir / "recipe.json"
    data = json.loads(path.read_text())
    data[key] = value
    path.write_text(json.dumps(data))
    assert recipe.read(run, PLACE).argv != made.argv


# Rebuilt.


def test_it_is_rebuilt_from_what_guild_09_records(run: Run) -> None:
    made = recipe.read(run, PLACE)
    assert made.argv == ("/venv/bin/python", "-um", "guild.op_main", "train", "--x", "1")
    assert made.own_env["MODE"] == "fast"
    assert made.own_env["FLAG_X"] == "1"
    assert made.interpreter == "/venv/bin/python"
    assert made.is_python
    assert made.dest == "src"
    assert made.flag_names == ("x",)
    assert made.stop_after == 5.0
    assert made.delete_on_success
    assert made.output_scalars == OP["output-scalars"]


def test_flags_are_passed_as_recorded_and_those_that_were_forced_in_too(run: Run) -> None:
    attrs.write_attr(run.guild_dir, "flags", {"x": 1, "hidden": 2, "forced": 3, "null": None})
    made = recipe.read(run, PLACE)
    assert made.argv[4:] == ("--forced", "3", "--x", "1")
    assert made.own_env["FLAG_HIDDEN"] == "2"


def test_the_recorded_interpreter_is_taken(run: Run) -> None:
    attrs.write_attr(run.guild_dir, "cmd", ["/recorded/python", "-um", "guild.op_main", "train"])
    made = recipe.read(run, PLACE)
    assert made.argv[0] == made.interpreter == "/recorded/python"


def test_a_command_that_begins_with_no_interpreter_has_none(run: Run) -> None:
    op = {**OP, "op-cmd": {**OP["op-cmd"], "cmd-args": ["sh", "-c", "echo ${x}"]}}
    attrs.write_attr(run.guild_dir, "op", op)
    made = recipe.read(run, PLACE)
    assert made.argv == ("sh", "-c", "echo 1")
    assert made.interpreter == ""
    assert not made.is_python


def test_the_operation_is_rebuilt_as_far_as_it_is_known(run: Run) -> None:
    opdef = recipe.read(run, PLACE).opdef
    assert opdef is not None
    assert opdef.opref == FULL.opref
    assert opdef.cmd_args == tuple(OP["op-cmd"]["cmd-args"])
    assert opdef.project_dir == "/project"
    assert opdef.env == {"MODE": "fast"}
    assert opdef.plugins == ("cpu", "disk")
    assert opdef.label == "x=${x}"
    assert opdef.flag("x") is not None


def test_it_is_rebuilt_from_what_guild_08_records(run: Run) -> None:
    words = ["sh", "train.sh"]
    cmd = {"cmd-args": words, "cmd-env": {"PROJECT_DIR": "/project"}, "flags-dest": "args"}
    attrs.write_attr(run.guild_dir, "op", {"op-cmd": cmd, "sourcecode-root": ".guild/sourcecode"})
    made = recipe.read(run, PLACE)
    assert made.argv == ("sh", "train.sh")
    assert (made.dest, made.own_env["PYTHONPATH"]) == (".guild/sourcecode", ".guild/sourcecode")
    assert made.opdef is not None
    assert made.opdef.sourcecode.dest == ".guild/sourcecode"  # what is made from it has the same places
    assert made.opdef.env == {"PYTHONPATH": ".guild/sourcecode"}


@pytest.mark.parametrize(
    ("words", "is_python"),
    [
        (["${python_exe}", "-m", "train"], True),
        (["${guild_python_exe}", "train.py"], True),
        (["${python_exe}", "-um", "guild.op_main", "train"], True),
        (["${python_exe}", "-um", "guild.plugins.queue_main"], False),
        (["sh", "-c", "${python_exe} train.py"], False),
    ],
)
def test_a_python_program_of_the_users_is_one(run: Run, words: list[str], is_python: bool) -> None:
    attrs.write_attr(run.guild_dir, "op", {**OP, "op-cmd": {**OP["op-cmd"], "cmd-args": words}})
    assert recipe.read(run, PLACE).is_python == is_python


def test_a_run_from_before_guild_07_says_that_it_is_one(run: Run) -> None:
    attrs.delete_attr(run.guild_dir, "op")
    attrs.write_attr(run.guild_dir, "opdef", {"main": "train"})
    with pytest.raises(GuildError, match="does not say how") as e:
        recipe.read(run, PLACE)
    assert "Run the operation anew" in e.value.hint


@pytest.mark.parametrize(
    "op", [None, [], {}, {"op-cmd": None}, {"op-cmd": []}, {"op-cmd": {"cmd-args": []}}, "x"]
)
def test_attributes_that_do_not_tell_how_to_start_are_an_error(run: Run, op: Any) -> None:
    attrs.write_attr(run.guild_dir, "op", op)
    with pytest.raises(GuildError, match="does not say how") as e:
        recipe.read(run, PLACE)
    assert "attrs/op" in e.value.hint


@pytest.mark.parametrize(
    "cmd",
    [
        {"cmd-args": "sh -c x"},
        {"cmd-args": {"a": 1}},
        {"cmd-args": ["sh"], "cmd-env": []},
        {"cmd-args": ["sh"], "cmd-env": "x"},
        {"cmd-args": ["sh"], "cmd-flags": ["x"]},
        {"cmd-args": ["sh"], "cmd-flags": {"x": 1}},
        {"cmd-args": [["sh"]], "flags-dest": {}},
    ],
)
def test_strange_commands_are_read_or_refused_with_an_error_for_the_user(run: Run, cmd: Any) -> None:
    """A supervisor must be able to say what is the matter."""
    attrs.write_attr(run.guild_dir, "op", {**OP, "op-cmd": cmd})
    try:
        made = recipe.read(run, PLACE)
    except GuildError:
        return
    assert all(isinstance(word, str) for word in made.argv)
