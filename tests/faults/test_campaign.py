"""A short campaign of kills; docs/RELIABILITY.md has the figures of a long one."""

import sys
import time

import pytest

from tests.faults.campaign import campaign

KILLS = 60

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="what is killed is found in /proc"),
]


def test_of_what_was_staged_nothing_is_lost_or_executed_twice_or_stuck_whatever_is_killed() -> None:
    report = campaign(KILLS, seed=time.time_ns() % 100_000)
    assert not report.faults, report.to_json()
    assert report.count == KILLS
    assert report.ends["completed, executed"] > KILLS / 4, report.to_json()
    assert len(report.kills) >= 5, "few kinds of processes were met"
