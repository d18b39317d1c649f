"""The main job: stage in one console, a queue in the other."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers import Project, wait_until

pytestmark = pytest.mark.journey
Make = Callable[[Mapping[str, str]], Project]

TRAIN = 'x = 1\nprint("version 1 x=%s" % x)\n'
# Writes to a ledger outside of its run directory when it begins and ends, and goes on until it may end.
LEDGER = """
import os, time
x = 1
ledger = os.environ["LEDGER"]
def note(text):
    fd = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, ("%s %s %s\\n" % (text, x, os.environ["RUN_ID"])).encode())
    os.close(fd)
note("begin")
while os.environ.get("GATE") and not os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
note("end")
"""


def is_queue(run: Mapping[str, Any]) -> bool:
    return str(run["opref"]).startswith("builtin:") and str(run["opref"]).endswith(" queue")


def statuses(project: Project) -> dict[str, str]:
    return {r["id"]: r["status"] for r in project.runs() if not is_queue(r)}


def ledger_of(path: Path) -> list[tuple[str, str]]:
    """(begin or end, value of x), in the order of writing."""
    if not path.exists():
        return []
    return [(line.split()[0], line.split()[1]) for line in path.read_text().splitlines()]


def stage(project: Project, *flags: str, script: str = "train.py", env: Mapping[str, str] = {}) -> str:
    """Stage a run; its id."""
    outcome = project.guild(["run", script, *flags, "--stage", "-y"], env=env)
    assert outcome.code == 0, outcome
    return outcome.out.split(" staged as ")[1].split()[0]


def output_of(project: Project, run_id: str) -> str:
    return (project.home / "runs" / run_id / ".guild" / "output").read_text()


def test_each_staged_run_has_the_code_and_flags_of_its_staging_and_they_run_in_order(project: Make) -> None:
    p = project({"train.py": TRAIN})
    queue = p.popen("run queue -y")
    queue.expect("Waiting for staged runs")
    ids = []
    for number in (1, 2, 3):
        p.write({"train.py": TRAIN.replace("version 1", f"version {number}")})
        ids.append(stage(p, f"x={number}"))
    wait_until(lambda: set(statuses(p).values()) == {"completed"}, what="three completed runs")
    for number, run_id in enumerate(ids, 1):
        assert output_of(p, run_id) == f"version {number} x={number}\n"
    started = [queue.err.index(f"Starting staged run {i}") for i in ids]
    assert started == sorted(started)
    assert "version 2 x=2" in queue.out, "the job's output appears on the queue's console"
    assert p.guild("stop -y").code == 0
    queue.wait()
    assert "Stopping queue" in queue.err
    assert p.runs()[-1]["status"] == "terminated"


def test_a_waiting_queue_waits_for_a_foreground_run(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    foreground = p.popen("run job.py x=1 -y", env=env)
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the foreground run to begin")
    queue = p.popen("run queue run-once=yes -y")
    run_id = stage(p, "x=2", script="job.py", env=env)
    queue.expect(f"Found staged run {run_id} (waiting for runs to finish: ")
    assert statuses(p)[run_id] == "staged"
    (tmp_path / "gate").touch()
    assert foreground.wait().code == 0
    assert queue.wait().code == 0
    assert ledger_of(tmp_path / "ledger") == [("begin", "1"), ("end", "1"), ("begin", "2"), ("end", "2")]
    assert queue.err.count("Found staged run") == 1


def test_a_deleted_staged_run_is_not_run(project: Make) -> None:
    p = project({"train.py": TRAIN})
    first, second = stage(p, "x=1"), stage(p, "x=2")
    assert p.guild(f"runs rm {first[:8]} -y").code == 0
    assert p.guild("run queue run-once=yes -y").code == 0
    assert statuses(p) == {second: "completed"}


@pytest.mark.parametrize("how", ["ctrl-c", "stop"])
def test_ending_a_queue_ends_its_run_in_order(project: Make, tmp_path: Path, how: str) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    first, second = stage(p, script="job.py", env=env), stage(p, script="job.py", env=env)
    terminal = p.pty("run queue -y")
    terminal.expect("Starting staged run")
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the job to begin")
    if how == "ctrl-c":
        terminal.send("\x03")
    else:
        queue = next(r["id"] for r in p.runs() if is_queue(r))
        assert p.guild(f"stop {queue[:8]} -y").code == 0
    terminal.wait()
    assert "Stopping queue" in terminal.transcript
    assert statuses(p) == {first: "terminated", second: "staged"}


def test_drain_lets_the_current_run_finish(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    first, second = stage(p, script="job.py", env=env), stage(p, script="job.py", env=env)
    queue = p.popen("run queue -y")
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the job to begin")
    queue_id = next(r["id"] for r in p.runs() if is_queue(r))
    assert p.guild(f"stop --drain {queue_id[:8]} -y").code == 0
    (tmp_path / "gate").touch()
    assert queue.wait().code == 0
    assert statuses(p) == {first: "completed", second: "staged"}


def test_a_failing_run_is_one_line_and_the_queue_goes_on(project: Make) -> None:
    p = project({"train.py": TRAIN, "bad.py": "raise SystemExit(3)\n"})
    bad, good = stage(p, script="bad.py"), stage(p)
    outcome = p.guild("run queue run-once=yes -y")
    assert outcome.code == 0
    assert statuses(p) == {bad: "error", good: "completed"}
    assert [line for line in outcome.err.splitlines() if "ERROR" in line] == [
        line for line in outcome.err.splitlines() if f"Run {bad} failed with exit code 3" in line
    ]


def test_four_queues_that_do_not_wait_start_each_run_once(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger")}
    p = project({"job.py": LEDGER})
    for number in range(60):
        stage(p, f"x={number}", script="job.py", env=env)
    queues = [p.popen("run queue run-once=yes wait-for-running=no -y") for _ in range(4)]
    for queue in queues:
        assert queue.wait(120).code == 0
    begun = [x for what, x in ledger_of(tmp_path / "ledger") if what == "begin"]
    assert sorted(begun, key=int) == [str(n) for n in range(60)]
    assert set(statuses(p).values()) == {"completed"}


def test_four_waiting_queues_never_run_two_at_once_and_keep_the_order(project: Make, tmp_path: Path) -> None:
    env = {"LEDGER": str(tmp_path / "ledger")}
    p = project({"job.py": LEDGER})
    for number in range(12):
        stage(p, f"x={number}", script="job.py", env=env)
    queues = [p.popen("run queue run-once=yes -y") for _ in range(4)]
    for queue in queues:
        assert queue.wait(120).code == 0
    expected = [(what, str(n)) for n in range(12) for what in ("begin", "end")]
    assert ledger_of(tmp_path / "ledger") == expected


def test_a_killed_queue_leaves_its_run_to_finish_and_the_next_queue_goes_on(
    project: Make, tmp_path: Path
) -> None:
    env = {"LEDGER": str(tmp_path / "ledger"), "GATE": str(tmp_path / "gate")}
    p = project({"job.py": LEDGER})
    first, second = (stage(p, f"x={n}", script="job.py", env=env) for n in (1, 2))
    queue = p.popen("run queue -y")
    wait_until(lambda: ledger_of(tmp_path / "ledger"), what="the job to begin")
    for process in [psutil.Process(queue.pid), *psutil.Process(queue.pid).children()]:
        os.kill(process.pid, signal.SIGKILL)
    (tmp_path / "gate").touch()
    wait_until(lambda: statuses(p)[first] == "completed", what="the job of the killed queue to complete")
    assert p.guild("run queue run-once=yes -y").code == 0
    assert statuses(p) == {first: "completed", second: "completed"}
    assert [x for what, x in ledger_of(tmp_path / "ledger") if what == "begin"] == ["1", "2"]


def test_a_queue_does_not_show_in_compare(project: Make) -> None:
    p = project({"train.py": TRAIN})
    stage(p)
    assert p.guild("run queue run-once=yes -y").code == 0
    outcome = p.guild("compare --csv -")
    assert outcome.code == 0
    assert "train.py" in outcome.out
    assert "queue" not in outcome.out


def test_only_the_exact_name_is_the_queue(project: Make) -> None:
    p = project({"train.py": TRAIN})
    outcome = p.guild("run que -y")
    assert outcome.code == 1
    assert "que" in outcome.err
    assert p.runs() == []


def test_background_queue_and_stop_of_a_job_that_ignores_sigterm(project: Make, tmp_path: Path) -> None:
    script = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'up')!r}, 'w').close()\nwhile True:\n    time.sleep(0.1)\n"
    )
    p = project({"stubborn.py": script})
    short = {"STOP_AFTER_KILL_DELAY": "0.5"}
    assert p.guild("run queue -b -y", env=short).code == 0
    run_id = stage(p, script="stubborn.py")
    wait_until((tmp_path / "up").exists, what="the job to begin")
    assert p.guild(f"stop {run_id[:8]} -y", env=short).code == 0
    assert statuses(p)[run_id] == "terminated"
    assert p.guild("stop -y").code == 0
    assert [r["status"] for r in p.runs() if is_queue(r)] == ["terminated"]
