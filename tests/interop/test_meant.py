"""The record of the differences that are meant."""

import re

from tests.house import ROOT
from tests.interop.meant import rows


def test_every_difference_that_is_meant_has_its_reason() -> None:
    without = [what for what, (_theirs, _ours, why) in rows().items() if not why]
    assert not without, f"docs/COMPATIBILITY.md gives no reason for {without}"


def test_every_row_that_a_test_allows_is_on_record() -> None:
    named = set()
    for path in (ROOT / "tests" / "interop").glob("*.py"):
        named |= set(re.findall(r'meant\(\s*"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")))
    assert named, "no test of this room allows a difference by its row"
    assert named <= set(rows()), f"not in docs/COMPATIBILITY.md: {sorted(named - set(rows()))}"


def test_no_difference_is_recorded_twice() -> None:
    text = (ROOT / "docs" / "COMPATIBILITY.md").read_text(encoding="utf-8")
    firsts = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    assert sorted(firsts) == sorted(set(firsts))
