"""`guild watch`, with its pauses replaced by what happens to the run meanwhile."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guild.base.processes import this_process
from guild.commands import watch
from guild.runs import attrs, layout
from guild.runs.run import Run
from tests.commands.conftest import Guild
from tests.made_runs import make_run

Events = Callable[..., None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Events:
    """`meanwhile(a, b)`: the first pause does a, the second b; there must be no third."""

    def set_up(*events: Callable[[], object]) -> None:
        left = list(events)
        monkeypatch.setattr(watch.time, "sleep", lambda seconds: left.pop(0)())

    return set_up


def make_running(home: Path, run_id: str = "a") -> Run:
    run = make_run(home, run_id, status="none")
    (run.guild_dir / layout.LOCK).write_text(str(this_process().pid))
    return run


def says(run: Run, text: str) -> None:
    with open(run.guild_dir / layout.OUTPUT, "a") as f:
        f.write(text)


def ends(run: Run, code: int) -> None:
    attrs.write_attr(run.guild_dir, layout.EXIT_STATUS, code)


def test_output_is_followed_to_the_end(guild: Guild, home: Path, meanwhile: Events) -> None:
    run = make_running(home)
    says(run, "one\n")
    meanwhile(lambda: says(run, "two\n"), lambda: (says(run, "last"), ends(run, 3)))
    outcome = guild("watch")
    assert outcome.out == "one\ntwo\nlast"
    assert outcome.err == "Watching run a\nRun a stopped with a status of 'error'\n"
    assert outcome.code == 0


def test_an_ended_run_is_printed(guild: Guild, home: Path, meanwhile: Events) -> None:
    says(make_run(home, "a"), "all\n")
    meanwhile()
    outcome = guild("watch a")
    assert (outcome.out, outcome.err.splitlines()[-1]) == (
        "all\n",
        "Run a stopped with a status of 'completed'",
    )


def test_a_staged_run_is_waited_for_and_its_earlier_output_is_not_shown(
    guild: Guild, home: Path, meanwhile: Events
) -> None:
    run = make_run(home, "a", status="staged")
    says(run, "earlier\n")
    output = run.guild_dir / layout.OUTPUT

    def starts() -> None:
        output.write_text("now\n")
        (run.guild_dir / layout.LOCK).write_text(str(this_process().pid))
        (run.guild_dir / layout.STAGED).unlink()

    meanwhile(lambda: None, starts, lambda: ends(run, 0))
    assert guild("watch 1").out == "now\n"


def test_without_a_running_run_there_is_nothing_to_watch(guild: Guild, home: Path) -> None:
    make_run(home, "a", status="staged")
    outcome = guild("watch")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "guild: nothing to watch")


def test_a_run_that_is_deleted_meanwhile_ends_it(guild: Guild, home: Path, meanwhile: Events) -> None:
    run = make_running(home)
    meanwhile(lambda: run.path.rename(home / "gone"))
    outcome = guild("watch")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (1, "guild: run a has been deleted")


def test_the_newest_running_run_is_watched(guild: Guild, home: Path, meanwhile: Events) -> None:
    make_run(home, "done", started=9)
    run = make_running(home, "going")
    meanwhile(lambda: ends(run, -15))
    assert "Run going stopped with a status of 'terminated'" in guild("watch").err


@pytest.mark.parametrize("by", ["operation", "parent", "file"])
def test_a_run_is_found_by_its_process_or_a_pidfile(
    guild: Guild, home: Path, tmp_path: Path, meanwhile: Events, by: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = make_run(home, "mine", started=1, status="none")
        (run.guild_dir / layout.LOCK).write_text(str(process.pid))
        make_run(home, "other", started=2, status="staged")
        (tmp_path / "job.pid").write_text(f"{process.pid}\n")
        text = {
            "operation": str(process.pid),
            "parent": str(this_process().pid),
            "file": str(tmp_path / "job.pid"),
        }[by]
        meanwhile(lambda: ends(run, 0))
        outcome = guild(["watch", "-p", text])
        process.communicate(b"\n")
    assert outcome.err.startswith("Watching run mine\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("99999999", "cannot find run for pid 99999999"),
        ("none.pid", "pidfile 'none.pid' does not exist"),
        ("junk.pid", "pidfile 'junk.pid' does not contain a valid pid"),
    ],
)
def test_a_process_without_a_run_is_said(guild: Guild, home: Path, text: str, says: str) -> None:
    make_running(home)
    Path("junk.pid").write_text("-1")
    outcome = guild(["watch", "--pid", text])
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, f"guild: {says}")


@pytest.mark.parametrize("other", ["a", "-Fo train"])
def test_a_process_is_named_alone(guild: Guild, home: Path, other: str) -> None:
    make_running(home)
    outcome = guild(f"watch --pid 1 {other}")
    assert (outcome.code, outcome.err) == (1, "guild: --pid may not be used with other options\n")
