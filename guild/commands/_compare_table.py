"""The table of `guild compare`: columns of the core, of the operations and of the user, merged by heading."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from guild.errors import GuildError
from guild.runs.column_values import Moment, RunValues, attr_value, in_order
from guild.runs.columns import Column, parse_column
from guild.runs.seen import Seen

RUN = "run"
CORE = ("operation", "started", "time", "status", "label")
EXTRA = ("sourcecode",)
Headed = list[tuple[str, Column]]


@dataclass(frozen=True)
class Wanted:
    """What the table is to hold. `columns`: the user's; with `strict` there are no others."""

    columns: tuple[Column, ...] = ()
    strict: bool = False
    core: bool = True
    extra: bool = False
    of_ops: bool = True
    system: bool = False
    skip_unchanged: bool = False
    min: str | None = None
    max: str | None = None
    top: int | None = None


@dataclass(frozen=True)
class Row:
    """One run; `cells`: heading -> value, none of them None."""

    seen: Seen
    values: RunValues
    cells: dict[str, Any]


@dataclass(frozen=True)
class Table:
    headings: list[str]
    rows: list[Row]

    def column(self, heading: str) -> list[Any]:
        return [row.cells.get(heading) for row in self.rows]


def make_table(
    seen: Iterable[Seen], wanted: Wanted, of_op: Callable[[Seen], tuple[Column, ...] | None]
) -> Table:
    """The table of these runs, in order. `of_op`: the columns of a run's operation, None for the default.

    Raises GuildError for a `min` or `max` that no run has.
    """
    core = [*([] if wanted.strict or not wanted.core else CORE), *(EXTRA if wanted.extra else ())]
    headings = dict.fromkeys([RUN, *core])
    shown_as: dict[str, set[Column | None]] = {}  # None: a default column, or one of the core
    for name in headings:
        shown_as[name] = {None}
    rows, parsed = [], _HeadedColumns()
    for each in seen:
        values = RunValues(each)
        cells = {RUN: each.run.short_id}
        _fill(cells, [(name, attr_value(each, name)) for name in core])
        if wanted.of_ops and not wanted.strict:
            columns = of_op(each)
            if columns is None:
                found = values.default_columns(wanted.system)
                for name, _ in found:
                    shown_as.setdefault(name, {None})
            else:
                headed = parsed.of(columns)
                for name, column in headed:
                    shown_as.setdefault(name, set()).add(column)
                found = [(name, values.value(column)) for name, column in headed]
            headings.update(dict.fromkeys(name for name, _ in found))
            _fill(cells, found)
        rows.append(Row(each, values, cells))
    own = _headed(wanted.columns, shown_as)
    headings.update(dict.fromkeys(name for name, _ in own))
    for row in rows:
        _fill(row.cells, [(name, row.values.value(column)) for name, column in own])
    return _finished(Table(list(headings), rows), wanted)


def _fill(cells: dict[str, Any], found: Iterable[tuple[str, Any]]) -> None:
    """Of several values under one heading, the first that is there counts."""
    for name, value in found:
        if value is not None:
            cells.setdefault(name, value)


class _HeadedColumns:
    """The headings of lists of columns, worked out once for each list."""

    def __init__(self) -> None:
        self._known: dict[tuple[Column, ...], Headed] = {}

    def of(self, columns: tuple[Column, ...]) -> Headed:
        if columns not in self._known:
            self._known[columns] = _headed(columns, {})
        return self._known[columns]


def _headed(columns: Sequence[Column], shown_as: dict[str, set[Column | None]]) -> Headed:
    """Each with its heading; where that is also another one's, with the full one (`min loss`)."""
    taken: dict[str, set[Column | None]] = {name: set(others) for name, others in shown_as.items()}
    for column in columns:
        taken.setdefault(column.heading, set()).add(column)
    return [(c.heading if taken[c.heading] == {c} else c.full_heading, c) for c in columns]


def _finished(table: Table, wanted: Wanted) -> Table:
    rows = _sorted(table, wanted)[: wanted.top]
    table = Table(table.headings, rows)
    if not wanted.skip_unchanged or len(rows) < 2:
        return table
    kept = [h for h in table.headings if h == RUN or _changes(table.column(h))]
    return Table(kept, rows)


def _changes(values: list[Any]) -> bool:
    """Whether the column shows different things; times of the same second do not."""
    values = [value.text if isinstance(value, Moment) else value for value in values]
    return any(type(v) is not type(values[0]) or v != values[0] for v in values)


def _sorted(table: Table, wanted: Wanted) -> list[Row]:
    text = wanted.min if wanted.min is not None else wanted.max
    if text is None or not table.rows:
        return table.rows
    values = find_column(table, text)
    return [table.rows[at] for at in in_order(values, descending=wanted.min is None)]


def find_column(table: Table, text: str) -> list[Any]:
    """The values under a heading of the table; of a run that has none there, and where there is no such
    heading, those of the column that `text` spells.

    Raises GuildError where no run has one.
    """
    values = table.column(text) if text in table.headings else [None] * len(table.rows)
    if None in values:
        column = _column_or_heading(text, table)
        if column is not None:
            pairs = zip(values, table.rows, strict=True)
            values = [row.values.value(column) if value is None else value for value, row in pairs]
    if all(value is None for value in values):
        raise GuildError(
            f"no run has a value in the column '{text}'",
            "Take a heading of the table, or a column like 'min loss', '=flag' or '.attribute'.",
        )
    return values


def _column_or_heading(text: str, table: Table) -> Column | None:
    """None for a heading that is no column. Raises GuildError where it is neither."""
    try:
        return parse_column(text)
    except GuildError:
        if text in table.headings:
            return None
        raise


def plain_cell(row: Row, heading: str) -> str:
    """Python style, as Guild 0.9 prints it for other programs."""
    value = row.cells.get(heading)
    if value is None:
        return ""
    try:
        return str(value)
    except (RecursionError, ValueError):
        return "?"


def short_cell(row: Row, heading: str) -> str:
    """For people: numbers are cut after six decimals, marked runs are shown to be marked."""
    value = row.cells.get(heading)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        number, e, exponent = repr(value).partition("e")
        whole, point, decimals = number.partition(".")
        return whole + point + decimals[:6] + e + exponent
    text = plain_cell(row, heading)
    return f"{text} [marked]" if heading == "operation" and row.seen.is_marked else text
