"""What is left of a home after kills, judged by the ledger and the files, once a queue has mended it."""

import json
import os
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.ledger import Ledger, read_ledger
from tests.helpers import Project

# A PENDING of Guild 0.9 holds a waiting queue up for a minute; nothing of ours should take so long.
SETTLE_SECONDS = 60.0


@dataclass
class Verdict:
    """How the runs ended, and what should not be."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def judge(project: Project, ledger_path: Path, acknowledged: Collection[str]) -> Verdict:
    """Let one more queue mend and run what is left, then look.

    `acknowledged`: the runs of which a command has said that they are staged.
    """
    verdict = Verdict()
    _settle(project, verdict)
    ledger = read_ledger(ledger_path)
    runs = _runs(project.home)
    for run_id in sorted(set(acknowledged) - runs.keys()):
        verdict.ends["lost"] += 1
        verdict.faults.append(f"{run_id} was staged, and is lost")
    for run_id, x in ledger.twice:
        verdict.faults.append(f"{run_id} was executed twice with x={x}")
    for listed in _listed(project, verdict):
        if "queue" not in str(listed["opref"]):
            _judge_run(listed, project.home, ledger, verdict)
    verdict.faults += _left_over(project.home)
    return verdict


def _settle(project: Project, verdict: Verdict) -> None:
    """Queues until nothing is staged, pending or running any more; jobs without a supervisor go on alone."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        outcome = project.guild("run queue run-once=yes poll-interval=1 -y", timeout=120)
        if outcome.code != 0:
            verdict.faults.append(f"the last queue ended with {outcome.code}: {outcome.err[-300:]}")
            return
        if not _open_runs(project.home):
            return
        time.sleep(0.1)


def _judge_run(listed: dict[str, object], home: Path, ledger: Ledger, verdict: Verdict) -> None:
    run_id, status = str(listed["id"]), str(listed["status"])
    x = _x_of(home / "runs" / run_id)
    begun, ended = ledger.begun[run_id, x], ledger.ended[run_id, x]
    how = "executed" if ended else "begun" if begun else "not begun"
    verdict.ends[f"{status}, {how}"] += 1
    if status not in ("completed", "error", "terminated"):
        verdict.faults.append(f"{run_id} is {status} for ever")
    elif status == "completed" and not ended:
        verdict.faults.append(f"{run_id} is completed, and was {how}")
    elif status != "completed" and not listed.get("reason") and listed.get("exit_status") in (None, "", 0):
        verdict.faults.append(f"{run_id} is {status}, and does not say why")


def _listed(project: Project, verdict: Verdict) -> list[dict[str, object]]:
    outcome = project.guild("runs --json")
    try:
        found: list[dict[str, object]] = json.loads(outcome.out)
        return found
    except ValueError:
        verdict.faults.append(f"the runs cannot be listed: {outcome}")
        return []


def _left_over(home: Path) -> list[str]:
    """What stays in the way: in `staging/`, temporary files, markers of runs that have ended."""
    found = [f"{each} is left" for each in sorted((home / "staging").glob("*"))]
    found += [f"{each} is left" for each in sorted(home.rglob(".tmp-*"))]
    return found


def _runs(home: Path) -> dict[str, Path]:
    return {each.name: each for each in (home / "runs").iterdir() if (each / ".guild/opref").exists()}


def _open_runs(home: Path) -> list[str]:
    """Runs with a marker, queues left out: their ends were violent, and are not what is judged."""
    return [
        name
        for name, path in _runs(home).items()
        if {"PENDING", "STAGED", "LOCK"} & set(os.listdir(path / ".guild"))
        and " queue" not in (path / ".guild/opref").read_text()
        and _is_open(path)
    ]


def _is_open(path: Path) -> bool:
    guild_dir = path / ".guild"
    if (guild_dir / "PENDING").exists() or (guild_dir / "STAGED").exists():
        return True
    try:
        pid = int((guild_dir / "LOCK").read_text())
    except (OSError, ValueError):
        return False
    return Path(f"/proc/{pid}").exists()


def _x_of(path: Path) -> int:
    for line in (path / ".guild/attrs/flags").read_text().splitlines():
        if line.startswith("x: "):
            return int(line[3:])
    return -1


def state_of(home: Path) -> set[str]:
    """In which states a kill has found the runs that were not at rest: the windows that it met."""
    found = set()
    for name in os.listdir(home / "runs") if (home / "runs").is_dir() else ():
        guild_dir = home / "runs" / name / ".guild"
        try:
            markers = set(os.listdir(guild_dir))
            opref = (guild_dir / "opref").read_text()
        except OSError:
            continue
        if " queue" in opref or not markers & {"PENDING", "LOCK", "lease.json"}:
            continue
        found.add(_state(guild_dir, markers))
    made = [each for each in (home / "staging").glob("*") if each.is_dir()]
    return found | ({"a run in the making"} if made else set()) or {"at rest"}


def _state(guild_dir: Path, markers: set[str]) -> str:
    try:
        doing = json.loads((guild_dir / "lease.json").read_text())["doing"]
    except (OSError, ValueError, KeyError):
        doing = ""
    if "STAGED" in markers:
        return "half claimed"
    if "PENDING" in markers:
        return doing or "pending"
    return "ending" if (guild_dir / "attrs/exit_status").exists() else doing or "running"
