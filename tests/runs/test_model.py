"""Two queues, a queue of Guild 0.9, --start, restage and delete on one home, processes killed at any step:
in no order of their steps is a run executed twice, lost, or left pending."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from guild.runs import lifecycle, swap
from guild.runs.store import RunStore
from tests.runs import lifecycle_model as model
from tests.runs import lifecycle_world as world
from tests.runs.lifecycle_model import Actor, Disk, Model, State, Violation, status

QUEUE = (Actor("queue", "idle"), Actor("supervisor", "none"))
GUILD_0_9 = (Actor("0.9", "lock"),)
START = (Actor("start", "lock"),)
RESTAGE = (Actor("restage", "prepare"),)
DELETE = (Actor("delete", "lock"),)


def search(rules: Model, actors: tuple[Actor, ...], runs: int = 1, kills: int = 0) -> int:
    """Go through all states; how many there are. Raises Violation."""
    first = State((Disk(),) * runs, actors, kills)
    seen, todo = {first: None}, deque([first])
    while todo:
        state = todo.popleft()
        is_last = True
        for after in succ(rules, state, seen):
            is_last = False
            if after not in seen:
                seen[after] = state
                todo.append(after)
        if is_last:
            try:
                check_the_end(rules, state)
            except Violation:
                path(seen, state)
                raise
    return len(seen)


def succ(rules, state, seen):
    try:
        yield from rules.successors(state)
    except Violation:
        path(seen, state)
        raise

def path(seen, state):
    p=[]
    while state: p.append(state); state=seen[state]
    prev=None
    for st in p[::-1][-14:]:
        print([f"{a.kind}{i}@{a.at}/{a.life} todo={[t[0] for t in a.todo]}" for i,a in enumerate(st.actors) if prev and prev.actors[i]!=a], [d for i,d in enumerate(st.disks) if not prev or prev.disks[i]!=d], "lock", st.lock, list(st.children))
        prev=st

def check_the_end(rules: Model, state: State) -> None:
    """Nobody has anything left to do: what does one more queue find?"""
    if not all(a.has_ended or a.at == "none" for a in state.actors):
        raise Violation("somebody waits for ever")
    state = _looked_at_by_a_new_queue(rules, state)
    for run, disk in enumerate(state.disks):
        now = status(state, run)
        if now == "pending" and not (disk.pending == "" and "0.9" in state.was_killed):
            raise Violation("a run stays pending")
        if now == "absent" and disk.where != "trash":
            raise Violation("a run is lost")
        if now == "running" or (now == "ended" and (run, disk.generation) not in state.executed | state.failed):
            raise Violation(f"a run is {now} that nobody has executed")
        if now == "error" and not state.was_killed:
            raise Violation("an error, and nobody was killed")


def _looked_at_by_a_new_queue(rules: Model, state: State) -> State:
    """What it recovers before it claims or, having found nothing staged, leaves the lock."""
    state = state._replace(actors=(*state.actors, *QUEUE), kills=0)
    *_, state = rules.successors(state)
    while state.actors[-2].at == "mend":
        *_, state = rules.successors(state)
    return state


ALL: dict[str, tuple[tuple[Actor, ...], int, int]] = {
    "two queues": (QUEUE + QUEUE, 1, 2),
    "two queues, two runs": (QUEUE + QUEUE, 2, 1),
    "two queues, start": (QUEUE + QUEUE + START, 1, 1),
    "two queues, restage": (QUEUE + QUEUE + RESTAGE, 1, 1),
    "two queues, 0.9": (QUEUE + QUEUE + GUILD_0_9, 1, 1),
    "restage, start, delete": (QUEUE + RESTAGE + START + DELETE, 1, 2),
    "0.9, restage, delete": (QUEUE + GUILD_0_9 + RESTAGE + DELETE, 1, 2),
    "everybody": (QUEUE + QUEUE + GUILD_0_9 + START + RESTAGE + DELETE, 1, 0),
}


if __name__ == "__main__":
    import time
    for name, (a, r, k) in ALL.items():
        for ex in (True, False):
            t = time.time()
            try:
                n = search(Model(exchange=ex), a, r, k)
            except Violation as e:
                n = repr(e)
            print(name, ex, n, round(time.time() - t, 1), flush=True)
