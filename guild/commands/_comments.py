"""The comments of a run as they are shown, whatever the attribute holds."""

from collections.abc import Mapping
from typing import Any

from guild.base.text import format_time, printable
from guild.runs.run import Run


def comments_of(run: Run) -> list[dict[str, Any]]:
    """user, host, time (as text) and body of each; by the same number as in the attribute."""
    return [
        _comment(entry if isinstance(entry, dict) else {"body": entry}) for entry in run.list_attr("comments")
    ]


def _comment(entry: Mapping[str, Any]) -> dict[str, Any]:
    when = entry.get("time")
    return {
        "user": _text(entry.get("user")),
        "host": _text(entry.get("host")),
        "time": format_time(when if isinstance(when, int) else None),
        "body": _text(entry.get("body")),
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def comment_lines(comment: Mapping[str, Any], head: str, indent: int = 2) -> list[str]:
    """`HEADuser@host time`, a blank line, the text with its line breaks, a blank line."""
    who = f"{comment['user']}@{comment['host']}"
    first = f"{head}{who if who != '@' else '?'} {comment['time']}".rstrip()
    body = comment["body"].splitlines() or [""]
    return [printable(first), "", *(f"{' ' * indent}{printable(line)}".rstrip() for line in body), ""]
