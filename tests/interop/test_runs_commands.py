"""The commands that manage runs, side by side: what they take, refuse, ask and answer."""

from collections.abc import Iterator

import pytest

from tests.helpers import Outcome
from tests.interop import gallery
from tests.interop.conftest import Both, side_by_side
from tests.interop.meant import meant
from tests.interop.peers import Peer

# Commands that change no run.
LISTED = (
    "-S et",
    "-Sce -Fo train",
    "--not-completed",
    "-Fo '*:train'",
    "-Fo 'tr*'",
    "rm -Sr",
    "restore 1",
    "info 18",
)
SELECTED = ("1:99", "-a op 16", "zz", "3:1 -A", "-A 15:")
OTHERS = ("stop", "ls 99", "cat 16 -p nope", "open 3 --shell --shell-cmd x", "diff 1 2 -d /tmp")
# Commands that would, and an answer that keeps them from it.
DECLINED = {
    **dict.fromkeys(("runs rm 1:22", "runs rm 40:", "runs rm 3", "label -c 2", "mark -c 1:3"), "n"),
    "runs rm 4": "perhaps",
    "label -s a 2": "no",
    "runs rm 5": "",
    **dict.fromkeys(("runs rm -p 3", "runs purge", "comment -c 1"), "\n"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Both]:
    pair = side_by_side(peer, tmp_path_factory.mktemp("managing"), gallery.FILES)
    try:
        gallery.make(pair.ours)
        yield pair
    finally:
        pair.close()


def heard(outcome: Outcome) -> tuple[int, list[str], list[str]]:
    """Without hints at what to type next."""
    return (
        outcome.code,
        outcome.out.splitlines(),
        [line for line in outcome.err.splitlines() if line[:4] != "Try "],
    )


def test_command_lines_are_taken_refused_and_answered_alike(both: Both) -> None:
    assert meant("Wording of messages, prompts and help; how they are broken into lines")
    before = both.ours.guild("runs -a -c").out
    differing = []
    lines = [*(f"runs {spec}" for spec in LISTED), *(f"select {spec}" for spec in SELECTED), *OTHERS]
    for line, answer in {**dict.fromkeys(lines, ""), **DECLINED}.items():
        theirs, ours = (heard(each.guild(line, input=answer)) for each in (both.theirs, both.ours))
        if theirs != ours:
            differing.append(f"guild {line} <<< {answer!r}\n  theirs: {theirs}\n  ours:   {ours}")
    assert not differing, "\n".join(differing)
    assert both.ours.guild("runs -a -c").out == before
