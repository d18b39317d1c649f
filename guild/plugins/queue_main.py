"""The process of a queue: flags -> QueuePolicy -> Scheduler(...).run().

Guild 0.9 names this module in the runs that it has staged; its arguments are honoured too
(`--wait-for-running`; without it, and without `--no-wait-for-running`, ours waits).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from guild.home import Home
from guild.runs import attrs
from guild.runs.resources import parse_gpus
from guild.runs.run import Run
from guild.runs.store import RunStore
from guild.scheduler.bell import Bell
from guild.scheduler.local import LocalExecutor
from guild.scheduler.loop import Scheduler
from guild.scheduler.model import QueuePolicy


def parse(argv: Sequence[str]) -> QueuePolicy:
    parser = argparse.ArgumentParser(prog="guild.plugins.queue_main")
    parser.add_argument("--poll-interval", type=float, default=10.0)
    parser.add_argument("--run-once", action="store_true")
    parser.add_argument("--wait-for-running", action="store_true", default=True)
    parser.add_argument("--no-wait-for-running", action="store_false", dest="wait_for_running")
    parser.add_argument("--gpus")
    parser.add_argument("--on-lost", choices=("error", "restage"), default="error")
    args = parser.parse_args(argv)
    return QueuePolicy(
        gpus=parse_gpus(args.gpus),
        wait_for_running=args.wait_for_running,
        run_once=args.run_once,
        poll_interval=max(0.1, args.poll_interval),
        restage_lost=args.on_lost == "restage",
    )


def main(argv: Sequence[str]) -> None:
    policy = parse(argv)
    run = Run(Path(os.environ["RUN_DIR"]))
    store = RunStore(Home(Path(os.environ["GUILD_HOME"])))
    store.create()
    attrs.mark_as_batch(run.guild_dir)
    bell = Bell()
    bell.install()
    executor = LocalExecutor(store.home, os.environ)
    Scheduler(store, policy, executor, run.id, bell, _say, _relay).run()


def _say(text: str) -> None:
    _relay(text.encode("utf-8", "backslashreplace") + b"\n", sys.stderr.fileno())


def _relay(data: bytes, fd: int = 1) -> None:
    """To our console. If that is gone, the queue goes on without."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
