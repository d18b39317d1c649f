"""The values that the decision is made of. Frozen; no behaviour."""

from dataclasses import dataclass
from enum import Enum

from guild.runs.resources import Gpus


@dataclass(frozen=True)
class StagedRun:
    """A run that waits to be started. `place` is its sort key (`runs.order.place_key`)."""

    id: str
    place: tuple[int, int, int, str]
    gpus: Gpus = None  # what it was staged with; None: nothing said
    waits_for: tuple[str, ...] = ()  # upstream runs still to come: not ready


@dataclass(frozen=True)
class ActiveRun:
    """A run that is pending or running.

    `in_progress`: a waiting queue waits for it (docs/ARCHITECTURE.md, "In progress").
    """

    id: str
    is_mine: bool = False  # claimed by this queue
    in_progress: bool = True
    gpus: Gpus = None  # that it was given


@dataclass(frozen=True)
class QueuePolicy:
    """How a queue was started. `slots`: how many of its own runs at once."""

    slots: int = 1
    gpus: Gpus = None  # the GPUs that it serves; None: it does not care
    wait_for_running: bool = True
    backfill: bool = False
    run_once: bool = False
    poll_interval: float = 10.0  # seconds
    restage_lost: bool = False  # a queue's run that was begun and lost is put at its place again


@dataclass(frozen=True)
class Snapshot:
    """Staged and active runs of a home at one moment, queues left out."""

    staged: tuple[StagedRun, ...] = ()
    active: tuple[ActiveRun, ...] = ()


class Reason(str, Enum):
    """Why a staged run is not started now."""

    OTHERS_IN_PROGRESS = "waiting for runs to finish"
    NO_FREE_SLOT = "no free slot"
    NOT_SERVED = "its GPUs are not served by this queue"
    GPU_IN_USE = "a requested GPU is in use"
    BEHIND = "behind an earlier run"
    NOT_READY = "waiting for an upstream run"


@dataclass(frozen=True)
class Start:
    run_id: str
    gpus: Gpus = None


@dataclass(frozen=True)
class Hold:
    run_id: str
    reason: Reason
    for_runs: tuple[str, ...] = ()


Decision = Start | Hold
