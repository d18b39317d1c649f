"""Scalars: which lines of output hold one, and how the values of event files are summed up."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.runs import layout
from guild.runs.events import EventWriter
from guild.runs.scalars import Scalar, ScalarSummary, compile_patterns, display_key, read_scalars
from tests.made_runs import make_run


def found(text: str, spec: Any = None, flags: tuple[str, ...] = ()) -> list[Scalar]:
    """The scalars in the lines of a text."""
    scalars = compile_patterns(spec, flags)
    return [scalar for line in text.encode().split(b"\n") for scalar in scalars.feed(line)]


# Lines of output, by default


@pytest.mark.parametrize(
    ("line", "scalar"),
    [
        ("loss: 0.5", ("loss", 0.5, None)),
        ("a/b: 3", ("a/b", 3, None)),
        ("y: -1.5 (text)", ("y", -1.5, None)),
        ("e: 1e-3", ("e", 0.001, None)),
        ("tab:\t5", ("tab", 5, None)),
        ("blanks:   5  ", ("blanks", 5, None)),
        ("dos: 5\r", ("dos", 5, None)),
        ("5-fold: 1", ("5-fold", 1, None)),
        ("größe: 1", ("größe", 1, None)),
        ("Error: 0.25", ("Error", 0.25, None)),
        ("loss: 0.5 (step 3)", ("loss", 0.5, 3)),
        ("loss: 0.5 (4)", ("loss", 0.5, 4)),
    ],
)
def test_a_line_of_key_and_number_is_a_scalar(line: str, scalar: Scalar) -> None:
    assert found(line) == [scalar]


@pytest.mark.parametrize(
    "line",
    [
        *("acc:0.9", "  pad: 1", "v: inf", "v: nan", "v: 1E5", "v: 5%", "two words: 1", "a: 1 b: 2"),
        *("v: 1.2.3", "v: -", "v: ", ": 1", "v: 1 (open", "12:30: 5", "train.py:3: 5", "7: 1", ""),
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert found(line) == []


def test_the_last_step_holds_for_the_lines_that_follow() -> None:
    assert found("a: 1\nstep: 2\na: 3\nb: 4\nother\nstep: 5\na: 6\na: 7 (8)\nb: 9") == [
        ("a", 1, None),
        ("a", 3, 2),
        ("b", 4, 2),
        ("a", 6, 5),
        ("a", 7, 8),
        ("b", 9, 8),
    ]


def test_keys_that_are_flags_are_left_out_but_still_tell_the_step() -> None:
    assert found("lr: 1 (step 2)\nloss: 3", flags=("lr", "epochs")) == [("loss", 3, 2)]


def test_the_exception_of_a_traceback_is_no_scalar() -> None:
    text = (
        "loss: 1\nTraceback (most recent call last):\n"
        '  File "a.py", line 3, in <module>\n    raise KeyError(3)\n'
        "KeyError: 3\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "a.py", line 5, in f\n    f(x)\nlib.Timeout: 30\nacc: 2'
    )
    assert found(text) == [("loss", 1, None), ("acc", 2, None)]


@given(st.binary(max_size=60))
def test_any_line_can_be_fed(line: bytes) -> None:
    for spec in (None, r"(\key)=(\value)", {"step": r"(\d+)", "x": "(.+)"}):
        for _, number, step in compile_patterns(spec, ()).feed(line):
            assert isinstance(number, float)
            assert step is None or isinstance(step, int)


def test_very_long_lines_are_passed_over() -> None:
    assert found("a: " + "1" * 20_000) == []


# Patterns of one's own


@pytest.mark.parametrize("spec", [False, [], {}, "no"])
def test_scalars_can_be_switched_off(spec: Any) -> None:
    assert found("loss: 0.5", spec) == []


def test_a_map_names_the_scalars() -> None:
    spec = {"loss": r"loss=(\value)", "step": r"step=(\step)"}
    assert found("loss=0.5 step=3\nloss=0.4", spec) == [("loss", 0.5, 3), ("loss", 0.4, 3)]


def test_a_pattern_of_two_groups_captures_key_and_value() -> None:
    assert found("x a=1 b=2", r"(\w+)=(\value)") == [("a", 1, None), ("b", 2, None)]


def test_named_groups_are_names_of_scalars() -> None:
    assert found("loss 1 acc 2", r"loss (?P<loss>\S+)( acc (?P<acc>\S+))?") == [
        ("loss", 1, None),
        ("acc", 2, None),
    ]
    assert found("1 of loss", r"(?P<_val>\S+) of (?P<_key>\S+)") == [("loss", 1, None)]


def test_several_patterns_make_a_list() -> None:
    assert found("a 1\nb=2", [{"a": r"a (\d)"}, r"(\w)=(\d)"]) == [("a", 1, None), ("b", 2, None)]


def test_what_is_captured_and_no_number_is_left_out() -> None:
    assert found("a=x a=1", r"(\w)=(\w)") == [("a", 1, None)]
    assert found("step=inf\nstep=nan\na=1", r"(\w+)=(\w+)") == [("a", 1, None)]


def test_own_patterns_also_capture_flags_and_what_python_takes_for_a_number() -> None:
    assert found("lr=inf", r"(\w+)=(\w+)", flags=("lr",)) == [("lr", math.inf, None)]


def test_lines_are_matched_without_the_white_space_at_their_end() -> None:
    assert found("a=1 \r", r"(\w)=(\d)$") == [("a", 1, None)]


@pytest.mark.parametrize("spec", ["(", {"a": "["}, {"a": 3}, 3, [None], True])
def test_an_invalid_pattern_is_named(spec: Any) -> None:
    with pytest.raises(GuildError, match="output-scalars: "):
        compile_patterns(spec, ())


# Event files


def write(directory: Path, *scalars: Scalar) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    writer = EventWriter(directory, "host", 1, 0)
    for scalar in scalars:
        writer.add_scalar(*scalar)
    writer.close()


def keys(run_dir: Path) -> list[str]:
    return [summary.key for summary in read_scalars(run_dir)]


def test_a_summary_tells_the_values_and_their_steps(tmp_path: Path) -> None:
    write(tmp_path / layout.GUILD_DIR, ("a", 3, 1), ("a", 1, 2), ("a", 5, 3), ("a", 2, 4))
    (summary,) = read_scalars(tmp_path)
    assert summary == ScalarSummary(
        prefix=layout.GUILD_DIR,
        tag="a",
        first_val=3,
        first_step=1,
        last_val=2,
        last_step=4,
        min_val=1,
        min_step=2,
        max_val=5,
        max_step=3,
        total=11,
        count=4,
    )
    assert (summary.avg_val, summary.key) == (2.75, "a")


def test_first_and_last_go_by_the_step_and_then_by_the_order(tmp_path: Path) -> None:
    write(tmp_path, ("a", 1, 5), ("a", 2, 1), ("a", 3, 1), ("a", 4, 9), ("a", 5, 9), ("a", 6, 2))
    (summary,) = read_scalars(tmp_path)
    assert (summary.first_val, summary.first_step) == (2, 1)
    assert (summary.last_val, summary.last_step) == (5, 9)


def test_the_files_of_a_restarted_run_are_read_as_one(tmp_path: Path) -> None:
    write(tmp_path, ("a", 1, 0))
    write(tmp_path, ("a", 2, 0), ("b", 3, 0))
    assert [(s.tag, s.last_val, s.count) for s in read_scalars(tmp_path)] == [("a", 2, 2), ("b", 3, 1)]


def test_a_value_that_is_no_number_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path, ("a", math.nan, 0), ("a", 2, 1), ("a", math.nan, 2), ("a", 1, 3))
    (summary,) = read_scalars(tmp_path)
    assert (summary.min_val, summary.max_val, summary.count) == (1, 2, 4)


def test_the_directory_of_the_file_is_part_of_the_key(tmp_path: Path) -> None:
    write(tmp_path / layout.GUILD_DIR, ("a", 1, 0))
    write(tmp_path / "logs" / "train", ("a", 1, 0))
    write(tmp_path, ("b", 1, 0))
    assert keys(tmp_path) == ["b", "a", "logs/train#a"]
    assert display_key("", "x") == "x"


def test_a_link_is_followed_if_it_leads_to_a_run(tmp_path: Path) -> None:
    other = make_run(tmp_path / "runs", "other")
    write(other.path, ("a", 1, 0))
    write(tmp_path / "plain", ("b", 1, 0))
    run = tmp_path / "run"
    run.mkdir()
    (run / "up").symlink_to(other.path)
    (run / "plain").symlink_to(tmp_path / "plain")
    (run / "self").symlink_to(run)
    (run / "broken").symlink_to("nowhere")
    assert keys(run) == ["up#a"]


def test_runs_that_link_to_each_other_are_read_once(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path / "runs", name) for name in ("first", "second"))
    (first.path / "other").symlink_to(second.path)
    (second.path / "other").symlink_to(first.path)
    write(second.path, ("a", 1, 0))
    assert keys(first.path) == ["other#a"]


def test_what_cannot_be_read_hides_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "good", ("a", 1, 0))
    (tmp_path / "x.tfevents.dir").mkdir()
    (tmp_path / "x.tfevents.text").write_text("no events in here, but more than twelve bytes")
    (tmp_path / "x.tfevents.broken").symlink_to("nowhere")
    os.mkfifo(tmp_path / "x.tfevents.fifo")
    assert keys(tmp_path) == ["good#a"]
    assert read_scalars(tmp_path / "missing") == []
