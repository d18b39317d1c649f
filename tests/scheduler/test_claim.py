"""Look, decide, claim: one critical section, on a real store."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guild.errors import LockTimeout
from guild.runs import layout, lifecycle
from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.scheduler.claim import Claim, Outcome, claim_next, give_back, give_up
from guild.scheduler.model import Hold, QueuePolicy, Reason
from guild.scheduler.observe import Observer
from tests.scheduler.fake_executor import HandMade


class Queue:
    """One queue's view of a home, without a loop."""

    def __init__(self, home: HandMade, queue_id: str, policy: QueuePolicy) -> None:
        self.home, self.id, self.policy = home, queue_id, policy
        self.observer = Observer(home.store, queue_id)

    def look(self, full: bool = False) -> Outcome:
        return claim_next(self.home.store, self.observer, self.policy, self.id, full)

    def claims(self, full: bool = False) -> list[str]:
        return [c.run.id for c in self.look(full).claims]

    def run_next(self) -> list[str]:
        """Claim and run to the end."""
        claims = self.look().claims
        for claim in claims:
            self.home.begun(claim.run.id, claim.lease.token)
            self.home.finished(claim.run.id)
        return [c.run.id for c in claims]


PARALLEL = QueuePolicy(wait_for_running=False)


@pytest.fixture
def home(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "home")


@pytest.fixture
def queue(home: HandMade) -> Queue:
    return Queue(home, "me", QueuePolicy())


@pytest.fixture
def two(home: HandMade) -> tuple[Queue, Queue]:
    return Queue(home, "q1", PARALLEL), Queue(home, "q2", PARALLEL)


def test_the_first_staged_run_is_claimed(home: HandMade, queue: Queue) -> None:
    home.staged("a")
    home.staged("b")
    (claim,) = queue.look().claims
    assert claim.run.id == "a"
    assert home.status("a") == "pending"
    assert home.status("b") == "staged"
    lease = home.run("a").claim_lease()
    assert lease == claim.lease
    assert lease is not None
    assert (lease.queue, lease.doing, lease.gpus) == ("me", "claimed", None)


def test_runs_are_run_one_after_the_other_in_order(home: HandMade, queue: Queue) -> None:
    for run_id in ("c", "a", "b"):
        home.staged(run_id)
    assert [queue.run_next() for _ in range(4)] == [["c"], ["a"], ["b"], []]


def test_a_restaged_run_is_taken_first(home: HandMade, queue: Queue) -> None:
    for run_id in "abc":
        home.staged(run_id)
    assert queue.run_next() == ["a"]
    home.restaged("a")
    home.restaged("c")
    assert [queue.run_next() for _ in range(3)] == [["c"], ["a"], ["b"]]


def test_a_run_restaged_while_another_is_in_progress_is_the_next_one(home: HandMade, queue: Queue) -> None:
    for run_id in "abc":
        home.staged(run_id)
    (claim,) = queue.look().claims
    home.restaged("c")
    home.begun("a", claim.lease.token)
    home.finished("a")
    assert queue.run_next() == ["c"]


def test_a_higher_priority_is_taken_first(home: HandMade, queue: Queue) -> None:
    for run_id in "abc":
        home.staged(run_id)
    home.prioritised("c", 2)
    home.prioritised("b", 1)
    assert [queue.run_next() for _ in range(3)] == [["c"], ["b"], ["a"]]


def test_the_order_holds_when_the_clock_is_set_back(home: HandMade, queue: Queue) -> None:
    home.staged("a")
    home.clock.advance(-3600)
    home.staged("b")
    home.clock.advance(-3600)
    home.restaged("b")
    home.staged("c")
    assert [queue.run_next() for _ in range(3)] == [["b"], ["a"], ["c"]]


def test_nothing_is_claimed_while_another_run_is_in_progress(home: HandMade, queue: Queue) -> None:
    home.staged("theirs")
    token = home.claimed("theirs").token
    home.staged("a")
    for step in (lambda: None, lambda: home.begun("theirs", token)):
        step()
        outcome = queue.look()
        assert outcome == Outcome((), (Hold("a", Reason.OTHERS_IN_PROGRESS, ("theirs",)),))
    home.finished("theirs")
    assert queue.claims() == ["a"]


def test_a_queue_with_slots_claims_several_at_once(home: HandMade) -> None:
    for run_id in "abc":
        home.staged(run_id)
    queue = Queue(home, "me", QueuePolicy(slots=2))
    assert queue.claims() == ["a", "b"]
    assert queue.claims() == []


def test_gpus_go_into_the_lease(home: HandMade) -> None:
    home.staged("a", "1")
    home.staged("b")
    queue = Queue(home, "me", QueuePolicy(slots=2, gpus=frozenset("01"), wait_for_running=False))
    assert [c.lease.gpus for c in queue.look().claims] == ["1"]
    home.removed("b")
    home.staged("c", "")
    assert [c.lease.gpus for c in queue.look().claims] == [""]


def test_a_run_of_guild_09_is_claimed(home: HandMade, queue: Queue) -> None:
    home.by_guild_09("a", "STAGED")
    assert queue.run_next() == ["a"]
    assert home.status("a") == "completed"


def test_a_claim_whose_holder_died_is_claimed_again(home: HandMade, queue: Queue) -> None:
    home.staged("a")
    home.staged("b")
    first = home.claimed("a")
    assert queue.claims() == []
    home.holder_dies("a")
    (claim,) = queue.look().claims
    assert claim.run.id == "a"
    assert claim.lease.token != first.token


# Two queues.


def test_two_queues_never_claim_one_run_twice(home: HandMade, two: tuple[Queue, Queue]) -> None:
    for queue in two:
        queue.look()
    for run_id in "abc":
        home.staged(run_id)
    assert two[0].claims() == ["a"]
    assert two[1].claims() == ["b"]
    assert two[0].claims() == two[1].claims() == []


def test_two_waiting_queues_run_one_at_a_time(home: HandMade) -> None:
    first, second = (Queue(home, q, QueuePolicy()) for q in ("q1", "q2"))
    home.staged("a")
    home.staged("b")
    assert first.claims() == ["a"]
    assert second.claims() == []


def test_what_a_queue_believes_is_read_again_before_it_is_claimed(home: HandMade, queue: Queue) -> None:
    """Guild 0.9 takes runs without a line in the journal: its claims show only when ours fails."""
    home.staged("a")
    home.staged("b")
    with lifecycle.locked(home.store) as held:
        queue.observer.look(held)
    (home.run("a").guild_dir / "PENDING").touch()
    (home.run("a").guild_dir / "STAGED").unlink()
    queue.policy = PARALLEL
    assert queue.claims() == ["b"]
    assert home.run("a").token() == ""


def test_a_waiting_queue_waits_for_a_claim_of_guild_09_that_it_meets(home: HandMade, queue: Queue) -> None:
    home.staged("a")
    home.staged("b")
    with lifecycle.locked(home.store) as held:
        queue.observer.look(held)
    (home.run("a").guild_dir / "PENDING").touch()
    (home.run("a").guild_dir / "STAGED").unlink()
    assert queue.look() == Outcome((), (Hold("b", Reason.OTHERS_IN_PROGRESS, ("a",)),))


STEPS = st.lists(
    st.tuples(st.sampled_from(("stage", "look", "end", "restage", "die", "lose")), st.integers(0, 5)),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.booleans())
def test_two_interleaved_queues_run_every_run_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], waiting: bool
) -> None:
    home = HandMade(tmp_path_factory.mktemp("claim") / "home")
    queues = [Queue(home, q, QueuePolicy(wait_for_running=waiting)) for q in ("q0", "q1")]
    active: dict[str, str] = {}  # run -> queue
    ended: list[str] = []
    staged: set[str] = set()

    def look(queue: Queue) -> None:
        for claim in queue.look().claims:
            assert claim.run.id in staged, "claimed twice, or what was not staged"
            assert not waiting or not active
            assert queue.id not in active.values()
            staged.remove(claim.run.id)
            active[claim.run.id] = queue.id
            home.begun(claim.run.id, claim.lease.token)

    for count, (step, n) in enumerate(steps):
        chosen = sorted(active)[n % len(active)] if active else ""
        if step == "stage":
            home.staged(f"r{count}")
            staged.add(f"r{count}")
        elif step == "look":
            look(queues[n % 2])
        elif step == "end" and active:
            home.finished(chosen)
            del active[chosen]
            ended.append(chosen)
        elif step == "die" and active:
            home.holder_dies(chosen)
            del active[chosen]
            ended.append(chosen)
        elif step == "restage" and staged | set(ended):
            again = sorted(staged | set(ended))[n % len(staged | set(ended))]
            if home.status(again) != "running":
                home.restaged(again)
                staged.add(again)
                ended = [r for r in ended if r != again]
        elif step == "lose" and home.store.home.journal.exists():
            home.store.home.journal.unlink()
    for run_id in list(active):
        home.finished(run_id)
        del active[run_id]
    while staged:
        before = set(staged)
        look(queues[0])
        assert staged < before, "a staged run is never taken"
        for run_id in list(active):
            home.finished(run_id)
            del active[run_id]


# What cannot be claimed.


def make_unwritable(home: HandMade, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions would not stop root, so the claim itself fails."""
    real = lifecycle.claim

    def claim(held: lifecycle.Held, run: Run, lease: Lease) -> None:
        if run.id == run_id:
            raise PermissionError(13, "Permission denied", str(run.guild_dir))
        real(held, run, lease)

    monkeypatch.setattr(lifecycle, "claim", claim)


def test_a_run_that_cannot_be_claimed_is_set_aside_and_the_next_one_taken(
    home: HandMade, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_unwritable(home, "a", monkeypatch)
    home.staged("a")
    home.staged("b")
    assert queue.claims() == ["b"]
    (note,) = queue.observer.notes
    assert "Run a cannot be started: " in note.text
    assert "Permission denied" in note.text


def test_a_run_directory_that_is_full_of_surprises_is_set_aside(home: HandMade, queue: Queue) -> None:
    """A directory where the lease should go: the rename fails, and the run is left staged."""
    run = home.staged("a")
    (run.guild_dir / layout.LEASE).mkdir()
    (run.guild_dir / layout.LEASE / "x").touch()
    home.staged("b")
    assert queue.claims() == ["b"]
    assert home.status("a") == "staged"


def test_a_claim_that_cannot_be_told_is_undone(
    home: HandMade, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.staged("a")
    home.store.home.journal.unlink()
    home.store.home.journal.mkdir()
    assert queue.claims() == []
    assert home.status("a") == "staged"
    assert home.run("a").lease() is None
    assert "cannot write to the journal" in queue.observer.notes[0].text


def test_with_several_slots_what_could_be_claimed_is_not_lost(
    home: HandMade, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_unwritable(home, "b", monkeypatch)
    for run_id in "abc":
        home.staged(run_id)
    queue = Queue(home, "me", QueuePolicy(slots=3))
    assert queue.claims() + queue.claims() == ["a", "c"]


def test_all_runs_that_cannot_be_claimed_leave_nothing_to_do(
    home: HandMade, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_unwritable(home, "a", monkeypatch)
    home.staged("a")
    assert queue.look() == Outcome((), ())
    assert queue.look() == Outcome((), ())
    assert len(queue.observer.notes) == 1


def test_a_full_look_tries_again_what_was_set_aside(
    home: HandMade, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as m:
        make_unwritable(home, "a", m)
        home.staged("a")
        assert queue.claims() == []
    assert queue.claims() == []
    assert queue.claims(full=True) == ["a"]


def test_a_lock_that_others_hold_is_an_error_after_the_time_limit(
    home: HandMade, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle.locked.__wrapped__, "__defaults__", (0.0,))  # type: ignore[attr-defined]
    home.staged("a")
    with home.store.lock(), pytest.raises(LockTimeout):
        queue.look()
    assert queue.claims() == ["a"]


# Undoing.


@pytest.fixture
def claimed(home: HandMade, queue: Queue) -> Iterator[Claim]:
    home.staged("a")
    home.staged("b")
    (claim,) = queue.look().claims
    return claim


def test_a_claim_that_is_given_back_is_staged_again_in_its_place(
    home: HandMade, queue: Queue, claimed: Claim
) -> None:
    assert give_back(home.store, claimed)
    assert home.status("a") == "staged"
    assert queue.claims() == ["a"]


def test_a_claim_that_somebody_else_holds_now_is_left_alone(
    home: HandMade, queue: Queue, claimed: Claim
) -> None:
    give_back(home.store, claimed)
    (second,) = queue.look().claims
    assert not give_back(home.store, claimed)
    give_up(home.store, claimed, "too late")
    assert home.run("a").claim_lease() == second.lease


def test_a_run_that_has_begun_is_not_given_back(home: HandMade, claimed: Claim) -> None:
    home.begun("a", claimed.lease.token)
    assert not give_back(home.store, claimed)
    give_up(home.store, claimed, "too late")
    assert home.status("a") == "running"


def test_a_claim_that_is_given_up_is_an_error_with_the_reason(home: HandMade, claimed: Claim) -> None:
    give_up(home.store, claimed, "no interpreter")
    assert home.status("a") == "error"
    assert home.run("a").attr("_reason") == "no interpreter"
    assert home.run("a").exit_status() == 1


def test_a_run_that_was_removed_by_hand_can_be_neither_given_back_nor_up(
    home: HandMade, claimed: Claim
) -> None:
    os.rename(claimed.run.path, home.store.home.trash / "a")
    assert not give_back(home.store, claimed)
    give_up(home.store, claimed, "gone")
    assert home.store.get("a") is None


def test_the_lock_is_free_after_a_look(home: HandMade, claimed: Claim) -> None:
    with home.store.lock(timeout=0):
        assert home.status(claimed.run.id) == "pending"
