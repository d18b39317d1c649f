"""Dependencies as the attribute `op` records them: what goes in comes out, and damaged data does no harm."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.launch.dependency_attr import from_attr, renames, to_attr
from guild.ops.coerce import Entry, Faults
from guild.ops.guildfile_requires import read_requires
from guild.ops.opdef import Dependency, Rename

ALL: dict[str, Any] = {
    "name": "all",
    "target-path": "t",
    "target-type": "link",
    "default-unpack": False,
    "preserve-path": True,
    "sources": [
        "plain.txt",
        {
            "file": "a.zip", "name": "n", "flag-name": "f", "sha256": "0" * 64, "unpack": False,
            "type": "zip", "select": ["a.*", "b"], "select-min": "(a)", "select-max": "(b)",
            "rename": ["a b", "c d"],
            "optional": True, "warn-if-empty": False, "fail-if-empty": True, "target-path": "s",
            "target-type": "copy", "preserve-path": False, "post-process": "ls", "replace-existing": True,
            "always-resolve": True, "help": "h",
        },
        {"url": "http://x/y.tar.gz", "path": "p"},
        {"module": "json"},
        {"config": "c.yml", "params": {"a": 1}},
        {"operation": "prep", "flag-name": False, "rename": {"pattern": "a", "repl": "b"}},
    ],
}  # fmt: skip


def read(requires: Any) -> tuple[Dependency, ...]:
    faults = Faults(Path("guild.yml"))
    found = read_requires(Entry({"requires": requires}, (), faults), "/p", lambda name: None)
    faults.raise_any()
    return found


def test_what_a_guildfile_says_is_recorded_and_read_back() -> None:
    for requires in (ALL, {"file": "x.txt"}, {"operation": "a,b", "target-path": "up"}):
        written = read(requires)
        assert from_attr(to_attr(written, {})) == written


def test_the_values_of_the_flags_that_tell_places_are_recorded() -> None:
    deps = read([{"operation": "prep"}, {"file": "x", "flag-name": "x"}, {"file": "y"}])
    written = to_attr(deps, {"operation:prep": "a" * 32, "x": None, "file:y": "z", "lr": 1})
    assert [item.get("config") for item in written] == [{"operation:prep": "a" * 32}, {"x": None}, None]


def test_a_dependency_of_guild_0_9_is_read() -> None:
    (dep,) = from_attr(
        [{"config": {"operation:prep": "x"}, "location": "/proj", "name": "operation:prep",
          "sources": [{"operation": "prep"}]}]
    )  # fmt: skip
    assert (dep.name, dep.location, dep.sources[0].uri) == ("operation:prep", "/proj", "operation:prep")
    assert "config" not in dep.attr


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        {},
        "x",
        [1, None, "x"],
        [{}],
        [{"sources": 3}],
        [{"sources": [3, {}, {"file": 4}, {"x": "y"}]}],
    ],
)
def test_what_is_no_dependency_is_left_out(data: Any) -> None:
    assert from_attr(data) == ()


def test_a_rename_is_a_text_a_map_or_a_list_of_these() -> None:
    assert renames("a b c") == (Rename("a", "b c"),)
    assert renames("a") == (Rename("a", ""),)
    assert renames([{"pattern": "a", "repl": "b"}, "c d", 3, {"repl": "x"}]) == (
        Rename("a", "b"),
        Rename("c", "d"),
    )
    assert renames(None) == ()


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from([*ALL, *ALL["sources"][1], "operation", "url", "path", "params", "location", "config"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=6) | JSON, max_size=3))
def test_any_data_is_read_without_an_error_and_written_again(data: Any) -> None:
    deps = from_attr(data)
    assert from_attr(to_attr(deps, {})) == deps
