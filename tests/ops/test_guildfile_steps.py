"""`steps` as data: the line that is run, flags, run options as words and as attributes, checks, faults."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.ops.coerce import Entry, Faults
from guild.ops.guildfile_steps import read_steps
from guild.ops.opdef import Check, Step


def entry(steps: Any) -> Entry:
    return Entry({"steps": steps}, ("flow",), Faults(Path("guild.yml")))


def read(*steps: Any) -> tuple[Step, ...]:
    """Steps that nothing is wrong with."""
    at = entry(list(steps))
    found = read_steps(at)
    assert at.faults.found == []
    return found


def one(step: Any) -> Step:
    (found,) = read(step)
    return found


def fault(*steps: Any) -> tuple[str, str]:
    """(place, what is wrong) of steps that have one fault."""
    at = entry(list(steps))
    read_steps(at)
    ((where, text),) = at.faults.found
    return ".".join(str(part) for part in where), text


def warnings(step: Any) -> list[str]:
    at = entry([step])
    read_steps(at)
    assert at.faults.found == []
    return [text for _, text in at.faults.warned]


# The line.


def test_a_text_is_the_line_of_a_step_with_nothing_else() -> None:
    assert one("train") == one({"run": "train"}) == Step("train", "train")


def test_an_operation_without_steps_has_none() -> None:
    assert read_steps(Entry({}, ("op",), Faults(Path("guild.yml")))) == ()


def test_no_step_at_all_is_a_fault() -> None:
    assert fault()[1] == "expected at least one step"


def test_the_line_holds_flags_options_and_batch_files_in_any_order() -> None:
    step = one("-m 3 m:train lr=[1,2] --label 'a b' @grid.csv x= --tag one -t two text='a b=c' --optimize")
    assert step.opspec == step.name == "m:train"
    assert step.flags == {"lr": "[1,2]", "x": "", "text": "a b=c"}
    assert step.batch_files == ("grid.csv",)
    assert step.options == {"max_trials": 3, "label": "a b", "tags": ("one", "two"), "optimize": True}


def test_an_option_takes_its_value_behind_a_blank_or_an_equals_sign() -> None:
    assert one("train --gpus 0,1").options == one("train --gpus=0,1").options == {"gpus": "0,1"}


def test_the_value_of_an_option_may_look_like_a_flag_or_an_option() -> None:
    step = one("train --label x=1 --comment --stage y=2")
    assert step.options == {"label": "x=1", "comment": "--stage"}
    assert step.flags == {"y": "2"}


ALIASES: list[tuple[str, dict[str, Any]]] = [
    ("-l a", {"label": "a"}),
    ("-la", {"label": "a"}),
    ("-m3", {"max_trials": 3}),
    ("-c why", {"comment": "why"}),
    ("-f", {"force_flags": True}),
    ("--needed", {"needed": True}),
    ("--no-gpus", {"no_gpus": True}),
    ("--stop-after 1.5", {"stop_after": 1.5}),
    ("--random-seed 7", {"random_seed": 7}),
    ("--trials 4", {"max_trials": 4}),
    ("-N loss", {"minimize": "loss"}),
    ("-X acc", {"maximize": "acc"}),
    ("-o random", {"optimizer": "random"}),
    ("-O", {"optimize": True}),
    ("-Fo a=1 -Fo b=2", {"opt_flags": ("a=1", "b=2")}),
    ("--fail-on-trial-error", {"fail_on_trial_error": True}),
    ("-bl x", {"batch_label": "x"}),
    ("-bt x -bt y", {"batch_tags": ("x", "y")}),
    ("--keep-run", {"keep_run": True}),
]


@pytest.mark.parametrize(("words", "options"), ALIASES)
def test_a_step_has_the_options_of_guild_run(words: str, options: dict[str, Any]) -> None:
    assert one(f"train {words}").options == options


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("", "expected an operation to run"),
        ("x=1", "expected an operation to run"),
        ("train 'a", "cannot be split into words: No closing quotation"),
        ("train also", "'also' is neither a flag (NAME=VALUE) nor an option of guild run"),
        ("train --lable x", "unknown option '--lable' (did you mean '--label'?)"),
        ("train --zzz", "unknown option '--zzz'"),
        ("train --label", "option '--label' needs a value"),
        ("train -m many", "option '-m': expected a whole number, got str 'many'"),
        ("train --stop-after soon", "option '--stop-after': expected a number, got str 'soon'"),
        ("train -m 0", "option '-m': expected a whole number from 1, got str '0'"),
        ("train --stop-after -1", "option '--stop-after': expected a number from 0, got str '-1'"),
        ("train --stop-after nan", "option '--stop-after': expected a number from 0, got str 'nan'"),
        ("train --needed=yes", "option '--needed' takes no value"),
    ],
)
def test_a_line_that_guild_run_would_not_take_is_a_fault(line: str, text: str) -> None:
    assert fault({"run": line}) == ("flow.steps.0.run", text)


@pytest.mark.parametrize(
    ("line", "option", "step"),
    [
        ("train --stage x=1", "--stage", Step("train", "train", {"x": "1"})),
        ("train -y", "-y", Step("train", "train")),
        ("train --run-dir there x=1", "--run-dir", Step("train", "train", {"x": "1"})),
        ("train --run-dir=there", "--run-dir", Step("train", "train")),
        ("train --remote far", "--remote", Step("train", "train")),
    ],
)
def test_options_without_sense_in_a_step_are_ignored_with_a_warning(
    line: str, option: str, step: Step
) -> None:
    assert one(line) == step
    assert warnings(line) == [f"run parameter {option} used in '{line}' is ignored"]


# Attributes.


def test_attributes_are_the_same_as_words_and_win_over_them() -> None:
    step = one(
        {
            "run": "train lr=1 m=2 --label a --tag t -c why",
            "name": "first",
            "flags": {"m": 3, "layers": [1, 2]},
            "label": "b",
            "tags": ["x", "y"],
            "max-trials": "5",
            "stop-after": 2,
            "no-gpus": True,
            "opt-flags": {"a": 1},
            "isolate-runs": False,
        }
    )
    assert (step.name, step.opspec, step.isolate_runs) == ("first", "train", False)
    assert step.flags == {"lr": "1", "m": 3, "layers": [1, 2]}
    assert step.options == {
        "label": "b",
        "tags": ("x", "y"),
        "comment": "why",
        "max_trials": 5,
        "stop_after": 2,
        "no_gpus": True,
        "opt_flags": ("a=1",),
    }


def test_flags_may_be_a_list_of_texts() -> None:
    assert one({"run": "a", "flags": ["x=1", "y=a=b"]}).flags == {"x": "1", "y": "a=b"}


def test_a_null_attribute_says_nothing() -> None:
    nulls = {"name": None, "flags": None, "expect": None, "label": None, "isolate-runs": None, "gpus": None}
    assert one({"run": "a", **nulls}) == Step("a", "a")


@pytest.mark.parametrize(
    ("attrs", "place", "text"),
    [
        ({"flags": 3}, "flags", "expected a mapping, got int 3"),
        ({"flags": ["x"]}, "flags", "expected NAME=VALUE texts, got list ['x']"),
        ({"needed": "maybe"}, "needed", "expected yes or no, got str 'maybe'"),
        ({"max-trials": True}, "max-trials", "expected a whole number, got bool True"),
        ({"max-trials": 0}, "max-trials", "expected a whole number from 1, got int 0"),
        ({"stop-after": -2}, "stop-after", "expected a number from 0, got int -2"),
        ({"isolate-runs": 1}, "isolate-runs", "expected yes or no, got int 1"),
        ({"name": [1]}, "name", "expected a text, got list [1]"),
        ({"tags": {"a": 1}}, "tags", "expected a text, got dict {'a': 1}"),
        ({"gpus": "0", "no-gpus": True}, "", "no-gpus and gpus cannot both be used"),
        ({"minimize": "a", "maximize": "b"}, "", "minimize and maximize cannot both be used"),
        ({"optimizer": "a", "optimize": True}, "", "optimize and optimizer cannot both be used"),
    ],
)
def test_a_wrong_attribute_is_a_fault_at_its_place(attrs: dict[str, Any], place: str, text: str) -> None:
    where = ".".join(part for part in ("flow.steps.1", place) if part)
    assert fault("ok", {"run": "a", **attrs}) == (where, text)


def test_the_gpus_of_a_step_are_what_its_attributes_say_whatever_its_line_says() -> None:
    assert one({"run": "a --gpus 0", "no-gpus": False}).options == {"gpus": "0", "no_gpus": False}


@pytest.mark.parametrize(
    ("steps", "place", "text"),
    [
        ("train", "flow.steps", "expected a list, got str 'train'"),
        ({"run": "a"}, "flow.steps", "expected a list, got dict {'run': 'a'}"),
        ([3], "flow.steps.0", "expected a mapping, got int 3"),
        ([None], "flow.steps.0.run", "expected an operation to run"),
        ([{"name": "a"}], "flow.steps.0.run", "expected an operation to run"),
    ],
)
def test_what_is_no_step_is_a_fault(steps: Any, place: str, text: str) -> None:
    at = entry(steps)
    read_steps(at)
    assert [(".".join(map(str, where)), said) for where, said in at.faults.found] == [(place, text)]


def test_unknown_and_senseless_attributes_are_named() -> None:
    assert warnings({"run": "a", "falgs": {}, "stage": True}) == [
        "run parameter stage used in 'a' is ignored",
        "unknown attribute 'falgs' (did you mean 'flags'?)",
    ]


# Checks.


def test_checks_are_of_the_output_or_of_files() -> None:
    step = one(
        {
            "run": "a",
            "expect": [
                {"output": r"loss: \d+"},
                {"file": "*.txt"},
                {"file": "a.txt", "contains": "x", "compare-to": "../a.txt"},
            ],
        }
    )
    assert step.expect == (
        Check(output=r"loss: \d+"),
        Check(file="*.txt"),
        Check(file="a.txt", contains="x", compare_to="../a.txt"),
    )


def test_a_single_check_needs_no_list() -> None:
    assert one({"run": "a", "expect": {"output": "x"}}).expect == (Check(output="x"),)


@pytest.mark.parametrize(
    ("check", "place", "text"),
    [
        ({}, "", "expected one of output, file, got dict {}"),
        ({"output": "a", "file": "b"}, "", "expected one of output, file, got dict"),
        ({"output": "("}, "output", "invalid regular expression '(': missing )"),
        ("x", "", "expected a mapping, got str 'x'"),
    ],
)
def test_a_wrong_check_is_a_fault(check: Any, place: str, text: str) -> None:
    at = entry([{"run": "a", "expect": [{"output": "x"}, check]}])
    read_steps(at)
    where, said = at.faults.found[0]
    assert ".".join(map(str, where)) == ".".join(["flow.steps.0.expect.1", *([place] if place else [])])
    assert said.startswith(text)
    assert len(at.faults.found) == 1


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(WORDS)
def test_any_line_is_a_step_or_a_fault_never_both(line: str) -> None:
    at = entry([line])
    found = read_steps(at)
    assert len(found) + len(at.faults.found) == 1
