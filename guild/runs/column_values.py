"""What a run has in a column, and how the runs are put in order by it."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from guild.base.text import format_time
from guild.runs import layout
from guild.runs.columns import Column
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

if TYPE_CHECKING:
    from guild.runs.scalars import ScalarSummary

SYSTEM = "sys/"
_ORIGINS = ("guildfile", "script", "import", "package", "builtin")


@dataclass(frozen=True)
class Moment:
    """A time or a duration: its text, and the number (µs) that it is sorted by."""

    text: str
    micros: int

    def __str__(self) -> str:
        return self.text


class RunValues:
    """The values of one run. What a column does not ask for is not read."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def value(self, column: Column) -> Any:
        """None where the run has no such thing. A damaged attribute counts as none."""
        if column.kind == "attr":
            return attr_value(self.seen, column.name)
        if column.kind == "flag":
            return self.seen.flags.get(column.name)
        scalar = self._by_key.get((column.prefix, column.name))
        return None if scalar is None else scalar_value(scalar, column.qualifier, column.step)

    @cached_property
    def _by_key(self) -> "Mapping[tuple[str | None, str], ScalarSummary]":
        """Each scalar by its prefix and tag, and the first of each tag by that alone."""
        found: dict[tuple[str | None, str], ScalarSummary] = {}
        for scalar in self.seen.scalars:
            found[scalar.prefix, scalar.tag] = scalar
            found.setdefault((None, scalar.tag), scalar)
        return found

    def default_columns(self, system: bool = False) -> list[tuple[str, Any]]:
        """(heading, value) of all flags, `step`, and the last value of all scalars, those of the system with
        `system` only. A tag that several event files have comes first without, then with their prefixes,
        unless these are of other runs (steps, trials), which have rows of their own."""
        found = sorted(self.seen.flags.items())
        scalars = [s for s in self.seen.scalars if system or not s.tag.startswith(SYSTEM)]
        first: dict[str, ScalarSummary] = {}
        others = []
        for scalar in scalars:
            if first.setdefault(scalar.tag, scalar) is not scalar and not self._is_linked(scalar.prefix):
                others.append((Column("scalar", scalar.tag, scalar.prefix).heading, scalar.last_val))
        tags = sorted(first)
        if tags:
            found.append(("step", first["loss" if "loss" in first else tags[0]].last_step))
        found += [(tag, first[tag].last_val) for tag in tags]
        return found + others

    def _is_linked(self, prefix: str) -> bool:
        """Whether a directory lies in another run: only links to runs are followed to event files."""
        return (self.seen.run.path / prefix.partition("/")[0]).is_symlink()


def scalar_value(scalar: "ScalarSummary", qualifier: str, step: bool) -> float | int:
    """Of a scalar, what a column's qualifier (by default `last`) asks for; or its step."""
    match qualifier:
        case "total":
            return scalar.total
        case "count":
            return scalar.count
        case "avg":
            return scalar.avg_val
    name = f"{qualifier or 'last'}_{'step' if step else 'val'}"
    value: float | int = getattr(scalar, name)
    return value


def attr_value(seen: Seen, name: str) -> Any:
    """A computed attribute, else the one that the run has on disk."""
    computed = _COMPUTED.get(name)
    if computed is not None:
        return computed(seen)
    # Attributes are files: a name that leads elsewhere is none.
    return None if "/" in name or name.startswith(".") else seen.run.attr(name)


def _moment(seen: Seen, name: str) -> Moment | None:
    micros = seen.run.int_attr(name)
    return None if micros is None else Moment(format_time(micros), micros)


def _took(seen: Seen) -> Moment | None:
    micros = elapsed(seen)
    return None if micros is None else Moment(duration(micros), micros)


def elapsed(seen: Seen) -> int | None:
    """How long a run took, or has taken until now (µs)."""
    started = seen.run.int_attr(layout.STARTED)
    if seen.status is RunStatus.RUNNING:
        stopped: int | None = time.time_ns() // 1000
    elif seen.status.is_ended:
        stopped = seen.run.int_attr(layout.STOPPED)
    else:
        return None
    return None if started is None or stopped is None or stopped < started else stopped - started


def duration(micros: int) -> str:
    """`H:MM:SS`."""
    minutes, seconds = divmod(micros // 1_000_000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def origin(seen: Seen) -> str | None:
    """The guildfile, the directory of the script, or the package."""
    opref = seen.run.opref
    return opref.name if opref is not None and opref.type in _ORIGINS else None


def _sourcecode(seen: Seen) -> str | None:
    digest = seen.run.attr("sourcecode_digest")
    return None if digest is None else str(digest)[:8]


_COMPUTED: dict[str, Callable[[Seen], Any]] = {
    "id": lambda seen: seen.id,
    "run": lambda seen: seen.run.short_id,
    "short_id": lambda seen: seen.run.short_id,
    "operation": lambda seen: seen.operation,
    "model": lambda seen: seen.operation_parts()[1] or None,
    "op": lambda seen: seen.operation_parts()[2],
    "from": origin,
    "status": lambda seen: seen.status.value,
    "started": lambda seen: _moment(seen, layout.STARTED),
    "stopped": lambda seen: _moment(seen, layout.STOPPED),
    "time": _took,
    "sourcecode": _sourcecode,
    "label": lambda seen: seen.label or None,
}


# A run that has no value for one of these does not have its own attributes asked instead.
COMPUTED = frozenset(_COMPUTED)


def sort_key(value: Any) -> tuple[int, float, str] | None:
    """Numbers before texts; None for what is not there, or is not a number, and comes last."""
    if value is None or value == "":
        return None
    if isinstance(value, Moment):
        return (0, float(value.micros), "")
    if isinstance(value, int | float):
        try:
            return (0, float(value), "") if value == value else None
        except OverflowError:
            return (0, float("inf") if value > 0 else float("-inf"), "")
    try:
        return (1, 0.0, str(value))
    except (RecursionError, ValueError):
        return (1, 0.0, "")


def in_order(values: Iterable[Any], descending: bool = False) -> list[int]:
    """The places of the values from the lowest (or the highest) on; equals in the order in which they stand.

    Numbers come before texts and what is not there comes last, whatever the direction.
    """
    keys = [sort_key(value) for value in values]
    order: list[int] = []
    for kind in (0, 1):
        of_kind = [at for at, key in enumerate(keys) if key is not None and key[0] == kind]
        order += sorted(of_kind, key=lambda at: keys[at] or (0, 0.0, ""), reverse=descending)
    return order + [at for at, key in enumerate(keys) if key is None]
