"""The campaign: stage, restage and queue on one home, and kill -9 whatever is there at random moments.

    python -m tests.faults.campaign --kills 1000 --seed 7          # ours
    python -m tests.faults.campaign --kills 100 --release 0.9.0    # the same upon Guild 0.9

A third of the kills is aimed: it comes within 30 ms after a staged run was claimed. Every few kills comes a
judgement, from the ledger that the jobs write: no run that was staged is lost, none is executed twice, none
is staged, pending or running for ever, each that was not executed says why, and nothing is left in the way.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.judge import Verdict, judge, state_of
from tests.faults.ledger import JOB
from tests.faults.processes import Found, kill, processes_of
from tests.helpers import Project, Running

KILLS_A_ROUND = 20
VICTIMS = ("queue", "queue's supervisor", "supervisor", "waiting supervisor", "job")
_AIM_SECONDS = 1.0


@dataclass
class Report:
    """What a campaign did and what came of it."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    staged: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.kills.values())

    def to_json(self) -> str:
        return json.dumps({**vars(self), "count": self.count}, indent=2, sort_keys=True)


class Round:
    """One home: staging, queues and kills, until `kills` have struck; then the judgement."""

    def __init__(
        self, base: Path, rng: random.Random, report: Report, program: Sequence[str], queues: int
    ) -> None:
        self._rng, self._report, self._queues = rng, report, queues
        self._project = Project(base, {"job.py": JOB}, program)
        self._project.home.mkdir()
        self._ledger = base / "ledger"
        self._is_ours = "-m" in program
        self._x = 0
        self._staging: list[tuple[Running, bool]] = []  # a command, and whether it was left in peace
        self._living: list[Running] = []

    def run(self, kills: int) -> None:
        end = self._report.count + kills
        try:
            for _ in range(3):
                self._stage()
            while self._report.count < end:
                self._keep_queues()
                self._act()
            self._judge()
        finally:
            self._project.close()

    def _act(self) -> None:
        action: Callable[[], None] = self._rng.choices(
            (
                self._stage,
                self._kill_a_stage,
                self._kill_a_restage,
                self._kill_one,
                self._kill_all,
                self._kill_at_claim,
            ),
            (3, 1, 1, 3, 1, 3),
        )[0]
        action()

    # Stage, and queues that run it.

    def _stage(self) -> None:
        running = self._start_staging()
        self._staging.append((running, True))
        running.wait()

    def _start_staging(self) -> Running:
        self._x += 1
        self._report.staged += 1
        return self._guild(f"run job.py x={self._x} ms={self._rng.choice((0, 0, 20, 100))} --stage -y")

    def _guild(self, command: str) -> Running:
        running = self._project.popen(command, env={"LEDGER": str(self._ledger)})
        self._living.append(running)
        return running

    def _keep_queues(self) -> None:
        alive = [each for each in processes_of(self._project.home) if each.kind == "queue"]
        for _ in range(self._queues - len(alive)):
            # Without the wait: several queues are to compete.
            self._guild("run queue poll-interval=1 wait-for-running=no -y")
        if len(alive) < self._queues:
            self._pause(0.3)

    # Kill.

    def _kill_a_stage(self) -> None:
        running = self._start_staging()
        self._pause(self._rng.uniform(0.0, 0.35))
        self._strike(Found(running.pid, "stage"))
        self._staging.append((running, False))

    def _kill_a_restage(self) -> None:
        known = sorted(each.name for each in (self._project.home / "runs").iterdir())
        if not known or not self._is_ours:
            return
        self._x += 1
        running = self._guild(f"run --restage {self._rng.choice(known)} x={self._x} ms=0 -y")
        self._pause(self._rng.uniform(0.0, 0.4))
        if self._rng.random() < 0.7:
            self._strike(Found(running.pid, "restage"))
        running.wait()

    def _kill_one(self) -> None:
        self._pause(self._rng.expovariate(8))
        found = [each for each in processes_of(self._project.home) if each.kind in VICTIMS]
        if found:
            kind = self._rng.choice(sorted({each.kind for each in found}))
            self._strike(self._rng.choice([each for each in found if each.kind == kind]))

    def _kill_all(self) -> None:
        self._pause(self._rng.expovariate(5))
        found = processes_of(self._project.home)
        for each in found:
            kill(each.pid)
        if found:
            self._note("everything at once")

    def _kill_at_claim(self) -> None:
        """Wait for a claim, a moment longer, and kill one of those around it, or all."""
        before = self._claims()
        staging = self._start_staging()
        self._staging.append((staging, True))
        deadline = time.monotonic() + _AIM_SECONDS
        while not self._claims() - before:
            if time.monotonic() > deadline:
                return
            time.sleep(0.0005)
        self._pause(self._rng.uniform(0.0, 0.03))
        found = [each for each in processes_of(self._project.home) if each.kind in VICTIMS]
        if found and self._rng.random() < 0.7:
            self._strike(self._rng.choice(found), " at a claim")
        elif found:
            for each in found:
                kill(each.pid)
            self._note("everything at once at a claim")
        staging.wait()

    def _claims(self) -> set[str]:
        """The runs that are, or have been, claimed: PENDING is there, or STAGED is gone."""
        runs = self._project.home / "runs"
        return {each.name for each in runs.iterdir() if not (each / ".guild" / "STAGED").exists()}

    def _strike(self, found: Found, when: str = "") -> None:
        kill(found.pid)
        self._note(found.kind + when)

    def _note(self, kind: str) -> None:
        self._report.kills[kind] += 1
        for state in state_of(self._project.home):
            self._report.windows[f"{kind}: {state}"] += 1

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)

    # Judge.

    def _judge(self) -> None:
        acknowledged = {i for running, _left in self._staging if (i := _acknowledged(running))}
        for running in self._living:
            if running.process.poll() is None and "queue" in running.process.args:  # type: ignore[operator]
                kill(running.pid)
        for found in processes_of(self._project.home):
            if found.kind in ("queue", "queue's supervisor"):
                kill(found.pid)
        verdict = judge(self._project, self._ledger, acknowledged)
        self._report.ends.update(verdict.ends)
        self._report.faults += verdict.faults
        _say(self._report, verdict)


def _acknowledged(running: Running) -> str | None:
    """The run that a staging command said it had staged."""
    running.wait()
    _before, found, after = running.out.partition(" staged as ")
    return after.split()[0] if found and after.strip() else None


def _say(report: Report, verdict: Verdict) -> None:
    print(f"{report.count} kills, {report.staged} stagings, {dict(report.ends)}", file=sys.stderr, flush=True)
    for fault in verdict.faults:
        print(f"  FAULT: {fault}", file=sys.stderr, flush=True)


def campaign(
    kills: int, seed: int, program: Sequence[str] = (sys.executable, "-m", "guild"), rounds: int = 10**9
) -> Report:
    """Kill until `kills` have struck. The seed makes the choices; the moments are the machine's."""
    rng, report, began = random.Random(seed), Report(seed), time.monotonic()
    while report.count < kills and rounds > 0:
        rounds -= 1
        with tempfile.TemporaryDirectory(prefix="guild-faults-") as base:
            queues = rng.choice((1, 1, 2, 3, 4, 8))
            Round(Path(base), rng, report, program, queues).run(min(KILLS_A_ROUND, kills - report.count))
    report.seconds = round(time.monotonic() - began, 1)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    parser.add_argument("--release", help="a published release, such as 0.9.0, in place of ours")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    program: tuple[str, ...] = (sys.executable, "-m", "guild")
    if args.release:
        from tests.interop.peers import CURRENT, installed

        program = (str(installed(CURRENT).guild),)
    report = campaign(args.kills, args.seed, program)
    if args.json:
        args.json.write_text(report.to_json() + "\n")
    else:
        print(report.to_json())
    sys.exit(bool(report.faults) and not args.release)


if __name__ == "__main__":
    main()
