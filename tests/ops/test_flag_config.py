from pathlib import Path

import pytest

from guild.ops.flag_config import ConfigError, import_config, load_config
from guild.ops.opdef import FlagDef
from guild.ops.resolve import Context, resolve

YAML = """
a: {b: 1, c: [1, 2, x y], d: {}, e: null, f: text, g: yes, h: []}
x: 1.5
date: 2020-01-01
"""
INI = "[DEFAULT]\nx=1\nY=t\n[s]\nz=2.5\nl=[1,2]\nb=yes\n%a=%(b)s\n"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, None, "python", {})


def test_nested_keys_of_yaml_become_dotted_flags(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text(YAML)
    found = import_config(path, "config:c.yml")
    assert found.flags == (
        FlagDef("a.b", default=1, type="number"),
        FlagDef("a.c", default="1 2 'x y'", arg_split=True),
        FlagDef("a.e"),
        FlagDef("a.f", default="text", type="string"),
        FlagDef("a.g", default=True, type="boolean"),
        FlagDef("a.h", default="", arg_split=True),
        FlagDef("x", default=1.5, type="number"),
    )
    assert (found.dest, found.warnings) == ("config:c.yml", ())


def test_json_and_templates_are_read_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"a": {"b": 1}, "n": null}')
    (tmp_path / "d.yaml.in").write_text("a: 1\n")
    assert load_config(tmp_path / "c.json") == {"a": {"b": 1}, "n": None}
    assert load_config(tmp_path / "d.yaml.in") == {"a": 1}


def test_the_defaults_of_ini_stand_alone_and_in_each_section(tmp_path: Path) -> None:
    (tmp_path / "c.ini").write_text(INI)
    assert load_config(tmp_path / "c.ini") == {
        "x": 1,
        "Y": "t",
        "s": {"z": 2.5, "l": "[1,2]", "b": True, "%a": "%(b)s", "x": 1, "Y": "t"},
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.yml", "a: [\n", "line 2"),
        ("c.json", "{", "invalid JSON"),
        ("c.json", "[" * 100_000, "invalid JSON"),
        ("c.ini", "x", "invalid INI"),
        ("c.ini", "\udcff", "invalid INI"),
        ("c.toml", "a = 1", "expected a name that ends with .yml"),
    ],
)
def test_a_config_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / name)
    [warning] = import_config(tmp_path / name, "config:x").warnings
    assert warning.startswith(f"cannot import flags from {tmp_path / name}: ")


def test_a_config_that_is_missing_or_holds_no_names_gives_a_warning(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("[1]\n")
    assert "holds no names" in import_config(tmp_path / "c.yml", "x").warnings[0]
    assert "No such file" in import_config(tmp_path / "gone.yml", "x").warnings[0]


@pytest.mark.parametrize(
    ("attrs", "flags"),
    [
        ("flags-import: all", {"a": 1, "b": 2}),
        ("flags-import: all, flags-import-skip: a", {"b": 2}),
        ("flags-import: [b]", {"b": 2}),
        ("flags-import: no, flags: {c: 1}", {"c": 1}),
        ("flags: {a: 5, c: 3}", {"a": 5, "c": 3}),
        ("flags: {a: {description: A}}", {"a": 1}),
        ("tags: x", {}),
    ],
)
def test_flags_of_a_config_file_are_imported_by_the_usual_rules(
    context: Context, attrs: str, flags: dict[str, int]
) -> None:
    (context.cwd / "c.yml").write_text("a: 1\nb: 2\n")
    (context.cwd / "train.py").write_text("lr = 0.1\n")
    (context.cwd / "guild.yml").write_text(f"train: {{flags-dest: 'config:c.yml', {attrs}}}\n")
    opdef = resolve("train", context, []).opdef
    assert {f.name: f.default for f in opdef.flags} == flags
    assert opdef.flags_dest == "config:c.yml"


def test_flags_of_what_is_required_come_last_unless_the_operation_has_one_of_that_name(
    context: Context,
) -> None:
    (context.cwd / "guild.yml").write_text(
        "a: {exec: x, requires: [operation: up, operation: own], flags: {z: 1, 'operation:own': 3}}\n"
    )
    flags = resolve("a", context, []).opdef.flags
    assert [f.name for f in flags] == ["z", "operation:own", "operation:up"]
    assert flags[1].default == 3
