"""Restage against a queue's claim, in two processes that begin at the same moment."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from guild.errors import RunChanged
from guild.home import Home
from guild.launch import again
from guild.launch.job import Console
from guild.launch.machine import find_place
from guild.launch.rejob import Changes, rejob
from guild.runs import lifecycle
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from guild.scheduler.claim import claim_next
from guild.scheduler.model import QueuePolicy
from guild.scheduler.observe import Observer
from tests.helpers import Project

RACES = 200


def claim_in_child(store: RunStore, run_id: str) -> tuple[int, int]:
    """(pid, pipe whose closing lets it go). Its exit code is the flag x of the run that it claimed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(reader)
        return pid, writer
    try:
        os.close(writer)
        os.read(reader, 1)
        observer = Observer(store, "queue")
        outcome = claim_next(store, observer, QueuePolicy(), "queue", full=True)
        flags = [c.run.map_attr("flags")["x"] for c in outcome.claims if c.run.id == run_id]
        os._exit(flags[0] if flags else 0)
    finally:
        os._exit(99)


def race(store: RunStore, run: Run) -> tuple[bool, int]:
    """(whether the restage was carried out, x of the claimed run)."""
    changes = Changes(flags=("x=2",))
    job = rejob(run, changes, find_place({}, "/"))
    made = again.prepare_restage(store, run, job, changes, {}, Console())
    pid, gate = claim_in_child(store, run.id)
    os.close(gate)
    doomed, won = None, True
    try:
        with lifecycle.locked(store) as held:
            doomed = again.carry_out(held, made)
    except RunChanged:
        won = False
    finally:
        again.clean_up(store, made, doomed)
    return won, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_of_a_restage_and_a_claim_at_the_same_moment_exactly_one_wins(
    project: Callable[[Mapping[str, str]], Project],
) -> None:
    p = project({"train.py": "x = 1\n"})
    assert p.guild("run train.py --stage -y").code == 0
    store = RunStore(Home(p.home))
    template = store.runs()[0].path
    shutil.move(template, p.home / "template")
    outcomes = []
    for _ in range(RACES):
        run = Run(p.home / "runs" / store.new_id())
        shutil.copytree(p.home / "template", run.path)
        won, claimed_x = race(store, run)
        assert claimed_x == (2 if won else 1), "what was claimed is what the winner left"
        assert run.status() is RunStatus.PENDING
        assert list((p.home / "staging").iterdir()) == []
        shutil.rmtree(run.path)
        outcomes.append(won)
    sys.stderr.write(f"restage first: {sum(outcomes)} of {RACES}\n")
    assert len(list(Path(p.home / "trash" / "runs").iterdir())) == 0
