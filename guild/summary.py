"""For scripts: scalars that a run records by itself, for `guild compare` and TensorBoard.

    from guild.summary import SummaryWriter

    with SummaryWriter() as writer:
        writer.add_scalar("loss", 0.25, step=100)

Python 3.8 syntax, standard library only.
"""

from __future__ import annotations

import os
import socket
import time

from guild.base import tfrecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_count = 0


class SummaryWriter:
    """Writes an event file below `logdir`: by default the run's own directory, else the current one.

    The file is made at the first scalar. Raises OSError where it cannot be written.
    """

    _fd: int | None = None

    def __init__(self, logdir: str | os.PathLike[str] | None = None, **ignored: Any) -> None:
        """Further arguments, as other writers have them, are taken and have no effect."""
        global _count
        default = os.environ.get("RUN_DIR") or "."
        self.logdir = os.fspath(logdir) if logdir is not None else os.path.join(default, ".guild")
        _count += 1
        stem = "events.out.tfevents.%010d.%s.%d" % (time.time(), socket.gethostname(), os.getpid())
        # Beside the file that Guild itself makes of the run's output.
        self._path = os.path.join(self.logdir, "%s.s%d" % (stem, _count))

    def add_scalar(self, tag: str, value: float, step: int | None = None, **ignored: Any) -> None:
        """Record a value; `step` counts the steps of the training (0 where it is not said)."""
        number = ignored.get("global_step") if step is None else step
        record = tfrecord.scalar_record(str(tag), float(value), int(number or 0))
        if self._fd is None:
            os.makedirs(self.logdir, exist_ok=True)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            if os.fstat(self._fd).st_size == 0:
                record = tfrecord.first_record() + record
        os.write(self._fd, record)

    def add_scalars(self, values: dict[str, float], step: int | None = None) -> None:
        """Record several values of one step, by their tags."""
        for tag, value in values.items():
            self.add_scalar(tag, value, step)

    def flush(self) -> None:
        """What was added is in the file already; this is for those who ask."""

    def close(self) -> None:
        """Close the file. A scalar that is added later opens it again."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()
