"""What a queue says, and that it says it once."""

import re
from pathlib import Path

import pytest

from guild.runs import attrs
from guild.runs.run import Run
from guild.scheduler.model import Hold, QueuePolicy, Reason, Start
from guild.scheduler.observe import Note
from guild.scheduler.report import Reporter, line

STAMP = re.compile(r"^(?:INFO|WARNING|ERROR): \[guild\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?=\S)")


@pytest.fixture
def report() -> Reporter:
    return Reporter(QueuePolicy())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "r1")
    attrs.write_new_attrs(run.guild_dir, {})
    return run


def texts(lines: list[str]) -> list[str]:
    assert all(STAMP.match(text) for text in lines)
    return [STAMP.sub("", text) for text in lines]


def test_a_line_is_as_guilds() -> None:
    assert STAMP.sub("", line("INFO", "Starting queue")) == "Starting queue"
    assert line("ERROR", "x").startswith("ERROR: [guild] 2")


def test_it_begins_and_ends_as_guild_does(report: Reporter) -> None:
    assert texts(report.beginning()) == ["Starting queue"]
    assert texts(report.ending(3, 1.5)) == ["Stopping queue"]


def test_run_once_says_what_it_does_and_has_done() -> None:
    report = Reporter(QueuePolicy(run_once=True))
    assert texts(report.beginning()) == ["Starting queue", "Processing staged runs"]
    assert texts(report.ending(3, 1.5)) == ["queue processed 3 run(s) in 1.500000 seconds", "Stopping queue"]


def test_a_start_names_the_run(report: Reporter, run: Run) -> None:
    assert texts(report.starting(run)) == ["Starting staged run r1"]


def test_waiting_is_said_once_for_each_idle_period(report: Reporter, run: Run) -> None:
    assert texts(report.idle()) == ["Waiting for staged runs"]
    assert report.idle() == []
    report.starting(run)
    assert texts(report.idle()) == ["Waiting for staged runs"]
    assert Reporter(QueuePolicy(run_once=True)).idle() == []


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (0, None, []),
        (1, None, ["Run r1 failed with exit code 1"]),
        (75, None, ["Run r1 failed with exit code 75"]),
        (-15, None, ["Run r1 was terminated (-15)"]),
        (1, "no interpreter", ["Run r1 failed with exit code 1: no interpreter"]),
        (0, "disk full", ["Run r1 ended: disk full"]),
        (None, None, ["Run r1 ended without an exit status"]),
        (None, "killed", ["Run r1 ended without an exit status: killed"]),
    ],
)
def test_an_end_that_was_not_good_is_one_line(
    report: Reporter, run: Run, code: int | None, reason: str | None, said: list[str]
) -> None:
    for name, value in (("exit_status", code), ("_reason", reason)):
        if value is not None:
            attrs.write_attr(run.guild_dir, name, value)
    lines = report.ended(run)
    assert texts(lines) == said
    assert all(text.startswith("ERROR") for text in lines)


def test_a_hold_is_said_when_its_reason_is_new(report: Reporter) -> None:
    waiting = Hold("a", Reason.OTHERS_IN_PROGRESS, ("x", "y"))
    assert texts(report.holds([waiting])) == ["Found staged run a (waiting for runs to finish: x, y)"]
    assert report.holds([waiting]) == []
    assert report.holds([Hold("a", Reason.OTHERS_IN_PROGRESS, ("y",))]) == []
    assert texts(report.holds([Hold("a", Reason.GPU_IN_USE)])) == [
        "Ignoring staged run a (a requested GPU is in use)"
    ]
    assert texts(report.holds([Hold("b", Reason.NOT_SERVED)])) == [
        "Ignoring staged run b (its GPUs are not served by this queue)"
    ]


def test_a_hold_is_said_again_after_a_start(report: Reporter, run: Run) -> None:
    hold = Hold("r1", Reason.NOT_SERVED)
    report.holds([hold])
    report.holds([Hold("other", Reason.NOT_SERVED)])
    report.starting(run)
    assert len(report.holds([hold])) == 1
    assert report.holds([Hold("other", Reason.NOT_SERVED)]) == []


def test_what_goes_without_saying_is_not_said(report: Reporter) -> None:
    quiet = [Start("a"), Hold("b", Reason.NO_FREE_SLOT), Hold("c", Reason.BEHIND)]
    assert report.holds(quiet) == []


def test_a_note_is_said_once_for_each_run(report: Reporter) -> None:
    notes = [Note("a", "Ignoring a"), Note("a", "Ignoring a"), Note("b", "Ignoring b")]
    assert texts(report.notes(notes)) == ["Ignoring a", "Ignoring b"]
    assert report.notes(notes) == []


def test_trouble_is_said_again_only_after_it_was_over(report: Reporter) -> None:
    assert texts(report.trouble("no lock")) == ["no lock"]
    assert report.trouble("no lock") == []
    assert texts(report.trouble("no disk")) == ["no disk"]
    report.no_trouble()
    assert texts(report.trouble("no disk")) == ["no disk"]
