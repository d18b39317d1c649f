from pathlib import Path

import pytest

from guild.errors import GuildError
from guild.ops.resolve import Context
from guild.ops.select import select_source
from guild.plugins.exec_script import provide


@pytest.fixture
def context(tmp_path: Path) -> Context:
    project = tmp_path / "project"
    (project / "bin").mkdir(parents=True)
    for path in (project / "run.sh", project / "bin" / "run.sh", tmp_path / "run.sh"):
        path.write_text("#!/bin/sh\necho hi\n")
        path.chmod(0o755)
        (path.parent / "data.txt").write_text("data\n")
    return Context(project, None, "/nonexistent/python", {})


def test_an_executable_file_is_an_operation(context: Context) -> None:
    operation = provide("run.sh", context)
    assert operation is not None
    assert str(operation.opref) == f"script:{context.cwd} '' '' run.sh"
    assert operation.opspec == str(context.cwd / "run.sh")
    assert operation.cmd_args == ("./run.sh",)
    assert operation.project_dir == str(context.cwd)
    assert not operation.is_python
    assert operation.plugins == ("cpu", "disk", "memory", "perf")
    assert operation.flags == ()


@pytest.mark.parametrize(
    ("opspec", "command", "taken"),
    [
        ("run.sh", "./run.sh", {"run.sh", "data.txt", "bin/run.sh", "bin/data.txt"}),
        ("bin/run.sh", "./bin/run.sh", {"run.sh", "data.txt", "bin/run.sh", "bin/data.txt"}),
        ("../run.sh", "./run.sh", {"run.sh"}),
    ],
)
def test_the_copy_of_the_file_in_the_run_is_what_runs(
    context: Context, opspec: str, command: str, taken: set[str]
) -> None:
    operation = provide(opspec, context)
    assert operation is not None
    assert operation.cmd_args == (command,)
    selected = select_source(Path(operation.project_dir), operation.sourcecode, python=False).files
    assert set(selected) == taken


def test_a_binary_file_is_taken_along(context: Context) -> None:
    tool = context.cwd / "tool"
    tool.write_bytes(b"\x7fELF\0\0\0")
    tool.chmod(0o755)
    operation = provide("tool", context)
    assert operation is not None
    assert "tool" in select_source(context.cwd, operation.sourcecode, python=False).files


def test_a_file_that_is_not_executable_is_refused(context: Context) -> None:
    with pytest.raises(GuildError, match=r"cannot run 'data.txt': must be an executable file"):
        provide("data.txt", context)


@pytest.mark.parametrize("opspec", ["none", "bin", "none/run.sh"])
def test_what_is_no_file_is_left_to_others(context: Context, opspec: str) -> None:
    assert provide(opspec, context) is None
