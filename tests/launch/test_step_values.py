"""The values of a workflow's step: references to the workflow's flags, and flags meant for one step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.launch.step_values import step_values
from guild.ops.flag_values import decode
from guild.ops.opdef import Step


def step(name: str = "prep", opspec: str = "m:prep", **flags: Any) -> Step:
    return Step(opspec, name, flags)


def test_values_without_references_are_as_they_are() -> None:
    flags = {"a": "1e3", "b": 2, "c": None, "d": [1, "x"], "e": "$x {y} $"}
    assert step_values(step(**flags), {"x": 1}) == flags


PARENT = {"n": 7, "f": 0.1, "yes": True, "none": None, "s": "abc", "t": "1", "l": [1, 2], "r": "uniform[0:1]"}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${n}", 7),
        ("${f}", 0.1),
        ("${yes}", True),
        ("${none}", None),
        ("${s}", "abc"),
        ("${l}", [1, 2]),
        ("${t}", "'1'"),  # the text 1, as it would be typed
        ("${r}", "uniform[0:1]"),
        ("1e-${n}", "1e-7"),
        ("${s}/${n}.txt", "abc/7.txt"),
        ("a-${yes}-${none}-${f}", "a-true-null-0.1"),
        ("${t}${t}", "11"),
        (["${n}", "x${n}", 3], [7, "x7", 3]),
    ],
)
def test_references_become_the_flags_of_the_workflow(value: Any, filled: Any) -> None:
    assert step_values(step(a=value), PARENT) == {"a": filled}


def test_what_is_filled_in_is_not_looked_through_again() -> None:
    assert step_values(step(a="x ${b}"), {"b": "${c}", "c": 1}) == {"a": "x ${c}"}


@pytest.mark.parametrize("name", ["prep", "m:prep"])
def test_a_flag_for_a_step_wins(name: str) -> None:
    assert step_values(step(a="1", b="2"), {f"{name}:a": 5, f"{name}:c": "1"}) == {
        "a": 5, "b": "2", "c": "'1'"
    }  # fmt: skip


def test_a_flag_for_another_step_and_one_without_a_value_do_not_count() -> None:
    assert step_values(step(a="1"), {"train:a": 5, "prep:a": None, ":a": 6, "a": 7}) == {"a": "1"}


def test_a_reference_to_no_flag_is_refused_with_the_flags_that_there_are() -> None:
    with pytest.raises(GuildError) as e:
        step_values(step(a="x${lr}"), {"rate": 1, "batch": 2})
    assert e.value.message == "step 'prep' refers to 'lr', which is no flag of the workflow"
    assert e.value.hint == "Its flags: batch, rate."
    with pytest.raises(GuildError) as e:
        step_values(step(a="${lr}"), {})
    assert e.value.hint == "It has no flags."


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)


@given(SCALARS)
def test_a_value_of_the_workflow_reaches_the_step_unchanged(value: Any) -> None:
    given_ = step_values(step(a="${x}"), {"x": value})["a"]
    found = decode(given_) if isinstance(given_, str) else given_
    assert (type(found), found) == (type(value), value) or decode(str(value)) == found
