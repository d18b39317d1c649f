"""`requires`: resources by name and in place, every kind of source, and faults that name their line."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildfileError
from guild.ops.coerce import Entry, Faults
from guild.ops.guildfile import load_guildfile
from guild.ops.guildfile_requires import KINDS, dependency_flags, read_requires
from guild.ops.opdef import Dependency, OpDef, Rename, ResourceSource

Find = Callable[[str, str | None, str], OpDef]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def load(text: str, model: str | None, name: str) -> OpDef:
        (tmp_path / "guild.yml").write_text(textwrap.dedent(text))
        return load_guildfile(tmp_path / "guild.yml").find(model, name).opdef

    return load


def read(requires: Any, resources: Any = None) -> tuple[Dependency, ...]:
    faults = Faults(Path("guild.yml"))

    def find(name: str) -> Any:
        found = (resources or {}).get(name)
        return None if found is None else (found, ("resources", name))

    deps = read_requires(Entry({"requires": requires}, ("train",), faults), "/p", find)
    faults.raise_any()
    return deps


def source(data: Any) -> ResourceSource:
    (dep,) = read(data)
    (found,) = dep.sources
    return found


def fault(requires: Any, resources: Any = None) -> str:
    with pytest.raises(GuildfileError) as e:
        read(requires, resources)
    return e.value.message


# The forms.


@pytest.mark.parametrize("value", [None, []])
def test_nothing_is_no_dependency(value: Any) -> None:
    assert read(value) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_source_can_stand_in_place(kind: str) -> None:
    (dep,) = read({kind: "x"})
    uri = "x" if kind == "url" else f"{kind}:x"
    assert (dep.name, dep.sources[0].kind, dep.sources[0].uri, dep.location) == (uri, kind, uri, "/p")


def test_a_list_keeps_its_order() -> None:
    deps = read([{"file": "a"}, {"operation": "b"}, "r"], {"r": ["c", {"url": "http://d"}]})
    assert [d.name for d in deps] == ["file:a", "operation:b", "r"]
    assert [s.uri for s in deps[2].sources] == ["file:c", "http://d"]


def test_a_resource_is_called_by_its_name_with_or_without_a_model() -> None:
    found = {"r": ["c"], "m:r": {"sources": ["d"], "target-path": "t"}}
    assert read("r", found)[0].name == "r"
    (dep,) = read({"resource": "m:r"}, found)
    assert (dep.name, dep.target_path, dep.sources[0].uri) == ("r", "t", "file:d")


def test_a_resource_in_place_is_called_like_its_sources_unless_it_has_a_name() -> None:
    assert read({"sources": ["a", {"file": "b", "name": "bee"}]})[0].name == "file:a,bee"
    assert read({"sources": ["a"], "name": "r"})[0].name == "r"
    assert read({"file": "a", "name": "bee"})[0].name == "bee"


def test_operations_may_be_a_list() -> None:
    assert source({"operation": ["a", "b"]}).target == "a,b"


def test_a_second_source_of_one_address_is_left_out_within_a_resource() -> None:
    (dep,) = read({"sources": ["a", {"file": "a", "select": "x"}, {"file": "a", "name": "again"}]})
    assert [(s.uri, s.name, s.select) for s in dep.sources] == [("file:a", "", ()), ("file:a", "again", ())]
    assert len(read([{"file": "a"}, {"file": "a"}])) == 2


def test_the_attributes_of_a_resource_are_read() -> None:
    data = {
        "sources": ["a"], "target-type": "link", "default-unpack": False, "preserve-path": True, "path": "p",
        "description": "d",
    }  # fmt: skip
    (dep,) = read("r", {"r": data})
    assert (dep.target_type, dep.default_unpack, dep.preserve_path, dep.target_path, dep.description) == (
        "link", False, True, "p", "d",
    )  # fmt: skip
    assert dep.attr == data


def test_the_attributes_of_a_source_are_read() -> None:
    found = source(
        {"file": "a", "flag-name": "f", "sha256": "AB" * 32, "unpack": False, "type": "tar", "select": "x.*",
         "select-min": "(a)", "select-max": "(b)", "optional": True, "warn-if-empty": False,
         "fail-if-empty": True, "path": "p", "target-type": "link", "preserve-path": False,
         "post-process": "ls", "replace-existing": True, "always-resolve": True, "params": {"n": 1},
         "help": "h", "rename": ["a b", {"pattern": "c", "repl": "d e"}, {"pattern": "f"}]}
    )  # fmt: skip
    assert found == ResourceSource(
        "file", "a", flag_name="f", sha256="ab" * 32, unpack=False, type="tar", select=("x.*",),
        select_min="(a)", select_max="(b)", optional=True, warn_if_empty=False, fail_if_empty=True,
        target_path="p", target_type="link", preserve_path=False, post_process="ls", replace_existing=True,
        always_resolve=True, params={"n": 1}, help="h",
        rename=(Rename("a", "b"), Rename("c", "d e"), Rename("f", "")),
    )  # fmt: skip


def test_what_is_not_said_has_its_default() -> None:
    assert source({"file": "a"}) == ResourceSource("file", "a")


# Faults.


@pytest.mark.parametrize(
    ("requires", "text"),
    [
        ("nix", "train.requires: there is no resource 'nix'; for a file write 'file: nix'"),
        ({"resource": "nix"}, "train.requires.resource: there is no resource 'nix'"),
        (3, "train.requires: expected a mapping, got int 3"),
        ([{"file": "a"}, 3], "train.requires.item 2: expected a mapping"),
        ({}, "expected exactly one of file, url, module, config, operation, got nothing"),
        ({"flie": "a"}, "expected exactly one of file, url, module, config, operation, got flie"),
        ({"file": "a", "url": "b"}, "got file and url"),
        ({"file": ""}, "train.requires.file: expected a name, got an empty text"),
        ({"file": True}, "train.requires.file: expected a text, got bool True"),
        ({"operation": []}, "train.requires.operation: expected a name"),
        ({"sources": "a"}, "train.requires.sources: expected a list, got str 'a'"),
        ({"sources": ["a", 3]}, "train.requires.sources.item 2: expected a mapping, got int 3"),
        ({"file": "a", "sha256": "ab"}, "train.requires.sha256: expected 64 hexadecimal digits"),
        ({"file": "a", "type": "rar"}, "train.requires.type: expected one of zip, tar, gzip"),
        ({"file": "a", "target-type": "lnik"}, "(did you mean 'link'?)"),
        ({"file": "a", "select": "("}, "train.requires.select: invalid regular expression '('"),
        ({"file": "a", "select-max": "a"}, "expected a regular expression with a group, got 'a'"),
        ({"file": "a", "select-min": ["(a)"]}, "train.requires.select-min: expected a text"),
        ({"file": "a", "rename": "a"}, "expected 'PATTERN REPL' or a mapping of pattern and repl"),
        ({"file": "a", "rename": {"patern": "a"}}, "expected 'PATTERN REPL'"),
        ({"file": "a", "rename": "( b"}, "train.requires.rename: invalid regular expression '('"),
        ({"file": "a", "rename": r"a \1"}, "train.requires.rename: cannot rename by 'a \\1'"),
        ({"file": "a", "optional": "maybe"}, "train.requires.optional: expected yes or no"),
        ({"config": "a", "params": 3}, "train.requires.params: expected a mapping"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place_and_what_was_expected(requires: Any, text: str) -> None:
    assert text in fault(requires)


def test_a_fault_in_a_resource_is_told_where_the_resource_is() -> None:
    assert "resources.r.sources.item 1: expected exactly one" in fault("r", {"r": {"sources": [{"x": 1}]}})
    assert "resources.r: expected 'sources'" in fault("r", {"r": {"path": "x"}})
    assert "resources.r: expected a mapping" in fault("r", {"r": 3})


def test_a_fault_names_file_and_line(find: Find, tmp_path: Path) -> None:
    with pytest.raises(GuildfileError) as e:
        find(
            """\
            train:
              main: train
              requires:
                - file: a
                - file: b
                  target-type: copi
            """,
            None,
            "train",
        )
    assert e.value.message.startswith(
        f"error in {tmp_path / 'guild.yml'}:6: train.requires.item 2.target-type:"
    )


def test_an_unknown_attribute_is_a_warning() -> None:
    faults = Faults(Path("guild.yml"))
    read_requires(Entry({"requires": {"file": "a", "slect": "x"}}, (), faults), "/p", lambda name: None)
    assert faults.warnings() == (
        "guild.yml: requires.slect: unknown attribute 'slect' (did you mean 'select'?)",
    )


# In a guildfile.


def test_resources_of_the_model_another_one_and_its_parents_are_found(find: Find, tmp_path: Path) -> None:
    train = find(
        """\
        - config: base
          resources: {common: [c.txt]}
        - model: m
          extends: base
          resources:
            data: {sources: [{file: d.zip}], target-path: in}
          operations:
            train: {main: train, requires: [data, common, 'n:other']}
        - model: n
          resources: {other: [o.txt]}
          operations: {x: {main: x}}
        """,
        "m",
        "train",
    )
    assert [(d.name, d.target_path, [s.uri for s in d.sources]) for d in train.requires] == [
        ("data", "in", ["file:d.zip"]), ("common", "", ["file:c.txt"]), ("other", "", ["file:o.txt"]),
    ]  # fmt: skip
    assert {d.location for d in train.requires} == {str(tmp_path)}


# Flags.


def test_each_source_whose_place_can_be_told_has_a_flag() -> None:
    deps = read([{"operation": "prep"}, {"file": "a", "flag-name": "data", "help": "Data"}, {"file": "b"},
                 {"operation": "x", "flag-name": False}, {"operation": "y", "name": "why"},
                 {"config": "c.yml", "flag-name": "cfg"}])  # fmt: skip
    flags = dependency_flags(deps)
    assert [(f.name, f.alias, f.description, f.arg_skip) for f in flags] == [
        ("operation:prep", "prep", "Run of prep to use", True),
        ("data", None, "Data", True),
        ("operation:x", "x", "Run of x to use", True),
        ("why", None, "Run of y to use", True),
        ("cfg", None, "Path for config:c.yml", True),
    ]
    assert {f.name: f.default for f in flags if f.default is not None} == {"data": "a"}


def test_two_sources_of_one_flag_have_one() -> None:
    assert len(dependency_flags(read([{"operation": "prep"}, {"operation": "prep", "select": "x"}]))) == 1
