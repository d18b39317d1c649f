"""What Guild 0.9 left pending may be executed; what it is about to start may not."""

import os
import time
from pathlib import Path

import pytest

from guild.errors import RunChanged
from guild.runs import attrs, lifecycle
from guild.runs.abandoned import YOUNG_SECONDS, is_abandoned
from guild.runs.lease import Doing
from guild.runs.run import Run
from tests.scheduler.fake_executor import HandMade


@pytest.fixture
def home(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "home")


def batch_of(home: HandMade, trial: Run) -> Run:
    batch = home.by_guild_09("batch")
    os.symlink(f"../{trial.id}", batch.path / trial.id)
    return batch


def micros(seconds_ago: float) -> int:
    return round((time.time() - seconds_ago) * 1e6)


def test_a_run_that_nobody_knows_of_is_abandoned_once_it_is_old(home: HandMade) -> None:
    # A clock of another host that shares the home may be ahead of ours.
    ages = {"ahead": -20, "new": 0, "young": YOUNG_SECONDS - 20, "old": YOUNG_SECONDS + 20}
    runs = {name: home.by_guild_09(name, "PENDING", age=age) for name, age in ages.items()}
    assert [name for name, run in runs.items() if is_abandoned(home.store, run)] == ["old"]


def test_what_we_have_claimed_is_never_abandoned(home: HandMade) -> None:
    home.staged("a")
    home.claimed("a")
    run = home.run("a")
    long_ago = time.time() - 9999
    os.utime(run.guild_dir / "PENDING", (long_ago, long_ago))
    assert not is_abandoned(home.store, run)


def test_a_trial_is_abandoned_once_its_batch_has_ended_or_begins_anew(home: HandMade) -> None:
    trial = home.by_guild_09("trial", "PENDING", age=30)
    batch = batch_of(home, trial)
    attrs.write_attr(batch.guild_dir, "exit_status", 1)
    attrs.write_attr(batch.guild_dir, "stopped", micros(40))
    assert not is_abandoned(home.store, trial), "somebody made it pending after the end of the batch"
    attrs.write_attr(batch.guild_dir, "stopped", micros(20))
    assert is_abandoned(home.store, trial)
    attrs.delete_attr(batch.guild_dir, "exit_status")
    (batch.guild_dir / "PENDING").touch()
    attrs.write_attr(batch.guild_dir, "started", micros(40))
    assert not is_abandoned(home.store, trial), "a batch that goes on has made it"
    attrs.write_attr(batch.guild_dir, "started", micros(20))
    assert is_abandoned(home.store, trial)


def test_only_what_is_abandoned_can_be_restarted(home: HandMade) -> None:
    young = home.by_guild_09("young", "PENDING")
    old = home.by_guild_09("old", "PENDING", age=YOUNG_SECONDS + 20)
    with lifecycle.locked(home.store) as held:
        with pytest.raises(RunChanged, match="young is pending"):
            lifecycle.restart(held, young, lifecycle.new_lease(home.store, young, Doing.PREPARING))
        lease = lifecycle.new_lease(home.store, old, Doing.PREPARING)
        lifecycle.restart(held, old, lease)
    assert young.token() == ""
    assert old.claim_lease() == lease


def test_only_what_is_abandoned_can_be_staged_again(home: HandMade) -> None:
    young = home.by_guild_09("young", "PENDING")
    old = home.by_guild_09("old", "PENDING", age=YOUNG_SECONDS + 20)
    with lifecycle.locked(home.store) as held:
        with pytest.raises(RunChanged, match="young is pending"):
            lifecycle.stage_in_place(held, young, lambda: None)
        started = lifecycle.stage_in_place(held, old, lambda: None)
    assert home.status("young") == "pending"
    assert home.status("old") == "staged"
    assert old.int_attr("started") == started
    assert started > 1


def test_what_is_no_longer_abandoned_is_not_restaged(home: HandMade) -> None:
    run = home.by_guild_09("a", "PENDING", age=YOUNG_SECONDS + 20)
    home.restaged("a")
    assert home.status("a") == "staged"
    home.run("a").guild_dir.joinpath("STAGED").rename(run.guild_dir / "PENDING")
    os.utime(run.guild_dir / "PENDING")
    with pytest.raises(RunChanged, match="it is pending"):
        home.restaged("a")
    assert home.status("a") == "pending"
