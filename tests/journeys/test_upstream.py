"""Runs that depend on runs: chosen when they are made, waited for by queues, named where they fail."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import Project, wait_until

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

FILES = {
    "guild.yml": """
prep:
  main: prep
  flags: {n: 1, fail: no}
train:
  main: train
  flags: {x: 1}
  requires:
    - operation: prep
    - file: data.txt
test:
  main: test
  flags: {x: 1}
  requires: {operation: train}
other: {main: other}
""",
    "prep.py": "n = 1\nfail = False\nopen('o.txt', 'w').write(f'made {n}')\nassert not fail\n",
    "train.py": "x = 1\nopen('t.txt', 'w').write(open('o.txt').read() + '!')\nprint(open('t.txt').read())\n",
    "test.py": "x = 1\nopen('o.txt', 'w').write(open('t.txt').read() + '?')\n",
    "other.py": "print('other')\n",
    "data.txt": "data",
}


def states(p: Project) -> dict[str, str]:
    return {run["id"]: run["status"] for run in p.runs()}


def stage(p: Project, spec: str) -> str:
    done = p.guild(f"run {spec} --stage -y")
    assert done.code == 0, done
    return done.out.split(" staged as ")[1].split()[0]


def text(p: Project, run_id: str) -> str:
    return (p.home / "runs" / run_id / "o.txt").read_text()


def test_a_staged_chain_runs_in_order_of_need_and_holds_nobody_up(project: Make) -> None:
    p = project(FILES)
    first = stage(p, "prep n=7")
    second = stage(p, "train x=2")
    third = stage(p, "test")
    last = stage(p, "other")
    # Next to be run are the two that have to wait: they are passed over.
    assert p.guild(f"run --restage {third} -y").code == 0
    assert p.guild(f"run --restage {second} -y").code == 0
    p.write({"data.txt": "changed", "train.py": "raise SystemExit('changed')"})
    queue = p.guild("run queue run-once=yes -y")
    started = [line.split()[-1] for line in queue.err.splitlines() if "Starting staged run" in line]
    assert started[0] == first
    assert started.index(second) < started.index(third)
    assert set(started) == {first, second, third, last}
    assert f"Found staged run {second} (waiting for an upstream run: {first})" in queue.err
    assert set(states(p).values()) == {"completed"}
    assert text(p, third) == "made 7!?"
    assert (p.home / "runs" / second / "data.txt").read_text() == "data"


def test_an_upstream_that_fails_gives_one_clear_error_down_the_chain(project: Make) -> None:
    p = project(FILES)
    first, second, third = stage(p, "prep fail=yes"), stage(p, "train"), stage(p, "test")
    other = stage(p, "other")
    queue = p.guild("run queue run-once=yes -y")
    assert queue.code == 0
    assert states(p) | {} == {
        **states(p),
        first: "error",
        second: "error",
        third: "error",
        other: "completed",
    }
    reasons = {run["id"]: run["reason"] or "" for run in p.runs()}
    assert f"run {first} of prep failed" in reasons[second]
    assert f"run {second} of train failed" in reasons[third]
    assert queue.err.count(f"Run {second} failed") == 1
    assert "Traceback" not in p.guild(f"cat --output {second}").out


def test_an_upstream_that_was_deleted_is_named(project: Make) -> None:
    p = project(FILES)
    first, second = stage(p, "prep"), stage(p, "train")
    assert p.guild(f"runs rm {first} -y").code == 0
    p.guild("run queue run-once=yes -y")
    run = next(r for r in p.runs() if r["id"] == second)
    assert run["status"] == "error"
    assert f"run {first} of prep is not there any more" in run["reason"]


def test_a_staged_run_whose_upstream_is_to_come_cannot_be_started_and_stays_staged(project: Make) -> None:
    p = project(FILES)
    first, second = stage(p, "prep"), stage(p, "train")
    refused = p.guild(f"run --start {second} -y")
    assert (refused.code, states(p)[second]) == (1, "staged")
    assert f"it depends on run {first}, which is staged" in refused.err
    assert f"waits_for: {first}" in p.guild(f"runs info {second}").out
    assert p.guild(f"run --start {first} -y").code == 0
    assert p.guild(f"run --start {second} -y").code == 0
    assert (p.home / "runs" / second / "t.txt").read_text() == "made 1!"


def test_a_queue_that_runs_once_leaves_what_can_never_run(project: Make) -> None:
    p = project(FILES)
    stage(p, "prep --gpus 1")
    waiting = stage(p, "train")
    queue = p.guild("run queue run-once=yes gpus=0 -y", timeout=60)
    assert queue.code == 0
    assert states(p)[waiting] == "staged"
    assert f"Found staged run {waiting}" in queue.err


def test_a_run_now_takes_the_latest_upstream_that_has_ended_or_the_marked_one(project: Make) -> None:
    p = project(FILES)
    assert p.guild("run prep n=1 -y").code == 0
    assert p.guild("run prep n=2 -y").code == 0
    stage(p, "prep n=3")
    assert p.guild("run train -y").out.strip() == "made 2!"
    marked = next(r["id"] for r in p.runs() if "n=1" in (r["label"] or ""))
    (p.home / "runs" / marked / ".guild" / "attrs" / "marked").write_text("true\n")
    assert p.guild("run train -y").out.strip() == "made 1!"
    two = next(r["id"] for r in p.runs() if "n=2" in (r["label"] or ""))
    assert p.guild(f"run train prep={two[:8]} -y").out.strip() == "made 2!"
    numbered = p.guild("run train prep=1 -y")
    assert "prep=1: expected the id of a run" in numbered.err
    wrong = p.guild("run train prep=ffffffff -y")
    assert wrong.code == 1
    assert "there is no run of prep whose id begins so" in wrong.err


def test_without_an_upstream_the_run_says_what_to_run_first(project: Make) -> None:
    p = project(FILES)
    failed = p.guild("run train -y")
    assert failed.code == 1
    assert "run failed because a dependency was not met: could not resolve 'operation:prep'" in failed.err
    assert "no suitable run for prep" in failed.err
    assert [r["status"] for r in p.runs()] == ["error"]
    forced = p.guild("run train --force-deps -y")
    assert "WARNING: a dependency was not met" in forced.err
    assert "No such file or directory: 'o.txt'" in forced.err


def test_several_upstream_runs_make_a_batch(project: Make) -> None:
    p = project(FILES)
    for n in (1, 2):
        assert p.guild(f"run prep n={n} -y").code == 0
    ids = ",".join(r["id"] for r in p.runs())
    done = p.guild(f"run train operation:prep=[{ids}] -y")
    assert done.code == 0, done
    assert sorted(done.out.split("\n")) == ["", "made 1!", "made 2!"]


def test_a_restage_keeps_the_files_of_the_staging_when_the_project_is_gone(project: Make) -> None:
    p = project(FILES)
    assert p.guild("run prep -y").code == 0
    run_id = stage(p, "train")
    p.directory.rename(p.directory.with_name("gone"))
    p.directory.mkdir()
    assert p.guild(f"run --restage {run_id} x=5 -y").code == 0
    assert p.guild(f"run --start {run_id} -y").code == 0
    assert (p.home / "runs" / run_id / "data.txt").read_text() == "data"


def test_a_supervisor_killed_while_it_resolves_leaves_the_run_staged(project: Make, tmp_path: Path) -> None:
    p = project(FILES)
    assert p.guild("run prep -y").code == 0
    upstream = p.home / "runs" / p.runs()[0]["id"]
    run_id = stage(p, "train")
    # Large enough to be caught in the middle.
    with open(upstream / "big.bin", "wb") as f:
        f.truncate(3 << 30)
    queue = p.popen("run queue run-once=yes poll-interval=1 -y")
    resolving = p.home / "runs" / run_id / ".guild" / "resolving"
    wait_until(lambda: any(resolving.rglob("copy-*")))
    holder = _holder(p, run_id)
    os.kill(holder, signal.SIGKILL)
    os.truncate(upstream / "big.bin", 10)
    assert queue.wait().code == 0
    assert states(p)[run_id] == "completed"
    assert (p.home / "runs" / run_id / "big.bin").stat().st_size == 10
    assert not resolving.exists()


def _holder(p: Project, run_id: str) -> int:
    import json

    lease = json.loads((p.home / "runs" / run_id / ".guild" / "lease.json").read_text())
    return int(lease["holder"]["pid"])
