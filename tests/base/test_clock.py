"""Timestamps always increase, whatever the system's clock does."""

import threading
import time

import pytest

from guild.base.clock import SystemClock
from tests.helpers import FakeClock


def test_now_is_in_microseconds_since_the_epoch() -> None:
    before = time.time()
    micros = SystemClock().now()
    assert before - 0.001 <= micros / 1e6 <= time.time() + 0.001


def test_a_clock_that_is_set_back_or_stands_still_goes_on_by_a_microsecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([5_000_000, 5_000_999, 1_000_000, 9_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    clock = SystemClock()
    assert [clock.now() for _ in range(4)] == [5000, 5001, 5002, 9000]


def test_no_two_threads_get_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1000)
    clock, got = SystemClock(), []
    threads = [threading.Thread(target=lambda: got.extend(clock.now() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 2000


def test_the_fake_clock_moves_when_it_is_told() -> None:
    clock = FakeClock(start=10)
    first = clock.now()
    clock.advance(2)
    assert clock.now() == first + 2_000_001
