"""What one of them is executing, as the other sees it, waits for it and stops it."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.faults.processes import kill, processes_of
from tests.helpers import Project, Running, wait_until
from tests.interop.conftest import Both
from tests.interop.gallery import checked, is_locked, listed, run_dir, run_id
from tests.interop.meant import meant
from tests.interop.sameness import said
from tests.journeys.test_queue import LEDGER, is_queue, ledger_of

Make = Callable[[Mapping[str, str]], Both]
WAIT = "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n"
FILES = {"wait.py": WAIT, "job.py": LEDGER, "ok.py": "print('ok')\n"}


def statuses(project: Project) -> dict[str, str]:
    return {
        str(r["label"]): str(r["status"]) for r in listed(project.guild("runs --json")) if not is_queue(r)
    }


def begin(project: Project, label: str = "a") -> Running:
    running = project.popen(f"run wait.py -y --label {label}")
    running.expect("waiting")
    wait_until(lambda: is_locked(run_dir(project, label)), what="LOCK")
    return running


def test_what_is_running_is_running_for_both_and_either_stops_it(both: Make) -> None:
    pair = both(FILES)
    for maker, other in ((pair.ours, pair.theirs), (pair.theirs, pair.ours)):
        running = begin(maker)
        assert statuses(pair.ours) == statuses(pair.theirs) == {"a": "running"}
        assert f"pid: {(run_dir(maker, 'a') / '.guild/LOCK').read_text()}\n" in other.guild("runs info").out
        watching = other.popen("watch")
        watching.expect("waiting")
        checked(other, "stop -y")
        running.wait()
        assert "stopped with a status of 'terminated'" in "".join(watching.wait().out + watching.err)
        assert statuses(pair.ours) == statuses(pair.theirs) == {"a": "terminated"}
        checked(other, "runs rm -y -p")


def test_what_runs_in_the_background_is_ended_and_recorded_before_either_deletes_it(both: Make) -> None:
    pair = both(FILES)
    for maker, other in ((pair.ours, pair.theirs), (pair.theirs, pair.ours)):
        checked(maker, "run wait.py -b -y --label a")
        wait_until(partial(is_locked, run_dir(maker, "a")), what="LOCK")
        assert "Stopping" in checked(other, "runs rm -y").err
        trashed = next((pair.home / "trash/runs").iterdir()) / ".guild"
        wait_until((trashed / "attrs/exit_status").exists, what="the end on record")
        (theirs,), (ours,) = said(pair, "runs -d --json").json()
        assert theirs["status"] == ours["status"] == "terminated"
        assert not processes_of(pair.home)
        checked(other, "runs purge -y")


def test_a_run_of_theirs_in_progress_is_waited_for_and_not_started_again(both: Make, tmp_path: Path) -> None:
    pair = both(FILES)
    running = begin(pair.theirs)
    refused = pair.ours.guild(f"run --start {run_id(pair.ours, 'a')} -y")
    assert refused.code == 1
    assert "running" in refused.err
    checked(pair.ours, "run ok.py --stage -y --label b")
    queue = pair.ours.popen("run queue run-once=yes poll-interval=1 -y")
    queue.expect("(waiting for runs to finish: ")
    assert statuses(pair.ours) == {"a": "running", "b": "staged"}
    checked(pair.theirs, f"stop {run_id(pair.theirs, 'a')} -y")
    running.wait()
    assert queue.wait().code == 0
    assert statuses(pair.theirs) == {"a": "terminated", "b": "completed"}


def test_queues_are_stopped_by_the_other_and_leave_nothing_running(both: Make, tmp_path: Path) -> None:
    pair = both(FILES)
    for maker, other in ((pair.ours, pair.theirs), (pair.theirs, pair.ours)):
        checked(maker, "run wait.py --stage -y --label job")
        queue = maker.popen("run queue poll-interval=1 -y")
        wait_until(lambda: statuses(pair.ours) == {"job": "running"}, what="the job to be running")
        directory = run_dir(maker, "job")
        wait_until(partial(is_locked, directory), what="LOCK")
        checked(other, "stop -y")
        queue.wait()
        wait_until(lambda: statuses(pair.ours) != {"job": "running"}, what="the end of the job")
        assert meant("Ending a queue")
        assert statuses(pair.ours) == statuses(pair.theirs) == {"job": "terminated"}
        assert not [each for each in processes_of(pair.home) if each.kind in ("job", "queue")]
        checked(pair.ours, "runs rm -y -p")


def test_each_waits_for_the_lock_that_the_other_holds(both: Make) -> None:
    pair = both(FILES)
    checked(pair.ours, "run ok.py --stage -y --label a")
    with open(pair.home / "locks" / "run-status", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        queues = [each.popen("run queue run-once=yes -y") for each in (pair.ours, pair.theirs)]
        staging = pair.ours.popen("run ok.py --stage -y --label b")
        queues[1].expect("Processing staged runs")
        staged = ".guild/STAGED"
        wait_until(lambda: list((pair.home / "staging").glob(f"*/{staged}")), what="the run to be complete")
        assert statuses(pair.ours) == {"a": "staged"}
    staging.wait()
    for queue in queues:
        queue.wait()
    checked(pair.theirs, "run queue run-once=yes -y")
    assert statuses(pair.theirs) == {"a": "completed", "b": "completed"}


def test_a_lock_that_a_killed_guild_left_is_an_error_and_a_strangers_pid_never_a_running_run(
    both: Make,
) -> None:
    pair = both(FILES)
    running = begin(pair.theirs)
    for found in processes_of(pair.home):
        kill(found.pid)
    running.wait()
    guild_dir = run_dir(pair.ours, "a") / ".guild"
    assert (guild_dir / "LOCK").exists()
    wait_until(lambda: statuses(pair.theirs) == {"a": "error"}, what="the killed process to be reaped")
    assert statuses(pair.ours) == {"a": "error"}
    (guild_dir / "LOCK").write_text(str(os.getpid()))  # as if the pid had been given to this process since
    os.utime(guild_dir / "LOCK", (1_000_000_000, 1_000_000_000))
    assert statuses(pair.ours) == {"a": "error"}
    assert pair.ours.guild("stop -y").code == 0
    assert checked(pair.ours, "run --restart 1 --stage -y").code == 0


def test_what_a_killed_queue_of_ours_had_claimed_is_run_by_either(both: Make, tmp_path: Path) -> None:
    pair = both(FILES)
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    assert pair.ours.guild("run job.py x=1 --stage -y --label a", env=env).code == 0
    queue = pair.ours.popen("run queue -y")
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the job to begin")
    for found in processes_of(pair.home):
        if found.kind in ("queue", "queue's supervisor"):
            os.kill(found.pid, signal.SIGKILL)
    queue.wait()
    assert statuses(pair.theirs) == {"a": "running"}  # its own supervisor goes on
    (tmp_path / "gate").touch()
    wait_until(lambda: statuses(pair.theirs) == {"a": "completed"}, what="the end of the job")
    assert ledger_of(tmp_path / "ledger") == [("begin", "1"), ("end", "1")]


def test_what_a_killed_queue_of_theirs_had_claimed_holds_up_nobody_and_can_be_staged_again(
    both: Make,
) -> None:
    pair = both(FILES)
    for label in "abc":
        checked(pair.theirs, f"run ok.py --stage -y --label {label}")
    pending = [run_dir(pair.ours, label) / ".guild/PENDING" for label in "ab"]
    for marker in pending:
        queue = pair.theirs.popen("run queue -y")
        wait_until(marker.exists, what="the claim")
        while found := processes_of(pair.home):  # the job's may just be coming
            for each in found:
                kill(each.pid)
            queue.wait()
    assert statuses(pair.ours) == statuses(pair.theirs) == {"a": "pending", "b": "pending", "c": "staged"}
    refused = pair.ours.guild(f"run --restart {run_id(pair.ours, 'a')} --stage -y")
    assert refused.code == 1
    assert "Guild 0.9 may be about to start it" in refused.err
    long_ago = time.time() - 90
    for marker in pending:
        os.utime(marker, (long_ago, long_ago))
    queue = pair.ours.popen("run queue run-once=yes -y")
    assert queue.wait().code == 0
    for label in "ab":
        text = f"Not waiting for run {run_id(pair.ours, label)}: it is pending"
        assert text in queue.err
    checked(pair.ours, f"run --restart {run_id(pair.ours, 'a')} --stage -y --label a")
    checked(pair.ours, f"run --restage {run_id(pair.ours, 'b')} -y --label b")
    assert statuses(pair.theirs) == {"a": "staged", "b": "staged", "c": "completed"}
    checked(pair.theirs, "run queue run-once=yes poll-interval=1 -y")
    assert set(statuses(pair.ours).values()) == {"completed"}


def test_restaged_runs_come_last_for_their_queue_and_first_for_ours(both: Make) -> None:
    pair = both(FILES)
    for label in "abc":
        stager = pair.theirs if label == "b" else pair.ours
        checked(stager, f"run ok.py --stage -y --label {label}")
    checked(pair.ours, f"run --restage {run_id(pair.ours, 'b')} -y --label b")
    ids = {run_id(pair.ours, label): label for label in "abc"}

    def order(project: Project) -> str:
        outcome = checked(project, "run queue run-once=yes poll-interval=1 -y")
        lines = [line for line in (outcome.out + outcome.err).splitlines() if "Starting staged run" in line]
        return "".join(ids[line.split()[-1]] for line in lines)

    assert order(pair.theirs) == "acb"
    for label in "abc":
        stager = pair.theirs if label == "b" else pair.ours
        checked(stager, f"run --restart {run_id(pair.ours, label)} --stage -y --label {label}")
    checked(pair.ours, f"run --restage {run_id(pair.ours, 'c')} -y --label c")
    assert order(pair.ours) == "cab"
