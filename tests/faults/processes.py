"""The processes that work on a home, by what they are there for. Linux: read from /proc."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Part of the command line -> what the process is; the first that fits.
_KINDS = (
    (("guild.plugins.queue_main",), "queue"),
    (("guild.launch.supervise", "--wait"), "waiting supervisor"),
    (("guild.launch.supervise",), "supervisor"),
    (("guild.op_main",), "job"),
    (("run", "queue"), "queue's supervisor"),
    (("--restart", "-y"), "supervisor"),  # of Guild 0.9: a queue calls `guild run -y --restart ID`
    (("--restage",), "restage"),
    (("--stage",), "stage"),
)


@dataclass(frozen=True)
class Found:
    pid: int
    kind: str


def processes_of(home: Path) -> list[Found]:
    """All that have this home in their environment, but for those that cannot be told apart."""
    wanted = b"GUILD_HOME=" + os.fsencode(home)
    return [found for pid in _pids() if (found := _found(pid, wanted))]


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _pids() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            yield int(name)


def _found(pid: int, wanted: bytes) -> Found | None:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    if wanted not in environ:
        return None
    for parts, kind in _KINDS:
        if all(part in words for part in parts):
            if kind == "waiting supervisor" and _has_children(pid):
                kind = "supervisor"
            return Found(pid, kind)
    return Found(pid, "another")


def _has_children(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().strip())
    except OSError:
        return False
