"""The identity of processes, safe against reuse of pids, and the end of process trees."""

import json
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class ProcessId:
    """One process on one machine.

    `ticks` is its start in clock ticks since boot (Linux: field 22 of /proc/PID/stat, which does not
    move with the clock; elsewhere its start time in milliseconds). `machine` may be empty.
    """

    machine: str
    host: str
    boot: str
    namespace: str
    pid: int
    ticks: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> "ProcessId":
        """Raises ValueError for anything but what `to_json` gives."""
        try:
            texts = [data[k] for k in ("machine", "host", "boot", "namespace")]
            numbers = [data[k] for k in ("pid", "ticks")]
        except (KeyError, TypeError, IndexError):
            raise ValueError("not a process identity") from None
        if not all(type(t) is str for t in texts) or not all(type(n) is int for n in numbers):
            raise ValueError("not a process identity")
        return ProcessId(*texts, *numbers)

    def to_text(self) -> str:
        return json.dumps(self.to_json())

    @staticmethod
    def from_text(text: str) -> "ProcessId":
        return ProcessId.from_json(json.loads(text))


def _read_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.readline().strip()
    except OSError:
        return ""


@lru_cache(maxsize=1)
def _place() -> tuple[str, str, str, str]:
    """(machine id, host name, boot id, pid namespace) of this process."""
    if sys.platform == "linux":
        try:
            namespace = os.readlink("/proc/self/ns/pid")
        except OSError:
            namespace = ""
        boot = _read_line("/proc/sys/kernel/random/boot_id")
    else:
        import psutil

        namespace, boot = "", str(int(psutil.boot_time()))
    return _read_line("/etc/machine-id"), os.uname().nodename, boot, namespace


def _linux_stat(pid: int) -> tuple[str, int] | None:
    """(state letter, start ticks) or None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return fields[0].decode("ascii"), int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def _start_ticks(pid: int) -> int | None:
    """Start of a process that still runs; a zombie counts as ended."""
    if sys.platform == "linux":
        stat = _linux_stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[1]
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1000)
    except psutil.Error:
        return None


def identify(pid: int) -> ProcessId | None:
    """The identity of a process of this machine, None if it does not run (or is a zombie)."""
    ticks = _start_ticks(pid) if pid > 0 else None
    return None if ticks is None else ProcessId(*_place(), pid, ticks)


def this_process() -> ProcessId:
    me = identify(os.getpid())
    if me is None:  # no /proc: nothing better than the pid itself
        return ProcessId(*_place(), os.getpid(), 0)
    return me


def is_local(process: ProcessId) -> bool:
    """Whether this process can be looked at and signalled from here."""
    return (process.machine, process.host, process.boot, process.namespace) == _place()


def is_alive(process: ProcessId) -> bool:
    """False only where the process is known to have ended.

    Same boot and pid namespace: pid and start are tested. Same machine and host, another boot: dead.
    Anything else (another host, another container) cannot be seen from here and is believed.
    """
    machine, host, boot, namespace = _place()
    if process.boot == boot and process.host == host:
        if process.namespace != namespace:
            return True
        return _start_ticks(process.pid) == process.ticks
    return not ((process.machine, process.host) == (machine, host))


def runs_since(pid: int, moment: float) -> bool:
    """Whether `pid` runs and began at or before `moment` (seconds since the epoch).

    For records that hold a bare pid: a process that began after the record was written is another one.
    """
    if identify(pid) is None:
        return False
    if sys.platform != "linux":
        import psutil

        try:
            return bool(psutil.Process(pid).create_time() <= moment + 1)
        except psutil.Error:
            return False
    ticks = _start_ticks(pid)
    return ticks is not None and _boot_time() + ticks / os.sysconf("SC_CLK_TCK") <= moment + 1


def _boot_time() -> float:
    """When this machine started, in seconds since the epoch of today's clock."""
    import time

    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def signal_process(process: ProcessId, number: int) -> bool:
    """Send a signal to exactly this process; False if it no longer runs (or is not of this machine)."""
    if not is_local(process) or not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def descendants(pid: int) -> list[ProcessId]:
    """All processes below `pid`, as they are now, children before grandchildren."""
    import psutil

    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return [p for p in (identify(child.pid) for child in found) if p is not None]


def kill_all(processes: Iterable[ProcessId]) -> None:
    """SIGKILL to each of these that still runs."""
    for process in processes:
        signal_process(process, signal.SIGKILL)
