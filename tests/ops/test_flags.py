"""Flag values: what a text means, how it is shown, and how the flags of a run come together."""

import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.ops import flag_values
from guild.ops.flags import (
    assign,
    check,
    convert,
    decode,
    format_flags,
    format_value,
    is_batch,
    with_undefined,
)
from guild.ops.opdef import Choice, FlagDef

# The table of what Guild 0.9 makes of a text for a flag without a type.
DECODED: list[tuple[str, Any]] = [
    ("", ""),
    ("1e3", 1000.0),
    ("12e03", 12000.0),
    (".5", 0.5),
    ("1.", 1.0),
    ("+1", 1),
    ("-3", -3),
    ("0x10", 16),
    ("0b11", 3),
    ("0o17", "0o17"),
    ("010", 10),
    ("1_000", "1_000"),
    ("1_0.5", "1_0.5"),
    ("1:30", "1:30"),
    ("inf", math.inf),
    ("1e400", math.inf),
    ("123456789012345678901234567890", 123456789012345678901234567890),
    ("yes", True),
    ("on", True),
    ("True", True),
    ("no", False),
    ("OFF", False),
    ("true ", True),
    ("null", None),
    ("Null", None),
    ("~", None),
    ("none", "none"),
    ("y", "y"),
    ("n", "n"),
    ("2020-01-01", datetime.date(2020, 1, 1)),
    ("2020-01-01 10:00:00", datetime.datetime(2020, 1, 1, 10)),
    ("2020-13-01", "2020-13-01"),
    ("[1,2]", [1, 2]),
    ("[[1, 2], [3]]", [[1, 2], [3]]),
    ("[1e3, 0x10, a]", [1000.0, 16, "a"]),
    ("[]", []),
    ("[x", "[x"),
    ("a: b", {"a": "b"}),
    ("{a: 1}", {"a": 1}),
    ("x:y", "x:y"),
    ("-", [None]),
    ("- x", ["x"]),
    ("-x", "-x"),
    ("--", "--"),
    ("[1:2]", "[1:2]"),
    ("[1,2]*2", [1, 2, 1, 2]),
    ("[1, 2] * 2", [1, 2, 1, 2]),
    ("[1,2]*0", []),
    ("a*2", "a*2"),
    ("range[1:4]", [1, 2, 3, 4]),
    ("range[1:5:2]", [1, 3, 5]),
    ("range[4:1:-1]", [4, 3, 2, 1]),
    ("range[4:1]", []),
    ("range[0:1:0.25]", [0.0, 0.25, 0.5, 0.75, 1.0]),
    ("range[0:0.3:0.1]", [0.0, 0.1, 0.2, 0.3]),
    ("range[0.5:3]", [0.5, 1.5, 2.5]),
    ("range[1:4:0]", "range[1:4:0]"),
    ("range[a:b]", "range[a:b]"),
    ("range[1:4", "range[1:4"),
    ("linspace[0:1:3]", [0.0, 0.5, 1.0]),
    ("linspace[0:1]", [0.0, 0.25, 0.5, 0.75, 1.0]),
    ("linspace[1:10:1]", [1.0]),
    ("logspace[0:2:3]", [1.0, 10.0, 100.0]),
    ("logspace[0:2:3:2]", [1.0, 2.0, 4.0]),
    ("geomspace[1:10:3]", "geomspace[1:10:3]"),
    ("uniform[0:1]", "uniform[0:1]"),
    ("loguniform[1e-4:1:0.1]", "loguniform[1e-4:1:0.1]"),
    ("model[v2]", "model[v2]"),
    ("'1'", "1"),
    ("''", ""),
    ("!!python/name:os.system", "!!python/name:os.system"),
    ("!!str 1", "1"),
    ("hello world", "hello world"),
    (" x ", "x"),
    ("a\nb", "a\nb"),
    ("#ff0000", "#ff0000"),
    ("run #2", "run #2"),
    ("5 # five", "5 # five"),
    ("@x", "@x"),
    ("*x", "*x"),
    ("&x", "&x"),
    ("%x", "%x"),
    ("?", "?"),
    ("=x", "=x"),
    ("a,b", "a,b"),
    ("[&a [*a]]", "[&a [*a]]"),
]


@pytest.mark.parametrize(("text", "value"), DECODED)
def test_a_text_without_a_type_is_decoded_as_in_the_table(text: str, value: Any) -> None:
    found = decode(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(decode("nan"))


def test_words_and_numbers_are_decoded_without_loading_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flag_values, "_decode_yaml", lambda text: pytest.fail(f"YAML for {text!r}"))
    for text in ("1", "1e-3", "adam", "data/x.csv", "/abs/p-1.txt", "yes", "null", "", "uniform[0:1]"):
        decode(text)


@pytest.mark.parametrize("text", ["range[0:1e12]", "linspace[0:1:1000000]", "[1,2]*999999999"])
def test_a_list_that_would_fill_the_memory_is_refused(text: str) -> None:
    with pytest.raises(GuildError, match="more than the 100000"):
        decode(text)


def test_a_decoded_list_is_the_callers_own() -> None:
    decode("-").append(1)
    assert decode("-") == [None]


@given(st.text(max_size=30))
def test_any_text_can_be_decoded_and_what_comes_out_can_be_shown(text: str) -> None:
    value = decode(text)
    assert "\n" not in format_value(value)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)))
def test_what_is_shown_is_read_back_as_the_same_value(value: Any) -> None:
    shown = format_value(value)
    assert flag_values.same_value(decode(shown), value)


SHOWN: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "yes"),
    (False, "no"),
    (3, "3"),
    (1e-9, "1.0e-09"),
    (1e28, "1.0e+28"),
    (100000.0, "100000.0"),
    (math.nan, ".nan"),
    (-math.inf, "-.inf"),
    ("", "''"),
    ("1", "'1'"),
    ("1:30", "'1:30'"),
    ("1_000", "'1_000'"),
    ("1.2.3", "1.2.3"),
    ("1:99", "1:99"),
    ("0x_1", "'0x_1'"),
    ("._1", "'._1'"),
    ("=", "'='"),
    ("<<", "'<<'"),
    ("null", "'null'"),
    ("[x", "'[x'"),
    ("a: b", "'a: b'"),
    ("'1'", "'''1'''"),
    ("y", "y"),
    ("none", "none"),
    ("it's", "it's"),
    ("a b", "'a b'"),
    ("it's me", '"it\'s me"'),
    ('say "x" y', "'say \"x\" y'"),
    ("x\ty", '"x\\ty"'),
    ('a\x7f"\\', '"a\\u007f\\"\\\\"'),
    ("é", "é"),
    ("=x", "=x"),
    ("uniform[0:1]", "uniform[0:1]"),
    ([1, "b c", True], "[1, b c, true]"),
    ({"a": 1}, "{a: 1}"),
    (datetime.date(2020, 1, 1), "2020-01-01"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_values_are_shown_in_the_style_of_yaml(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_labels_cut_decimals_and_the_middle_of_long_paths() -> None:
    flags = {
        "b": 1.23456789,
        "a": "/usr/share/doc/adduser",
        "c": None,
        "d": 1.23456789e-7,
        "e": "/etc/passwd",
    }
    assert format_flags(flags, short=True) == "a=/usr/…/doc/adduser b=1.23456 d=1.23456e-07 e=/etc/passwd"
    assert format_flags(flags) == "a=/usr/share/doc/adduser b=1.23456789 d=1.23456789e-07 e=/etc/passwd"


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/usr/share/doc/base-passwd/README", "/usr/…/README"),
        ("/usr/lib/python3/dist-packages", "/usr/…/dist-packages"),
        ("/a/b/a-file-with-a-name-that-alone-is-too-long", "/…/a-file-with-a-name-that-alone-is-too-long"),
        ("/a-file-with-a-name-that-alone-is-too-long", "/a-file-with-a-name-that-alone-is-too-long"),
        ("/etc/passwd", "/etc/passwd"),
    ],
)
def test_a_path_keeps_both_ends_that_fit(path: str, short: str) -> None:
    assert flag_values.shorten_path(path) == short


@pytest.mark.parametrize("value", [[1], [], "uniform[0:1]", "[1:2]", "range[a:b]"])
def test_lists_and_search_ranges_make_a_batch(value: Any) -> None:
    assert is_batch({"a": 1, "b": value})


@pytest.mark.parametrize("value", ["model[v2]", "s3[x:y]z", "[x", {"a": [1]}, None, "see [1:2]"])
def test_other_values_make_no_batch(value: Any) -> None:
    assert not is_batch({"a": 1, "b": value})


# Types.

CONVERTED: list[tuple[str, str, Any]] = [
    ("int", "3", 3),
    ("int", "0x10", 16),
    ("int", "1_000", 1000),
    ("int", "null", None),
    ("int", "[1, 2]", [1, 2]),
    ("int", "range[1:3]", [1, 2, 3]),
    ("int", "uniform[1:9]", "uniform[1:9]"),
    ("float", "3", 3.0),
    ("float", "0x10", 16.0),
    ("float", "1_000.5", 1000.5),
    ("float", "[1, 2]", [1.0, 2.0]),
    ("number", "1.5", 1.5),
    ("number", "1_000", 1000),
    ("boolean", "yes", True),
    ("boolean", "1", True),
    ("boolean", "n", False),
    ("boolean", "0", False),
    ("boolean", "", False),
    ("boolean", "[yes, 0]", [True, False]),
    ("string", "1.0", "1.0"),
    ("string", "null", "null"),
    ("string", "2020-01-01", "2020-01-01"),
    ("string", "{a: 1}", "{a: 1}"),
    ("string", "'1'", "1"),
    ("string", "[1", "[1"),
    ("string", "[1, a b, yes]", ["1", "a b", "yes"]),
    ("auto", "1e3", 1000.0),
    ("path", "", ""),
    ("path", "null", None),
    ("path", "/a/../b", "/b"),
]


@pytest.mark.parametrize(("kind", "text", "value"), CONVERTED)
def test_a_text_is_converted_by_the_type_of_its_flag(kind: str, text: str, value: Any) -> None:
    found = convert(FlagDef("x", type=kind), text)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, list):
        assert [type(v) for v in found] == [type(v) for v in value]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "1.5", "whole number"),
        ("int", "abc", "whole number"),
        ("int", "", "whole number"),
        ("int", "yes", "whole number"),
        ("int", "[1, abc]", "whole number"),
        ("float", "abc", "a number"),
        ("float", "1:30", "a number"),
        ("float", "9" * 400, "too large"),
        ("number", "", "a number"),
        ("number", "y", "a number"),
        ("number", "1:30", "a number"),
        ("number", "2020-01-01", "a number"),
        ("boolean", "maybe", "yes or no"),
        ("boolean", "2", "yes or no"),
        ("existing-path", "/no/such/file", "/no/such/file does not exist"),
    ],
)
def test_a_text_that_is_not_of_the_type_is_refused(kind: str, text: str, expected: str) -> None:
    with pytest.raises(GuildError) as caught:
        convert(FlagDef("x", type=kind), text)
    assert caught.value.message.startswith(f"invalid value {text} for x: ")
    assert expected in caught.value.message


def test_paths_become_absolute_from_here_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    (tmp_path / "here").touch()
    assert convert(FlagDef("x", type="path"), "data") == str(tmp_path / "data")
    assert convert(FlagDef("x", type="path"), "~/d") == "/home/ann/d"
    assert convert(FlagDef("x", type="path"), "[a, 1]") == [str(tmp_path / "a"), str(tmp_path / "1")]
    assert convert(FlagDef("x", type="existing-path"), "here") == str(tmp_path / "here")
    assert assign((FlagDef("x", "data", type="path"),), ()).values == {"x": str(tmp_path / "data")}


# Assigning.

FLAGS = (
    FlagDef("lr", 0.1, type="number", min=0, max=1),
    FlagDef("opt", "sgd", choices=(Choice("sgd"), Choice("adam", "with momentum"))),
    FlagDef(
        "size",
        choices=(Choice(1, alias="small", flags={"layers": 1, "units": 10}), Choice(9, alias="big")),
    ),
    FlagDef("layers", 2),
    FlagDef("units", 20, alias="u"),
)


def failing(*args: str, flags: tuple[FlagDef, ...] = FLAGS, **kw: Any) -> GuildError:
    with pytest.raises(GuildError) as caught:
        assign(flags, args, **kw)
    return caught.value


def test_what_was_typed_wins_over_the_earlier_run_and_that_over_defaults() -> None:
    made = assign(FLAGS, ["lr=0.5"], base={"lr": 0.2, "layers": 7, "gone": "x"})
    assert made.values == {"lr": 0.5, "opt": "sgd", "size": None, "layers": 7, "units": 20, "gone": "x"}
    assert made.user == {"lr": 0.5}


def test_the_last_of_two_values_for_one_flag_counts() -> None:
    assert assign(FLAGS, ["layers=1", "layers=3"]).values["layers"] == 3


def test_a_value_may_hold_an_equals_sign() -> None:
    assert assign((FlagDef("q"),), ["q=a=b"]).values == {"q": "a=b"}


def test_all_arguments_that_are_no_assignments_are_named() -> None:
    assert failing("a", "lr=1", "c").message == "invalid argument(s):\na\nc\nexpected NAME=VAL"


def test_unknown_flags_are_all_named_with_the_nearest_and_all_known_ones() -> None:
    error = failing("layer=3", "zz=1", "lr=abc", opname="m:train")
    assert error.message.splitlines()[:2] == ["unsupported flag 'layer'", "unsupported flag 'zz'"]
    assert "invalid value abc for lr" in error.message
    assert "Did you mean 'layers'?" in error.hint
    assert "layers, lr, opt, size, u, units" in error.hint
    assert "guild run m:train --help-op" in error.hint


def test_all_bad_values_are_named_at_once() -> None:
    flags = (FlagDef("i", type="int"), FlagDef("b", type="boolean"))
    message = failing("i=x", "b=maybe", flags=flags).message
    assert "for i" in message
    assert "for b" in message


def test_an_alias_of_a_flag_is_its_name() -> None:
    made = assign(FLAGS, ["u=5"])
    assert made.values["units"] == 5
    assert made.user == {"units": 5}
    assert "cannot specify both 'units' and its alias 'u'" in failing("u=5", "units=6").message


def test_the_alias_of_a_choice_is_replaced_by_its_value_and_sets_other_flags() -> None:
    made = assign(FLAGS, ["size=small", "units=99"])
    assert (made.values["size"], made.values["layers"], made.values["units"]) == (1, 1, 99)
    assert made.user == {"size": 1, "units": 99}


def test_aliases_in_a_list_are_replaced_too() -> None:
    assert assign(FLAGS, ["size=[small, big]"]).values["size"] == [1, 9]


def test_an_alias_need_not_be_of_the_flags_type() -> None:
    flag = FlagDef("n", type="number", choices=(Choice(0.5, alias="half"),))
    assert assign((flag,), ["n=half"]).values == {"n": 0.5}


def test_a_choice_of_the_earlier_run_does_not_undo_what_that_run_had() -> None:
    base = {"size": 1, "layers": 5}
    assert assign(FLAGS, [], base=base).values["layers"] == 5
    assert assign(FLAGS, ["size=small"], base=base).values["layers"] == 1


def test_a_value_that_is_no_choice_is_refused_with_the_choices() -> None:
    error = failing("opt=rms")
    assert error.message.startswith("Unsupported value for 'opt' - supported values are:\n\n")
    assert "  adam  with momentum" in error.message


def test_other_values_pass_where_they_are_allowed_or_false_or_null() -> None:
    free = FlagDef("c", choices=(Choice(1),), allow_other=True)
    closed = FlagDef("d", choices=(Choice(1),))
    assert assign((free, closed), ["c=9", "d=0"]).values == {"c": 9, "d": 0}
    assert assign((free, closed), ["d=null"]).values == {"c": None, "d": None}


def test_yes_is_not_the_choice_1() -> None:
    assert "Unsupported" in failing("d=yes", flags=(FlagDef("d", choices=(Choice(1),)),)).message


def test_choices_of_a_string_flag_are_texts() -> None:
    flag = FlagDef("v", type="string", choices=(Choice(1), Choice(2)))
    assert assign((flag,), ["v=1"]).values == {"v": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2", "invalid value 2 for lr: out of range (greater than max 1)"),
        ("-1", "invalid value -1 for lr: out of range (less than min 0)"),
        ("[0.5,3]", "invalid value 3 for lr: out of range (greater than max 1)"),
        ("nan", "invalid value .nan for lr: out of range (less than min 0)"),
    ],
)
def test_a_number_out_of_range_is_refused(text: str, why: str) -> None:
    assert failing(f"lr={text}").message == why


def test_a_range_needs_a_number() -> None:
    assert "expected a number" in failing("d=abc", flags=(FlagDef("d", min=1),)).message


@pytest.mark.parametrize(
    ("text", "value"),
    [("1  2", "1 2"), ("3", "3"), ("", ""), ("null", None), ("[1 2,3]", ["1 2", "3"]), ("uniform[1:2]",) * 2],
)
def test_each_argument_of_a_text_that_is_split_is_of_the_type(text: str, value: Any) -> None:
    assert convert(FlagDef("x", type="int", arg_split=True), text) == value
    with pytest.raises(GuildError, match=r"invalid value 1 2\.5 for x: expected a whole number"):
        convert(FlagDef("x", type="int", arg_split=True), "1 2.5")
    assert convert(FlagDef("x", type="float", arg_split=","), "1,2.5") == "1.0,2.5"


def test_each_argument_of_a_text_that_is_split_is_a_choice_and_in_range() -> None:
    choices = (Choice(1), Choice(2), Choice("a b"))
    flags = [FlagDef("c", choices=choices, arg_split=True), FlagDef("n", type="int", min=1, arg_split=True)]
    check(flags, {"c": "1 'a b' 2", "n": "1 2"})
    check(flags, {"c": None, "n": 3})
    with pytest.raises(GuildError, match="Unsupported value for 'c'"):
        check(flags, {"c": "1 3"})
    with pytest.raises(GuildError, match="invalid value 0 for n: out of range"):
        check(flags, {"n": ["1", "2 0"]})


def test_a_search_range_is_not_checked() -> None:
    flags = (FlagDef("lr", 0.1, min=0, max=1),)
    assert assign(flags, ["lr=uniform[0:5]"]).values == {"lr": "uniform[0:5]"}


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        (FlagDef("odd", 7, max=1), "out of range"),
        (FlagDef("odd", "q", choices=(Choice("a"),)), "Unsupported value for 'odd'"),
        (FlagDef("odd", "x", type="int"), "expected a whole number"),
    ],
)
def test_a_flags_own_default_is_checked_like_any_value(flag: FlagDef, why: str) -> None:
    assert why in failing(flags=(flag,)).message
    assert assign((flag,), [], force=True).values == {"odd": flag.default}


@pytest.mark.parametrize("args", [[], ["e="], ["e=null"]])
def test_missing_required_flags_are_listed_with_their_descriptions(args: list[str]) -> None:
    flags = (FlagDef("e", required=True, description="where to\nput it"), FlagDef("f", 1, required=True))
    error = failing(*args, flags=flags)
    assert error.message == "Operation requires the following missing flags:\n\n  e  where to\n"
    assert "specified as NAME=VAL" in error.hint


def test_all_faults_of_values_are_told_at_once() -> None:
    message = failing("lr=2", "opt=rms").message
    assert "out of range" in message
    assert "Unsupported value" in message


def test_force_takes_unknown_flags_and_bad_values() -> None:
    flags = (FlagDef("i", type="int"), FlagDef("r", required=True), FlagDef("o", choices=(Choice(1),)))
    made = assign(flags, ["i=abc", "zz=4", "o=2"], force=True)
    assert made.values == {"i": "abc", "r": None, "o": 2, "zz": 4}
    assert made.user == {"i": "abc", "zz": 4, "o": 2}


def test_undefined_flags_get_a_bare_definition() -> None:
    assert with_undefined(FLAGS[:1], ["lr", "zz"]) == (FLAGS[0], FlagDef("zz"))


def test_checking_alone_takes_what_is_right() -> None:
    check(FLAGS, {"lr": 0.3, "opt": "adam", "size": 9})
    with pytest.raises(GuildError):
        check(FLAGS, {"lr": 3})


def test_a_default_is_of_the_flags_type() -> None:
    flags = (FlagDef("f", 1, type="float"), FlagDef("s", 1, type="string"))
    values = assign(flags, ()).values
    assert values == {"f": 1.0, "s": "1"}
    assert isinstance(values["f"], float)
