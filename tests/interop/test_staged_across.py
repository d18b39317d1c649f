"""Staged by one, started by the other: the same output, flags, exit status, scalars and files."""

import re
import subprocess
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import Project
from tests.interop.conftest import Both, side_by_side
from tests.interop.gallery import checked, listed
from tests.interop.meant import meant
from tests.interop.peers import Peer
from tests.interop.staged import FEW, FILES, KINDS, Result, prepare, results, stage_all

Results = dict[str, list[Result]]


def by_queue(project: Project) -> None:
    checked(project, "run queue run-once=yes poll-interval=1 -y")


def by_start(project: Project) -> None:
    for run in reversed(listed(project.guild("runs --json --staged"))):
        code = project.guild(f"run --start {run['id']} -y").code
        assert code == (3 if str(run["opref"]).endswith(" fail") else 0), run


def across(
    both: Both,
    stager: str,
    starter: str,
    start: Callable[[Project], None],
    kinds: Collection[str] = tuple(KINDS),
) -> Results:
    prepare(getattr(both, stager))
    stage_all(getattr(both, stager), kinds)
    start(getattr(both, starter))
    left = listed(both.ours.guild("runs --json --staged"))
    assert not left, [run["opref"] for run in left]
    return results(both.ours)


WAYS = {
    "ours": ("ours", "ours", by_queue),
    "few of ours": ("ours", "ours", by_start, FEW),
    "ours, their queue": ("ours", "theirs", by_queue),
    "ours, their start": ("ours", "theirs", by_start, FEW),
    "theirs, our queue": ("theirs", "ours", by_queue),
    "theirs, our start": ("theirs", "ours", by_start, FEW),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[dict[str, Results]]:
    """What came of the same operations, for each way of staging and starting them."""
    homes = {way: side_by_side(peer, tmp_path_factory.mktemp("across"), FILES) for way in WAYS}
    try:
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(lambda way: across(homes[way], *WAYS[way]), WAYS)
        yield dict(zip(WAYS, made, strict=True))
    finally:
        for both in homes.values():
            both.close()


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("ours", "few of ours")])
def test_a_staged_run_gives_the_same_whoever_has_staged_and_whoever_starts_it(
    found: dict[str, Results], way: str
) -> None:
    like = "few of ours" if FEW in WAYS[way] else "ours"
    assert agreed(found[way]) == agreed(found[like])


def test_a_directory_that_is_staged_runs_by_hand_as_its_message_says(tmp_path: Path, peer: Peer) -> None:
    assert meant("`--restage`, `--stage-dir`")
    both = side_by_side(peer, tmp_path, {"show.py": "x = 1\nname = 'a'\nprint(x, repr(name))\n"})
    said, names = [], []
    try:
        for project, option in ((both.ours, "--stage-dir"), (both.theirs, "--stage --run-dir")):
            target = tmp_path / f"by-hand-{len(said)}"
            told = checked(project, f'run show.py x=5 "name=ü it\'s" {option} {target} -y')
            command = re.findall(r'use "(.*)"$', (told.out + told.err).rstrip(), re.MULTILINE)[-1]
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
            said.append(done.stdout)
            lines = (target / ".guild/ENV").read_text().splitlines()
            names.append([line.partition("=")[0] for line in lines])
    finally:
        both.close()
    assert said == ['5 "ü it\'s"\n'] * 2
    assert names[0] == names[1]


def agreed(made: Results) -> Results:
    """Without what is different on purpose."""
    assert meant("Flags for other runs (`operation:prepare`) in a filled config file")
    assert meant("Scalars of a batch")
    return {
        **made,
        "+": [replace(each, scalars=[]) for each in made["+"]],
        "use": [
            replace(
                each,
                output=re.sub(r"upstream: ID\n", "", each.output),
                files={name: re.sub(r"upstream: .*\n?", "", text) for name, text in each.files.items()},
            )
            for each in made["use"]
        ],
    }
