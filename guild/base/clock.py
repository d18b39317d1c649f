"""Timestamps: integer microseconds since the epoch, always increasing within one process."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where timestamps come from; tests bring their own."""

    def now(self) -> int:
        """Microseconds since the epoch, greater than any value given before."""
        ...


class SystemClock:
    """The system's clock, bumped by 1 µs where it stands still or goes back (Guild orders by it)."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last


system_clock = SystemClock()
