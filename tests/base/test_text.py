"""Text for people: tables line up, and nothing raw reaches the terminal."""

import time

from hypothesis import given
from hypothesis import strategies as st

from guild.base.text import format_time, printable, shorten, table, width


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_can_be_printed_and_holds_no_controls(text: str) -> None:
    clean = printable(text)
    clean.encode("utf-8")
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200f" for c in clean)


@given(st.text("abc äö…漢🎉 -'\"\\", max_size=30))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_controls_and_undecodable_bytes_come_out_as_escapes() -> None:
    assert printable("a\x1b[2Jb\nc") == r"a\x1b[2Jb\nc"
    assert printable(b"\xff".decode("utf-8", "surrogateescape")) == r"\udcff"
    assert printable("\u202etxt.exe") == r"\u202etxt.exe"


def test_a_table_has_left_aligned_columns_and_no_trailing_blanks() -> None:
    rows = [("[1:a]", "train", "ok"), ("[10:bc]", "x", "")]
    assert table(rows, indent=1) == [" [1:a]    train  ok", " [10:bc]  x"]
    assert table([]) == []


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=1))
def test_a_table_has_one_line_for_each_row(rows: list[tuple[str, str]]) -> None:
    lines = table(rows)
    assert len(lines) == len(rows)
    assert all(line == line.rstrip() and "\n" not in line for line in lines)


def test_times_are_local_and_absent_ones_empty() -> None:
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_700_000_000))
    assert format_time(1_700_000_000_123_456) == local
    assert format_time(None) == ""
    assert format_time(10**30) == ""


@given(st.text(max_size=20), st.integers(-2, 25))
def test_shortened_text_fits_and_tells_that_it_is_shortened(text: str, columns: int) -> None:
    short = shorten(text, columns)
    assert width(short) <= max(columns, 0)
    if width(text) > columns > 0:
        assert short.endswith("…")
        assert text.startswith(short[:-1])
    else:
        assert short == (text if columns >= 0 and width(text) <= columns else "")


def test_wide_and_combining_characters_keep_the_columns_in_line() -> None:
    lines = table([["日本", "x"], ["e\u0301a", "x"], ["abcd", "x"]])
    assert lines == ["日本  x", "e\u0301a    x", "abcd  x"]


def test_one_huge_text_does_not_make_every_line_huge() -> None:
    lines = table([["x" * 3_000_000, "a"], ["b", "c"]])
    assert [len(line) for line in lines] == [1003, 1003]
    assert lines[0].endswith("x…  a")
