"""Stopping runs, with real processes where one has to end (each in a session of its own, all ended after)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guild.base import processes
from guild.base.processes import ProcessId, identify, this_process
from guild.home import Home
from guild.launch import stop
from guild.launch.stop import CannotStop, Stopping, is_active, request_drain, request_stop
from guild.runs import attrs, layout, lifecycle
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.helpers import kill_tree, wait_until
from tests.made_runs import make_run

pytestmark = pytest.mark.journey

QUICK = {"STOP_AFTER_KILL_DELAY": "0.3"}
SLEEPS = "print('ready', flush=True); import signal; signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)\n"
    "while True: signal.pause()"
)
PARENT = (
    "import subprocess, sys\n"
    f"p = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], stdout=subprocess.PIPE)\n"
    "p.stdout.readline(); print('ready', p.pid, flush=True); import signal; signal.pause()"
)
SUPERVISOR = """
import signal, sys
from pathlib import Path
from guild.home import Home
from guild.runs import lifecycle
from guild.runs.run import Run
from guild.runs.store import RunStore
store, run = RunStore(Home(Path(sys.argv[1]))), Run(Path(sys.argv[2]))
def end(number, frame):
    lifecycle.finish(store, run, -15, lambda: None)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True: signal.pause()
"""
# Begins another process as soon as it is asked to end, and waits for that.
BEGINS_ANOTHER = (
    "import signal, subprocess, sys\n"
    f"def another(number, frame): sys.exit(subprocess.call([sys.executable, '-c', {SLEEPS!r}]))\n"
    "signal.signal(signal.SIGTERM, another); print('ready', flush=True); signal.pause()"
)
DRAINABLE = (
    "import signal, sys; signal.signal(signal.SIGUSR1, lambda *a: sys.exit(7))\n"
    "print('ready', flush=True); signal.pause()"
)


class Process:
    """A process that has said it is ready, and its identity."""

    def __init__(self, code: str, *args: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.popen.stdout
        self.said = self.popen.stdout.readline().split()
        found = identify(self.popen.pid)
        assert found
        self.id = found

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def end(self) -> None:
        kill_tree(self.popen.pid)
        self.popen.wait()
        assert self.popen.stdout
        self.popen.stdout.close()


Spawn = Callable[..., Process]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    made: list[Process] = []

    def start(code: str = SLEEPS, *args: str) -> Process:
        made.append(Process(code, *args))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(Home(tmp_path / "home"))
    store.create()
    return store


def gone() -> ProcessId:
    """Somebody who had this process's number before it."""
    me = this_process()
    return ProcessId(me.machine, me.host, me.boot, me.namespace, me.pid, me.ticks - 1)


def elsewhere() -> ProcessId:
    me = this_process()
    return ProcessId("other", "far-away", "b", me.namespace, me.pid, me.ticks)


QUEUE = "builtin:guildai 0.9.0 '' queue"


def running(store: RunStore, holder: ProcessId, child: ProcessId, run_id: str = "r", **made: str) -> Run:
    run = make_run(store.home.path, run_id, status="none", started=1, **made)  # type: ignore[arg-type]
    lease = lifecycle.new_lease(store, run, Doing.STARTING).with_(holder=holder)
    lifecycle.mark_new_pending(run, lease)
    lifecycle.mark_started(run, lease, 5)
    lifecycle.mark_running(store, run, lease, child)
    return run


def pending(store: RunStore, holder: ProcessId, doing: Doing = Doing.CLAIMED, queue: str = "") -> Run:
    run = make_run(store.home.path, "p", status="staged", started=1)
    with lifecycle.locked(store) as held:
        lease = lifecycle.new_lease(store, run, doing, queue=queue).with_(holder=holder)
        lifecycle.claim(held, run, lease)
    return run


def stopped(stopping: Stopping) -> bool:
    ended, late = stop.wait([stopping])
    return bool(ended) and not late


def test_a_supervisor_is_asked_and_records_the_end(store: RunStore, spawn: Spawn) -> None:
    child = spawn()
    supervisor = spawn(SUPERVISOR, str(store.home.path), str(store.home.runs / "r"))
    run = running(store, supervisor.id, child.id)
    stopping = request_stop(store, run, {})
    assert stopping.pid == supervisor.popen.pid
    assert stopped(stopping)
    assert run.exit_status() == -15
    assert run.attr(layout.REASON) is None
    assert child.is_alive  # that is the supervisor's business


def test_a_run_whose_supervisor_is_gone_is_ended_with_its_whole_tree(store: RunStore, spawn: Spawn) -> None:
    child = spawn(PARENT)
    below = identify(int(child.said[1]))
    run = running(store, gone(), child.id)
    stopping = request_stop(store, run, QUICK)
    assert stopping.pid == child.popen.pid
    assert stopped(stopping)
    assert run.status() is RunStatus.TERMINATED
    assert run.attr(layout.REASON) == stop.WITHOUT_SUPERVISOR
    assert below is not None
    assert not processes.is_alive(below)


def test_a_process_that_does_not_listen_is_killed_after_the_grace(store: RunStore, spawn: Spawn) -> None:
    child = spawn(STUBBORN)
    run = running(store, gone(), child.id)
    assert stopped(request_stop(store, run, QUICK))
    assert child.popen.wait() == -signal.SIGKILL
    assert run.exit_status() == -15


def test_a_supervisor_that_dies_instead_is_followed_by_ending_the_operation(
    store: RunStore, spawn: Spawn
) -> None:
    supervisor, child = spawn(SLEEPS), spawn(SLEEPS)  # this one just dies of SIGTERM
    run = running(store, supervisor.id, child.id)
    assert stopped(request_stop(store, run, QUICK))
    assert child.popen.wait() == -signal.SIGTERM
    assert run.exit_status() == -15


def test_a_supervisor_that_goes_on_is_reported_as_late(store: RunStore, spawn: Spawn) -> None:
    run = running(store, spawn(STUBBORN).id, spawn().id)
    stopping = request_stop(store, run, QUICK)
    stopping.deadline = 0.0
    assert stop.wait([stopping]) == ([], [stopping])
    assert run.status() is RunStatus.RUNNING


def test_a_run_of_another_host_is_refused(store: RunStore) -> None:
    run = running(store, elsewhere(), elsewhere())
    with pytest.raises(CannotStop, match="held by the host 'far-away'"):
        request_stop(store, run, {})


def test_a_run_on_a_remote_is_refused(store: RunStore) -> None:
    run = make_run(store.home.path, "r")
    (run.guild_dir / layout.LOCK_REMOTE).write_text("ssh")
    with pytest.raises(CannotStop, match="remote"):
        request_stop(store, run, {})


def test_a_run_that_has_ended_meanwhile_needs_nothing(store: RunStore) -> None:
    run = make_run(store.home.path, "r", attrs={"x": 1})
    stopping = request_stop(store, run, {})
    assert (stopping.pid, stopped(stopping), run.exit_status()) == (None, True, 0)


# Runs of Guild 0.9: LOCK holds a bare pid.


def foreign(store: RunStore, pid: int, age: float = 0.0, run_id: str = "f", opref: str | None = None) -> Run:
    run = make_run(store.home.path, run_id, status="none", started=1, opref=opref)
    lock = run.guild_dir / layout.LOCK
    lock.write_text(str(pid))
    os.utime(lock, (time.time() - age, time.time() - age))
    return run


def test_a_run_of_guild_0_9_is_ended_and_recorded_where_nobody_else_does(
    store: RunStore, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "_OTHERS_RECORD", 0.0)
    child = spawn(PARENT)
    run = foreign(store, child.popen.pid)
    assert run.status() is RunStatus.RUNNING
    assert stopped(request_stop(store, run, QUICK))
    assert child.popen.wait() == -signal.SIGTERM
    assert run.exit_status() == -15


def test_what_guild_0_9_records_itself_stands(store: RunStore, spawn: Spawn) -> None:
    child = spawn()
    run = foreign(store, child.popen.pid)
    stopping = request_stop(store, run, QUICK)
    wait_until(lambda: not child.is_alive)
    assert not stopping.has_ended()  # it gets some time for that
    attrs.write_attr(run.guild_dir, layout.EXIT_STATUS, 3)
    assert stopped(stopping)
    assert run.exit_status() == 3


def test_the_job_of_a_queue_of_guild_0_9_that_ends_with_it_is_recorded(
    store: RunStore, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "_OTHERS_RECORD", 0.0)
    parent, other = spawn(PARENT), spawn()
    queue = foreign(store, parent.popen.pid, run_id="q", opref=QUEUE)
    job = foreign(store, int(parent.said[1]), run_id="job")
    beside = foreign(store, other.popen.pid, run_id="beside")
    stale = foreign(store, int(parent.said[1]), run_id="stale", age=3600)
    assert stopped(request_stop(store, queue, QUICK))
    assert (queue.exit_status(), job.exit_status(), stale.exit_status()) == (-15, -15, None)
    assert job.reason() == "stopped with the run that had started it"
    assert beside.status() is RunStatus.RUNNING


def test_what_is_begun_while_it_is_asked_to_end_is_ended_too(
    store: RunStore, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of Guild 0.9 begins its next trial when it and its trial are stopped at the same time."""
    monkeypatch.setattr(stop, "_OTHERS_RECORD", 0.0)
    monkeypatch.setattr(stop, "_REST_LATER", 0.5)
    batch = spawn(BEGINS_ANOTHER)
    run = foreign(store, batch.popen.pid)
    stopping = request_stop(store, run, {})
    wait_until(lambda: processes.descendants(batch.popen.pid), what="another process")
    another = processes.descendants(batch.popen.pid)
    assert stopped(stopping)
    assert not any(processes.is_alive(each) for each in another)
    assert batch.popen.wait() != -signal.SIGKILL


def test_a_process_that_began_after_lock_was_written_is_never_signalled(
    store: RunStore, spawn: Spawn
) -> None:
    stranger = spawn()
    run = foreign(store, stranger.popen.pid, age=3600)
    stopping = request_stop(store, run, QUICK)
    assert (stopping.pid, stopped(stopping), stranger.is_alive) == (None, True, True)


def test_a_reused_pid_in_a_lease_is_never_signalled(store: RunStore, spawn: Spawn) -> None:
    """The lease names our own number: a signal would end this test."""
    run = pending(store, gone(), Doing.STARTING)
    assert stopped(request_stop(store, run, QUICK))
    assert run.exit_status() == -15


# Pending runs.


def test_a_claim_in_the_hands_of_its_queue_is_ended_without_touching_the_queue(
    store: RunStore, spawn: Spawn
) -> None:
    queue_process = spawn()
    running(store, spawn().id, queue_process.id, run_id="q", opref=QUEUE)
    run = pending(store, queue_process.id, queue="q")
    assert is_active(run, run.status())
    stopping = request_stop(store, run, {})
    assert (stopping.pid, stopped(stopping), queue_process.is_alive) == (None, True, True)
    assert (run.status(), run.attr(layout.REASON)) == (RunStatus.TERMINATED, stop.BEFORE_IT_BEGAN)


def test_a_claim_that_was_taken_over_meanwhile_is_left_to_its_supervisor(
    store: RunStore, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The take-over falls between the look at the lease and the lock."""
    queue_process, supervisor = spawn(), spawn()
    running(store, spawn().id, queue_process.id, run_id="q", opref=QUEUE)
    run = pending(store, queue_process.id, queue="q")
    real = stop._end_claim

    def late(store: RunStore, run: Run, lease: Lease) -> bool:
        with lifecycle.locked(store) as held:
            lifecycle.take_over(held, run, lease.token, supervisor.id)
        return real(store, run, lease)

    monkeypatch.setattr(stop, "_end_claim", late)
    stopping = request_stop(store, run, QUICK)
    assert stopping.pid == supervisor.popen.pid
    assert stopped(stopping)  # it died of the signal without a word, so we say it
    assert (run.exit_status(), run.attr(layout.REASON)) == (-15, stop.BEFORE_IT_BEGAN)
    assert queue_process.is_alive


def test_a_pending_run_whose_holder_is_gone_is_ended(store: RunStore) -> None:
    run = pending(store, gone())
    assert stopped(request_stop(store, run, {}))
    assert run.status() is RunStatus.TERMINATED


def test_a_pending_run_of_guild_0_9_is_refused_with_a_way_out(store: RunStore) -> None:
    run = make_run(store.home.path, "p", status="pending")
    assert not is_active(run, run.status())
    with pytest.raises(CannotStop, match="nobody is known to be starting it") as e:
        request_stop(store, run, {})
    assert "guild runs rm p" in e.value.hint


# Draining.


def test_a_queue_gets_the_signal_to_drain(store: RunStore, spawn: Spawn) -> None:
    queue = spawn(DRAINABLE)
    run = running(store, spawn().id, queue.id, opref=QUEUE)
    assert request_drain(store, run) == queue.popen.pid
    assert queue.popen.wait(30) == 7


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which signals a process handles")
def test_a_queue_that_does_not_listen_yet_is_not_killed_by_draining(
    store: RunStore, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "_READY_TO_DRAIN", 0.0)
    queue = spawn(SLEEPS)
    run = running(store, spawn().id, queue.id, opref=QUEUE)
    with pytest.raises(CannotStop, match="only about to begin"):
        request_drain(store, run)
    assert queue.is_alive


def test_only_running_queues_of_ours_can_be_drained(store: RunStore, spawn: Spawn) -> None:
    with pytest.raises(CannotStop, match="is not a queue"):
        request_drain(store, running(store, spawn().id, spawn().id))
    with pytest.raises(CannotStop, match="is completed"):
        request_drain(store, make_run(store.home.path, "q", opref=QUEUE))
    other = make_run(store.home.path, "q9", opref=QUEUE, status="none")
    (other.guild_dir / layout.LOCK).write_text(str(spawn().popen.pid))
    with pytest.raises(CannotStop, match=r"started by Guild 0\.9"):
        request_drain(store, other)


def test_a_queue_gets_more_time_and_the_environment_may_set_it(store: RunStore) -> None:
    run = make_run(store.home.path, "r")
    queue = make_run(store.home.path, "q", opref=QUEUE)
    assert [stop.grace_of(r, {}) for r in (run, queue)] == [30, 45]
    assert [stop.grace_of(r, {"STOP_AFTER_KILL_DELAY": "2"}) for r in (run, queue)] == [2, 17]
    assert stop.grace_of(run, {"STOP_AFTER_KILL_DELAY": "soon"}) == 30
