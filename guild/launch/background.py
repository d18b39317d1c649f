"""Hand a run over to a supervisor in a session of its own, and come back when it has taken over."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from guild.errors import GuildError
from guild.runs import lifecycle
from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.runs.store import RunStore

_TIME_LIMIT = 60.0


def check_pidfile(pidfile: str | None) -> None:
    """Before a run is made for it: raises GuildError for a pidfile that cannot be written."""
    if pidfile and not os.access(os.path.dirname(os.path.abspath(pidfile)), os.W_OK):
        raise GuildError(f"cannot write the pidfile '{pidfile}'", "Its directory must exist and be writable.")


def hand_over(
    store: RunStore, run: Run, lease: Lease, pidfile: str | None, environ: Mapping[str, str]
) -> None:
    """Start `guild.launch.supervise` for a run that is leased to this process; returns after the take-over.

    Raises GuildError if that does not happen; the run then is an error with the reason.
    """
    path = str(Path(pidfile).absolute()) if pidfile else ""
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "guild.launch.supervise", str(run.path), lease.token, lease.gpus or "", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environ, "GUILD_HOME": str(store.home.path)},
        start_new_session=True,
        cwd=store.home.path,  # -m puts it first on the module path: not the user's directory
    )
    until = time.monotonic() + _TIME_LIMIT
    while time.monotonic() < until:
        current = run.lease()
        if current is None or current.token != lease.token or current.holder.pid == supervisor.pid:
            return
        if supervisor.poll() is not None:
            break
        time.sleep(0.003)
    lifecycle.fail(store, run, "its supervisor did not start", 1)
    raise GuildError(f"the supervisor of run {run.id} did not start")
