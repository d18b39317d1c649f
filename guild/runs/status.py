"""The status of a run, from what its files say. Pure; the order of tests is Guild 0.9's.

No order of separate reads is safe beside a writer, but three rules make it so: the markers are read
first and in one look; what is read after them counts only if a second look finds the same ones (else a
run that is being started again shows the end of what has not begun); and an error for want of an exit
status is only believed after reading again.
"""

from collections.abc import Collection
from enum import Enum
from typing import Protocol

from guild.runs import layout

MARKERS = frozenset((layout.PENDING, layout.STAGED, layout.LOCK, layout.LOCK_REMOTE))

# Beside one claim, start or finish two readings are enough; each whole execution that falls in between
# takes two more, and two of these are allowed for. tests/runs/test_status_interleaving.py tries all.
READINGS = 6


class RunStatus(str, Enum):
    STAGED = "staged"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"
    TERMINATED = "terminated"

    @property
    def is_ended(self) -> bool:
        return self in (RunStatus.COMPLETED, RunStatus.ERROR, RunStatus.TERMINATED)


class StatusSource(Protocol):
    """What the status is read from, one read at a time."""

    def markers(self) -> Collection[str]:
        """Which of MARKERS there are, in one look."""
        ...

    def exit_status(self) -> int | None:
        """The recorded exit status, None where there is none (or none that is a number)."""
        ...

    def is_lock_alive(self) -> bool:
        """Whether a process that LOCK names still executes this run."""
        ...


def read_status(source: StatusSource) -> RunStatus:
    """The status that the run has, or had at some moment of this reading."""
    for _ in range(READINGS):
        status = _read_once(source)
        if status is not None:
            return status
    return RunStatus.ERROR


def _read_once(source: StatusSource) -> RunStatus | None:
    """None: neither a marker, nor an exit status, nor a living process, or all of it changed meanwhile."""
    markers = source.markers()
    marked = _status_of_markers(markers)
    if marked is not None:
        return marked
    code = source.exit_status()
    if code is not None:
        status = status_of_exit(code)
    elif layout.LOCK in markers and source.is_lock_alive():
        status = RunStatus.RUNNING
    else:
        return None
    again = source.markers()
    return status if again == markers else _status_of_markers(again)


def _status_of_markers(markers: Collection[str]) -> RunStatus | None:
    """None where the markers alone do not tell."""
    if layout.LOCK_REMOTE in markers:
        return RunStatus.RUNNING
    if layout.PENDING in markers:
        return RunStatus.PENDING
    return RunStatus.STAGED if layout.STAGED in markers else None


def status_of_exit(code: int) -> RunStatus:
    if code == 0:
        return RunStatus.COMPLETED
    return RunStatus.TERMINATED if code < 0 else RunStatus.ERROR
