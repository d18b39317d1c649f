"""YAML as Guild 0.9 reads and writes it; plain PyYAML is the other opinion."""

import datetime
import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from guild.base.yamlio import YAMLError, decode, encode, encode_inline, load

text = st.text(st.characters(exclude_categories=["Cs"]))
numberlike = st.from_regex(r"[-+]?[0-9_.:]{0,4}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
words = st.sampled_from(
    ["y", "n", "Y", "N", "yes", "no", "null", "~", "", "true", "1e5", "-", "...", "---", "#", "=", "<<"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | numberlike | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | words, inner, max_size=4),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal in value and type; not-a-number equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(values)
@example("1e5")
@example([1e5, -1e-300, 1e300, math.inf, -math.inf, math.nan])
@example({"n": "n", "y": ["y"]})
@example("...")
@example("a\n...\n")
@example("\n...")
@example("\x85\u2028")
@example("\xa0")
@example(["a", "\u3000"])
def test_what_is_written_is_read_again(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(values)
def test_one_line_is_enough_and_reads_the_same(value: Any) -> None:
    line = encode_inline(value)
    assert "\n" not in line
    assert same(load(line), value)


@given(values)
def test_what_is_written_is_read_by_plain_pyyaml_too(value: Any) -> None:
    assert same(yaml.safe_load(encode(value)), value)


@given(values)
def test_what_plain_pyyaml_writes_is_read_the_same_but_for_floats_without_a_dot(value: Any) -> None:
    written = yaml.safe_dump(value)
    ours, theirs = load(written), yaml.safe_load(written)
    assert same(_floats_as_theirs(ours, theirs), theirs)


def _floats_as_theirs(ours: Any, theirs: Any) -> Any:
    """Ours, with a float in the place of which plain PyYAML has the text of it taken as that text."""
    if isinstance(ours, float) and isinstance(theirs, str):
        return theirs if same(float(theirs.replace("_", "")), ours) else ours
    if isinstance(ours, list) and isinstance(theirs, list):
        return [_floats_as_theirs(a, b) for a, b in zip(ours, theirs, strict=True)]
    if isinstance(ours, dict) and isinstance(theirs, dict) and len(ours) == len(theirs):
        pairs = zip(ours.items(), theirs.items(), strict=True)
        return {_floats_as_theirs(k, k2): _floats_as_theirs(v, v2) for (k, v), (k2, v2) in pairs}
    return ours


@given(st.binary(max_size=12) | text.map(str.encode) | numberlike.map(str.encode))
@example(b"0")
@example(b"-0")
@example(b"007")
@example(b"123456789012345678901234567890")
@example(b" 5 \n")
@example(b"\x0b5")
@example(b"\t5\r\n")
@example(b"!!int ''")
@example(b"!!bool maybe")
@example(b"!!timestamp never")
@example(b"!!float ''")
@example(b"? [a]\n: b")
@example(b"{[a]: b}")
def test_the_quick_path_agrees_with_the_loader_and_no_bytes_do_harm(data: bytes) -> None:
    try:
        slow = load(data)
    except YAMLError:
        with pytest.raises(YAMLError):
            decode(data)
    else:
        assert same(decode(data), slow)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e5", 1e5),
        ("1E5", 1e5),
        ("-1e-3", -1e-3),
        ("+1.5e3", 1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("1_000", 1000),
        ("0x1e5", 0x1E5),
        ("010", 8),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1e5x", "1e5x"),
        ("'1e5'", "1e5"),
        ("y", "y"),
        ("n", "n"),
        ("yes", True),
        ("2020-01-02", datetime.date(2020, 1, 2)),
        ("", None),
        ("a: 1e3", {"a": 1000.0}),
    ],
)
def test_these_texts_have_these_values(written: str, value: Any) -> None:
    assert same(load(written), value)
    assert same(decode(written.encode()), value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null\n"),
        (True, "true\n"),
        (0, "0\n"),
        (-12, "-12\n"),
        ("", "''\n"),
        ("abc", "abc\n"),
        ("n", "'n'\n"),
        ("Y", "'Y'\n"),
        ("yes", "'yes'\n"),
        ("1e5", "'1e5'\n"),
        (1e-3, "0.001\n"),
        (1e20, "1.0e+20\n"),
        ([], "[]\n"),
        ({}, "{}\n"),
        (["a", 1], "- a\n- 1\n"),
        ({"b": 1, "a": [1, 2]}, "a:\n- 1\n- 2\nb: 1\n"),
        ("äö", "äö\n"),
    ],
)
def test_these_values_are_written_so(value: Any, written: str) -> None:
    assert encode(value).decode() == written


def test_other_characters_than_ascii_can_be_written_as_escapes() -> None:
    assert encode({"a": "ä…\n"}, ascii=True) == b'a: "\\xE4\\u2026\\n"\n'
    assert decode(encode("ä\udcff", ascii=True)) == "ä\udcff"


@given(st.text(st.characters(exclude_categories=()), max_size=8))
@example("caf\udce9")
@example("\udcff\n")
def test_undecodable_bytes_survive_and_plain_pyyaml_reads_them(value: str) -> None:
    assert decode(encode([value])) == [value]
    assert yaml.safe_load(encode([value])) == [value]
    assert "\n" not in encode_inline(value)
    assert load(encode_inline(value)) == value


def test_the_same_list_twice_is_written_twice() -> None:
    shared = [1]
    assert encode({"a": shared, "b": shared}) == b"a:\n- 1\nb:\n- 1\n"


def test_what_the_quick_path_gives_is_not_shared() -> None:
    first = decode(b"[]")
    first.append(1)
    assert decode(b"[]") == []


def test_one_line_stays_one_line_however_long() -> None:
    assert encode_inline(["word " * 50, {"a": 1}]) == f"['{'word ' * 50}', {{a: 1}}]"
    assert encode_inline("two words") == "two words"
    assert encode_inline(0.5) == "0.5"
    assert encode_inline("two\nlines\n") == r'"two\nlines\n"'


@pytest.mark.parametrize(("data", "line"), [("a: [1\nb: 2\n", 2), ("a: 1\nb: : 2\n", 2), ("\ta: 1", 1)])
def test_an_error_names_its_line(data: str, line: int) -> None:
    with pytest.raises(YAMLError) as caught:
        load(data)
    assert caught.value.line == line
    assert str(caught.value)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"a: \x00", b"!!python/object/apply:os.getcwd []", b"[" * 5000]
)
def test_what_is_no_yaml_or_not_safe_is_a_yaml_error(data: bytes) -> None:
    with pytest.raises(YAMLError):
        load(data)


def test_plain_pyyaml_is_left_as_it_is() -> None:
    load("1e5")
    encode({"y": 1e5})
    assert yaml.safe_load("1e5") == "1e5"
    assert yaml.safe_dump("y", default_flow_style=True) == "y\n...\n"


@pytest.mark.parametrize("text", [b"0x" + b"f" * 4000, b"[1, 0x" + b"f" * 5000 + b"]", b"9" * 5000])
def test_a_number_that_cannot_be_shown_is_no_value(text: bytes) -> None:
    with pytest.raises(YAMLError, match=r"number|digits"):
        decode(text)
