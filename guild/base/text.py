"""Text for people: tables, times, shortening; nothing raw ever reaches the terminal."""

import re
import time
from collections.abc import Sequence

# C0 and C1 controls, and the characters that change the direction of a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_WIDEST = 1_000


def printable(text: str) -> str:
    """The text with control characters written as escapes, safe in a terminal's table.

    Undecodable bytes (surrogates) come out as `\\udcXX` escapes, so that printing never fails.
    """
    clean = _CONTROL.sub(lambda m: repr(m.group())[1:-1], text)
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")


def table(rows: Sequence[Sequence[str]], indent: int = 0) -> list[str]:
    """Left-aligned columns with two blanks between, as lines without trailing blanks. A text that would fill
    screens is cut."""
    if not rows:
        return []
    cells = [[shorten(printable(cell[: _WIDEST + 1]), _WIDEST) for cell in row] for row in rows]
    widths = [max(width(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        (" " * indent + "  ".join(pad(c, w) for c, w in zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def width(text: str) -> int:
    """How many columns of a terminal the text takes: two for a wide character, none for one that is set on
    top of the one before."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, columns: int) -> str:
    """The text with blanks up to this many columns of a terminal."""
    return text + " " * (columns - width(text))


def format_time(micros: int | None) -> str:
    """`YYYY-mm-dd HH:MM:SS` in local time; empty where there is none or it is out of range."""
    if micros is None:
        return ""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(micros / 1e6))
    except (OverflowError, ValueError, OSError):
        return ""


def shorten(text: str, columns: int) -> str:
    """At most so many columns of a terminal, with an ellipsis where something was left out."""
    if width(text) <= columns:
        return text
    if columns <= 0:
        return ""
    end = columns - 1
    while width(text[:end]) >= columns:
        end -= 1
    return text[:end] + "…"


def format_size(size: float) -> str:
    """`1.5G`, as `du -h` does."""
    for unit in ("", "K", "M", "G", "T"):
        if size < 1024:
            return f"{size:.0f}{unit}" if size >= 10 or not unit else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}P"
