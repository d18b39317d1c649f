"""Run: reads of one directory that no damage breaks."""

import os
from pathlib import Path
from typing import Any

import pytest

from guild.runs import attrs
from guild.runs.run import Run, home_of, is_run_dir
from guild.runs.status import RunStatus


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "home" / "runs" / ("a" * 32))
    attrs.write_new_attrs(run.guild_dir, {"started": 5, "label": "x=1", "tags": ["t"], "flags": {"x": 1}})
    attrs.write_opref(run.guild_dir, "script:/p '' '' train.py")
    return run


def attr_file(run: Run, name: str) -> Path:
    return run.guild_dir / "attrs" / name


def test_the_id_is_the_name_of_the_directory(run: Run) -> None:
    assert run.id == "a" * 32
    assert run.short_id == "a" * 8


def test_attributes_are_read_by_kind(run: Run) -> None:
    assert run.int_attr("started") == 5
    assert run.label == "x=1"
    assert run.list_attr("tags") == ["t"]
    assert run.map_attr("flags") == {"x": 1}
    assert run.attr("missing") is None
    assert run.attr("missing", 7) == 7


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.9, 5),
        (-1, -1),
        (True, None),
        ("5", None),
        (None, None),
        ([], None),
        (float("nan"), None),
        (1e300, None),
    ],
)
def test_a_number_is_taken_from_what_may_be_one(run: Run, value: Any, number: int | None) -> None:
    attrs.write_attr(run.guild_dir, "started", value)
    assert run.int_attr("started") == number


def test_an_attribute_of_another_kind_is_as_if_it_were_not_there(run: Run) -> None:
    attrs.write_attr(run.guild_dir, "flags", [1])
    attrs.write_attr(run.guild_dir, "tags", {"a": 1})
    assert run.map_attr("flags") == {}
    assert run.list_attr("tags") == []


@pytest.mark.parametrize("damage", ["garbage", "fifo", "directory", "dangling", "huge"])
def test_damage_in_one_attribute_hides_no_other(run: Run, damage: str) -> None:
    path = attr_file(run, "label")
    path.unlink()
    if damage == "garbage":
        path.write_bytes(b"{[\xff\0: !!python/object:x")
    elif damage == "fifo":
        os.mkfifo(path)
    elif damage == "directory":
        path.mkdir()
    elif damage == "dangling":
        path.symlink_to("nowhere")
    else:
        with open(path, "wb") as f:
            f.truncate(1 << 30)
    assert run.label == ""
    assert run.attr("label", "d") == "d"
    assert run.int_attr("started") == 5


def test_the_time_is_that_of_the_start_else_of_the_making(run: Run) -> None:
    assert run.timestamp == 5
    attr_file(run, "started").unlink()
    assert run.timestamp is None
    attrs.write_attr(run.guild_dir, "initialized", 4)
    assert run.timestamp == 4


@pytest.mark.parametrize(
    ("value", "code"), [(0, 0), (-15, -15), ("0", None), (True, None), (1.0, None), (None, None)]
)
def test_the_exit_status_is_a_whole_number_or_none(run: Run, value: Any, code: int | None) -> None:
    attrs.write_attr(run.guild_dir, "exit_status", value)
    assert run.exit_status() == code


@pytest.mark.parametrize("text", ["", "x", "a:b", "guildfile:'", "\xff"])
def test_an_operation_reference_that_cannot_be_read_is_none(run: Run, text: str) -> None:
    (run.guild_dir / "opref").write_text(text)
    assert Run(run.path).opref is None
    assert not Run(run.path).is_queue


def test_a_queue_is_known_by_its_reference(run: Run) -> None:
    assert not run.is_queue
    (run.guild_dir / "opref").write_text("builtin:guildai 0.9.0 '' queue")
    assert Run(run.path).is_queue


def test_markers_are_regular_files_of_these_names_alone(run: Run) -> None:
    for name in ("STAGED", "PENDING", "other"):
        (run.guild_dir / name).touch()
    (run.guild_dir / "LOCK").mkdir()
    (run.guild_dir / "LOCK.remote").symlink_to("STAGED")
    assert run.markers() == {"STAGED", "PENDING"}
    assert Run(run.path / "gone").markers() == frozenset()


@pytest.mark.parametrize(
    ("marker", "status"),
    [("PENDING", RunStatus.PENDING), ("STAGED", RunStatus.STAGED), ("LOCK.remote", RunStatus.RUNNING)],
)
def test_a_marker_is_the_status(run: Run, marker: str, status: RunStatus) -> None:
    attrs.write_attr(run.guild_dir, "exit_status", 0)
    (run.guild_dir / marker).touch()
    assert run.status() is status


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, RunStatus.COMPLETED), (1, RunStatus.ERROR), (-15, RunStatus.TERMINATED), (None, RunStatus.ERROR)],
)
def test_without_a_marker_the_exit_status_is(run: Run, code: int | None, status: RunStatus) -> None:
    if code is not None:
        attrs.write_attr(run.guild_dir, "exit_status", code)
    assert run.status() is status


# A LOCK as Guild 0.9 writes it: a bare pid.


def lock(run: Run, text: str, age: float = 0) -> None:
    path = run.guild_dir / "LOCK"
    path.write_text(text)
    if age:
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))


def test_a_lock_is_alive_while_its_process_is(run: Run) -> None:
    lock(run, f"{os.getpid()}\n")
    assert run.is_lock_alive()
    assert run.status() is RunStatus.RUNNING


def test_a_process_that_began_after_the_lock_was_written_is_another_one(run: Run) -> None:
    lock(run, str(os.getpid()), age=10 * 365 * 86400)
    assert not run.is_lock_alive()
    assert run.status() is RunStatus.ERROR


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "99999999999", "1.5", "4194304999"])
def test_a_lock_that_names_no_process_is_dead(run: Run, text: str) -> None:
    lock(run, text)
    assert not run.is_lock_alive()
    assert run.status() is RunStatus.ERROR


# Elsewhere.


def test_the_place_of_a_run_whose_order_is_damaged_is_that_of_its_start(run: Run) -> None:
    expected = run.place()
    (run.guild_dir / "order.json").write_bytes(b"{")
    assert run.order() is None
    assert run.place() == expected


def test_a_run_is_a_directory_with_an_operation_reference(run: Run, tmp_path: Path) -> None:
    assert is_run_dir(run.path)
    assert not is_run_dir(tmp_path)
    assert not is_run_dir(tmp_path / "gone")


def test_the_home_of_a_run_is_the_real_directory_above(run: Run, tmp_path: Path) -> None:
    os.symlink(tmp_path / "home", tmp_path / "link")
    assert home_of(tmp_path / "link" / "runs" / run.id) == os.path.realpath(tmp_path / "home")
