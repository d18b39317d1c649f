from pathlib import Path

import pytest

from guild.errors import OperationNotFound
from guild.ops.opdef import FLAG_ARGS, FlagDef, OpDef
from guild.ops.resolve import Context
from guild.plugins.python_script import provide


@pytest.fixture
def context(tmp_path: Path) -> Context:
    project = tmp_path / "project"
    (project / "sub").mkdir(parents=True)
    for path in (project, project / "sub", tmp_path):
        (path / "train.py").write_text(f"where = {path.name!r}\n")
    return Context(project, None, "/nonexistent/python", {})


def opdef(opspec: str, context: Context) -> OpDef:
    found = provide(opspec, context)
    assert found is not None
    return found.opdef


def test_a_script_is_an_operation_with_all_its_flags(context: Context) -> None:
    found = provide("train.py", context)
    assert found is not None
    assert (found.warnings, found.refreshed) == ((), False)
    operation = found.opdef
    assert str(operation.opref) == f"script:{context.cwd} '' '' train.py"
    assert operation.opspec == str(context.cwd / "train.py")
    assert operation.name == "train.py"
    assert operation.cmd_args == ("${python_exe}", "-um", "guild.op_main", "train", FLAG_ARGS)
    assert operation.project_dir == str(context.cwd)
    assert operation.is_python
    assert operation.plugins == ("cpu", "disk", "memory", "perf", "python_script")
    assert operation.flags == (FlagDef("where", default="project", type="string"),)
    assert operation.flags_dest == "globals"


def test_a_script_below_the_directory_is_that_very_one(context: Context) -> None:
    operation = opdef("sub/train.py", context)
    assert operation.cmd_args[3] == "sub/train"
    assert operation.flags[0].default == "sub"
    assert operation.project_dir == str(context.cwd)
    assert str(operation.opref) == f"script:{context.cwd / 'sub'} '' '' train.py"


@pytest.mark.parametrize("how", ["absolute", "relative"])
def test_a_script_elsewhere_has_its_own_directory_as_its_project(context: Context, how: str) -> None:
    path = context.cwd.parent / "train.py"
    operation = opdef(str(path) if how == "absolute" else "../train.py", context)
    assert operation.project_dir == str(path.parent)
    assert operation.cmd_args[3] == "train"
    assert operation.opspec == str(path)
    assert operation.flags[0].default == path.parent.name


def test_an_absolute_path_below_the_directory_is_like_a_relative_one(context: Context) -> None:
    assert opdef(str(context.cwd / "sub" / "train.py"), context) == opdef("sub/train.py", context)


def test_a_script_with_a_dot_in_its_name_can_be_run(context: Context) -> None:
    (context.cwd / "v1.2.py").write_text("x = 1\n")
    operation = opdef("v1.2.py", context)
    assert operation.cmd_args[3] == "v1.2"
    assert [f.name for f in operation.flags] == ["x"]


def test_what_is_no_python_script_is_left_to_others(context: Context) -> None:
    assert provide("train", context) is None
    assert provide("train.sh", context) is None


@pytest.mark.parametrize("opspec", ["none.py", "sub/none.py", "/nonexistent/x.py", "directory.py"])
def test_a_script_that_is_not_there_is_named(context: Context, opspec: str) -> None:
    (context.cwd / "directory.py").mkdir()
    with pytest.raises(OperationNotFound) as e:
        provide(opspec, context)
    assert e.value.message == f"cannot find operation {opspec}"
    assert str(context.cwd / opspec) in e.value.hint
