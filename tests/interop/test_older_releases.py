"""Runs of 0.6, 0.7 and 0.8 in one home: Guild 0.9 and ours say the same of them, and ours goes on with them.

The samples are frozen (tests/data/older/make_samples.py); where an interpreter for a release is found, the
release itself shows that they are what it makes. The project of the samples is gone, and so is their
interpreter.
"""

import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import Outcome, Project
from tests.house import ROOT
from tests.interop import older
from tests.interop.conftest import PEER_ENVIRON, Both, side_by_side
from tests.interop.gallery import checked, run_dir, run_id
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.sameness import said, same, values_that_differ

RELEASES = ("0.6.6", "0.7.5", "0.8.2")
STARTABLE = RELEASES[1:]
SOURCE = ".guild/sourcecode"
LIVE = ("op", "dependencies", "staged", "staged-steps")  # what a release shows, in the time there is


def unpack(home: Path, release: str) -> None:
    """Put the frozen runs of a release into a home."""
    (home / "runs").mkdir(parents=True, exist_ok=True)
    with tarfile.open(ROOT / "tests" / "data" / "older" / f"{release}.tar.gz") as tar:
        tar.extractall(home / "runs", filter="fully_trusted")  # one's own, with links out of the runs


def _with_all_runs(base: Path, peer: Peer) -> Both:
    pair = side_by_side(peer, base)
    for release in RELEASES:
        unpack(pair.home, release)
    return pair


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Both]:
    """The runs of all releases, only to be looked at."""
    pair = _with_all_runs(tmp_path_factory.mktemp("seen"), peer)
    try:
        yield pair
    finally:
        pair.close()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Both]:
    """The runs of all releases, to go on with."""
    pair = _with_all_runs(tmp_path_factory.mktemp("used"), peer)
    try:
        yield pair
    finally:
        pair.close()


# Looking at them.


def without_ends(text: str) -> str:
    assert meant("Blanks at the ends of lines in tables")
    return re.sub(r"(?m) +$", "", text)


def test_a_list_is_the_same(seen: Both) -> None:
    listed = same(seen, "runs -n 50", without_ends).out
    for release in RELEASES:
        assert listed.count(f"  {release} ") >= len(older.commands(release))


def test_each_attribute_is_read_alike(seen: Both) -> None:
    theirs, ours = said(seen, "runs --json").json()
    assert len(ours) > 30
    assert meant("`runs --json`, keys")
    added = re.compile(r"\[\d+\]\.(batch_proto\.)?(operation|reason): \(missing\) ")
    assert [each for each in values_that_differ(theirs, ours) if not added.match(each)] == []


def test_a_table_has_the_columns_that_the_runs_recorded(seen: Both) -> None:
    table = same(seen, "compare --csv - -Fo train").out.splitlines()
    assert table[0].startswith("run,operation,started,time,status,label,x,loss")
    assert len(table) > 10


@pytest.mark.parametrize("release", RELEASES)
def test_one_run_is_described_alike(seen: Both, release: str) -> None:
    run = run_id(seen.ours, f"{release} dependencies")
    theirs, ours = said(seen, f"runs info {run} --json -d -e").json()
    assert list(values_that_differ(theirs, ours)) == []
    assert set(ours["dependencies"]) == {"file:data.txt", "upstream"}
    assert seen.ours.guild(f"cat {run} --output").out == "some data x=3\n"


def test_scalars_are_exported_alike(seen: Both) -> None:
    assert meant("`tensorboard --export-scalars`, ends of lines")
    rows = same(seen, "tensorboard --export-scalars -", lambda text: text.replace("\r\n", "\n")).out
    assert rows.count(",.guild,loss,") > 10


@pytest.mark.parametrize("release", RELEASES)
def test_source_code_is_where_it_was_put(seen: Both, release: str) -> None:
    assert meant("Runs of 0.7 and 0.8: `cat -s`, `diff -s`, `api runs`, where source code lies")
    op, script = (run_id(seen.ours, f"{release} {kind}") for kind in ("op", "script"))
    assert seen.ours.guild(f"cat {op} -s -p train.py").out == older.FILES["train.py"]
    assert seen.ours.guild(f"diff -s {op} {script}").out == ""


@pytest.mark.parametrize("release", RELEASES)
def test_each_file_is_of_one_kind(seen: Both, release: str) -> None:
    assert meant("Runs from before 0.8.2, without a manifest: `ls -s`, `info --manifest`, use by others")
    run = run_id(seen.ours, f"{release} dependencies")
    for option, files in (
        ("-s", [f"{SOURCE}/{name}" for name in sorted(older.FILES)]),
        ("-d", ["data.txt", "model.txt"]),
        ("-g", []),
    ):
        assert seen.ours.guild(f"ls -n {run} {option}").out.split() == files, option
    told = facts_of(seen.ours.guild(f"runs info {run} --manifest --json"))["manifest"]
    assert told["dependencies"] == ["data.txt", "model.txt"]
    made = run_id(seen.ours, f"{release} op")
    assert seen.ours.guild(f"ls -n {made} -g").out == "model.txt\n"


def facts_of(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(outcome.out)
    return facts


# Going on with them.


def finished(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome
    return outcome.out


def test_staged_ones_are_run_by_a_queue(used: Both) -> None:
    assert meant("Runs of 0.7 and 0.8: `--start`, `--restart`, `--proto`, queues")
    ours = used.ours
    runs = [run_dir(ours, f"{release} staged") for release in STARTABLE]
    batches = [run_dir(ours, f"{release} staged-batch") for release in STARTABLE]
    workflows = [run_dir(ours, f"{release} staged-steps") for release in STARTABLE]
    finished(ours.guild("run queue run-once=yes -y"))
    for run in runs:
        assert (run / ".guild/attrs/exit_status").read_text() == "0\n", run
        assert (run / "model.txt").read_text() == "x=8"
    assert not any(batch.exists() for batch in batches)  # each went to the trash, since all went well
    made = [path.read_text() for path in (ours.home / "runs").glob("*/model.txt")]
    assert made.count("x=10") == made.count("x=11") == len(STARTABLE)
    for workflow in workflows:  # its steps are operations of the project, which is gone
        assert "cannot find operation train" in (workflow / ".guild/output").read_text()


@pytest.mark.parametrize("release", STARTABLE)
def test_ended_ones_are_restarted_with_their_code_and_other_flags_and_then_by_guild_0_9(
    used: Both, release: str
) -> None:
    ours = used.ours
    script = run_id(ours, f"{release} script")
    assert finished(ours.guild(f"run --restart {script} depth=6 -y")) == "depth: 6 True\n"
    assert "depth: 6 True\n" in finished(used.theirs.guild(f"run --restart {script} -y", env=PEER_ENVIRON))
    module = run_id(ours, f"{release} module")
    assert finished(ours.guild(f"run --restart {module} -y")) == "loss: 0.100000\n"
    assert "said 12\n" in finished(ours.guild(f"run --restart {run_id(ours, f'{release} exec')} -y"))


@pytest.mark.parametrize("release", STARTABLE)
def test_new_runs_are_made_of_them(used: Both, release: str) -> None:
    ours = used.ours
    op, uses = (run_id(ours, f"{release} {kind}") for kind in ("op", "dependencies"))
    finished(ours.guild(f"run --proto {op} x=[20,21] --label '{release} trial' -y"))
    labels = (ours.home / "runs").glob("*/.guild/attrs/label")
    trials = [label.parents[2] for label in labels if label.read_text().strip() == f"{release} trial"]
    assert sorted((trial / "model.txt").read_text() for trial in trials) == ["x=20", "x=21"]
    for trial in trials:
        assert (trial / SOURCE / "train.py").read_text() == older.FILES["train.py"]
    finished(ours.guild(f"run --restage {op} x=22 -y"))
    restaged = ours.home / "runs" / op
    assert not (restaged / "model.txt").exists()
    finished(ours.guild(f"run --start {op} -y"))
    assert (restaged / "model.txt").read_text() == "x=22"
    # Its project is gone, and with it the file that it depends on: that is said, and nothing is left.
    outcome = ours.guild(f"run --proto {uses} -y --label '{release} lost'")
    assert outcome.code == 1
    assert "file:data.txt" in outcome.err


@pytest.mark.parametrize("release", RELEASES)
def test_others_depend_on_them(used: Both, release: str) -> None:
    ours = used.ours
    ours.write(older.FILES)
    finished(ours.guild(f"run use upstream={run_id(ours, f'{release} module')} -y"))
    newest = ours.guild("select").out.strip()
    assert ours.guild(f"cat {newest} --output").out == "some data x=1\n"


def test_those_from_before_0_7_cannot_be_started_by_either(used: Both) -> None:
    run = run_id(used.ours, "0.6.6 op")
    for project in (used.ours, used.theirs):
        outcome = project.guild(f"run --restart {run} -y", env=PEER_ENVIRON)
        assert outcome.code == 1
        assert f"{run}" in outcome.err


def test_they_are_described_deleted_and_carried_like_any(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    for release in RELEASES:
        unpack(project.home, release)
    runs = " ".join(run_id(project, f"{release} op") for release in RELEASES)
    for command in (
        f"label --set mine {runs}",
        f"tag --add t {runs}",
        f"mark {runs}",
        f"comment -a hm {runs}",
    ):
        finished(project.guild(f"{command} -y"))
    before = _files(project.home / "runs")
    finished(project.guild("runs rm -y"))
    assert project.runs() == []
    finished(project.guild(["runs", "restore", "-y"]))
    assert _files(project.home / "runs") == before
    finished(project.guild(f"export {tmp_path / 'all'} -y"))
    shutil.rmtree(project.home / "runs")
    finished(project.guild(f"import {tmp_path / 'all'} --with-staged --keep-links -y"))
    assert {name for name, _ in _files(project.home / "runs")} == {name for name, _ in before}
    assert [(r["label"], r["tags"], r["marked"]) for r in project.runs("-Fl mine")] == [
        ("mine", ["t"], True)
    ] * 3
    project.close()


def _files(runs: Path) -> set[tuple[str, bytes]]:
    """Each file and what it holds; for a link, what it leads to."""
    found = [path for path in runs.rglob("*") if path.is_symlink() or not path.is_dir()]
    held = (str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() for path in found)
    return {(path.relative_to(runs).as_posix(), data) for path, data in zip(found, held, strict=True)}


def test_a_file_of_0_8_2_goes_back_to_the_project(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    unpack(project.home, "0.8.2")
    finished(project.guild(f"merge {run_id(project, '0.8.2 op')} -t . -y"))
    assert (project.directory / "train.py").read_text() == older.FILES["train.py"]
    project.close()


# The releases themselves.


def test_the_samples_are_what_the_release_makes(tmp_path: Path, older_peer: Peer) -> None:
    release = older_peer.version
    live = Project(_made(tmp_path / "live"), older.FILES, (str(older_peer.guild),))
    live.home.mkdir()
    for command in older.commands(release, LIVE):
        checked(live, command)
    frozen = Project(_made(tmp_path / "frozen"), {})
    unpack(frozen.home, release)
    assert _forms(live, release) == _forms(frozen, release)
    staged, workflow = (run_dir(live, f"{release} {kind}") for kind in ("staged", "staged-steps"))
    ours = Project(tmp_path / "live", {}, logs="our-logs")
    finished(ours.guild("run queue run-once=yes -y"))
    assert (staged / "model.txt").read_text() == "x=8"
    assert (workflow / "train" / "model.txt").read_text() == "x=9"
    for project in (live, ours):
        project.close()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _forms(project: Project, release: str) -> dict[str, set[str]]:
    """The names of the files of each kind of run, without those that the samples were made without."""
    return {
        kind: {
            re.sub(r"tfevents\..*", "tfevents", path.relative_to(place).as_posix())
            for path in place.rglob("*")
            if path.name not in ("platform", "pip_freeze")
        }
        for kind in LIVE
        for place in [run_dir(project, f"{release} {kind}")]
    }
