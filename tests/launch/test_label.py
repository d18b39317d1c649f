"""Labels: templates filled in with flags."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.launch.label import default_label, render_label, unknown_filters

FLAGS: dict[str, Any] = {
    "x": 1,
    "y": 1.23456789,
    "z": None,
    "s": "hello world",
    "e": "",
    "b": True,
    "q": "'1'",
    "p": "/data/sets/digits/train.csv",
    "a-b.c": 5,
}


@pytest.mark.parametrize(
    ("template", "label"),
    [
        ("run ${x} ${x}", "run 1 1"),
        ("${y}", "1.23456"),
        ("${y|%.2f}s", "1.23s"),
        ("${x|%05d}", "00001"),
        ("${s}", "'hello world'"),
        ("${s|unquote}", "hello world"),
        ("${s|%d}", "hello world"),  # a format that does not fit
        ("${x|%99999999d}", "1"),
        ("${b}", "yes"),
        ("${e}", "''"),
        ("${q}", "'''1'''"),
        ("${q|unquote}", "1"),
        ("${z}", ""),
        ("a ${nope} b", "a  b"),
        ("${z|default:none}", "none"),
        ("${nope|default:a b}", "a b"),
        ("${x|default:7}", "1"),
        ("${e|default:7}", ""),
        ("${p|basename}", "train.csv"),
        ("${z|basename}", ""),
        ("${p}", "/data/…/train.csv"),
        ("${a-b.c}", "5"),
        ("${ x }", "1"),
        ("${x|upper}", "#error#"),
        ("$x ${x", "$x ${x"),
        ("$${x}", "$1"),
        ("", ""),
    ],
)
def test_a_template_is_filled_in_as_guild_0_9_does(template: str, label: str) -> None:
    assert render_label(template, FLAGS) == label


def test_the_default_label_names_all_flags_that_are_not_null() -> None:
    expected = "a=1 b=yes c='x y'"
    assert default_label({"c": "x y", "b": True, "a": 1, "n": None}) == expected
    assert render_label(None, {"c": "x y", "b": True, "a": 1}) == expected
    assert render_label("v2 ${default_label}", {"a": 1}) == "v2 a=1"
    assert render_label("${default_label|%s}!", {"a": 1}) == "a=1!"


def test_tags_without_a_label_go_in_front_of_the_default_one() -> None:
    assert render_label(None, {"a": 1}, ("best", "v2")) == "best v2 a=1"
    assert render_label("mine", {"a": 1}, ("best",)) == "mine"


def test_filters_that_are_none_are_named() -> None:
    assert unknown_filters("${a|%.2f|default:x} ${b|basename | upper} ${c|unquote|low}") == ["upper", "low"]


def test_a_flag_may_be_called_default_label() -> None:
    assert render_label("${default_label}", {"default_label": 3}) == "3"


@given(st.text(alphabet="${}|%x.2dfs:def unquote*#", max_size=30))
def test_no_template_is_an_error(template: str) -> None:
    assert isinstance(render_label(template, FLAGS), str)
