"""How flags become the arguments and variables of a process."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base import yamlio
from guild.errors import GuildError
from guild.launch.command import (
    cmd_flags_from_attr,
    cmd_flags_to_attr,
    flag_args,
    flag_env,
    render_command,
    shadowed,
)
from guild.ops.opdef import FLAG_ARGS, FlagDef


def args_of(flag: FlagDef, value: Any, dest: str = "args") -> list[str]:
    return flag_args((flag,), {flag.name: value}, dest)


@pytest.mark.parametrize(
    ("flag", "value", "args"),
    [
        (FlagDef("x"), 1, ["--x", "1"]),
        (FlagDef("x"), 1e-9, ["--x", "1e-09"]),
        (FlagDef("x"), "a b", ["--x", "a b"]),
        (FlagDef("x"), "", ["--x", ""]),
        (FlagDef("x"), True, ["--x", "1"]),
        (FlagDef("x"), False, ["--x", ""]),
        (FlagDef("x"), None, []),
        (FlagDef("x"), datetime.date(2020, 1, 2), ["--x", "2020-01-02"]),
        (FlagDef("x", arg_name="rate"), 1, ["--rate", "1"]),
        (FlagDef("x", arg_skip=True), 1, []),
        (FlagDef("x", arg_switch=True, has_arg_switch=True), True, ["--x"]),
        (FlagDef("x", arg_switch=True, has_arg_switch=True), False, []),
        (FlagDef("x", arg_switch=False, has_arg_switch=True), False, ["--x"]),
        (FlagDef("x", arg_switch=False, has_arg_switch=True), True, []),
        (FlagDef("x", arg_switch=3, has_arg_switch=True), 3, ["--x"]),
        (FlagDef("x", arg_switch=3, has_arg_switch=True), 4, []),
        (FlagDef("x", arg_split=True), "a 'b c'", ["--x", "a", "b c"]),
        (FlagDef("x", arg_split="shlex"), "a b", ["--x", "a", "b"]),
        (FlagDef("x", arg_split=","), "a,b c", ["--x", "a", "b c"]),
        (FlagDef("x", arg_split=True), "it's me", ["--x", "it's", "me"]),
        (FlagDef("x", arg_split=True), "", []),
        (FlagDef("x", arg_split=True), 5, ["--x", "5"]),
        (FlagDef("x", arg_split=False), "a b", ["--x", "a b"]),
        (FlagDef("x", arg_encoding={"1": "one", "yes": "si"}), 1, ["--x", "one"]),
        (FlagDef("x", arg_encoding={"1": "one", "yes": "si"}), True, ["--x", "si"]),
        (FlagDef("x", arg_encoding={"true": "si"}), True, ["--x", "si"]),
        (FlagDef("x", arg_encoding={"1": "one"}), 2, ["--x", "2"]),
    ],
)
def test_a_flag_becomes_arguments(flag: FlagDef, value: Any, args: list[str]) -> None:
    assert args_of(flag, value) == args


@pytest.mark.parametrize("dest", ["globals", "global:params", "dict:params", "namespace:ns"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1e-9, "1.0e-09"),
        ("a b", "a b"),
        ("1", "'1'"),
        ("y", "'y'"),
        ("", "''"),
        ([1, "b c", True], "[1, b c, true]"),
        ({"a": 1}, "{a: 1}"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
    ],
)
def test_values_for_globals_are_yaml(dest: str, value: Any, text: str) -> None:
    assert args_of(FlagDef("x"), value, dest) == ["--x", text]


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)))
def test_a_value_for_globals_is_read_back_as_the_same(value: Any) -> None:
    found = yamlio.load(args_of(FlagDef("x"), value, "globals")[1])
    assert found == value
    assert type(found) is type(value)


def test_a_split_text_for_globals_is_a_list_of_its_decoded_words() -> None:
    flag = FlagDef("x", arg_split=True)
    assert args_of(flag, "1 'b c' true", "globals") == ["--x", "[1, b c, true]"]
    assert args_of(flag, "", "globals") == ["--x", "[]"]


@pytest.mark.parametrize("dest", ["none", "config:settings.yml"])
def test_flags_that_go_elsewhere_are_arguments_of_the_command_all_the_same(dest: str) -> None:
    assert args_of(FlagDef("x"), 1, dest) == ["--x", "1"]  # `exec` may name ${flag_args}


def test_arguments_are_sorted_by_flag_name_and_may_share_an_option() -> None:
    flags = (FlagDef("z"), FlagDef("one", arg_name="same"), FlagDef("two", arg_name="same"), FlagDef("b"))
    values = {"z": 1, "one": 2, "two": 3, "b": 4, "undefined": 5}
    assert flag_args(flags, values, "args") == ["--b", "4", "--same", "2", "--same", "3", "--z", "1"]


# Templates.

VARIABLES = {"python_exe": "/py", "guild_python_exe": "/gpy", "project_dir": "/p"}


def render(*template: str, **values: Any) -> list[str]:
    return render_command(template, values, tuple(FlagDef(n) for n in values), "args", VARIABLES)


def test_flag_arguments_stand_where_the_template_says() -> None:
    assert render("${python_exe}", "a", FLAG_ARGS, "z", x=1) == ["/py", "a", "--x", "1", "z"]
    assert render("a", "b", x=1) == ["a", "b"]


def test_references_are_replaced_within_words() -> None:
    assert render("${project_dir}/${x}", "$${x}", "$x", x="a b") == ["/p/a b", "$a b", "$x"]
    assert render("n${z}", "${z}", z=None) == ["n", ""]
    assert render("${on}", "${off}", on=True, off=False) == ["1", ""]


def test_variables_come_before_flags_of_the_same_name() -> None:
    assert render("${python_exe}", python_exe="mine") == ["/py"]


def test_a_value_is_not_searched_for_references() -> None:
    assert render("${x}", x="${project_dir}") == ["${project_dir}"]


def test_flag_arguments_within_a_word_are_quoted_for_a_shell() -> None:
    assert render("sh", "-c", "run ${flag_args}", x="a b") == ["sh", "-c", "run --x 'a b'"]


def test_a_reference_to_nothing_is_an_error_that_names_what_there_is() -> None:
    with pytest.raises(GuildError, match="invalid reference 'nope'") as caught:
        render("${nope}", x=1)
    assert "project_dir, python_exe, x" in caught.value.hint


def test_a_flag_that_the_command_spells_out_is_not_passed_again() -> None:
    flags = (FlagDef("a"), FlagDef("b", arg_name="bee"), FlagDef("c"))
    template = ["run", "--a", "5", "--bee=6", FLAG_ARGS]
    values = {"a": 1, "b": 2, "c": 3}
    assert render_command(template, values, flags, "args", {}) == [*template[:-1], "--c", "3"]
    assert [f.name for f in shadowed(template, flags)] == ["a", "b"]
    assert shadowed(["run", "--a", "5"], flags) == []


# The environment.


def test_every_flag_has_its_variable() -> None:
    flags = (
        FlagDef("a-b.c"),
        FlagDef("named", env_name="MINE"),
        FlagDef("enc", env_encoding={"1": "uno"}, arg_encoding={"1": "one"}),
        FlagDef("arg", arg_encoding={"1": "one"}),
        FlagDef("skip", arg_skip=True),
    )
    values = {"a-b.c": 1.5, "named": "x y", "enc": 1, "arg": 1, "skip": True, "off": False, "nil": None}
    assert flag_env(flags, values) == {
        "FLAG_A_B_C": "1.5",
        "MINE": "x y",
        "FLAG_ENC": "uno",
        "FLAG_ARG": "one",
        "FLAG_SKIP": "1",
        "FLAG_OFF": "",
        "FLAG_NIL": "",
    }


def test_a_flag_without_a_value_has_no_variable() -> None:
    assert flag_env((FlagDef("a"),), {}) == {}


# The attribute.

PASSED = (
    FlagDef("plain"),
    FlagDef("named", arg_name="n", env_name="N"),
    FlagDef("off", arg_switch=False, has_arg_switch=True),
    FlagDef("split", arg_split=","),
    FlagDef("skip", arg_skip=True),
    FlagDef("enc", arg_encoding={"1": "one", "yes": "si"}, env_encoding={"a": "b"}),
)


def test_the_attribute_holds_what_is_set_and_nothing_else() -> None:
    assert cmd_flags_to_attr(PASSED) == {
        "plain": {},
        "named": {"arg-name": "n", "env-name": "N"},
        "off": {"arg-switch": False},
        "split": {"arg-split": ","},
        "skip": {"arg-skip": True},
        "enc": {"arg-encoding": {1: "one", "yes": "si"}, "env-encoding": {"a": "b"}},
    }


def test_flags_come_back_from_the_attribute_and_its_yaml() -> None:
    data = yamlio.decode(yamlio.encode(cmd_flags_to_attr(PASSED)))
    assert {f.name: f for f in cmd_flags_from_attr(data)} == {f.name: f for f in PASSED}


def test_encodings_that_guild_0_9_wrote_are_looked_up_by_value() -> None:
    (flag,) = cmd_flags_from_attr({"x": {"arg-encoding": {1: "one", False: 0, "a": "b"}}})
    assert args_of(flag, 1) == ["--x", "one"]
    assert args_of(flag, "a") == ["--x", "b"]


@pytest.mark.parametrize("data", [None, [], "x", {"x": None}, {"x": [1]}, {"x": {"arg-encoding": 3}}])
def test_a_damaged_attribute_gives_plain_flags_or_none(data: Any) -> None:
    assert cmd_flags_from_attr(data) == ((FlagDef("x"),) if isinstance(data, dict) else ())
