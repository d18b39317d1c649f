"""The lease as a file, and whether somebody still works at it."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.base.processes import this_process
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run, home_of

ME = this_process()
GONE = replace(ME, ticks=ME.ticks + 1)  # our pid, of another start
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def lease(**changes: Any) -> Lease:
    made = Lease("token", "run", "/home", ME, Doing.CLAIMED, 17)
    return replace(made, **changes)


@given(
    st.builds(
        Lease,
        token=TEXT.filter(bool),
        run=TEXT,
        home=TEXT,
        holder=st.just(ME),
        doing=st.sampled_from(Doing),
        since=st.integers(-(2**60), 2**60),
        child=st.none() | st.just(GONE),
        executor=TEXT,
        queue=TEXT,
        job=TEXT,
        gpus=st.none() | TEXT,
    )
)
def test_a_lease_reads_back(made: Lease) -> None:
    assert Lease.from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", ""),
        ("token", None),
        ("token", 7),
        ("run", []),
        ("home", {}),
        ("doing", "sleeping"),
        ("doing", None),
        ("since", "17"),
        ("since", True),
        ("gpus", 0),
        ("holder", None),
        ("holder", {}),
        ("child", {"pid": 1}),
        ("child", "x"),
    ],
)
def test_a_damaged_lease_is_a_value_error(key: str, value: Any) -> None:
    data = json.loads(lease().to_bytes())
    data[key] = value
    with pytest.raises(ValueError):
        Lease.from_bytes(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"1", b'"x"'])
def test_what_is_no_map_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Lease.from_bytes(data)


@given(st.binary(max_size=40))
def test_garbage_is_never_anything_but_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Lease.from_bytes(data)


def test_fields_of_a_later_format_are_passed_over() -> None:
    data = {**json.loads(lease().to_bytes()), "new": [1], "format": 2}
    assert Lease.from_bytes(json.dumps(data).encode()) == lease()


def test_it_is_held_while_holder_or_child_live() -> None:
    assert lease().is_held
    assert lease(holder=GONE, child=ME).is_held
    assert not lease(holder=GONE).is_held
    assert not lease(holder=GONE, child=GONE).is_held


def test_with_changes_a_copy() -> None:
    first = lease()
    assert first.with_(doing=Doing.RUNNING, child=ME) == lease(doing=Doing.RUNNING, child=ME)
    assert first == lease()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "home" / "runs" / "r1")
    run.guild_dir.mkdir(parents=True)
    return run


def write(run: Run, made: Lease, token: str | None) -> None:
    (run.guild_dir / "lease.json").write_bytes(made.to_bytes())
    if token is not None:
        (run.guild_dir / "PENDING").write_text(token)


def test_a_lease_counts_while_pending_holds_its_token(run: Run) -> None:
    mine = lease(run="r1", home=home_of(run.path))
    write(run, mine, "token")
    assert run.claim_lease() == run.lease() == mine


@pytest.mark.parametrize("token", [None, "", "other", "token2"])
def test_a_lease_does_not_count_beside_another_pending(run: Run, token: str | None) -> None:
    write(run, lease(run="r1", home=home_of(run.path)), token)
    assert run.claim_lease() is None


@pytest.mark.parametrize("changes", [{"run": "r2"}, {"home": "/elsewhere"}])
def test_a_copied_directory_carries_no_right(run: Run, changes: dict[str, Any]) -> None:
    write(run, lease(**{"run": "r1", "home": home_of(run.path), **changes}), "token")
    assert run.lease() is None
    assert run.claim_lease() is None


def test_a_home_that_is_reached_through_a_link_is_the_same_home(run: Run, tmp_path: Path) -> None:
    write(run, lease(run="r1", home=home_of(run.path)), "token")
    os.symlink(tmp_path / "home", tmp_path / "link")
    assert Run(tmp_path / "link" / "runs" / "r1").claim_lease() is not None
