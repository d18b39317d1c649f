"""Runs of every kind, made by ours: tables, facts and archives are the same by both, and what the one changes
the other sees. `test_reading.py` has the rest of the reading commands."""

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop import gallery
from tests.interop.conftest import Both, side_by_side
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.sameness import said, same, values_that_differ

FLOW, BATCH, FAILED, USE, SAY, OP, ARGS, SCRIPT = 7, 10, 11, 12, 13, 14, 15, 16


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Both]:
    """A home with a run of every kind. The numbers are those of `guild runs`."""
    pair = side_by_side(peer, tmp_path_factory.mktemp("ours"), gallery.FILES)
    try:
        gallery.make(pair.ours)
        pair.theirs.guild("operations")  # flags are imported once, with a line about it
        yield pair
    finally:
        pair.close()


def without_ends(text: str) -> str:
    assert meant("Blanks at the ends of lines in tables")
    return re.sub(r"(?m) +$", "", text)


@pytest.mark.parametrize("how", ["", "-e -s --include-batch", "-p -n 4", "-u 2 5", "-e -cc =x"])
def test_a_table_of_all_runs_is_the_same_to_the_byte(both: Both, how: str) -> None:
    assert both.ours.guild(f"compare --csv - {how}").out.count("\n") > 2
    same(both, f"compare --csv - {how}")


def test_a_table_for_people_or_programs_is_the_same(both: Both) -> None:
    same(both, "compare -t --min loss -Fo train", without_ends)
    theirs, ours = said(both, "api compare").json()
    assert list(values_that_differ(theirs, ours)) == []


FACTS = (
    *("id", "short_id", "operation", "from", "status", "started", "stopped", "marked", "label"),
    *("sourcecode_digest", "vcs_commit", "run_dir", "command", "exit_status", "pid", "flags"),
)


def test_each_fact_of_a_staged_run_is_selected_alike(both: Both) -> None:
    """It has the fewest: what it does not have is an empty line."""
    found = {fact: both.ours.guild(f"select 1 -a {fact}") for fact in FACTS}
    described = same(both, "runs info 1", _without_place).out
    for fact, outcome in found.items():
        assert outcome.code == 0, outcome
        if fact not in ("short_id", "flags"):
            assert f"{fact}: {outcome.out}" in described
    for fact in ("exit_status", "run_dir", "command", "flags"):
        same(both, f"select 1 -a {fact}")


def _without_place(text: str) -> str:
    assert meant("`runs info` of a run that waits")
    return re.sub(r"(?m)^queue_place: .*\n", "", text)


def test_all_scalars_the_environment_and_private_attributes_are_the_same(both: Both) -> None:
    theirs, ours = said(both, f"runs info {USE} -e -m -d -c -p -s --private-attrs --json").json()
    differing = list(values_that_differ(theirs, ours))
    assert meant("`runs info -s`, step of sums and averages")
    steps = re.compile(r"scalars\.\w+\.(avg|total)\[1\]: ")
    assert [each for each in differing if not steps.match(each)] == []


def test_the_flags_of_a_batch_and_its_trial_are_shown_alike(both: Both) -> None:
    for run in (BATCH, BATCH - 1):
        shown = same(both, f"runs info {run}").out
        assert ("    - 4\n    - 5\n" in shown) is (run == BATCH)


def test_the_operations_of_a_project_are_told_alike(both: Both) -> None:
    same(both, "operations -a", without_ends)
    theirs, ours = said(both, "api ops").json()
    described = "[4].flags.upstream.description: '' | 'Run of train to use'"
    assert meant("Flags that choose a dependency, in help and `api ops`")
    assert list(values_that_differ(theirs, ours)) == [described]
    flags = [_flag_lines(project.guild("help").out) for project in (both.theirs, both.ours)]
    assert flags[0] == flags[1] != []


def _flag_lines(page: str) -> list[str]:
    return re.findall(r"(?m)^ +\w+ +\(default is .*\)$", page)


MISTAKES = (
    *(
        "runs info 99",
        "select -Fo nope",
        "runs -Fs soon",
        "runs -F (",
        "cat 1",
        "runs --nonsense",
        "label 99 --set x",
    ),
    *(
        "label 99 --set x",
        "runs info 1 2",
        f"runs restore {OP} -y",
        "runs -A nowhere",
        f"ls {OP} -p train.py more",
    ),
)


def test_mistakes_end_with_the_same_code_and_a_message_on_the_same_stream(both: Both) -> None:
    assert meant("Wording of messages, prompts and help; how they are broken into lines")
    for command in MISTAKES:
        answers = said(both, command)
        assert answers.theirs.code == answers.ours.code != 0, answers.difference()
        assert answers.theirs.out == answers.ours.out == "", command
        for outcome in (answers.theirs, answers.ours):
            assert outcome.err.startswith("guild: "), command


@pytest.mark.parametrize("archive", ["directory", "runs.zip"])
def test_an_archive_holds_the_same_files(both: Both, tmp_path: Path, archive: str) -> None:
    places = {}
    for name, project in (("theirs", both.theirs), ("ours", both.ours)):
        places[name] = tmp_path / name
        places[name].mkdir()
        done = gallery.checked(project, f"export {places[name] / archive} -y")
        assert f"Exported {len(gallery.listed(both.ours.guild('runs --json')))} run(s)" in done.err + done.out
    held = _files_of_zip if archive.endswith(".zip") else _files_of_directory
    assert held(places["ours"] / archive) == held(places["theirs"] / archive)


def _files_of_directory(archive: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in archive.rglob("*"):
        name = path.relative_to(archive).as_posix()
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
    return found


def _files_of_zip(archive: Path) -> dict[str, bytes]:
    """Without links to other runs, and the directories that stand for them in Guild 0.9."""
    assert meant("`export` to a zip, links")
    with zipfile.ZipFile(archive) as opened:
        return {
            name: opened.read(name)
            for name in opened.namelist()
            if not re.fullmatch(r"\w{32}/(say|train|\w{32})/?(/.*)?", name)
        }


def changes(by_ours: bool) -> list[str]:
    """Commands that change runs, those of theirs after those of ours."""
    name = "ours" if by_ours else "theirs"
    return [
        f"label {SCRIPT} --set '{name}: 1, é' -y",
        f"tag {SCRIPT} --add {name} -y",
        f"tag {OP} {'--delete first' if by_ours else '--clear'} -y",
        f"mark {SAY} {'' if by_ours else '--clear'} -y",
        f"comment {SCRIPT} -a 'from {name}' -y",
    ]


def test_what_one_changes_the_other_shows(both: Both) -> None:
    for by_ours in (True, False):
        changer, reader = (both.ours, both.theirs) if by_ours else (both.theirs, both.ours)
        for command in changes(by_ours):
            gallery.checked(changer, command)
        runs = gallery.listed(reader.guild("runs --json"))
        script, op, say = (runs[number - 1] for number in (SCRIPT, OP, SAY))
        assert script["label"] == ("ours: 1, é" if by_ours else "theirs: 1, é")
        assert script["tags"] == (["ours"] if by_ours else ["ours", "theirs"])
        assert (op["tags"] or []) == (["second"] if by_ours else [])
        assert bool(say["marked"]) is by_ours
        comments: Any = script["comments"]
        assert comments[-1]["body"] == ("from ours" if by_ours else "from theirs")
    same(both, f"comment {SCRIPT} -l")
    same(both, "runs -Fc FROM -Ft theirs -Fl 'theirs: 1'")


def test_what_one_deletes_the_other_restores_or_purges(both: Both) -> None:
    """The last test, since it leaves fewer runs."""
    before = both.ours.guild("runs -a").out
    for remover, restorer in ((both.ours, both.theirs), (both.theirs, both.ours)):
        gallery.checked(remover, f"runs rm {FAILED} {SAY} -y")
        listed = same(both, "runs -d").out
        assert listed.count("[") == 2
        gallery.checked(restorer, "runs restore 1 2 -y")
        assert restorer.guild("runs -a").out == before
    gallery.checked(both.ours, f"runs rm {FAILED} -y")
    gallery.checked(both.theirs, f"runs rm {ARGS - 1} -y")
    gallery.checked(both.ours, "runs purge -Se -y")
    assert len(same(both, "runs -d").out.splitlines()) == 1
    gallery.checked(both.theirs, "runs purge -y")
    assert same(both, "runs -d").out == ""
    assert len(same(both, "runs -a").out.splitlines()) == len(before.splitlines()) - 2
