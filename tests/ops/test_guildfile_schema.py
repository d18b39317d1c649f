"""docs/guildfile.schema.json says what the readers of guildfiles take."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from guild.ops import guildfile_requires, guildfile_steps
from guild.ops.guildfile import MODEL_ATTRS, load_guildfile
from guild.ops.guildfile_flags import CHOICE_ATTRS, FLAG_ATTRS, FLAG_TYPES
from guild.ops.guildfile_source import SOURCE_ATTRS
from guild.ops.includes import PACKAGE_ATTRS
from guild.ops.operation import OP_ATTRS
from tests.house import ROOT
from tests.ops import test_inherit

jsonschema = pytest.importorskip("jsonschema")

EXAMPLES = sorted((ROOT / "examples").rglob("guild.yml"))


@cache
def schema() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((ROOT / "docs" / "guildfile.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(data)
    return data


def is_valid(text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(yaml.safe_load(text)))


def names(definition: str) -> set[str]:
    return set(schema()["$defs"][definition]["properties"])


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_the_examples_are_valid(path: Path) -> None:
    assert is_valid(path.read_text())
    assert load_guildfile(path).check()[1] == ()


GOOD = [
    "",
    "[]",
    "train: train --x 1",
    "train: {}",
    "model: {main: x}",
    "{model: m, operations: {a: x}}",
    "- operations: {a: {exec: [echo, 1]}}",
    "- model: ''\n  operations: {a: x}",
    "- package: p\n  version: 1.0\n  data-files: [a]\n- include: [a.yml, b.yml]",
    test_inherit.BASES,
    test_inherit.SHARED,
    "op: {main: x, flags: {a: , b: [1], c: {default: 2020-01-01, hue: 1}}}",
    "op: {flags: {a: {choices: [1, {value: a, alias: b, flags: {x: 1}}]}}}",
    "op: {flags-import: all, flags-dest: 'config:a.yml', default: yes}",
    "op: {flags-import: [a], flags-dest: args:click, env: {A: yes}, tags: [1, a]}",
    "op: {sourcecode: no}",
    "op: {sourcecode: [include: '*.py', exclude: {dir: [build], text: a}]}",
    "op: {sourcecode: {root: .., dest: code, select: [exclude: a]}}",
    "op: {optimizers: {gp: , a: {algorithm: b, x: 1}}, objective: {maximize: acc}, default-max-trials: 5}",
    "op: {requires: [data, 'm:data', {file: a.txt, select: a}, {resource: x}]}",
    "op: {requires: {sources: [a, {url: 'http://a'}], target-type: link}}",
    "op: {requires: {operation: train, flag-name: no}}",
    "- model: m\n  resources: {a: [file: x], b: {sources: [{operation: [a, b]}], target-path: d}}",
    "op: {steps: [a x=1, {run: b, name: c, flags: {x: 1}, needed: yes, expect: [{output: a}, {file: b}]}]}",
    "- model: m\n  params: {t: yes}\n  operations: {a: {default: '{{ t }}', default-max-trials: '{{ n }}'}}",
    "op: {output-scalars: no, stoppable: yes, publish: {files: all}, plugins: all}",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_guildfiles_are_valid(text: str) -> None:
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "train: 3",
        "train:",
        "- 3",
        "- {model: a, config: b}",
        "- foo: 1",
        "- include: {a: 1}",
        "op: {man: x}",
        "op: {default: 1}",
        "op: {flags: [a]}",
        "op: {flags: {x: {type: foo}}}",
        "op: {flags: {x: {min: a}}}",
        "op: {flags: {x: {choices: a}}}",
        "op: {flags: {x: {choices: [{name: a}]}}}",
        "op: {flags-dest: nowhere}",
        "op: {tags: {a: 1}}",
        "op: {objective: {most: a}}",
        "op: {sourcecode: {foo: 1}}",
        "op: {sourcecode: [foo: 1]}",
        "op: {sourcecode: [include: {any: a}]}",
        "op: {default-max-trials: 0}",
        "op: {requires: [{file: a, url: b}]}",
        "op: {requires: 3}",
        "op: {steps: [{name: a}]}",
        "op: {steps: [3]}",
        "op: {steps: [{run: a, expect: [{foo: 1}]}]}",
        "- model: m\n  extends: {a: 1}",
        "- model: m\n  params: [a]",
        "- model: m\n  operations: 3",
        "- model: m\n  operation-defaults: {foo: 1}",
        "- config: c\n  descripton: a",
    ],
)
def test_bad_guildfiles_are_not(text: str) -> None:
    assert not is_valid(text)


def test_good_guildfiles_are_read(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text("")
    for text in GOOD:
        (tmp_path / "guild.yml").write_text(text)
        strange = [w for w in load_guildfile(tmp_path / "guild.yml").check()[1] if "unknown" in w]
        assert strange == [], text


@pytest.mark.parametrize(
    ("definition", "known"),
    [
        ("model", MODEL_ATTRS),
        ("config", {*MODEL_ATTRS, "config"} - {"model"}),
        ("package", PACKAGE_ATTRS),
        ("operation", OP_ATTRS),
        ("flag", FLAG_ATTRS),
        ("choice", CHOICE_ATTRS),
        ("source", guildfile_requires.SOURCE_ATTRS),
        ("fullresource", set(guildfile_requires.RESOURCE_ATTRS) - {"resource"}),
        ("step", guildfile_steps._ATTRS),
        ("check", guildfile_steps.CHECK_ATTRS),
    ],
)
def test_the_schema_has_the_attributes_that_the_readers_know(definition: str, known: Any) -> None:
    assert names(definition) == set(known)


def test_the_schema_has_the_values_that_the_readers_know() -> None:
    flag_types = schema()["$defs"]["flag"]["properties"]["type"]["enum"]
    assert {t for t in flag_types if t is not None} == set(FLAG_TYPES)
    assert set(schema()["$defs"]["sourcecode"]["anyOf"][-1]["properties"]) == set(SOURCE_ATTRS)


def test_every_attribute_is_described() -> None:
    for name, definition in schema()["$defs"].items():
        for attr, value in definition.get("properties", {}).items():
            if name not in ("sourcerule", "patterns"):
                assert value.get("description"), f"{name}.{attr}"
