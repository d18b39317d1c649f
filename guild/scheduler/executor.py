"""The contract of an executor: it starts claimed runs somewhere and says when they have ended.

@plugin: an executor is a class with these methods; tests/contracts/executor_contract.py tests any.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from guild.runs.lease import Lease
from guild.runs.run import Run


class Liveness(str, Enum):
    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Ended:
    """A started run whose supervisor has ended; `exit_code` is the supervisor's, None where unknown."""

    run_id: str
    exit_code: int | None


class Executor(Protocol):
    name: str

    def start(self, run: Run, lease: Lease) -> str:
        """Have a claimed run executed (`launch.supervise.execute_claimed`); a job id. Raises OSError."""
        ...

    def poll(self) -> Sequence[Ended]:
        """Which of the started ones have ended since the last call. Never blocks."""
        ...

    def stop(self, run_id: str) -> None:
        """Ask a started run to end; its end is seen by `poll`."""
        ...

    def liveness(self, leases: Iterable[Lease]) -> Mapping[str, Liveness]:
        """For each run of these leases whether its executor still knows of it; many at once."""
        ...

    def make_ready(self) -> None:
        """A moment of leisure: get ready for the next start."""
        ...

    def close(self) -> None:
        """Give up what was kept ready. Started runs go on."""
        ...
