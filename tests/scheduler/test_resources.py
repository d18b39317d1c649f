"""GPUs as text and as sets. The house keeps `resources` in `runs`; it is the scheduler's arithmetic."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.resources import Gpus, allocation, format_gpus, is_served, parse_gpus

NAMES = st.text("0123456789abcGPU-", min_size=1, max_size=8)
SETS = st.frozensets(NAMES, max_size=5)


@given(SETS)
def test_what_is_formatted_reads_back(gpus: frozenset[str]) -> None:
    assert parse_gpus(format_gpus(gpus)) == gpus


@given(st.lists(NAMES, max_size=5), st.randoms(use_true_random=False))
def test_order_and_blanks_do_not_matter(names: list[str], random: Random) -> None:
    shuffled = random.sample(names, len(names))
    assert parse_gpus(" , ".join(names)) == parse_gpus(",".join(shuffled))


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        (None, None),
        ("", frozenset()),
        (" , ", frozenset()),
        ("0", frozenset("0")),
        ("1, 0,1", frozenset("01")),
        ("GPU-8f,2", frozenset(("GPU-8f", "2"))),
    ],
)
def test_nothing_said_is_not_no_gpu(text: str | None, gpus: Gpus) -> None:
    assert parse_gpus(text) == gpus


def test_numbers_are_written_in_their_order_before_names() -> None:
    assert format_gpus(frozenset(("10", "9", "GPU-a", "0"))) == "0,9,10,GPU-a"


@given(st.none() | SETS, st.none() | SETS)
def test_what_is_served_is_given_whole_and_from_what_the_queue_has(asked: Gpus, served: Gpus) -> None:
    if is_served(asked, served):
        got = allocation(asked, served)
        assert served is None or got is not None
        assert got is None or served is None or got <= served
        assert asked is None or got == asked
    else:
        assert asked is not None
        assert served is not None
        assert asked - served
