"""The recorded differences: a test that lets one pass names its row in docs/COMPATIBILITY.md."""

import re
from functools import cache

from tests.house import ROOT


@cache
def rows() -> dict[str, tuple[str, str, str]]:
    """The table: what -> (in Guild 0.9, here, why)."""
    text = (ROOT / "docs" / "COMPATIBILITY.md").read_text(encoding="utf-8")
    found: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| What |"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            what, theirs, ours, why = (*cells, "", "", "")[:4]
            found[what] = (theirs, ours, why)
    return found


def meant(what: str) -> str:
    """The reason for a difference, by the first cell of its row.

    Raises:
        AssertionError: there is no such row; a difference that is not recorded is a bug.
    """
    assert what in rows(), f"docs/COMPATIBILITY.md has no row {what!r}"
    return rows()[what][2]
