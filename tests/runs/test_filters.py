"""Filters on runs as they lie on disk, damaged ones among them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import NO_FILTERS, Filters
from guild.runs.run import Run
from guild.runs.seen import Seen
from guild.runs.status import RunStatus
from guild.runs.time_range import TimeRange
from tests.made_runs import EPOCH, damage, make_run


def is_meant(run: Run, **filters: Any) -> bool:
    return Filters(**filters).match(Seen(run))


@pytest.fixture
def train(tmp_path: Path) -> Run:
    return make_run(
        tmp_path,
        "t" * 32,
        model="m",
        started=10,
        attrs={
            "label": "best x=1",
            "tags": ["a", 7],
            "comments": [{"body": "Nice one", "user": "Bob", "host": "Box", "time": 1}],
            "sourcecode_digest": "abcdef",
        },
    )


@pytest.mark.parametrize(
    "spec",
    [
        "train",
        "m:train",
        "m:",
        "m:*",
        "*:train",
        "t*n",
        ":train",
        "^m:",
        "ain$",
        "^m:train$",
    ],
)
def test_an_operation_is_named_by_its_parts_or_a_pattern(train: Run, spec: str) -> None:
    assert is_meant(train, operations=(spec,))
    assert is_meant(train, operations=("other", spec))


@pytest.mark.parametrize(
    "spec",
    [
        "tr",
        "x:train",
        "p/train",
        "m/train",
        "Train",
        "^train",
        "m$",
        "t????",
        "[st]rain",
        "*/train",
        "a:b:c",
        "x:",
        "p/",
        "train+",
    ],
)
def test_a_part_of_a_name_is_not_enough(train: Run, spec: str) -> None:
    assert not is_meant(train, operations=(spec,))


@pytest.mark.parametrize("spec", ["", ":", "/", "+", "^(", "[$"])
def test_an_operation_that_cannot_be_understood_is_an_error_and_not_every_run(spec: str) -> None:
    with pytest.raises(GuildError, match=re.escape(f"--operation: {spec!r}")):
        Filters(operations=(spec,))


def test_an_operation_of_a_package_and_a_batch(tmp_path: Path) -> None:
    packaged = make_run(tmp_path, "p", opref="package:pk 1 m train")
    for spec in ("pk/m:train", "pk/train", "pk/", "pk/m:", "p*/train", "m:train", "train"):
        assert is_meant(packaged, operations=(spec,)), spec
    assert not is_meant(packaged, operations=("x/train",))
    batch = make_run(tmp_path, "b", opref="builtin:guildai 0.9.0 skopt random")
    proto = batch.guild_dir / layout.PROTO / layout.GUILD_DIR
    proto.mkdir(parents=True)
    (proto / layout.OPREF).write_text("guildfile:/p/guild.yml v m train")
    for spec in ("m:train+skopt:random", "train+skopt:random", "train+*", "m:*+skopt:*", "^m:train"):
        assert is_meant(batch, operations=(spec,)), spec
    for spec in ("train", "m:train", "train+", "train+random", "x:train+skopt:random"):
        assert not is_meant(batch, operations=(spec,)), spec


def test_an_operation_whose_name_is_a_path_is_named_by_all_of_it(tmp_path: Path) -> None:
    run = make_run(tmp_path, "x", opref="script:/p '' '' a/b/c.sh")
    assert is_meant(run, operations=("a/b/c.sh",))
    assert not is_meant(run, operations=("c.sh",))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"labels": ("best",)}, True),
        ({"labels": ("-", "x=")}, True),
        ({"labels": ("Best",)}, False),
        ({"labels": ("-",)}, False),
        ({"unlabeled": True}, False),
        ({"tags": ("b", "a")}, True),
        ({"tags": ("7",)}, True),
        ({"tags": ("A",)}, False),
        ({"comments": ("nice",)}, True),
        ({"comments": ("BOB",)}, True),
        ({"comments": ("zz", "box")}, True),
        ({"comments": ("bob@box",)}, False),
        ({"marked": True}, False),
        ({"marked": False}, True),
        ({"digest": "abc"}, True),
        ({"digest": "bcd"}, False),
        ({"statuses": frozenset({RunStatus.COMPLETED, RunStatus.ERROR})}, True),
        ({"statuses": frozenset({RunStatus.ERROR})}, False),
        ({"not_statuses": frozenset({RunStatus.COMPLETED})}, False),
        ({"not_statuses": frozenset({RunStatus.ERROR, RunStatus.STAGED})}, True),
        ({"started": (TimeRange(EPOCH, EPOCH + 11_000_000),)}, True),
        ({"started": (TimeRange(EPOCH + 10_000_001),)}, False),
        ({"started": (TimeRange(EPOCH), TimeRange(None, EPOCH))}, False),
    ],
)  # fmt: skip
def test_each_kind_of_filter(train: Run, filters: dict[str, Any], expected: bool) -> None:
    assert is_meant(train, **filters) is expected


def test_kinds_of_filters_narrow_one_another(train: Run) -> None:
    assert is_meant(train, operations=("train",), tags=("a",), comments=("nice",))
    assert not is_meant(train, operations=("train",), tags=("a",), comments=("bad",))


def test_a_run_without_a_start_is_found_by_when_it_was_made_and_one_without_any_time_is_in_no_range(
    tmp_path: Path,
) -> None:
    span = (TimeRange(None, EPOCH + 1),)
    made = make_run(tmp_path, "made", started=None, status="pending", attrs={"initialized": EPOCH})
    bare = make_run(tmp_path, "bare", started=None, status="staged")
    assert is_meant(made, started=span)
    assert not is_meant(bare, started=(TimeRange(),))


GARBAGE = [b"[: \xff", b"", b"null", b"5", b"text", b"[1, [2]]", b"{a: {b: 1}}", b"\x00", b"!!python/none x"]


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize(
    "attr", ["started", "label", "tags", "comments", "marked", "sourcecode_digest", "exit_status"]
)
def test_garbage_in_an_attribute_never_breaks_a_filter(train: Run, attr: str, data: bytes) -> None:
    damage(train, attr, data)
    for filters in (
        {"labels": ("x",)}, {"unlabeled": True}, {"tags": ("a",)}, {"comments": ("nice",)}, {"marked": True},
        {"digest": "a"}, {"statuses": frozenset({RunStatus.ERROR})}, {"started": (TimeRange(0),)},
    ):  # fmt: skip
        is_meant(train, **filters)
    assert is_meant(train)


def test_a_damaged_comment_is_still_searched(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", attrs={"comments": ["bare text", {"body": 5}, {"user": None}, None, [1]]})
    assert is_meant(run, comments=("bare",))
    assert is_meant(run, comments=("5",))
    assert not is_meant(run, comments=("none",))


def test_without_filters_nothing_is_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a")
    os.rename(run.path, tmp_path / "away")
    assert NO_FILTERS.match(Seen(run))
