from pathlib import Path

import pytest

from guild.errors import RunChanged
from guild.home import Home
from guild.runs import journal, swap
from guild.runs.arrivals import arrive
from guild.runs.lifecycle import locked
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore
from tests.made_runs import EPOCH, make_run


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(Home(tmp_path / "home"))
    store.create()
    return store


def made(store: RunStore, status: str = "completed", started: int = 1) -> Run:
    swap.announce(store, "fresh")
    return make_run(store.home.path, "fresh", status=status, started=started, where="staging")


def events(store: RunStore) -> list[tuple[str, str]]:
    lines = store.home.journal.read_bytes().splitlines()
    return [(e.run_id, e.event) for e in map(journal.parse_line, lines) if e]


def test_an_ended_run_arrives_as_it_is(store: RunStore) -> None:
    with locked(store) as held:
        run = arrive(held, made(store).path, "one")
    assert (run.id, run.status(), run.timestamp) == ("one", RunStatus.COMPLETED, EPOCH + 1_000_000)
    assert run.path == store.home.runs / "one"
    assert events(store) == [("one", "imported")]


def test_a_staged_run_is_the_last_in_the_order(store: RunStore) -> None:
    new = made(store, "staged", started=1)
    (new.guild_dir / "order.json").write_text('{"format": 1, "started": 1, "priority": 9}')
    make_run(store.home.path, "before", status="staged", started=2)
    with locked(store) as held:
        run = arrive(held, new.path, "one")
    assert run.status() is RunStatus.STAGED
    staged = sorted((r for r in store.runs()), key=Run.place)
    assert [r.id for r in staged] == ["before", "one"]
    assert events(store) == [("one", "staged")]


def test_nobody_executes_what_arrives(store: RunStore) -> None:
    new = made(store, "running")
    for name in ("LOCK", "lease.json"):
        (new.guild_dir / name).write_text("1")
    (new.guild_dir / "PENDING").write_text("token")
    with locked(store) as held:
        run = arrive(held, new.path, "one")
    assert run.markers() == frozenset()
    assert run.status() is RunStatus.ERROR


@pytest.mark.parametrize("where", ["runs", "staging"])
def test_a_run_that_is_there_already_stays(store: RunStore, where: str) -> None:
    there = make_run(store.home.path, "one", where=where)
    if where == "staging":
        swap.announce(store, "one")
    with locked(store) as held, pytest.raises(RunChanged):
        arrive(held, made(store).path, "one")
    assert there.path.is_dir()
