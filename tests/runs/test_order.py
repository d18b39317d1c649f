"""The place of a staged run: priority, then restaged (latest first), then staged (first in, first out)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.order import Order, place_key

INTS = st.integers(-(2**62), 2**62)


@given(st.builds(Order, INTS, INTS, INTS))
def test_an_order_reads_back(order: Order) -> None:
    assert Order.from_bytes(order.to_bytes()) == order


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"started": "1"}',
        b'{"started": 1.5}',
        b'{"started": true}',
        b'{"started": 1, "priority": null}',
        b'{"started": 1, "restaged": []}',
        b"\xff",
    ],
)
def test_anything_else_is_no_order(data: bytes) -> None:
    with pytest.raises(ValueError):
        Order.from_bytes(data)


def test_staged_runs_go_first_in_first_out() -> None:
    places = {run: place_key(started, None, run) for run, started in (("b", 2), ("a", 3), ("c", 1))}
    assert sorted(places, key=lambda r: places[r]) == ["c", "b", "a"]


def test_restaged_runs_go_before_all_others_the_latest_first() -> None:
    places = {
        "old": place_key(1, None, "old"),
        "restaged": place_key(5, Order(5, restaged=5), "restaged"),
        "later": place_key(7, Order(7, restaged=7), "later"),
    }
    assert sorted(places, key=lambda r: places[r]) == ["later", "restaged", "old"]


def test_priority_goes_before_everything() -> None:
    places = {
        "restaged": place_key(9, Order(9, restaged=9), "restaged"),
        "urgent": place_key(8, Order(8, priority=1), "urgent"),
        "patient": place_key(1, Order(1, priority=-1), "patient"),
        "usual": place_key(2, None, "usual"),
    }
    assert sorted(places, key=lambda r: places[r]) == ["urgent", "restaged", "usual", "patient"]


@given(INTS, st.integers(-5, 5), st.integers(1, 9))
def test_an_order_of_an_earlier_start_is_void(started: int, priority: int, restaged: int) -> None:
    void = Order(started + 1, priority, restaged)
    assert place_key(started, void, "r") == place_key(started, None, "r")


def test_a_run_without_a_start_time_comes_first_among_its_like() -> None:
    assert place_key(None, None, "r") < place_key(1, None, "a")


@given(st.none() | INTS, st.none() | INTS)
def test_places_are_never_equal_for_two_runs(a: int | None, b: int | None) -> None:
    assert place_key(a, None, "a") != place_key(b, None, "b")
