"""Config files: filled in with flags, whatever their format, and read back as what was put in."""

import configparser
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base import yamlio
from guild.errors import GuildError
from guild.launch.config_file import config_kind, fill_in
from guild.ops.opdef import FlagDef


def filled(tmp_path: Path, name: str, text: str, flags: Mapping[str, Any], **kw: Any) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return fill_in(path, flags, kw.pop("params", {}), **kw).decode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.yml", "yaml"), ("a.yaml", "yaml"), ("A.JSON", "json"), ("a.ini", "ini"), ("a.cfg", "ini"),
        ("a.yml.in", "yaml"), ("a.json.in", "json"),
    ],
)  # fmt: skip
def test_the_ending_tells_the_format(name: str, kind: str) -> None:
    assert config_kind(name) == kind


def test_another_ending_is_an_error() -> None:
    with pytest.raises(GuildError, match=r"unsupported config file 'a\.toml'") as e:
        config_kind("a.toml")
    assert ".json" in e.value.hint


def test_yaml_is_written_sorted_in_blocks(tmp_path: Path) -> None:
    text = "z: 1\nb:\n  z: [1, 2]\n  x: text\nempty: {}\n"
    flags = {"z": 2.5, "b.x": "new", "b.new": True, "a": None}
    assert filled(tmp_path, "c.yml", text, flags) == (
        "b:\n  new: true\n  x: new\n  z:\n  - 1\n  - 2\nempty: {}\nz: 2.5\n"
    )


def test_json_is_written_on_one_line(tmp_path: Path) -> None:
    text = '{"z": 1, "b": {"x": [1]}}'
    assert filled(tmp_path, "c.json", text, {"z": "é", "b.y": 1e-5}) == (
        '{"b": {"x": [1], "y": 1e-05}, "z": "\\u00e9"}'
    )


def test_ini_has_python_texts(tmp_path: Path) -> None:
    text = "[DEFAULT]\nlr = 1\nKeep = %d%%\n[net]\nlayers = 2\n"
    flags = {"lr": 0.5, "net.layers": 3, "net.wide": True, "new.key": [1, "a"], "gone": None}
    assert filled(tmp_path, "c.ini", text, flags) == (
        "[DEFAULT]\nlr = 0.5\nKeep = %d%%\n\n[net]\nlayers = 3\nwide = True\n\n[new]\nkey = [1, 'a']\n\n"
    )


def test_a_null_flag_leaves_what_the_file_has(tmp_path: Path) -> None:
    assert filled(tmp_path, "c.yml", "a: 1\n", {"a": None}) == "a: 1\n"


def test_flags_win_over_params(tmp_path: Path) -> None:
    assert filled(tmp_path, "c.yml", "a: 1\n", {"a": 3}, params={"a": 2, "b.c": 2}) == "a: 3\nb:\n  c: 2\n"


def test_a_dot_is_a_level_unless_there_is_such_a_key(tmp_path: Path) -> None:
    assert (
        filled(tmp_path, "c.yml", "a.b: 1\nc: 1\n", {"a.b": 2, "c.d.e": 3}) == "a.b: 2\nc:\n  d:\n    e: 3\n"
    )
    assert filled(tmp_path, "d.yml", "a: {b.c: 1}\n", {"a.b.c": 2}) == "a:\n  b.c: 2\n"


def test_what_is_split_becomes_a_list_with_types(tmp_path: Path) -> None:
    defs = [FlagDef("a", arg_split="shlex"), FlagDef("b", arg_split="shlex"), FlagDef("c", arg_split="shlex")]
    flags = {"a": "1 2.5 'x z' true", "b": 3, "c": "it's", "d": "1 2"}
    assert yamlio.load(filled(tmp_path, "c.yml", "", flags, defs=defs)) == {
        "a": [1, 2.5, "x z", True], "b": [3], "c": ["it's"], "d": "1 2",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["c.yml", "c.json", "c.ini"])
def test_an_empty_file_is_an_empty_mapping(tmp_path: Path, name: str) -> None:
    assert "x" in filled(tmp_path, name, "", {"x": 1})


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("c.yml", "a: [1\n", "cannot read config file .*c.yml': line"),
        ("c.yml", "- 1\n", "must hold a mapping, and is a list"),
        ("c.json", "{", "cannot read config file .*c.json'"),
        ("c.json", "3", "must hold a mapping, and is a int"),
        ("c.json", "[" * 100_000, "cannot read config file"),
        ("c.ini", "x = 1\n", "cannot read config file .*c.ini'"),
        ("c.ini", "[a]\nx=1\nx=2\n", "already exists"),
        ("c.yml", "\udcff: 1\n", "cannot read config file"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GuildError, match=why):
        fill_in(tmp_path / name, {"x": 1}, {})


def test_keys_that_are_no_texts_do_no_harm(tmp_path: Path) -> None:
    text = filled(tmp_path, "c.yml", "2: a\nyes: b\nx: c\n", {"x": "d"})
    assert yamlio.load(text) == {2: "a", True: "b", "x": "d"}


def test_a_flag_below_a_plain_value_takes_its_place(tmp_path: Path) -> None:
    assert filled(tmp_path, "c.json", '{"a": 1}', {"a.b": 2}) == '{"a": {"b": 2}}'


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
VALUES = (
    st.integers(-(10**12), 10**12)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, Any], new: dict[str, Any]
) -> None:
    base = tmp_path_factory.getbasetemp()
    expected = {**old, **new}
    from_json = json.loads(filled(base, "h.json", json.dumps(old), new))
    from_yaml = yamlio.load(filled(base, "h.yml", yamlio.encode(old).decode(), new))
    for found in (from_json, from_yaml):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert type(found[name]) is type(value)
            assert found[name] == value or math.isclose(found[name], value)


@given(st.dictionaries(NAMES, st.integers() | st.from_regex(r"[a-z%$=:;#\[\]]{1,9}", fullmatch=True)))
def test_what_goes_into_an_ini_file_comes_out(
    tmp_path_factory: pytest.TempPathFactory, flags: dict[str, Any]
) -> None:
    text = filled(tmp_path_factory.getbasetemp(), "h.ini", "[s]\n", {f"s.{n}": v for n, v in flags.items()})
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert dict(parser["s"]) == {n: str(v) for n, v in flags.items()}
