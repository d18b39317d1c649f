"""Which runs a run depends on, and whether they are ready for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from guild.errors import GuildError
from guild.launch.upstream import Standing, is_of, operation_sources, pin, standing, upstream_ids
from guild.ops.opdef import Dependency, ResourceSource
from guild.runs import attrs, layout
from guild.runs.run import Run

A, B, C, D = ("a" * 32, "b" * 32, "a" + "c" * 31, "d" * 32)


@pytest.fixture
def runs(tmp_path: Path) -> "Runs":
    return Runs(tmp_path)


class Runs:
    """Runs in a directory."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.made: list[Run] = []

    def __call__(self) -> Sequence[Run]:
        return self.made

    def make(self, run_id: str, op: str = "prep", state: str = "completed", at: int = 1, **kw: Any) -> Run:
        run = Run(self.base / run_id)
        (run.guild_dir / layout.ATTRS).mkdir(parents=True)
        (run.guild_dir / layout.OPREF).write_text(
            f"guildfile:/p/guild.yml abc {kw.pop('model', repr(''))} {op}"
        )
        codes = {"completed": 0, "error": 1, "terminated": -15}
        values: dict[str, Any] = {"id": run_id, "initialized": at, **kw}
        if state in codes:
            values.update(started=at, exit_status=codes[state])
        else:
            (run.guild_dir / state.upper()).touch()
        attrs.write_new_attrs(run.guild_dir, values)
        self.made.append(run)
        return run


def deps(*targets: str, **kw: Any) -> list[Dependency]:
    return [Dependency("r", tuple(ResourceSource("operation", t, **kw) for t in targets), "/p")]


def pinned(runs: Runs, values: Mapping[str, Any] | None = None, target: str = "prep", **kw: Any) -> Any:
    allow = kw.pop("allow", False)
    given = values or {}
    return pin(deps(target, **kw), given, given, runs, allow)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("completed", Standing.READY), ("terminated", Standing.READY), ("error", Standing.FAILED),
        ("staged", Standing.WAIT), ("pending", Standing.WAIT),
    ],
)  # fmt: skip
def test_the_status_tells_whether_a_run_is_ready(runs: Runs, state: str, expected: Standing) -> None:
    assert standing(runs.make(A, state=state)) is expected


def test_a_run_that_is_not_there_is_gone() -> None:
    assert standing(None) is Standing.GONE


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("prep", True), ("pre", False), ("prep2", False), ("other,prep", True), ("other, prep", True),
        ("pre.*", True), ("m:prep", True), ("x:prep", False), ("m:.*", True),
    ],
)  # fmt: skip
def test_an_operation_is_matched_as_a_whole(runs: Runs, target: str, expected: bool) -> None:
    run = runs.make(A, model="m")
    assert is_of(run, ResourceSource("operation", target)) is expected


def test_a_pattern_that_is_none_is_named(runs: Runs) -> None:
    with pytest.raises(GuildError, match="operation:pre\\(: invalid regular expression"):
        is_of(runs.make(A), ResourceSource("operation", "pre("))


def test_the_ids_of_upstream_runs_are_told_once_each_and_in_order() -> None:
    found = deps("prep", "other", "third", "fourth")
    values = {"operation:prep": B, "operation:other": A, "operation:third": B, "operation:fourth": "a/path"}
    assert upstream_ids(found, values) == (B, A)
    assert [s.target for s in operation_sources(found)] == ["prep", "other", "third", "fourth"]
    assert upstream_ids(deps("prep", flag_name=""), values) == ()


def test_a_run_now_takes_the_latest_that_has_ended_well(runs: Runs) -> None:
    runs.make(A, at=1)
    runs.make(B, at=3, state="terminated")
    runs.make(C, at=4, state="error")
    runs.make(D, at=5, state="staged")
    runs.make("e" * 32, at=6, op="other")
    assert pinned(runs, {"x": 1}) == {"x": 1, "operation:prep": B}


def test_a_staged_run_may_wait_for_one_to_come(runs: Runs) -> None:
    runs.make(A, at=1)
    runs.make(D, at=5, state="staged")
    assert pinned(runs, allow=True) == {"operation:prep": D}


def test_the_marked_run_comes_first(runs: Runs) -> None:
    runs.make(A, at=1, marked=True)
    runs.make(B, at=2)
    runs.make(C, at=3, state="error", marked=True)
    assert pinned(runs) == {"operation:prep": A}


def test_without_a_run_nothing_is_filled_in(runs: Runs) -> None:
    runs.make(A, state="error")
    assert pinned(runs, {"x": 1}) == {"x": 1}


def test_the_beginning_of_an_id_is_filled_up(runs: Runs) -> None:
    runs.make(A)
    runs.make(B, state="error")
    runs.make(C)
    assert pinned(runs, {"operation:prep": "ac"}) == {"operation:prep": C}
    assert pinned(runs, {"operation:prep": "b"}) == {"operation:prep": B}


def test_a_beginning_that_names_several_or_none_is_an_error(runs: Runs) -> None:
    runs.make(A)
    runs.make(C)
    runs.make(B, op="other")
    with pytest.raises(GuildError, match=rf"matches several runs of prep:\n  {A}\n  {C}"):
        pinned(runs, {"operation:prep": "a"})
    for wrong in ("b", "ffff"):
        with pytest.raises(GuildError, match=f"operation:prep={wrong}: there is no run of prep"):
            pinned(runs, {"operation:prep": wrong})


def test_an_id_that_yaml_takes_for_a_number_is_found(runs: Runs) -> None:
    runs.make("1234" + "0" * 28)
    assert pinned(runs, {"operation:prep": 1234}) == {"operation:prep": "1234" + "0" * 28}


@pytest.mark.parametrize("value", [D, [A, B], "some/run", "./run", "/run"])
def test_whole_ids_lists_and_paths_stay_as_they_are(runs: Runs, value: Any) -> None:
    assert pinned(runs, {"operation:prep": value}) == {"operation:prep": value}


def test_a_source_without_a_flag_is_left_alone(runs: Runs) -> None:
    runs.make(A)
    assert pinned(runs, flag_name="") == {}
    assert pinned(runs, flag_name="run") == {"run": A}
    assert pinned(runs, name="up") == {"up": A}


def test_nobody_looks_for_runs_without_need() -> None:
    def never() -> Sequence[Run]:
        raise AssertionError("looked")

    assert pin(deps("prep"), {"operation:prep": A}, {}, never, False) == {"operation:prep": A}
    assert pin([], {"x": 1}, {}, never, False) == {"x": 1}
