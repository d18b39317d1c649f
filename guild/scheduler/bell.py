"""What wakes a queue: its signals, the end of its children, the journal, the ends of other processes.

Everything comes together as bytes in one pipe or as readable descriptors, so that the loop waits in one
place and for as long as it likes.
"""

import os
import select
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any

_NO_WATCH_SECONDS = 0.5  # how often the files are looked at where the system cannot watch them
_LONGEST_SECONDS = 86400.0  # poll takes no more than some weeks


class Bell:
    """`stop` and `drain` are what signals asked for; handlers set them and do nothing else."""

    def __init__(self) -> None:
        self.stop = False
        self.drain = False
        self._reader, self._writer = os.pipe()
        for fd in (self._reader, self._writer):
            os.set_blocking(fd, False)
        self._installed = False
        self._observer: Any = None
        self._pidfds: dict[int, int] = {}
        self._rung: set[int] = set()  # ended processes that have rung already

    def install(self) -> None:
        """Have signals ring: TERM, INT and HUP stop, USR1 drains, CHLD just wakes."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._installed = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_drain)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _on_stop(self, number: int, frame: object) -> None:
        self.stop = True

    def _on_drain(self, number: int, frame: object) -> None:
        self.drain = True

    def ring(self) -> None:
        """Wake the loop; callable from any thread."""
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            pass  # it has enough to wake by

    def watch(self, path: Path) -> None:
        """Ring when this file changes, or comes to be.

        Where the file system or its limits do not allow that, `wait` returns more often instead.
        """
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        bell, name = self, path.name

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("opened", "closed_no_write"):
                    return
                paths = (event.src_path, getattr(event, "dest_path", ""))
                if any(os.path.basename(os.fsdecode(p)) == name for p in paths if p):
                    bell.ring()

        observer = Observer()
        observer.daemon = True
        try:
            observer.schedule(Handler(), str(path.parent))
            observer.start()
        except OSError:
            return
        self._observer = observer

    def wait_for_ends_of(self, pids: Collection[int]) -> None:
        """Ring at the end of these processes, and no others."""
        for pid in [p for p in self._pidfds if p not in pids]:
            os.close(self._pidfds.pop(pid))
        self._rung &= set(pids)
        if not hasattr(os, "pidfd_open"):
            return  # the journal and the poll interval tell
        for pid in pids:
            if pid not in self._pidfds and pid not in self._rung:
                self._open(pid)

    def _open(self, pid: int) -> None:
        try:
            self._pidfds[pid] = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended since it was looked at
            self._rung.add(pid)
            self.ring()
        except OSError:
            pass

    def wait(self, seconds: float) -> None:
        """Until something rings, for at most so many seconds."""
        limit = _NO_WATCH_SECONDS if self._observer is None else _LONGEST_SECONDS
        seconds = max(0.0, min(seconds, limit))
        poll = select.poll()
        for fd in (self._reader, *self._pidfds.values()):
            poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        for pid, fd in list(self._pidfds.items()):
            if fd in ready:
                os.close(self._pidfds.pop(pid))
                self._rung.add(pid)
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Let go of everything. Signals still set `stop` and `drain`."""
        self.wait_for_ends_of(())
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        if self._installed:
            signal.set_wakeup_fd(-1)
        for fd in (self._reader, self._writer):
            os.close(fd)
