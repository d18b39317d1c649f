"""Runs of every kind, made by either: each reading command of both says the same of them."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop import gallery
from tests.interop.conftest import Both, side_by_side
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.sameness import said, same, values_that_differ


@pytest.fixture(scope="module", params=["ours", "theirs"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, peer: Peer
) -> Iterator[Both]:
    """A home with a run of every kind, made by the one or the other. The numbers below are those of
    `guild runs`."""
    pair = side_by_side(peer, tmp_path_factory.mktemp("reading"), gallery.FILES)
    try:
        gallery.make(getattr(pair, request.param))
        yield pair
    finally:
        pair.close()


STAGED, RESTARTED, FLOW, BATCH, FAILED, USE, OP, SCRIPT, QUEUE = 1, 2, 7, 10, 11, 12, 14, 16, 17

TO_THE_BYTE = (
    *(
        "runs",
        "runs -s",
        "runs -c",
        "runs -Fo train -Sc",
        "runs -F 'x > 3'",
        "runs -Se -St",
        "runs -Fl restarted",
    ),
    *("runs -Ft first", "runs -Fs today -Fu", "runs -a -Fo '*'", "tag --list-all", f"comment -l {OP}"),
    f"compare --csv - {OP} {RESTARTED}",
    f"compare --csv - {OP} {SCRIPT} -cc '.status as s,=x,min loss,loss step,accuracy' --min accuracy",
    *(f"diff {OP} {RESTARTED} {how}" for how in ("-f -c 'diff -u'", "-O -c 'diff -u'", "-a -c 'diff -u'")),
    *(f"ls {USE} {how}" for how in ("", "-a", "-f -n", "-s", "-d", "-g")),
    *(f"ls {FLOW} -L", f"ls {BATCH} -a", f"ls {SCRIPT} -p '*.txt'"),
    *(f"cat {SCRIPT} -p model.txt", f"cat {SCRIPT} -s -p train.py"),
    *(f"cat {run} --output" for run in (SCRIPT, FLOW, BATCH, FAILED)),
    *(
        "select",
        "select -A",
        "select -Fo train --max accuracy -Sc -s",
        f"select {USE} -p",
        f"select {OP} -a label",
    ),
    *("tensorboard --export-scalars -", f"watch {SCRIPT}", f"merge -p {OP} -y"),
)


def test_what_a_reading_command_says_is_the_same_to_the_byte(both: Both) -> None:
    assert meant("`tensorboard --export-scalars`, ends of lines")
    differing = []
    for command in TO_THE_BYTE:
        answers = said(both, command).cleaned(_common)
        if answers.theirs != answers.ours:
            differing.append(f"guild {command}\n{answers.difference()}")
    assert not differing, "\n\n".join(differing)


def _common(text: str) -> str:
    """Ends of lines differ on purpose; flags are read anew by whoever comes first."""
    return text.replace("\r\n", "\n").replace("Refreshing flags...\n", "")


@pytest.mark.parametrize("run", [STAGED, RESTARTED, 3, 5, FLOW, BATCH, FAILED, USE, OP, SCRIPT, QUEUE])
def test_all_about_a_run_is_the_same(both: Both, run: int) -> None:
    same(both, f"runs info {run} -c -d -m -p", _common_info)


def _common_info(text: str) -> str:
    assert meant("`runs info` of a run that waits")
    assert meant("`runs info`, attributes that are lists or maps")
    assert meant("`api runs`, `runs info`, attribute `command`")
    text = re.sub(r"(?m)^command: .*", lambda found: found[0].replace('"', "'"), text)
    text = re.sub(r"(?m)^(queue_place|waits_for): .*\n", "", text)
    return re.sub(r"(?m)^steps:(\n| \n)(  .*\n)+", "steps\n", text)


def test_the_json_of_runs_has_the_same_and_more(both: Both) -> None:
    assert meant("`runs --json`, keys")
    theirs, ours = said(both, "runs --json").json()
    differing = {re.sub(r"\[\d+\]", "", each) for each in values_that_differ(theirs, ours)}
    more = re.compile(r"(?:\.batch_proto)?\.?(operation|reason): \(missing\) ")
    assert {each for each in differing if not more.match(each) and "keys in the order" not in each} == set()


def test_a_table_of_all_runs_has_the_same_columns_and_more(both: Both) -> None:
    assert meant("`compare`, a tag in several directories' event files")
    answers = said(both, "compare --csv -")
    theirs, ours = (list(csv.DictReader(each.out.splitlines())) for each in (answers.theirs, answers.ours))
    assert [{name: row[name] for name in theirs[0]} for row in ours] == theirs
    assert all("/.guild " in name for name in ours[0] if name not in theirs[0])


def test_the_api_gives_the_same(both: Both) -> None:
    assert meant("`api runs`, `runs info`, attribute `command`")
    assert meant("`api runs`, attribute `deps`")
    theirs, ours = said(both, "api runs").json()
    differing = {
        re.sub(r"\[\d+\]", "", each).partition(":")[0].lstrip(".")
        for each in values_that_differ(theirs, ours)
    }
    assert differing <= {"command", "deps", ""}, differing


def test_what_guild_view_is_served_says_the_same_as_our_commands(both: Both) -> None:
    """`guild view --test-runs-data` prints what the web page of Guild 0.9 asks for."""
    viewed: list[dict[str, Any]] = gallery.listed(both.theirs.guild("view --test-runs-data"))
    ours = {run["id"]: run for run in gallery.listed(both.ours.guild("api runs"))}
    assert viewed
    for run in viewed:
        mine: Any = ours[run["id"]]
        for key in (
            "shortId",
            "dir",
            "operation",
            "label",
            "status",
            "exitStatus",
            "flags",
            "env",
            "opRef",
        ):
            assert run[key] == mine[key], (run["operation"], key)
        assert run["tags"] == ", ".join(mine["tags"])
        for key in ("projectDir", "marked", "otherAttrs", "sourcecode"):
            assert run[key] == mine[key], (run["operation"], key)
        assert _by_name(run["scalars"]) == _by_name(mine["scalars"])


def _by_name(scalars: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """`guild view` writes `first_val`, `guild api` of both `firstVal`."""
    return {
        (each["prefix"], each["tag"]): {name.replace("_", "").lower(): each[name] for name in each}
        for each in scalars
    }


@pytest.mark.parametrize("archive", ["directory", "runs.zip"])
def test_what_is_exported_is_the_same_and_is_imported_by_the_other(
    both: Both, tmp_path: Path, archive: str, peer: Peer
) -> None:
    ended = "-Sc -Se -St"
    for name, project in (("ours", both.ours), ("theirs", both.theirs)):
        (tmp_path / name).mkdir()
        outcome = project.guild(f"export {tmp_path / name / archive} {ended} -y")
        assert outcome.code == 0, outcome
    for name, importer in (("theirs", "ours"), ("ours", "theirs")):
        home = tmp_path / f"imported by {importer}"
        home.mkdir()
        project = getattr(both, importer)
        outcome = project.guild(f"import {tmp_path / name / archive} -y", env={"GUILD_HOME": str(home)})
        assert outcome.code == 0, outcome
    listings = [
        both.ours.guild(["runs", "-a"], env={"GUILD_HOME": str(tmp_path / f"imported by {importer}")}).out
        for importer in ("ours", "theirs")
    ]
    assert listings[0] == listings[1]
    assert len(listings[0].splitlines()) == 15
