"""Trials: every combination once, in order; searches stay in their ranges; the same seed, the same trials."""

import math
from collections.abc import Mapping
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.launch.batch import MAX_TRIALS, Space, describe, grid, is_search, search, searched
from guild.ops.opdef import Choice, FlagDef

LISTS = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(0, 5), max_size=4) | st.integers(), min_size=1
)


def space(user: Mapping[str, Any], rows: tuple[Mapping[str, Any], ...] = ({},), **more: Any) -> Space:
    names = {*user, *(n for row in rows for n in row), *more.pop("names", ())}
    return Space(tuple(FlagDef(n) for n in sorted(names)), user, rows, **more)


@given(LISTS)
def test_a_grid_has_every_combination_once_the_last_flag_changing_fastest(user: Mapping[str, Any]) -> None:
    names = sorted(user)
    options = [user[n] if isinstance(user[n], list) else [user[n]] for n in names]
    expected = [dict(zip(names, values, strict=True)) for values in product(*options)]
    assert grid(space(user), None, Random(1)) == expected


@given(LISTS, st.integers(1, 10), st.integers(0, 1000))
def test_a_limited_grid_is_a_choice_in_the_original_order(
    user: Mapping[str, Any], limit: int, seed: int
) -> None:
    everything = grid(space(user), None, Random(0))
    chosen = grid(space(user), limit, Random(seed))
    assert len(chosen) == min(limit, len(everything))
    if len(everything) > limit:  # the indices of Guild 0.9
        assert chosen == [everything[i] for i in sorted(Random(seed).sample(range(len(everything)), limit))]
    else:
        assert chosen == everything


def test_what_was_typed_comes_over_the_rows_of_a_file_and_multiplies_them() -> None:
    rows = ({"m": 7, "lr": 1}, {"m": 8})
    found = grid(space({"lr": [9, 10]}, rows), None, Random(1))
    assert found == [{"lr": 9, "m": 7}, {"lr": 10, "m": 7}, {"lr": 9, "m": 8}, {"lr": 10, "m": 8}]


def test_rows_leave_the_defaults_and_the_values_of_an_earlier_run_as_they_are() -> None:
    flags = (FlagDef("a", default=1), FlagDef("b", default=2))
    found = grid(Space(flags, {}, ({"a": 5}, {"b": 6}), base={"b": 3}), None, Random(1))
    assert found == [{"a": 5, "b": 3}, {"a": 1, "b": 6}]


def test_a_list_without_values_makes_no_trial() -> None:
    assert grid(space({"a": [], "b": [1, 2]}), None, Random(1)) == []


def test_the_choice_of_a_trial_sets_other_flags_of_that_trial() -> None:
    flags = (
        FlagDef("size", choices=(Choice("s", flags={"width": 8}), Choice("l", flags={"width": 64}))),
        FlagDef("width", default=1),
    )
    found = grid(Space(flags, {"size": ["s", "l"]}), None, Random(1))
    assert [t["width"] for t in found] == [8, 64]
    found = grid(Space(flags, {"size": ["s", "l"], "width": 3}), None, Random(1))
    assert [t["width"] for t in found] == [3, 3]


def test_more_trials_than_anybody_means_are_refused_but_a_limit_helps() -> None:
    many = {name: list(range(100)) for name in "abcd"}
    with pytest.raises(GuildError, match="100000000 trials are more than"):
        grid(space(many), None, Random(1))
    assert len(grid(space(many), 5, Random(1))) == 5
    assert MAX_TRIALS >= 10_000


@given(st.floats(-100, 100), st.floats(0.001, 100), st.integers(0, 99))
def test_a_uniform_search_stays_in_its_range(low: float, width: float, seed: int) -> None:
    text = f"uniform[{low!r}:{low + width!r}]"
    for trial in search(space({"x": text}), 5, Random(seed)):
        assert low <= trial["x"] <= low + width


@given(st.floats(1e-6, 10), st.floats(1.1, 1000), st.integers(0, 99))
def test_a_logarithmic_search_stays_in_its_range(low: float, factor: float, seed: int) -> None:
    for trial in search(space({"x": f"loguniform[{low!r}:{low * factor!r}]"}), 5, Random(seed)):
        assert low <= trial["x"] <= low * factor


def test_a_logarithmic_search_favours_no_order_of_magnitude() -> None:
    found = [t["x"] for t in search(space({"x": "loguniform[1e-4:1e-1]"}), 600, Random(3))]
    counts = [sum(1 for x in found if math.floor(math.log10(x)) == power) for power in (-4, -3, -2)]
    assert all(150 < count < 250 for count in counts), counts


def test_whole_ends_make_whole_numbers_both_of_them_included() -> None:
    found = {t["x"] for t in search(space({"x": "uniform[1:3]"}), 20, Random(1))}
    assert found == {1, 2, 3}
    assert {t["x"] for t in search(space({"x": "[1:3]"}), 20, Random(1))} == {1, 2, 3}
    flags = (FlagDef("x", type="int"),)
    assert {t["x"] for t in search(Space(flags, {"x": "uniform[0.5:3.4]"}), 20, Random(1))} == {1, 2, 3}


def test_a_flag_of_fractions_gets_fractions_whatever_the_ends_are() -> None:
    for flag in (FlagDef("x", type="float"), FlagDef("x", default=0.5, type="number")):
        found = [t["x"] for t in search(Space((flag,), {"x": "uniform[0:2]"}), 10, Random(1))]
        assert len(found) == 10
        assert all(isinstance(x, float) and x != int(x) for x in found)


def test_a_logarithmic_range_gives_fractions_unless_the_flag_is_whole() -> None:
    assert all(isinstance(t["x"], float) for t in search(space({"x": "loguniform[1:1000]"}), 9, Random(1)))
    whole = search(Space((FlagDef("x", type="int"),), {"x": "loguniform[1:1000]"}), 9, Random(1))
    assert all(isinstance(t["x"], int) and 1 <= t["x"] <= 1000 for t in whole)


def test_a_search_takes_of_a_list_any_value_and_no_trial_twice() -> None:
    found = search(space({"a": [1, 2], "b": ["x", "y"], "c": 3}), 50, Random(5))
    assert sorted((t["a"], t["b"], t["c"]) for t in found) == [
        (1, "x", 3),
        (1, "y", 3),
        (2, "x", 3),
        (2, "y", 3),
    ]


DEFINED = (
    FlagDef("lr", default=0.1, min=0.001, max=1),
    FlagDef("size", default=3, min=1, max=10),
    FlagDef("loss", default="a", choices=(Choice("a"), Choice("b"))),
    FlagDef("low", default=5, min=1),
    FlagDef("decay", min=1e-6, max=1, distribution="log-uniform"),
)


def test_a_search_tries_what_the_definitions_of_flags_allow_unless_a_value_is_given() -> None:
    found = search(Space(DEFINED, {"size": 4}, ({"loss": "b"},)), 40, Random(2))
    assert {(t["size"], t["loss"], t["low"]) for t in found} == {(4, "b", 5)}
    assert all(0.001 <= t["lr"] <= 1 for t in found)
    assert len({t["lr"] for t in found}) == 40
    assert sum(t["decay"] < 0.001 for t in found) > 10
    free = search(Space(DEFINED, {"lr": 1, "decay": 1}), 40, Random(2))
    assert {t["loss"] for t in free} == {"a", "b"}
    assert {t["size"] for t in free} == set(range(1, 11))
    earlier = search(
        Space(DEFINED, {"lr": "uniform[0.5:1]"}, base={"decay": 1, "size": 7, "loss": "b"}), 5, Random(2)
    )
    assert {(t["decay"], t["size"], t["loss"]) for t in earlier} == {(1, 7, "b")}


def test_a_grid_leaves_flags_that_are_not_given_at_their_defaults() -> None:
    found = grid(Space(DEFINED, {"low": [1, 2]}), None, Random(2))
    assert [(t["lr"], t["size"], t["loss"], t["low"]) for t in found] == [(0.1, 3, "a", 1), (0.1, 3, "a", 2)]


def test_the_space_of_a_flag_is_written_as_it_would_be_typed() -> None:
    assert searched(DEFINED, {"loss"}) == {
        "lr": "uniform[0.001:1:0.1]",
        "size": "uniform[1:10:3]",
        "decay": "loguniform[1.0e-06:1]",
    }
    assert searched((FlagDef("x", min=1, max=1),), ()) == {}


def test_the_first_trial_of_a_search_has_the_initial_values() -> None:
    found = search(space({"x": "uniform[0:9:7]", "y": "[0.0:1.0:0.25]", "z": "uniform[0:9]"}), 9, Random(4))
    assert (found[0]["x"], found[0]["y"]) == (7, 0.25)
    assert len({t["y"] for t in found}) == 9


def test_the_name_that_guild_0_9_gives_a_logarithmic_search_is_known() -> None:
    user = "log-uniform[0.001:1:0.1]"
    assert is_search({"x": user})
    assert search(space({"x": user}), 9, Random(3)) == search(
        space({"x": user.replace("-", "")}), 9, Random(3)
    )


def test_the_same_seed_makes_the_same_search_and_another_seed_another_one() -> None:
    user = {"a": "uniform[0.0:1.0]", "b": [1, 2, 3]}
    assert search(space(user), 10, Random(7)) == search(space(user), 10, Random(7))
    assert search(space(user), 10, Random(7)) != search(space(user), 10, Random(8))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("uniform[2:1]", "its ends are swapped"),
        ("loguniform[0:1]", "the lower end must be above 0"),
        ("normal[0:1]", "unknown search range"),
        ("uniform[a:b]", "unknown search range"),
        ("uniform[1:2:3:4]", "unknown search range"),
        ("uniform[0:inf]", "unknown search range"),
    ],
)
def test_a_search_range_that_makes_no_sense_is_named_with_its_flag(text: str, why: str) -> None:
    with pytest.raises(GuildError, match=why) as e:
        search(space({"x": text}), 3, Random(1))
    assert str(e.value).startswith(f"x={text}")


def test_a_range_without_whole_numbers_is_refused_for_a_whole_flag() -> None:
    with pytest.raises(GuildError, match="no whole number"):
        search(Space((FlagDef("x", type="int"),), {"x": "uniform[0.2:0.8]"}), 3, Random(1))


def test_search_ranges_are_seen_within_lists_too() -> None:
    assert is_search({"a": 1, "b": "uniform[0:1]"})
    assert is_search({"a": [1, "[0:1]"]})
    assert not is_search({"a": [1, 2], "b": "uniform", "c": None})


def test_a_trial_is_described_by_its_values_that_are_not_null() -> None:
    assert describe({"b": None, "c": "x y", "a": 0.5}) == "a=0.5, c='x y'"
