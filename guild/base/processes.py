"""The identity of processes, safe against reuse of pids, and the end of process trees."""

import json
import os
import signal
import sys
import zlib
from collections.abc import Iterable
from contextlib import suppress
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
        """Raises ValueError for anything but what `to_text` gives."""
        try:
            return ProcessId.from_json(json.loads(text))
        except RecursionError:
            raise ValueError("not a process identity") from None


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
        namespace, boot = "", _boot_session()
    return _read_line("/etc/machine-id"), os.uname().nodename, boot, namespace


def _boot_session() -> str:
    """What tells one start of this machine from another, where there is no /proc.

    The time of the start would do if it did not move with every correction of the clock (macOS).
    """
    try:
        import ctypes

        buffer, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        name = b"kern.bootsessionuuid"
        if ctypes.CDLL(None).sysctlbyname(name, buffer, ctypes.byref(size), None, 0) == 0:
            return buffer.value.decode("ascii", "replace")
    except (ImportError, OSError, AttributeError):
        pass
    import psutil

    return str(int(psutil.boot_time()))


def place_mark() -> str:
    """A short text that differs between machines and pid namespaces, fit for file names."""
    machine, host, _boot, namespace = _place()
    return f"{zlib.crc32(repr((machine, host, namespace)).encode()):08x}"


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
    if pid <= 0:
        return None
    if sys.platform == "linux":
        stat = _linux_stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[1]
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1000)
    except (psutil.Error, OverflowError):
        return None


def _is_hidden(pid: int) -> bool:
    """Whether a process whose start cannot be read is there all the same.

    /proc may be mounted so that it shows one's own processes only (`hidepid`), or not at all.
    """
    if pid <= 0 or _linux_stat(pid) is not None:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return sys.platform == "linux" and _linux_stat(os.getpid()) is None


def identify(pid: int) -> ProcessId | None:
    """The identity of a process of this machine, None if it does not run (or is a zombie)."""
    ticks = _start_ticks(pid)
    return None if ticks is None else ProcessId(*_place(), pid, ticks)


def this_process() -> ProcessId:
    me = identify(os.getpid())
    if me is None:  # no /proc: nothing better than the pid itself
        return ProcessId(*_place(), os.getpid(), 0)
    return me


def is_local(process: ProcessId) -> bool:
    """Whether this process can be looked at and signalled from here."""
    return _same_kernel(process) and process.namespace == _place()[3]


def _same_kernel(process: ProcessId) -> bool:
    """Whether it began on this machine since it was started.

    The boot id says so alone: host names change under a running laptop. Without one, the host has to do.
    """
    _machine, host, boot, _namespace = _place()
    return process.boot == boot and (bool(boot) or process.host == host)


def is_of_earlier_start(process: ProcessId) -> bool:
    """Whether it ended when this machine was started again."""
    machine, host, _boot, _namespace = _place()
    return not _same_kernel(process) and (process.machine, process.host) == (machine, host)


def is_alive(process: ProcessId) -> bool:
    """False only where the process is known to have ended.

    Same boot and pid namespace: pid and start are tested. Same machine and host, another boot: dead.
    Anything else (another host, another container) cannot be seen from here and is believed.
    """
    if not _same_kernel(process):
        return not is_of_earlier_start(process)
    if process.namespace != _place()[3]:
        return True
    ticks = _start_ticks(process.pid)
    return _is_hidden(process.pid) if ticks is None else ticks == process.ticks


def is_running(pid: int) -> bool:
    """Whether a process of this number runs here; a zombie has ended."""
    return _start_ticks(pid) is not None or _is_hidden(pid)


def runs_since(pid: int, moment: float) -> bool:
    """Whether `pid` runs and began at or before `moment` (seconds since the epoch).

    For records that hold a bare pid: a process that began after the record was written is another one.
    Both times are the clock's, so a clock that was put forward in between (or a virtual machine that
    was halted: its processes do not age) makes a process look younger than it is, and its record void.
    """
    ticks = _start_ticks(pid)
    if ticks is None:
        return _is_hidden(pid)
    if sys.platform == "linux":
        began = _boot_time() + ticks / os.sysconf("SC_CLK_TCK")
    else:
        began = ticks / 1000
    return began <= moment + 1


def _boot_time() -> float:
    """When this machine started, in seconds since the epoch of today's clock."""
    import time

    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def signal_process(process: ProcessId, number: int) -> bool:
    """Send a signal to exactly this process; False if it no longer runs (or is not of this machine).

    Raises PermissionError for another user's.
    """
    if not is_local(process) or not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def descendants(pid: int) -> list[ProcessId]:
    """All processes below `pid`, as they are now, each after its parent."""
    import psutil

    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return [p for p in (identify(child.pid) for child in found) if p is not None]


def kill_all(processes: Iterable[ProcessId]) -> None:
    """SIGKILL to each of these that still runs and that this user may kill."""
    for process in processes:
        with suppress(PermissionError):
            signal_process(process, signal.SIGKILL)
