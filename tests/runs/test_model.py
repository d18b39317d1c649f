"""Two queues, a queue of Guild 0.9, --start, restage and delete on one home, processes killed at any step:
in no order of their steps is a run executed twice, lost, or left pending."""

import gc
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guild.runs import departures, lifecycle, swap
from guild.runs.store import RunStore
from tests.runs import lifecycle_state as steps
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_model import Model
from tests.runs.lifecycle_state import Actor, Disk, State, Violation, status

QUEUE = (Actor("queue", "idle"), Actor("supervisor", "none"))
GUILD_0_9 = (Actor("0.9", "lock"),)
START = (Actor("start", "lock"),)
RESTAGE = (Actor("restage", "prepare"),)
DELETE = (Actor("delete", "lock"),)
TWO = QUEUE + QUEUE

EXCHANGE, RENAMES = Model(), Model(exchange=False)


def search(rules: Model, actors: tuple[Actor, ...], runs: int = 1, kills: int = 0) -> int:
    """Go through all states, and say how many there are. Raises Violation."""
    first = State((Disk(),) * runs, actors, kills)
    seen, todo = {first}, deque([first])
    with _no_collection():
        while todo:
            state = todo.popleft()
            is_last = True
            for after in rules.successors(state):
                is_last = False
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
            if is_last:
                check_the_end(rules, state)
    return len(seen)


@contextmanager
def _no_collection() -> Iterator[None]:
    """States hold no cycles: looking for them takes half of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_the_end(rules: Model, state: State) -> None:
    """Nobody has anything left to do: what does one more queue find?"""
    if not all(a.has_ended or a.at == "none" for a in state.actors):
        raise Violation("somebody waits for ever")
    state = _looked_at_by_a_new_queue(rules, state)
    for run, disk in enumerate(state.disks):
        now, this = status(state, run), (run, disk.generation)
        if now == "pending" and not (disk.pending == "" and "0.9" in state.was_killed):
            raise Violation("a run stays pending")
        if now == "absent" and disk.where != "trash":
            raise Violation("a run is lost")
        if now == "running" or (now == "ended" and this not in state.executed | state.failed):
            raise Violation(f"a run is {now} that nobody has executed")
        if now == "error" and not state.was_killed:
            raise Violation("an error, and nobody was killed")


def _looked_at_by_a_new_queue(rules: Model, state: State) -> State:
    """What it recovers before it claims, or leaves because nothing is staged."""
    state = state._replace(actors=(*state.actors, *QUEUE), kills=0)
    *_, state = rules.successors(state)
    while state.actors[-2].at == "mend":
        *_, state = rules.successors(state)
    return state


@pytest.mark.parametrize(
    ("rules", "actors", "runs", "kills"),
    [
        pytest.param(EXCHANGE, TWO, 1, 2, id="two queues"),
        pytest.param(EXCHANGE, TWO, 2, 1, id="two queues, two runs"),
        pytest.param(EXCHANGE, TWO + START, 1, 2, id="two queues, start"),
        pytest.param(EXCHANGE, TWO + GUILD_0_9, 1, 2, id="two queues, 0.9"),
        pytest.param(EXCHANGE, TWO + RESTAGE, 1, 1, id="two queues, restage"),
        pytest.param(RENAMES, TWO + RESTAGE, 1, 2, id="two queues, restage by renames"),
        pytest.param(EXCHANGE, QUEUE + RESTAGE + START + DELETE, 1, 2, id="restage, start, delete"),
        pytest.param(RENAMES, QUEUE + RESTAGE + START + DELETE, 1, 1, id="restage by renames, start, delete"),
        pytest.param(EXCHANGE, QUEUE + GUILD_0_9 + RESTAGE + DELETE, 1, 1, id="0.9, restage, delete"),
        pytest.param(
            RENAMES, QUEUE + GUILD_0_9 + RESTAGE + DELETE, 1, 1, id="0.9, restage by renames, delete"
        ),
        pytest.param(EXCHANGE, TWO + GUILD_0_9 + START + RESTAGE + DELETE, 1, 0, id="everybody"),
    ],
)
def test_no_run_is_executed_twice_lost_or_left_pending(
    rules: Model, actors: tuple[Actor, ...], runs: int, kills: int
) -> None:
    assert search(rules, actors, runs, kills) > 1000


@pytest.mark.parametrize(
    ("rules", "actors", "kills", "what"),
    [
        (Model(checks_token=False), TWO, 1, "twice|writes"),
        (Model(checks_witness=False), QUEUE + RESTAGE, 0, "not claimed|twice|pending|writes"),
        (Model(exchange=False, settles=False), QUEUE + RESTAGE, 1, "lost"),
        (Model(clears_under_lock=False), TWO + RESTAGE, 0, "pending|not claimed|writes"),
    ],
    ids=["token", "witness", "settle", "last files without the lock"],
)
def test_each_of_the_rules_is_needed(rules: Model, actors: tuple[Actor, ...], kills: int, what: str) -> None:
    with pytest.raises(Violation, match=what):
        search(rules, actors, kills=kills)


def test_a_limit_guild_0_9_shows_nothing_of_a_run_between_pending_and_lock() -> None:
    """It takes no lock there: a restage in these milliseconds gets in its way."""
    with pytest.raises(Violation):
        search(Model(spares_0_9=False), QUEUE + GUILD_0_9 + RESTAGE)


# The model's steps are those of the code.


def _fail(store: RunStore, given: world.Held) -> None:
    lifecycle.fail(store, given.run, "in vain", 1)


def _lost_claim(store: RunStore) -> world.Held:
    return world.claimed(store, holder=world.ended_process())


def _recover(store: RunStore, given: world.Held) -> None:
    with lifecycle.locked(store) as held:
        assert lifecycle.recover(held, given.run)


def _release(store: RunStore, given: world.Held) -> None:
    with lifecycle.locked(store) as held:
        assert lifecycle.release(held, given.run, given.lease.token)


def _restage(store: RunStore, given: Any) -> None:
    with lifecycle.locked(store) as held:
        lifecycle.restage(held, *given)


def _to_restage(store: RunStore) -> Any:
    run = world.ended(store)
    return run, lifecycle.witness(run), world.in_the_making(store), "old"


def _delete(store: RunStore, given: Any) -> None:
    with lifecycle.locked(store) as held:
        departures.to_trash(held, given)


def _claim(store: RunStore, given: Any) -> None:
    world.claimed(store, given)


def _start(store: RunStore, given: world.Held) -> None:
    world.started(store, given)


def _run(store: RunStore, given: world.Held) -> None:
    lifecycle.mark_running(store, given.run, given.lease, world.ended_process())


def _finish(store: RunStore, given: world.Held) -> None:
    lifecycle.finish(store, given.run, 0, lambda: None)


def _started(store: RunStore) -> world.Held:
    return world.started(store, world.claimed(store))


def _running(store: RunStore) -> world.Held:
    return world.running(store, world.claimed(store), world.ended_process())


def _lost_start(store: RunStore) -> world.Held:
    return world.begun(store, _lost_claim(store))


Setup = Callable[[RunStore], Any]
Act = Callable[[RunStore, Any], object]


@pytest.mark.parametrize(
    ("names", "prepare", "act"),
    [
        pytest.param(steps.CLAIM, world.staged, _claim, id="claim"),
        pytest.param(steps.TAKE_OVER, world.claimed, world.taken_over, id="take over"),
        pytest.param(steps.BEGIN + steps.START, world.claimed, _start, id="start"),
        pytest.param(steps.RUNNING, _started, _run, id="running"),
        pytest.param(steps.FINISH + steps.FINISHED, _running, _finish, id="finish"),
        pytest.param(steps.FAIL_WITH_CODE + steps.FAILED, world.claimed, _fail, id="fail"),
        pytest.param(steps.RELEASE, world.claimed, _release, id="release"),
        pytest.param(steps.RELEASE, _lost_claim, _recover, id="recover a claim"),
        pytest.param(steps.FAIL + steps.FAILED, _lost_start, _recover, id="recover a start"),
        pytest.param(steps.SWAP, _to_restage, _restage, id="restage"),
        pytest.param(steps.SWAP_BY_RENAMES, _to_restage, _restage, id="restage by renames"),
        pytest.param(steps.DELETE, world.ended, _delete, id="delete"),
    ],
)
def test_the_models_steps_are_those_of_the_code(
    names: tuple[str, ...], prepare: Setup, act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.new_store(tmp_path / "home")
    given = prepare(store)
    done: list[str] = []

    def note(event: str, path: str) -> None:
        name = _name_of(event, os.path.relpath(path, store.home.path), names)
        if name is not None:
            done.append(name)

    def exchanged(a: Path, b: Path) -> bool:
        if "exchange" in names:
            done.append("exchange")
            return real(a, b)
        return False

    real = swap._exchanged
    monkeypatch.setattr(swap, "_exchanged", exchanged)
    with world.Trace(store.home.path, note).listening():
        act(store, given)
    assert tuple(done) == names


def _name_of(event: str, path: str, names: tuple[str, ...]) -> str | None:
    """What the model calls it; None for what it leaves out."""
    name = os.path.basename(path)
    if event == "os.rename" and path == f"runs/{world.RUN}":
        return "in"
    if event == "os.rename" and path.startswith("trash"):
        return "deleted" if names == steps.DELETE else "away"
    name = "intent" if name.endswith(".swap") else name
    if name not in steps.FIELDS or event == "os.utime":
        return None
    return f"-{name}" if event == "os.remove" else name
