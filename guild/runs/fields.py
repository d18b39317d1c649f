"""Fields: what the names in a filter expression mean for a run, and what looking them up costs."""

from collections.abc import Callable
from datetime import date
from typing import Any

from guild.runs.column_values import COMPUTED, Moment, RunValues, attr_value
from guild.runs.columns import Column
from guild.runs.evaluation import Computed, cheapest_first, matches
from guild.runs.expressions import UNDEFINED, Expr, Name
from guild.runs.seen import Seen

_NO_FILE = frozenset(("id", "run", "short_id"))


def expression_filter(expr: Expr) -> Callable[[Seen], bool]:
    """Whether an expression holds for a run. Scalars are read only where nothing else answers it."""
    arranged = cheapest_first(expr, _cost)
    return lambda seen: matches(arranged, Fields(seen).get)


def _cost(name: Name) -> int:
    if name.prefix in ("", "attr") and name.name in COMPUTED:
        return 0 if name.name in _NO_FILE else 1
    return {"attr": 1, "flag": 2, "": 3, "scalar": 4}[name.prefix]


class Fields:
    """The values of one run, by name."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._values = RunValues(seen)

    def get(self, name: Name) -> Any:
        """UNDEFINED where the run has nothing of this name, or null."""
        readers: dict[str, Callable[[str], Any]] = {
            "attr": self._attr,
            "flag": self._flag,
            "scalar": self._scalar,
        }
        for prefix in [name.prefix] if name.prefix else readers:
            value = readers[prefix](name.name)
            if value is not None:
                return value
        return UNDEFINED

    def _attr(self, name: str) -> Any:
        if name in COMPUTED:
            return _computed(name, attr_value(self._seen, name))
        return _plain(attr_value(self._seen, name))

    def _flag(self, name: str) -> Any:
        return _plain(self._seen.flags.get(name))

    def _scalar(self, name: str) -> Any:
        prefix, _, tag = name.rpartition("#")
        return self._values.value(Column("scalar", tag, prefix or None))


def _computed(name: str, value: Any) -> Computed | None:
    if isinstance(value, Moment):
        return Computed(value.text, value.micros / 1e6 if name == "time" else None, is_time=True)
    if value is None and name == "time":
        return None
    return Computed("" if value is None else str(value))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value
