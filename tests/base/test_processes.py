"""Who is who among processes, and who is dead."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base import processes
from guild.base.processes import (
    ProcessId,
    identify,
    is_alive,
    kill_all,
    runs_since,
    signal_process,
    this_process,
)
from tests.helpers import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python process that runs the code given, by default until it is killed."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(code: str = "import sys; sys.stdin.read()") -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe))
        return begun[-1]

    yield begin
    for each in begun:
        each.kill()
        each.communicate()


def known(process: subprocess.Popen[bytes]) -> ProcessId:
    found = identify(process.pid)
    assert found is not None
    return found


ids = st.builds(ProcessId, st.text(), st.text(), st.text(), st.text(), st.integers(), st.integers())


@given(ids)
def test_an_identity_survives_json_and_text(process: ProcessId) -> None:
    assert ProcessId.from_json(json.loads(json.dumps(process.to_json()))) == process
    assert ProcessId.from_text(process.to_text()) == process


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values | st.dictionaries(st.sampled_from([*this_process().to_json()]), json_values))
def test_anything_else_is_a_value_error(data: Any) -> None:
    try:
        found = ProcessId.from_json(data)
    except ValueError:
        return
    assert all(data[name] == value for name, value in found.to_json().items())


@pytest.mark.parametrize("text", ["", "123", "{", "[" * 100_000, '{"pid": true}', "null"])
def test_damaged_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        ProcessId.from_text(text)


def test_a_pid_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(ValueError):
        ProcessId.from_json(this_process().to_json() | {"pid": True})


def test_a_running_process_is_alive_until_it_ends(start: Start) -> None:
    child = start()
    me = known(child)
    assert is_alive(me)
    assert known(child) == me
    child.kill()
    child.wait()
    assert not is_alive(me)
    assert identify(child.pid) is None


def test_a_zombie_counts_as_dead(start: Start) -> None:
    child = start()
    me = known(child)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(me)
    assert identify(child.pid) is None
    assert not signal_process(me, signal.SIGTERM)


def test_a_stopped_process_is_alive(start: Start) -> None:
    child = start()
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert is_alive(known(child))


def test_another_process_with_the_same_pid_is_another_one() -> None:
    me = this_process()
    earlier = replace(me, ticks=me.ticks - 1)
    assert is_alive(me)
    assert not is_alive(earlier)
    assert not signal_process(earlier, signal.SIGKILL)


def test_a_process_of_an_earlier_boot_of_this_machine_is_dead() -> None:
    assert not is_alive(replace(this_process(), boot="an earlier one"))


def test_a_process_of_another_machine_or_container_is_believed() -> None:
    me = this_process()
    gone = 2**22 + 1  # no pid of Linux is as high
    for other in (
        replace(me, host="elsewhere", boot="its own", pid=gone),
        replace(me, machine="elsewhere", boot="its own", pid=gone),
        replace(me, namespace="pid:[1]", pid=gone),
    ):
        assert is_alive(other)
        assert not processes.is_local(other)
        assert not signal_process(other, signal.SIGKILL)


@linux
def test_a_change_of_the_host_name_changes_no_identity() -> None:
    """The boot id tells the machine; a laptop's name changes with its network."""
    me = this_process()
    assert me.boot
    renamed = replace(me, host="before")
    assert is_alive(renamed)
    assert processes.is_local(renamed)
    assert not is_alive(replace(renamed, ticks=me.ticks - 1))


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 10**30])
def test_impossible_pids_are_nobodys(pid: int) -> None:
    assert identify(pid) is None
    assert not is_alive(replace(this_process(), pid=pid))
    assert not signal_process(replace(this_process(), pid=pid), signal.SIGKILL)
    assert not runs_since(pid, time.time())


@linux
def test_a_process_that_proc_hides_from_us_is_believed(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    """`hidepid`: other users' processes are not in /proc, but a signal to them is refused, not lost."""
    child = start("input()")
    mine, hidden = known(child), 4_000_000
    monkeypatch.setattr(os, "kill", raising({hidden: PermissionError, child.pid: PermissionError}))
    assert is_alive(replace(mine, pid=hidden))
    assert runs_since(hidden, 0)
    assert child.stdin
    child.stdin.write(b"\n")
    child.stdin.flush()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(mine), "a zombie shows in /proc, so nothing is hidden"


def raising(errors: dict[int, type[OSError]]) -> Callable[[int, int], None]:
    def kill(pid: int, number: int) -> None:
        raise errors.get(pid, ProcessLookupError)

    return kill


@linux
def test_without_proc_the_pid_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_linux_stat", lambda pid: None)
    me = this_process()
    assert me.ticks == 0
    assert is_alive(me)
    assert not is_alive(replace(me, pid=2**22 + 1))


@linux
def test_start_ticks_are_those_of_proc_whatever_the_name_of_the_command(start: Start) -> None:
    name = "open('/proc/self/comm', 'w').write('a) Z (b')"
    child = start(f"{name}; print('named', flush=True); input()")
    assert child.stdout
    child.stdout.readline()
    import psutil

    ticks = known(child).ticks
    began = psutil.boot_time() + ticks / os.sysconf("SC_CLK_TCK")
    assert abs(began - psutil.Process(child.pid).create_time()) < 1.5


def test_a_bare_pid_holds_from_the_start_of_its_process_on(start: Start) -> None:
    child = start()
    assert runs_since(child.pid, time.time())
    assert runs_since(child.pid, time.time() + 1000)
    assert not runs_since(child.pid, time.time() - 100)
    child.kill()
    child.wait()
    assert not runs_since(child.pid, time.time())


@linux
def test_time_that_the_machine_slept_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that began before a sleep of 10 h, seen after it: CLOCK_BOOTTIME went on, as ticks do."""
    sleep, now = 36_000.0, time.time()
    ticks = processes._linux_stat(os.getpid())[1]  # type: ignore[index]
    began = ticks / os.sysconf("SC_CLK_TCK")
    monkeypatch.setattr(time, "time", lambda: now + sleep)
    monkeypatch.setattr(
        time, "clock_gettime", lambda which: began + 5 + sleep * (which == time.CLOCK_BOOTTIME)
    )
    assert runs_since(os.getpid(), now - 4)
    assert not runs_since(os.getpid(), now - 7)


def test_a_signal_goes_to_exactly_this_process(start: Start) -> None:
    child = start()
    assert signal_process(known(child), signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM


def test_descendants_come_after_their_parents_and_can_all_be_killed(start: Start) -> None:
    inner = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()']); p.wait()"
    top = start(f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {inner!r}]); p.wait()")
    below = wait_until(lambda: len(d := processes.descendants(top.pid)) == 2 and d, what="two generations")
    import psutil

    assert [psutil.Process(p.pid).ppid() for p in below] == [top.pid, below[0].pid]
    kill_all(reversed(below))
    wait_until(lambda: not any(map(is_alive, below)), what="the end of both")
    assert processes.descendants(2**22 + 1) == []


def test_one_process_that_may_not_be_killed_does_not_save_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def signal_to(process: ProcessId, number: int) -> bool:
        sent.append(process.pid)
        if process.pid == 1:
            raise PermissionError
        return True

    monkeypatch.setattr(processes, "signal_process", signal_to)
    kill_all([replace(this_process(), pid=pid) for pid in (1, 2)])
    assert sent == [1, 2]
