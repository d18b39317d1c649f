"""Whether a filter expression holds for something whose values can be looked up by name. Pure.

Values of different types are never equal and never less: a comparison of them is false, its negation true.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guild.runs.expressions import UNDEFINED, And, Comparison, Expr, Name, Not, Op, Or, Value

Lookup = Callable[[Name], Any]
_YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Computed:
    """A value with a text that people see: a word without quotes is compared with that, even if it looks
    like a number (an id of digits). `number`: what numbers are compared with instead, if anything. Only a
    time is less or greater than a number without one: than that year.

    With an empty text it counts as undefined, too.
    """

    text: str
    number: float | None = None
    is_time: bool = False


def matches(expr: Expr, lookup: Lookup) -> bool:
    """Whether the expression holds. `lookup` gives the value of a name, UNDEFINED where there is none; what
    it gives may be of any type. Names are looked up only until the answer is certain."""
    match expr:
        case Or(items):
            return any(matches(item, lookup) for item in items)
        case And(items):
            return all(matches(item, lookup) for item in items)
        case Not(item):
            return not matches(item, lookup)
        case Comparison(name, op, value):
            return _holds(lookup(name), op, value)


def cheapest_first(expr: Expr, cost: Callable[[Name], int]) -> Expr:
    """An expression of the same meaning, the parts whose names are cheap to look up coming first."""

    def price(item: Expr) -> int:
        match item:
            case Comparison(name):
                return cost(name)
            case Not(inner):
                return price(inner)
            case And(items) | Or(items):
                return max(map(price, items))

    def arrange(item: Expr) -> Expr:
        match item:
            case And(items):
                return And(tuple(sorted(map(arrange, items), key=price)))
            case Or(items):
                return Or(tuple(sorted(map(arrange, items), key=price)))
            case Not(inner):
                return Not(arrange(inner))
            case Comparison():
                return item

    return arrange(expr)


def _holds(have: Any, op: Op, want: Value) -> bool:
    match op:
        case Op.EQ:
            return _is_equal(have, want)
        case Op.NE:
            return not _is_equal(have, want)
        case Op.IN | Op.NOT_IN:
            items = want.value if isinstance(want.value, tuple) else ()
            return any(_is_equal(have, item) for item in items) is (op is Op.IN)
        case Op.CONTAINS | Op.NOT_CONTAINS:
            return _contains(have, want) is (op is Op.CONTAINS)
    if isinstance(have, Computed) and want.is_number and have.number is None and not have.is_time:
        return False
    left, right = _comparable(have, want)
    if left is None or right is None:
        return False
    if op is Op.LT:
        return bool(left < right)
    if op is Op.LE:
        return bool(left <= right)
    return bool(left > right if op is Op.GT else left >= right)


def _is_equal(have: Any, want: Value) -> bool:
    if want.value is UNDEFINED or have is UNDEFINED:
        is_undefined = have is UNDEFINED or (isinstance(have, Computed) and not have.text)
        return is_undefined and want.value is UNDEFINED
    if isinstance(want.value, tuple):
        return (
            isinstance(have, list | tuple)
            and len(have) == len(want.value)
            and all(_is_equal(h, w) for h, w in zip(have, want.value, strict=True))
        )
    if isinstance(have, bool) and want.word.lower() in _YES_NO:
        return have is _YES_NO[want.word.lower()]
    if isinstance(have, float) and want.word.lower() == "nan":
        return have != have
    left, right = _comparable(have, want)
    return left is not None and right is not None and bool(left == right)


def _comparable(have: Any, want: Value) -> tuple[Any, Any]:
    """Both sides as two numbers or two texts; (None, None) where they are neither."""
    if isinstance(have, Computed):
        if have.number is not None and want.is_number:
            return have.number, want.value
        return have.text, _text(want)
    if isinstance(want.value, str):
        return (have, want.value) if isinstance(have, str) else (None, None)
    if isinstance(want.value, int | float) and isinstance(have, int | float):
        return have, want.value
    return None, None


def _text(want: Value) -> str | None:
    if want.value is UNDEFINED:
        return None
    if want.word:
        return want.word
    return want.value if isinstance(want.value, str) else None


def _contains(have: Any, want: Value) -> bool:
    """Of a list or a map, whether it is one of its items or keys; else whether the text is part of it, in
    any case of the letters."""
    if isinstance(have, list | tuple | dict | set):
        return any(_is_equal(item, want) for item in have)
    part = _text(want)
    if have is UNDEFINED or part is None:
        return False
    try:
        whole = have.text if isinstance(have, Computed) else str(have)
    except ValueError:  # a number of thousands of digits
        return False
    return part.lower() in whole.lower()
