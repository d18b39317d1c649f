"""LocalExecutor: a supervisor in a session of its own on this machine, the next one kept waiting."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from guild.home import Home
from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.scheduler.executor import Ended, Liveness

_SUPERVISE = "guild.launch.supervise"


class LocalExecutor:
    name = "local"

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        """`environ` is that of who starts the runs (`launch.environ.job_environ` has what reaches them)."""
        self._home = home
        self._environ = {**environ, "GUILD_HOME": str(home.path)}
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._waiting: subprocess.Popen[bytes] | None = None
        self._keeps_waiting = True

    def start(self, run: Run, lease: Lease) -> str:
        words = (str(self._home.path), str(run.path), lease.token, lease.gpus or "")
        line = b"\0".join(os.fsencode(w) for w in words) + b"\n"
        supervisor = self._take_waiting(line) or self._tell(self._spawn(), line)
        if supervisor is None:
            raise OSError("the supervisor ended before it was told what to do")
        self._keeps_waiting = True
        self._started[run.id] = supervisor
        return str(supervisor.pid)

    def poll(self) -> Sequence[Ended]:
        ended = []
        for run_id, supervisor in list(self._started.items()):
            code = supervisor.poll()
            if code is not None:
                del self._started[run_id]
                ended.append(Ended(run_id, code))
        return ended

    def stop(self, run_id: str) -> None:
        supervisor = self._started.get(run_id)
        if supervisor is not None:
            supervisor.terminate()

    def liveness(self, leases: Iterable[Lease]) -> Mapping[str, Liveness]:
        return {x.run: Liveness.ALIVE if x.is_held else Liveness.GONE for x in leases}

    def make_ready(self) -> None:
        if self._waiting is not None and self._waiting.poll() is not None:
            _close(self._waiting)
            self._waiting = None
            self._keeps_waiting = False  # its end has woken us; another one would, too, and so for ever
        if self._waiting is None and self._keeps_waiting:
            self._waiting = self._spawn()

    def close(self) -> None:
        if self._waiting is not None:
            _close(self._waiting)
            self._waiting.wait()
            self._waiting = None

    def _take_waiting(self, line: bytes) -> "subprocess.Popen[bytes] | None":
        supervisor, self._waiting = self._waiting, None
        return None if supervisor is None else self._tell(supervisor, line)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        """A supervisor that waits for its line; it ends by itself when our end of the pipe closes."""
        return subprocess.Popen(
            [sys.executable, "-m", _SUPERVISE, "--wait"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            cwd=str(self._home.path),
            start_new_session=True,
            bufsize=0,
        )

    @staticmethod
    def _tell(supervisor: "subprocess.Popen[bytes]", line: bytes) -> "subprocess.Popen[bytes] | None":
        """None if it is there no longer."""
        assert supervisor.stdin is not None
        try:
            supervisor.stdin.write(line)
        except BrokenPipeError:
            supervisor.wait()
            return None
        finally:
            _close(supervisor)
        return supervisor


def _close(supervisor: "subprocess.Popen[bytes]") -> None:
    assert supervisor.stdin is not None
    try:
        supervisor.stdin.close()
    except BrokenPipeError:
        pass
