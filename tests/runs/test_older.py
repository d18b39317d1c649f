"""Runs of earlier releases: what they have instead of what Guild 0.9 records."""

from pathlib import Path
from typing import Any

import pytest

from guild.ops.opdef import GUILD_PYTHON_EXE, PYTHON_EXE
from guild.runs import layout
from guild.runs.generated import generated_top
from guild.runs.older import entries_of, op_of
from guild.runs.run import Run
from guild.runs.run_files import files_of_kinds
from tests.made_runs import make_run

SOURCE = ".guild/sourcecode"


def with_files(run: Run, *names: str) -> Run:
    for name in names:
        path = run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return run


def without_manifest(base: Path, deps: Any) -> Run:
    run = make_run(base, "old", attrs={"op": {"sourcecode-root": SOURCE}, "deps": deps})
    (run.guild_dir / layout.MANIFEST).unlink(missing_ok=True)
    return with_files(run, f"{SOURCE}/pkg/m.py", f"{SOURCE}/.hid", "data.txt", "made.txt")


@pytest.mark.parametrize(
    "deps",
    [
        {"file:data.txt": ["/projects/p/data.txt", "/gone/other.txt"]},
        {"file:data.txt": {"file:data.txt": {"uri": "file:data.txt", "paths": ["../../../p/data.txt"]}}},
    ],
    ids=["before 0.7", "before 0.8.2"],
)
def test_without_a_manifest_the_dependencies_are_those_that_were_resolved(tmp_path: Path, deps: Any) -> None:
    run = without_manifest(tmp_path, deps)
    assert [(e.kind, e.path, e.source) for e in entries_of(run)] == [
        ("s", f"{SOURCE}/.hid", ".hid"),
        ("s", f"{SOURCE}/pkg/m.py", "pkg/m.py"),
        ("d", "data.txt", "file:data.txt"),
    ]
    assert generated_top(run) == ["made.txt"]
    assert {f.path for f in files_of_kinds(run, False, True, False, False)} == {"data.txt"}


@pytest.mark.parametrize(
    "deps", [None, "text", {"a": None}, {"a": [5, "/", "..", ".guild"]}, {"a": {"b": {"paths": 5}}}]
)
def test_dependencies_that_cannot_be_read_are_none(tmp_path: Path, deps: Any) -> None:
    assert {e.kind for e in entries_of(without_manifest(tmp_path, deps))} == {"s"}


def test_a_run_without_source_code_has_none(tmp_path: Path) -> None:
    run = with_files(make_run(tmp_path, "none", attrs={"op": {"sourcecode-root": None}}), "made.txt")
    (run.guild_dir / layout.MANIFEST).unlink(missing_ok=True)
    assert (entries_of(run), generated_top(run)) == ([], ["made.txt"])


def op(*words: str) -> dict[str, Any]:
    return {"op-cmd": {"cmd-args": list(words), "cmd-env": {"A": "1"}}, "sourcecode-root": SOURCE}


def test_an_operation_says_where_its_source_code_is_as_guild_0_9_does(tmp_path: Path) -> None:
    script = op_of(make_run(tmp_path, "a", attrs={"op": op(PYTHON_EXE, "-um", "guild.op_main", "train")}))
    assert script["sourcecode"] == {"dest": SOURCE}
    assert script["op-cmd"]["cmd-env"] == {"A": "1"}


def test_modules_are_found_by_commands_that_are_no_scripts(tmp_path: Path) -> None:
    command = op_of(make_run(tmp_path, "a", attrs={"op": op(PYTHON_EXE, "-m", "train")}))["op-cmd"]
    assert command["cmd-args"] == [PYTHON_EXE, "-m", "train"]
    assert command["cmd-env"] == {"A": "1", "PYTHONPATH": SOURCE}


def test_batches_and_workflows_are_run_by_this_guild(tmp_path: Path) -> None:
    for module in ("guild.batch_main", "guild.steps_main"):
        command = op_of(make_run(tmp_path, module, attrs={"op": op(PYTHON_EXE, "-um", module)}))["op-cmd"]
        assert command["cmd-args"] == [GUILD_PYTHON_EXE, "-um", module]


@pytest.mark.parametrize("damaged", [{}, {"op-cmd": 5}, {"op-cmd": {"cmd-args": "x"}}, {"op-cmd": {}}])
def test_an_operation_that_cannot_be_read_stays_as_it_is(tmp_path: Path, damaged: dict[str, Any]) -> None:
    assert op_of(make_run(tmp_path, "a", attrs={"op": damaged})) == damaged


def test_what_guild_0_9_wrote_is_not_changed(tmp_path: Path) -> None:
    new = {**op("x"), "sourcecode": {"dest": "."}}
    assert op_of(make_run(tmp_path, "a", attrs={"op": new})) == new
