"""A home that Guild 0.9 has made is taken over: what ours does with its runs is what it would have done."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop import gallery
from tests.interop.conftest import side_by_side
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.same_projects import Made, compared
from tests.interop.sameness import same
from tests.interop.takeover import FILES, KINDS, filled, labelled, make_home, on_copy, take_over

COMMANDS: Mapping[str, str] = {
    "start": "run --start <staged> -y",
    "start-with": "run --start <another> x=10 -y",
    "start-uses": "run --start <staged-uses> -y",
    "restart-script": "run --restart <script> x=7 name=1.0 -y",
    "restart-op": "run --restart <op> x=5 --label neu --tag second -c why -y",
    "restart-argparse": "run --restart <argparse> depth=7 fast=no -y",
    "restart-exec": "run --restart <exec> word=77 -y",
    "restart-uses": "run --restart <dependencies> depth=9 -y",
    "restart-failed": "run --restart <failed> -y",
    "stage": "run --restart <failed> --stage -y",
    "restart-batch": "run --restart <batch> x=[6,7] -y",
    "restart-steps": "run --restart <steps> x=9 -y",
    "pending": "run --start <x=4> -y",
    "wrong": "run --restart <argparse> depth=2.5 -y",
    "choice": "run --proto <argparse> loss=other -y",
    "unknown": "run --start <cached> nosuch=1 -y",
    "like-op": "run --proto <op> x=33 -y",
    "like-batch": "run --proto <batch> x=[8,9] -y",
    "use": "run use upstream=<op> -y",
    "needed": "run train x=5 rate=1e-3 --needed -y",
    "label": "label -p old <exec> -y",
    "tag": "tag -a third -d first <op> -y",
    "comment": "comment -a hello <exec> -y",
    "delete": "runs rm <script> <failed> -y",
    "restore": "runs restore <failed> -y",
    "gone": "runs rm <interrupted> --permanent -y",
}

AGAIN = meant("GUILD_OP of a script that is started again")
BUILT_IN_PATH = meant("PYTHONPATH of a batch, a workflow, a queue")
GENERATED = meant("`config:`, a copy in `.guild/generated`")
INSIDE = meant("Environment of trials and steps")
LATER = meant("Attribute `pip_freeze`")
PARAMS = meant("Attribute `run_params` of a batch that is started again")
PROTOTYPE = meant("Prototype of a batch")
SCALARS = meant("Scalars of a batch")
SECRETS = meant("`.guild/ENV`, secrets")
SEEDS = meant("Random seed of trials")
SETTINGS = meant("Flags for other runs (`operation:prepare`) in a filled config file")
STAGED = meant("Environment of a staged run")
TYPED = meant("Attribute `user_flags` of a run that is started or restarted")
WORDING = meant("Wording of messages, prompts and help; how they are broken into lines")

# Where a difference is let through: `home/LABEL-OR-COMMAND/NUMBER PLACE`; and the reason.
ALLOWED: Mapping[str, str] = {
    "*.guild/attrs/platform python_version": "each runs on a Python of its own",
    "home/wrong stderr": WORDING,
    "home/choice stderr": WORDING,
    "home/unknown stderr": WORDING,
    # What is started again.
    "home/*/0 .guild/attrs/env GUILD_OP": AGAIN,
    "home/*/0 .guild/attrs/env PWD": STAGED,
    "home/*/[0-9] .guild/attrs/env NO_IMPORT_FLAGS_PROGRESS": STAGED,  # which take_over sets
    "home/*/0 .guild/attrs/user_flags*": TYPED,
    "home/*/[0-9] .guild/attrs/pip_freeze mode": LATER,
    "home/*/0 .guild/ENV mode": SECRETS,
    "home/another/0 .guild/ENV FLAG_X": meant("`.guild/ENV` of a run that is started with new flags"),
    "home/x=4/0 .guild/attrs/deps mode": "it depends on nothing",
    # Config files.
    "home/*/0 .guild/attrs/deps config:*.paths*": GENERATED,
    "home/*/0 .guild/generated* mode": GENERATED,
    "home/*/0 settings.yml": meant("`config:` of a YAML file, texts such as `y`"),  # the end of the file
    "home/staged-uses/0 .guild/manifest": meant("Manifest of trials, and of what is found at a start"),
    "home/*/0 .guild/manifest": SETTINGS,
    "home/use stdout": SETTINGS,
    "home/use/0 .guild/attrs/random_seed": "both draw that of a new run",
    "home/use/0 .guild/output*": SETTINGS,
    # Batches and steps.
    "home/batch/0 .guild/attrs/run_params *": PARAMS,
    "home/*batch/0 .guild/attrs/stage_trials mode": meant("Attributes `trials` and `stage_trials`"),
    "home/*/0 .guild/attrs/*env*PYTHONPATH": BUILT_IN_PATH,
    "home/restart-steps/1 .guild/attrs/env PYTHONPATH": INSIDE,
    "home/restart-steps/[01] .guild/attrs/env *": INSIDE,
    "home/restart-steps/[01] .guild/attrs/random_seed": "both draw that of a step",
    "home/restart-steps/[01] .guild/attrs/run_params run_dir": meant(
        "Attribute `run_params` of a step, `run_dir`"
    ),
    "home/*-batch/[0-9] .guild/attrs/env CMD_DIR": INSIDE,
    "home/*-batch/[0-9] .guild/attrs/env NO_OP_INTERRUPTED_MSG": INSIDE,
    "home/*-batch/[0-9] .guild/attrs/random_seed": SEEDS,
    "home/like-batch/0 .guild/attrs/op output-scalars": SCALARS,
    "home/like-batch/0 .guild/events.out.tfevents mode": SCALARS,
    "home/like-batch/0 .guild/proto/.guild/PENDING mode": PROTOTYPE,
}


@pytest.fixture(scope="module")
def base(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a home lies that Guild 0.9 has made."""
    base = tmp_path_factory.mktemp("takeover")
    pair = side_by_side(peer, base, FILES)
    try:
        make_home(pair.theirs)
    finally:
        pair.close()
    return base


@dataclass(frozen=True)
class Both:
    theirs: Made
    ours: Made


@pytest.fixture(scope="module")
def done(base: Path, peer: Peer) -> Iterator[Both]:
    """The commands by both, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda which: take_over(base, which, peer, COMMANDS), ("theirs", "ours"))
        yield Both(*made)


@pytest.mark.timeout(300)
def test_what_becomes_of_the_runs_is_the_same(done: Both) -> None:
    found = list(compared("home", done.theirs, done.ours))
    bad = [each for each in found if not any(fnmatch.fnmatchcase(each.where, place) for place in ALLOWED)]
    assert not bad, "\n".join(map(str, bad))


def test_what_ours_has_done_is_listed_by_both_alike(done: Both, base: Path, peer: Peer) -> None:
    pair = side_by_side(peer, base)
    for project in (pair.ours, pair.theirs):
        project.home = done.ours.side.home
    listed = same(pair, "runs -a", lambda text: re.sub(r" +\n", "\n", text)).out
    assert len(listed.splitlines()) > len(KINDS) + len(done.ours.runs["like-batch"])
    same(pair, "runs -da", lambda text: re.sub(r" +\n", "\n", text))


def test_an_interrupted_batch_goes_on_with_what_has_not_completed(base: Path) -> None:
    ours = on_copy(base, "goes-on")
    before = {run["id"]: run["started"] for run in gallery.listed(ours.guild("runs --json -a -Fo flaky.py"))}
    outcome = gallery.checked(ours, filled("run --restart <interrupted> -y", labelled(ours.home)))
    assert outcome.out == "trial 2\ntrial 3\ntrial 4\n"
    after = gallery.listed(ours.guild("runs --json -a -Fo flaky.py"))
    assert {run["status"] for run in after} == {"completed"}
    assert {run["id"] for run in after} == set(before), "no trial is made anew"
    assert [run["label"] for run in after if run["started"] == before[run["id"]]] == ["x=1"]
    assert not gallery.listed(ours.guild("runs --json -Fl interrupted")), "all went well: it is deleted"


def test_our_queue_runs_what_theirs_staged_in_the_order_of_its_staging(base: Path) -> None:
    ours = on_copy(base, "queued")
    staged = [label for label, (command, _code) in KINDS.items() if "--stage" in command]
    outcome = gallery.checked(ours, "run queue run-once=yes -y")
    names = {id: label for label, id in labelled(ours.home).items()}
    assert [names[id] for id in re.findall(r"Starting staged run (\w+)", outcome.err)] == staged
    assert "processed 5 run(s)" in outcome.err


def test_switches_that_guild_09_does_not_record_are_passed(base: Path) -> None:
    """Guild 0.9 itself passes `--no-cache 1`, which the script refuses."""
    assert meant("`arg-switch: no` in the attribute `op`")
    ours = on_copy(base, "switches")
    ids = labelled(ours.home)
    said = [
        gallery.checked(ours, filled(command, ids)).out
        for command in (
            "run --start <cached> -y",
            "run --start <uncached> -y",
            "run --restart <uncached> n=4 -y",
            "run --restart <uncached> no-cache=yes fast=no -y",
            "run --proto <cached> no-cache=no -y",
        )
    ]
    assert said == [
        "True True False 3\n",
        "False True True 3\n",
        "False True True 4\n",
        "True True False 4\n",
        "False True False 3\n",
    ]


def test_nothing_is_allowed_that_does_not_differ(done: Both) -> None:
    found = [each.where for each in compared("home", done.theirs, done.ours)]
    assert [place for place in ALLOWED if not fnmatch.filter(found, place)] == []
