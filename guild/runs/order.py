"""A staged run's place in the queue: priority, restaged when, staged when. Pure."""

import json
from dataclasses import asdict, dataclass

from guild.base import jsonio


@dataclass(frozen=True)
class Order:
    """What `order.json` says. It is void unless `started` is the run's own.

    `restaged` is the moment of the restage in µs, 0 for none; higher `priority` goes first. `lost`: how often
    the run was begun and lost (`on-lost=restage`).
    """

    started: int
    priority: int = 0
    restaged: int = 0
    lost: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Order":
        """Raises ValueError for anything else than an order."""
        raw = jsonio.load(data)
        if not isinstance(raw, dict):
            raise ValueError("not an order")
        values = [raw.get("started"), *(raw.get(name, 0) for name in ("priority", "restaged", "lost"))]
        if not all(type(v) is int for v in values):
            raise ValueError("not an order")
        return Order(*values)


def place_key(started: int | None, order: Order | None, run_id: str) -> tuple[int, int, int, str]:
    """Sort key of a staged run: priority, then restaged (latest first), then staged (FIFO), then id.

    A run without a start time comes first among its like, as in Guild 0.9.
    """
    valid = order if order is not None and order.started == started else None
    priority, restaged = (valid.priority, valid.restaged) if valid else (0, 0)
    if restaged:
        return (-priority, 0, -restaged, run_id)
    return (-priority, 1, started if started is not None else -1, run_id)
