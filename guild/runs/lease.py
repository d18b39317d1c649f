"""Lease: who may execute a run, and how far that has come.

A lease counts only while the run's PENDING holds its token (or its LOCK names its processes), and only
in the run and home that it names: a copied directory carries no right to run.
"""

import json
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from guild.base import jsonio
from guild.base.processes import ProcessId, is_alive, is_of_earlier_start
from guild.runs import layout


class Doing(str, Enum):
    """What the holder of a lease is at. Only CLAIMED can be undone by somebody else."""

    PREPARING = "preparing"
    CLAIMED = "claimed"
    STARTING = "starting"
    RUNNING = "running"


@dataclass(frozen=True)
class Lease:
    """`since` is in µs."""

    token: str
    run: str
    home: str
    holder: ProcessId
    doing: Doing
    since: int
    child: ProcessId | None = None
    executor: str = "local"
    queue: str = ""  # id of the queue's run that claimed it
    job: str = ""  # what the executor calls it
    gpus: str | None = None  # as CUDA_VISIBLE_DEVICES has them
    staged: int = 0  # the start time (µs) that the run had in the order of staged runs, 0 for none

    def with_(self, **changes: Any) -> "Lease":
        return replace(self, **changes)

    @property
    def is_held(self) -> bool:
        """Whether somebody still works at it: the holder, or the process of the operation."""
        return is_alive(self.holder) or (self.child is not None and is_alive(self.child))

    @property
    def loss(self) -> str:
        """What became of the run, once nobody holds it any more."""
        how = "the machine was restarted" if is_of_earlier_start(self.holder) else "its supervisor was killed"
        when = "" if self.doing is Doing.RUNNING else f" while {self.doing.value}"
        return f"ended without a word{when}: {how}"

    def to_bytes(self) -> bytes:
        data = asdict(self) | {"format": layout.FORMAT, "doing": self.doing.value}
        return json.dumps(data, sort_keys=True).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Lease":
        """Raises ValueError for anything but a lease."""
        raw = jsonio.load(data)
        if not isinstance(raw, dict):
            raise ValueError("not a lease")
        texts = {k: raw.get(k, "") for k in ("token", "run", "home", "executor", "queue", "job")}
        since, gpus, staged = raw.get("since", 0), raw.get("gpus"), raw.get("staged", 0)
        if not all(isinstance(v, str) for v in texts.values()) or not texts["token"]:
            raise ValueError("not a lease")
        if type(since) is not int or type(staged) is not int or not (gpus is None or isinstance(gpus, str)):
            raise ValueError("not a lease")
        child = raw.get("child")
        return Lease(
            holder=ProcessId.from_json(raw.get("holder")),
            doing=Doing(raw.get("doing")),
            child=None if child is None else ProcessId.from_json(child),
            since=since,
            gpus=gpus,
            staged=staged,
            **texts,
        )
