"""Queues of both on one home at once."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from guild.base import yamlio
from tests.helpers import Running, wait_until
from tests.interop.conftest import Both
from tests.interop.gallery import listed
from tests.interop.sameness import said
from tests.journeys.test_queue import LEDGER, is_queue

Make = Callable[[Mapping[str, str]], Both]
RUNS = 40
# Long enough for the slower of the two to get some.
JOB = LEDGER.replace('note("end")', 'time.sleep(0.4)\nnote("end")')
# What every run has in the end, whoever staged it and whoever executed it.
ATTRS = {"cmd", "env", "exit_status", "flags", "id", "initialized", "op", "platform", "run_params"} | {
    "sourcecode_digest",
    "started",
    "stopped",
}


def kill_queue(queue: Running) -> None:
    """The queue and its supervisor. Its job has a supervisor of its own."""
    top = psutil.Process(queue.pid)
    for process in [top, *top.children()]:
        process.kill()
    queue.wait()


def assert_whole(run_dir: Path) -> None:
    files = {path.name: path.read_bytes() for path in (run_dir / ".guild/attrs").iterdir()}
    assert not ATTRS - set(files), run_dir
    for data in files.values():
        yamlio.decode(data)
    left = {path.name for path in (run_dir / ".guild").iterdir()}
    assert not left & {"STAGED", "PENDING", "LOCK", "lease.json", "order.json"}, run_dir


@pytest.mark.timeout(300)
def test_of_forty_runs_that_queues_of_both_take_none_is_run_twice_and_none_is_lost(
    both: Make, tmp_path: Path
) -> None:
    """One of the queues is killed meanwhile, and the last run is started by hand."""
    pair = both({"job.py": JOB})
    env = {"LEDGER": str(tmp_path / "ledger")}
    for x in range(0, RUNS, 4):
        for stager, values in ((pair.ours, [x, x + 1]), (pair.theirs, [x + 2, x + 3])):
            outcome = stager.guild(f"run job.py x={values} --stage-trials -y".replace(", ", ","), env=env)
            assert outcome.code == 0, outcome
    staged = listed(pair.ours.guild("runs --json --staged"))
    assert len(staged) == RUNS
    command = "run queue poll-interval=1 wait-for-running=no -y"
    queues = [project.popen(command, env=env) for project in (pair.theirs, pair.theirs)]
    for queue in queues:
        queue.expect("Starting staged run")
    queues += [project.popen(command, env=env) for project in (pair.ours, pair.ours, pair.ours)]
    assert pair.ours.guild(f"run --start {staged[0]['id']} -y", env=env).code == 0
    queues[-1].expect("Starting staged run")
    kill_queue(queues[-1])

    def jobs() -> list[str]:
        found = listed(pair.ours.guild("runs --json"))
        return [str(run["status"]) for run in found if not is_queue(run) and str(run["opref"])[0] == "s"]

    wait_until(lambda: not {"staged", "pending", "running"} & set(jobs()), timeout=200, what="all runs' end")
    assert Counter(jobs()) == {"completed": RUNS}
    lines = (tmp_path / "ledger").read_text().splitlines()
    assert Counter(line.split()[1] for line in lines if line.startswith("begin")) == Counter(
        map(str, range(RUNS))
    )
    taken = [(queue.out + queue.err).count("Starting staged run") for queue in queues]
    assert sum(taken) in (RUNS - 1, RUNS), "the claim of the killed queue may have been taken by another"
    assert min(taken) > 0, taken
    for run in listed(pair.ours.guild("runs --json")):
        if not is_queue(run):
            assert_whole(pair.home / "runs" / str(run["id"]))
    theirs, ours = said(pair, "runs --json").json()
    assert {r["id"]: r["status"] for r in theirs} == {r["id"]: r["status"] for r in ours}
    assert pair.ours.guild("stop -y").code == 0
    for queue in queues:
        queue.wait()
