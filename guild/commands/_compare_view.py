"""The table to move in, without a terminal: what is selected and seen, what a key changes, what is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guild.base.text import pad, printable, shorten
from guild.base.text import width as width_of
from guild.commands._compare_table import RUN, Table, short_cell
from guild.runs.column_values import in_order

_WIDEST = 40
_GAP = "  "
Style = Literal["plain", "head", "row", "cell", "foot"]
# What is drawn in one line: pieces of text and how each looks.
Line = list[tuple[str, Style]]

HELP = (
    "Up, Down, PgUp, PgDn   move",
    "Home, End              first and last run",
    "Left, Right            choose a column",
    "1, 2                   sort by the column, lowest or highest first",
    "0                      newest first again",
    "/                      find a text; n finds the next one",
    "Enter                  all about the run",
    "r                      read the runs again",
    "?                      this help",
    "q                      quit; from a page like this: back",
)


@dataclass(frozen=True)
class Grid:
    """A table as text that is safe on a terminal. `widths`: of each column, as it is drawn."""

    table: Table
    headings: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, table: Table) -> "Grid":
        headings = tuple(map(printable, table.headings))
        texts = tuple(tuple(printable(short_cell(r, h)) for h in table.headings) for r in table.rows)
        widths = [min(_WIDEST, max(map(width_of, column))) for column in zip(headings, *texts, strict=True)]
        return cls(table, headings, texts, tuple(widths))


@dataclass(frozen=True)
class Page:
    """Text over the table: a run's details, or help."""

    title: str
    lines: tuple[str, ...]
    top: int = 0


@dataclass(frozen=True)
class View:
    """`order`: places in the grid from the first shown on; `row`: the selected one, counted in `order`;
    `top`, `left`: the first row and column seen (the run's id is always seen)."""

    grid: Grid
    order: tuple[int, ...]
    height: int
    width: int
    row: int = 0
    column: int = 0
    top: int = 0
    left: int = 1
    sort: tuple[str, bool] | None = None  # heading, whether descending
    page: Page | None = None
    typing: bool = False  # what to find
    find: str = ""
    note: str = ""
    done: bool = False
    refresh: bool = field(default=False)

    @property
    def run_id(self) -> str:
        """Of the selected run; empty where there is none."""
        return self.grid.table.rows[self.order[self.row]].seen.id if self.order else ""

    @property
    def heading(self) -> str:
        return self.grid.table.headings[self.column]

    @property
    def body(self) -> int:
        """How many rows there is room for."""
        return max(1, self.height - 2)


def new_view(table: Table, height: int, width: int) -> View:
    return View(Grid.of(table), tuple(range(len(table.rows))), height, width)


def resized(view: View, height: int, width: int) -> View:
    return _settled(replace(view, height=height, width=width))


def reloaded(view: View, table: Table) -> View:
    """With what was read anew: the same run, column and order, as far as they are still there."""
    grid = Grid.of(table)
    heading, run_id = view.heading, view.run_id
    column = table.headings.index(heading) if heading in table.headings else 0
    fresh = replace(view, grid=grid, order=tuple(range(len(table.rows))), column=column, refresh=False)
    if view.sort is not None and view.sort[0] in table.headings:
        fresh = _sorted(fresh, *view.sort)
    else:
        fresh = replace(fresh, sort=None)
    return _settled(_selected(fresh, run_id, view.row))


def _selected(view: View, run_id: str, otherwise: int) -> View:
    ids = [view.grid.table.rows[at].seen.id for at in view.order]
    return replace(view, row=ids.index(run_id) if run_id in ids else otherwise)


def _sorted(view: View, heading: str, descending: bool) -> View:
    order = tuple(in_order(view.grid.table.column(heading), descending))
    return replace(view, order=order, sort=(heading, descending))


def _settled(view: View) -> View:
    """Selection and scrolling brought within what there is."""
    row = max(0, min(view.row, len(view.order) - 1))
    column = max(0, min(view.column, len(view.grid.headings) - 1))
    top = max(0, min(view.top, row, len(view.order) - view.body))
    top = max(top, row - view.body + 1)
    left = max(1, min(view.left, column or 1))
    while left < column and not _fits(view, left, column):
        left += 1
    return replace(view, row=row, column=column, top=top, left=left)


def _fits(view: View, left: int, column: int) -> bool:
    widths = view.grid.widths
    needed = widths[0] + sum(len(_GAP) + width for width in widths[left : column + 1])
    return needed <= view.width


# Keys. Named as here, else as the character itself.


def press(view: View, key: str) -> View:
    """What a key leads to. `refresh` and `done` say what is left to do for the caller."""
    view = replace(view, note="")
    if view.typing:
        return _type(view, key)
    if view.page is not None:
        return _turn(view, view.page, key)
    if key in _MOVES:
        return _settled(_MOVES[key](view))
    if key in ("1", "2") and view.order:
        return _settled(_selected(_sorted(view, view.heading, key == "2"), view.run_id, view.row))
    if key == "0":
        plain = replace(view, order=tuple(range(len(view.order))), sort=None)
        return _settled(_selected(plain, view.run_id, view.row))
    if key == "enter" and view.order:
        return replace(view, page=_details(view))
    if key == "n":
        return _found(view)
    changes: dict[str, View] = {
        "q": replace(view, done=True),
        "r": replace(view, refresh=True),
        "/": replace(view, typing=True, find=""),
        "?": replace(view, page=Page("Keys", HELP)),
    }
    return changes.get(key, view)


_MOVES: dict[str, Callable[[View], View]] = {
    "up": lambda v: replace(v, row=v.row - 1),
    "down": lambda v: replace(v, row=v.row + 1),
    "pgup": lambda v: replace(v, row=v.row - v.body, top=v.top - v.body),
    "pgdn": lambda v: replace(v, row=v.row + v.body, top=v.top + v.body),
    "home": lambda v: replace(v, row=0),
    "end": lambda v: replace(v, row=len(v.order) - 1),
    "left": lambda v: replace(v, column=v.column - 1),
    "right": lambda v: replace(v, column=v.column + 1),
}


def _turn(view: View, page: Page, key: str) -> View:
    steps = {"up": -1, "down": 1, "pgup": -view.body, "pgdn": view.body}
    ends = {"home": 0, "end": len(page.lines)}
    if key in steps or key in ends:
        last = max(0, len(page.lines) - view.body)
        top = max(0, min(last, ends.get(key, page.top + steps.get(key, 0))))
        return replace(view, page=replace(page, top=top))
    return replace(view, page=None) if key in ("q", "enter", "esc", "?", "left") else view


def _type(view: View, key: str) -> View:
    if key == "enter":
        return _found(replace(view, typing=False))
    if key == "esc":
        return replace(view, typing=False, find="")
    if key == "backspace":
        return replace(view, find=view.find[:-1])
    return replace(view, find=view.find + key) if len(key) == 1 and key.isprintable() else view


def _found(view: View) -> View:
    """The next run, from the one below on and around, that shows the text, in any case, in any column."""
    text = view.find.casefold()
    if not text:
        return view
    count = len(view.order)
    for step in range(1, count + 1):
        row = (view.row + step) % count
        at = view.order[row]
        cells = (view.grid.table.rows[at].seen.id, *view.grid.texts[at])
        if any(text in cell.casefold() for cell in cells):
            return _settled(replace(view, row=row))
    return replace(view, note=f"'{view.find}' is not found")


def _details(view: View) -> Page:
    at = view.order[view.row]
    row = view.grid.table.rows[at]
    run = row.seen.run
    lines = [f"id: {run.id}", f"run_dir: {run.path}"]
    lines += [
        f"{heading}: {text}"
        for heading, text in zip(view.grid.headings, view.grid.texts[at], strict=True)
        if heading != RUN
    ]
    lines += ["", "flags:", *(f"  {name}: {value}" for name, value in sorted(row.seen.flags.items()))]
    lines += ["", "scalars:"]
    lines += [f"  {s.key}: {s.last_val:f} (step {s.last_step})" for s in row.seen.scalars]
    return Page(f"Run {run.short_id}", tuple(printable(line) for line in lines))


# Drawing.


def draw(view: View) -> list[Line]:
    """The lines of the screen, from the top; none is wider than it."""
    if view.page is not None:
        page = view.page
        body: list[Line] = [[(t, "plain")] for t in page.lines[page.top : page.top + view.body]]
        lines: list[Line] = [[(page.title, "head")], *body]
        foot = "q: back" + (_page_place(page, view.body))
    else:
        lines = [_draw_head(view)]
        shown = view.order[view.top : view.top + view.body]
        lines += [_draw_row(view, at, view.top + i == view.row) for i, at in enumerate(shown)]
        foot = _foot(view)
    while len(lines) < view.height - 1:
        lines.append([])
    last: Line = [(foot.ljust(view.width), "foot")]
    lines = lines[: max(0, view.height - 1)]
    return [_cut(line, view.width) for line in (*lines, last)]


def _page_place(page: Page, body: int) -> str:
    last = min(len(page.lines), page.top + body)
    return "" if len(page.lines) <= body else f"   lines {page.top + 1} to {last} of {len(page.lines)}"


def _foot(view: View) -> str:
    if view.typing:
        return f"/{printable(view.find)}_"
    if view.note:
        return printable(view.note)
    place = f"run {view.row + 1} of {len(view.order)}" if view.order else "no runs"
    order = ""
    if view.sort is not None:
        order = f", by {printable(view.sort[0])}, {'highest' if view.sort[1] else 'lowest'} first"
    return f"{place}{order}   ?: help  q: quit"


def _columns(view: View) -> Sequence[int]:
    return [0, *range(view.left, len(view.grid.widths))]


def _draw_head(view: View) -> Line:
    line: Line = []
    for column in _columns(view):
        text = pad(shorten(view.grid.headings[column], _WIDEST), view.grid.widths[column])
        line += [(text, "cell" if column == view.column else "head"), (_GAP, "head")]
    return line


def _draw_row(view: View, at: int, selected: bool) -> Line:
    line: Line = []
    plain: Style = "row" if selected else "plain"
    for column in _columns(view):
        text = pad(shorten(view.grid.texts[at][column], _WIDEST), view.grid.widths[column])
        style: Style = "cell" if selected and column == view.column else plain
        line += [(text, style), (_GAP, plain)]
    return line


def _cut(line: Line, width: int) -> Line:
    cut: Line = []
    for text, style in line:
        if width <= 0:
            break
        cut.append((text[:width], style))
        width -= width_of(text)
    return cut
