"""Whether an expression holds, against Guild's answers and a naive model."""

import datetime
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.evaluation import Computed, cheapest_first, matches
from guild.runs.expressions import (
    UNDEFINED,
    And,
    Comparison,
    Expr,
    Name,
    Not,
    Op,
    Or,
    Value,
    parse_expression,
)
from tests.runs.test_expressions import several

HAVE: dict[str, Any] = {
    "i": 1,
    "f": 0.5,
    "s": "Hello World",
    "n1": "1",
    "word": "yes",
    "b": True,
    "l": [1, "x", 2],
    "m": {"k": 1},
    "nan": math.nan,
    "big": 1 << 20_000,
    "date": datetime.date(2024, 1, 1),
    "id": Computed("12345678"),
    "e": Computed("3e100000"),
    "started": Computed("2024-11-30 10:00:00", is_time=True),
    "time": Computed("0:01:05", 65.0),
    "label": Computed(""),
    "none": None,
}


def holds(text: str, have: Mapping[str, Any] = HAVE) -> bool:
    return matches(parse_expression(text), lambda name: have.get(name.name, UNDEFINED))


@pytest.mark.parametrize(
    "text",
    [
        "i = 1", "i = 1.0", "i is 1", "i != 2", "i < 1.5", "i >= 1", "i in [2, 1]", "i not in [2]",
        "i != '1'", "n1 = '1'", "n1 != 1", "i = true", "b = 1", "b = yes", "b != no", "b = TRUE",
        "word = yes",
        "s = 'Hello World'", "s != 'hello world'", "s contains hello", "s contains 'O W'", "s > A", "s < a",
        "i contains 1", "f contains .5", "l contains 1", "l contains x", "l not contains '1'",
        "l not contains X", "m contains k", "l = [1, x, 2]", "l in [[1, x, 2]]", "l != [1, x]", "i != [1]",
        "nan is nan", "not nan > 0", "nan != 0", "f != nan",
        "big > 1e300", "big > 5", "big not contains 7",
        # what is not there
        "x is undefined", "x != 1", "x not in [1]", "x not contains a", "not x = 1", "i is not undefined",
        # what is shown as a text
        "id = 12345678", "id in [12345678, 1]", "id contains 345", "e = 3e100000", "id != 1",
        "started > 2024", "started > 2024-11-30", "started < '2024-12'", "started contains 10:00",
        "time > 60", "time < 66", "time = 65", "time = 0:01:05", "time contains :01:",
        "label = ''", "label is undefined", "id is not undefined", "label != a",
    ],
)  # fmt: skip
def test_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "s > 5", "s < 5", "id > 1", "id < 2", "i > abc", "i < abc", "x < 1", "x > 1", "x <= undefined",
        "s contains [hello]", "m = k", "l > 1", "l < [9]", "none = 1", "none > 1", "date > 2000",
        "x = undefined and x in []", "x contains undefined",
        "s = hello", "b = maybe", "word = no", "s = yes", "time = [65]", "label < undefined",
        "id contains undefined", "i = undefined", "i in []", "nan = 1",
    ],
)  # fmt: skip
def test_does_not_hold(text: str) -> None:
    assert not holds(text)


# A naive model: each value a number, a text or nothing.
PLAIN = st.integers(-3, 3) | st.sampled_from([0.5, -0.5]) | st.sampled_from(["", "a", "ab", "B"])
THINGS = st.dictionaries(st.sampled_from("xyz"), PLAIN)
SIMPLE = st.builds(
    Comparison,
    st.builds(Name, st.just(""), st.sampled_from("xyz")),
    st.sampled_from([op for op in Op if op not in (Op.IN, Op.NOT_IN)]),
    PLAIN.map(lambda v: Value(v, "" if isinstance(v, str) else str(v))),
) | st.builds(
    Comparison,
    st.builds(Name, st.just(""), st.sampled_from("xyz")),
    st.sampled_from([Op.IN, Op.NOT_IN]),
    st.lists(PLAIN.map(Value), max_size=3).map(tuple).map(Value),
)
TREES: st.SearchStrategy[Expr] = st.recursive(SIMPLE, several, max_leaves=8)


def model(expr: Expr, have: Mapping[str, Any]) -> bool:
    if isinstance(expr, Not):
        return not model(expr.item, have)
    if isinstance(expr, And | Or):
        answers = [model(item, have) for item in expr.items]
        return False not in answers if isinstance(expr, And) else True in answers
    left, right = have.get(expr.name.name), expr.value.value
    if isinstance(right, tuple):
        return (left in [item.value for item in right]) is (expr.op is Op.IN)
    if expr.op in (Op.CONTAINS, Op.NOT_CONTAINS):
        found = left is not None and str(right).lower() in str(left).lower()
        return found is (expr.op is Op.CONTAINS)
    if expr.op in (Op.EQ, Op.NE):
        return (left == right) is (expr.op is Op.EQ)
    if left is None or isinstance(left, str) is not isinstance(right, str):
        return False
    sign = (left > right) - (left < right)
    return sign in {Op.LT: [-1], Op.LE: [-1, 0], Op.GT: [1], Op.GE: [0, 1]}[expr.op]


@given(TREES, THINGS)
def test_evaluation_agrees_with_the_model(expr: Expr, have: dict[str, Any]) -> None:
    assert matches(expr, lambda name: have.get(name.name, UNDEFINED)) is model(expr, have)


@given(TREES, THINGS, st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3)))
def test_the_cheapest_first_means_the_same(expr: Expr, have: dict[str, Any], costs: dict[str, int]) -> None:
    arranged = cheapest_first(expr, lambda name: costs.get(name.name, 0))
    assert model(arranged, have) is model(expr, have)


@given(
    TREES,
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.dates() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)
def test_no_value_makes_the_evaluation_fail(expr: Expr, value: Any) -> None:
    matches(expr, lambda name: value)


def test_what_is_dear_is_not_looked_up_where_the_cheap_decides() -> None:
    asked = []

    def lookup(name: Name) -> Any:
        asked.append(name.name)
        return 1

    cost = {"cheap": 1, "dear": 2}
    for text in (
        "dear = 1 and cheap = 2",
        "dear = 2 or not cheap = 2",
        "not (dear = 1 and cheap = 2)",
        "(dear = 1 or dear = 2) and cheap = 2",
    ):
        matches(cheapest_first(parse_expression(text), lambda name: cost[name.name]), lookup)
    assert asked == ["cheap"] * 4
