"""What a script sees of the run that it is executed in, with and without PyYAML."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import guild
from guild.base import yamlio
from guild.op_util import CurrentRun, NoCurrentRun, OpRef, current_run
from guild.runs.run import Run
from tests.helpers import Project
from tests.made_runs import make_run

Make = Callable[[Mapping[str, str]], Project]
ID = "0123456789abcdef" * 2
ATTRS = {
    "flags": {"lr": 0.001, "name": "1", "layers": [1, 2], "none": None, "yes": "yes", "on": True},
    "tags": ["a", "b c"],
    "label": "x=1",
    "cmd": ["python", "-u"],
    "empty": {},
    "nothing": [],
}


@pytest.fixture
def made(tmp_path: Path) -> Run:
    return make_run(tmp_path, ID, status="", attrs=ATTRS)


@pytest.fixture
def run(made: Run, monkeypatch: pytest.MonkeyPatch) -> CurrentRun:
    monkeypatch.setenv("RUN_ID", made.id)
    monkeypatch.setenv("RUN_DIR", str(made.path))
    return current_run()


def without_yaml() -> Any:
    """Within it, `import yaml` fails as on an interpreter that does not have PyYAML."""
    return mock.patch.dict(sys.modules, {"yaml": None})


def test_it_knows_what_it_is(run: CurrentRun, made: Run) -> None:
    assert (run.id, run.short_id, run.path, run.dir) == (ID, ID[:8], str(made.path), str(made.path))
    assert run.opref == OpRef("guildfile", "/projects/p/guild.yml", "abc", "", "train")
    assert (run.opref.op_name, run.status, run.timestamp) == ("train", "running", made.timestamp)
    assert run.guild_path("attrs", "x") == str(made.path / ".guild/attrs/x")
    assert repr(run) == f"<guild run {ID}>"


def test_attributes_are_read_like_those_of_a_mapping(run: CurrentRun) -> None:
    assert {name: run[name] for name in ATTRS} == ATTRS
    assert run.attr_names() == list(run) == sorted([*ATTRS, "started"])
    assert dict(run.iter_attrs())["flags"] == ATTRS["flags"]
    assert ("flags" in run, run.has_attr("tags"), "loss" in run) == (True, True, False)
    assert (run.get("loss"), run.get("loss", 3), run.get("label")) == (None, 3, "x=1")
    with pytest.raises(KeyError, match="'loss'"):
        run["loss"]


def test_plain_attributes_are_read_without_yaml(run: CurrentRun) -> None:
    with without_yaml():
        with pytest.raises(ImportError):
            __import__("yaml")
        found = {name: run[name] for name in ATTRS}
    assert found == ATTRS


WRITTEN: list[Any] = [
    *(1, -2.5, True, None, "", "text", "1", "a: b", "two\nlines\n", "ü", [], {}),
    *([1, [2, "3"]], {"a": {"b": [1, None]}, "c": "x"}),
]


@pytest.mark.parametrize("value", WRITTEN)
def test_what_is_written_is_read_by_the_script_and_by_guild(run: CurrentRun, made: Run, value: Any) -> None:
    run.write_attr("mine", value)
    assert run["mine"] == value
    assert made.attr("mine") == value
    assert [n for n in os.listdir(made.guild_dir) if n.startswith(".")] == []


@pytest.mark.parametrize("value", WRITTEN)
def test_what_is_written_without_yaml_is_yaml(run: CurrentRun, value: Any) -> None:
    with without_yaml():
        run.write_attr("mine", value)
    assert yaml.safe_load(Path(run.guild_path("attrs", "mine")).read_text()) == value


def test_attributes_are_written_raw_and_removed(run: CurrentRun) -> None:
    run.write_attr("mine", "[1, 2]", raw=True)
    assert run["mine"] == [1, 2]
    run.del_attr("mine")
    run.del_attr("mine")
    assert "mine" not in run


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden"])
def test_what_is_no_name_is_refused(run: CurrentRun, name: str) -> None:
    with pytest.raises(ValueError, match="invalid name of an attribute"):
        run.write_attr(name, 1)
    with pytest.raises(ValueError, match="invalid name of an attribute"):
        run.del_attr(name)
    assert name not in run
    assert run.get(name, 5) == 5


def check_refused(run: CurrentRun) -> None:
    run.write_attr("mine", 1)
    with pytest.raises(ValueError, match="an attribute holds plain values"):
        run.write_attr("mine", {"a": object()})
    assert run["mine"] == 1
    assert [n for n in os.listdir(run.guild_path()) if n.startswith(".")] == []


def test_a_value_that_is_not_plain_is_refused_and_the_old_one_stays(run: CurrentRun) -> None:
    check_refused(run)


def test_a_value_that_is_not_plain_is_refused_without_yaml_too(run: CurrentRun) -> None:
    with without_yaml():
        check_refused(run)


@pytest.mark.parametrize("missing", ["RUN_ID", "RUN_DIR"])
def test_a_process_of_no_run_is_told_so(run: CurrentRun, missing: str, monkeypatch: Any) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(NoCurrentRun, match="start it by 'guild run'"):
        current_run()


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab1:.' -#", max_size=8)
)
NAMES = st.text("abc._-1", min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=4))
def test_flags_that_guild_wrote_are_read_the_same_without_yaml(made: Run, flags: dict[str, Any]) -> None:
    (made.guild_dir / "attrs" / "flags").write_bytes(yamlio.encode(flags))
    with without_yaml():
        assert CurrentRun(ID, str(made.path))["flags"] == flags


SCRIPT = """
from guild.op_util import current_run
x = 3
run = current_run()
print(run.id, run["flags"], run.opref.op_name, run["label"], "exit_status" in run)
run.write_attr("dataset", {"name": "v2", "rows": x})
"""


@pytest.mark.journey
def test_a_job_reads_and_writes_attributes(project: Make) -> None:
    p = project({"train.py": SCRIPT})
    done = p.guild("run train.py x=4 -y")
    assert done.code == 0, done
    (listed,) = p.runs()
    assert done.out == f"{listed['id']} {{'x': 4}} train.py x=4 False\n"
    assert yaml.safe_load(p.guild("cat -p .guild/attrs/dataset").out) == {"name": "v2", "rows": 4}


@pytest.mark.parametrize("python", [sys.executable, os.environ.get("OLD_PYTHON", "")])
def test_it_needs_no_library(made: Run, python: str) -> None:
    if not python:
        pytest.skip("OLD_PYTHON names no older interpreter")
    code = (
        "from guild.op_util import current_run; run = current_run();"
        "print(run['flags']['layers'], run['tags'], run.opref.op_name); run.write_attr('mine', {'a': [1]})"
    )
    path = str(Path(guild.__file__).parent / "onpath")
    env = {"PYTHONPATH": path, "RUN_DIR": str(made.path), "RUN_ID": made.id}
    done = subprocess.run(
        [python, "-S", "-c", code], env=env, cwd=made.path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1, 2] ['a', 'b c'] train\n", "")
    assert made.attr("mine") == {"a": [1]}
