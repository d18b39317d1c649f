from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.commands._compare_table import Row, Table
from guild.commands._compare_view import View, draw, new_view, press, reloaded, resized
from guild.runs.column_values import RunValues
from guild.runs.run import Run
from guild.runs.seen import Seen


def row(run_id: str, **cells: Any) -> Row:
    seen = Seen(Run(Path("/nowhere") / run_id))
    return Row(seen, RunValues(seen), {"run": run_id, **cells})


def table(*rows: Row) -> Table:
    return Table(list(dict.fromkeys(h for r in rows for h in r.cells)) or ["run"], list(rows))


def some(count: int = 50) -> Table:
    return table(*(row(f"r{at:02}", loss=float(at % 7), name=f"name {at}") for at in range(count)))


def keys(view: View, *names: str) -> View:
    for name in names:
        view = press(view, name)
    return view


def shown(view: View) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in draw(view)]


def selected(view: View) -> str:
    """What is drawn as selected."""
    lines = [line for line in draw(view)[1:-1] if any(style in ("row", "cell") for _, style in line)]
    assert len(lines) == 1
    return lines[0][0][0].strip()


@pytest.fixture
def view() -> View:
    return new_view(some(), 10, 40)


def test_the_first_page_and_where_it_is_are_shown(view: View) -> None:
    lines = shown(view)
    assert lines[0] == "run  loss  name"
    assert lines[1] == "r00  0.0   name 0"
    assert len(lines) == 10
    assert lines[-1].startswith("run 1 of 50 ")
    assert selected(view) == "r00"


def test_keys_move_and_the_selection_stays_in_sight(view: View) -> None:
    assert selected(keys(view, "down", "down", "up")) == "r01"
    assert selected(keys(view, "up")) == "r00"
    assert selected(keys(view, "end")) == "r49"
    assert selected(keys(view, "end", "down", "pgdn")) == "r49"
    assert selected(keys(view, "pgdn")) == "r08"
    assert selected(keys(view, "pgdn", "pgup", "pgup")) == "r00"
    assert selected(keys(view, "end", "home")) == "r00"
    assert shown(keys(view, *["down"] * 8))[1].startswith("r01")


def test_columns_are_chosen_and_scrolled_with_the_run_always_in_sight() -> None:
    wide = new_view(table(row("a", **{f"column{at}": at for at in range(9)})), 5, 30)
    assert shown(wide)[0] == "run  column0  column1  column2"
    moved = keys(wide, *["right"] * 9)
    assert shown(moved)[0] == "run  column6  column7  column8"
    assert moved.heading == "column8"
    assert keys(moved, *["left"] * 20).heading == "run"
    assert shown(keys(moved, *["left"] * 20)) == shown(wide)


def test_a_column_sorts_and_the_run_stays_selected(view: View) -> None:
    view = keys(view, "down", "right", "2")
    assert (view.run_id, view.grid.table.rows[view.order[0]].seen.id) == ("r01", "r06")
    assert shown(view)[-1].startswith("run 36 of 50, by loss, highest first")
    assert selected(view) == "r01"
    view = keys(view, "1", "home")
    assert selected(view) == "r00"
    assert keys(view, "2", "0").order == tuple(range(50))


def test_a_text_is_found_in_any_case_and_the_search_goes_around(view: View) -> None:
    found = keys(view, "/", *"NAMEX", "backspace", *" 4", "enter")
    assert selected(found) == "r04"
    assert selected(keys(found, "n")) == "r40"
    assert selected(keys(found, *["n"] * 11)) == "r04"
    assert shown(keys(view, "/", *"ab"))[-1] == "/ab_"
    assert shown(keys(view, "/", *"zzz", "enter"))[-1] == "'zzz' is not found"
    assert keys(view, "/", "q", "esc") == view
    assert keys(view, "/", "q").done is False


def test_pages_come_and_go(view: View) -> None:
    helped = keys(view, "?")
    assert shown(helped)[0] == "Keys"
    assert "lines 1 to 8 of 10" in shown(helped)[-1]
    assert "lines 3 to 10 of 10" in shown(keys(helped, "end"))[-1]
    assert keys(helped, "q") == view
    details = shown(resized(keys(view, "down", "enter"), 30, 80))
    assert details[:5] == ["Run r01", "id: r01", "run_dir: /nowhere/r01", "loss: 1.0", "name: name 1"]
    assert keys(view, "q").done
    assert keys(view, "r").refresh


def test_a_refresh_keeps_the_run_the_column_and_the_order(view: View) -> None:
    view = keys(view, "right", "1", *["down"] * 3)
    chosen = view.run_id
    fresh = reloaded(view, table(row("new", loss=0.5, name="x"), *some(30).rows))
    assert (fresh.run_id, fresh.heading, fresh.refresh) == (chosen, "loss", False)
    assert fresh.sort == ("loss", False)
    gone = reloaded(view, table(row("other", name="x")))
    assert (gone.run_id, gone.heading, gone.sort) == ("other", "run", None)
    assert reloaded(view, table()).run_id == ""


def test_nothing_raw_is_drawn() -> None:
    view = new_view(table(row("a", **{"he\x1bad": "\x1b[31mred\nline"})), 5, 60)
    for lines in (shown(view), shown(keys(view, "enter")), shown(keys(view, "/", "\x1b"))):
        assert all(character.isprintable() for line in lines for character in line)


def test_an_empty_table_can_be_looked_at() -> None:
    view = new_view(table(), 10, 40)
    for name in ("down", "end", "right", "1", "2", "0", "enter", "n", "pgdn", "home", "left", "?", "q"):
        view = press(view, name)
    assert shown(new_view(table(), 10, 40))[-1].startswith("no runs ")


names = st.sampled_from(
    [
        "up",
        "down",
        "pgup",
        "pgdn",
        "home",
        "end",
        "left",
        "right",
        "1",
        "2",
        "0",
        "enter",
        "esc",
        "/",
        "n",
        "?",
        "q",
        "4",
    ]
)
sizes = st.tuples(st.integers(1, 12), st.integers(1, 60))


@given(st.integers(0, 12), sizes, st.lists(names | sizes, max_size=30))
def test_no_keys_on_no_screen_lose_the_selection_or_draw_beyond_the_edge(
    count: int, size: tuple[int, int], events: list[str | tuple[int, int]]
) -> None:
    view = new_view(some(count), *size)
    for event in events:
        view = press(view, event) if isinstance(event, str) else resized(view, *event)
        assert 0 <= view.row < max(1, count)
        lines = draw(view)
        assert len(lines) <= view.height
        assert all(sum(len(text) for text, _ in line) <= view.width for line in lines)
        if view.page is None and view.height > 2 and count:
            assert view.top <= view.row < view.top + view.body
            assert selected(view) == view.run_id[: view.width].strip()
