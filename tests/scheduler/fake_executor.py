"""Without processes: an executor that the test drives, a bell that plays a script, a home made by hand."""

import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from guild.base.processes import this_process
from guild.errors import RunChanged
from guild.home import Home
from guild.runs import attrs, departures, layout, lifecycle, swap
from guild.runs.lease import Doing, Lease
from guild.runs.order import Order
from guild.runs.run import Run
from guild.runs.store import RunStore
from guild.scheduler.executor import Ended, Liveness
from tests.helpers import FakeClock

ME = this_process()
GONE = replace(ME, ticks=ME.ticks + 1)  # our own pid, but of a process that has ended
TRAIN = "script:/project '' '' train.py"
QUEUE = "builtin:guildai 0.9.0 '' queue"


class HandMade:
    """A home whose runs are brought into any state by the legal steps, or by writing files as Guild 0.9."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = RunStore(Home(path), self.clock)
        self.store.create()

    def run(self, run_id: str) -> Run:
        return Run(self.store.home.runs / run_id)

    def status(self, run_id: str) -> str:
        return self.run(run_id).status().value

    def staged(self, run_id: str, gpus: str | None = None, opref: str = TRAIN, **recipe: Any) -> Run:
        """Stage as we do: made aside, moved in, journal."""
        swap.announce(self.store, run_id)
        made = Run(self.store.home.staging / run_id)
        self._write(made, gpus, opref)
        if recipe:
            self._write_recipe(made, recipe)
        lifecycle.mark_new_staged(made)
        with lifecycle.locked(self.store) as held:
            run = lifecycle.stage(held, made, sync=False)
        swap.retire(self.store, run_id)
        return run

    def _write(self, run: Run, gpus: str | None, opref: str) -> None:
        params: dict[str, Any] = {} if gpus is None else {"gpus": gpus, "no_gpus": not gpus}
        os.makedirs(run.guild_dir)
        (run.guild_dir / "opref").write_text(opref)
        attrs.write_new_attrs(run.guild_dir, {"run_params": params, "flags": {}, "op": {}})

    def _write_recipe(self, run: Run, recipe: Mapping[str, Any]) -> None:
        from guild.launch import recipe as recipes

        recipes.write(run, recipes.Recipe(own_env={}, **recipe))

    def by_guild_09(self, run_id: str, marker: str = "", started: int = 1, age: float = 0.0) -> Run:
        """A run as Guild 0.9 leaves it: no journal, no lease, an empty marker that is `age` seconds old."""
        run = self.run(run_id)
        self._write(run, None, TRAIN)
        attrs.write_attr(run.guild_dir, "started", started)
        if marker:
            path = run.guild_dir / marker
            path.touch()
            then = time.time() - age
            os.utime(path, (then, then))
        return run

    def prioritised(self, run_id: str, priority: int) -> None:
        run = self.run(run_id)
        order = Order(run.int_attr(layout.STARTED) or 0, priority)
        (run.guild_dir / layout.ORDER).write_bytes(order.to_bytes())

    def restaged(self, run_id: str) -> None:
        """The swap, with a directory like the one that it replaces."""
        run = self.run(run_id)
        fresh = self.store.new_id()
        swap.announce(self.store, fresh)
        made = Run(self.store.home.staging / fresh)
        self._write(made, None, TRAIN)
        lifecycle.mark_new_staged(made)
        with lifecycle.locked(self.store) as held:
            lifecycle.restage(held, run, lifecycle.witness(run), made, "", sync=False)
        swap.retire(self.store, fresh)

    def claimed(self, run_id: str, queue: str = "other-queue", gpus: str | None = None) -> Lease:
        """Claim a staged run for a queue; its holder is this process."""
        run = self.run(run_id)
        with lifecycle.locked(self.store) as held:
            lease = lifecycle.new_lease(self.store, run, Doing.CLAIMED, queue=queue, gpus=gpus)
            lifecycle.claim(held, run, lease)
        return lease

    def running(self, run_id: str, queue: str = "other-queue", gpus: str | None = None) -> Lease:
        """From staged to running, in the name of this process."""
        return self.begun(run_id, self.claimed(run_id, queue, gpus).token)

    def begun(self, run_id: str, token: str) -> Lease:
        """What a supervisor does with a claim until its operation runs. Raises RunChanged."""
        run = self.run(run_id)
        with lifecycle.locked(self.store) as held:
            lease = lifecycle.take_over(held, run, token, ME)
        lease = lifecycle.begin(run, lease, self.clock.now())
        lifecycle.mark_started(run, lease, self.clock.now())
        return lifecycle.mark_running(self.store, run, lease, ME)

    def finished(self, run_id: str, code: int = 0) -> None:
        lifecycle.finish(self.store, self.run(run_id), code, lambda: None)

    def holder_dies(self, run_id: str) -> None:
        """As if whoever holds the lease had been killed: without a word in the journal."""
        path = self.run(run_id).guild_dir / layout.LEASE
        data = json.loads(path.read_text())
        data["holder"] = GONE.to_json()
        data["child"] = data["child"] and GONE.to_json()
        path.write_text(json.dumps(data))

    def removed(self, run_id: str) -> None:
        with lifecycle.locked(self.store) as held:
            departures.to_trash(held, self.run(run_id))


class FakeExecutor:
    """A claimed run is begun by `start` and goes on until the test ends it (`end`), or `behave` says more."""

    name = "fake"

    def __init__(self, home: HandMade) -> None:
        self._home = home
        self._claims: dict[str, Lease] = {}
        self._ended: list[Ended] = []
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.refuses: dict[str, str] = {}  # `start` raises OSError with this text
        self.dies_early: dict[str, int] = {}  # so many times the supervisor ends before it takes over
        self.at_start: Callable[[], object] = lambda: None
        self.begins = True  # False: not taken over until `begin`
        self.is_closed = False

    def start(self, run: Run, lease: Lease) -> str:
        if run.id in self.refuses:
            raise OSError(self.refuses[run.id])
        self.started.append(run.id)
        self._claims[run.id] = lease
        self.at_start()
        if self.dies_early.get(run.id, 0):
            self.dies_early[run.id] -= 1
            self._over(run.id, 1)
        elif self.begins:
            self.begin(run.id)
        return f"job {len(self.started)}"

    def begin(self, run_id: str) -> None:
        try:
            self._home.begun(run_id, self._claims[run_id].token)
        except RunChanged:
            self._over(run_id, 75)

    def end(self, run_id: str, code: int = 0, output: bytes = b"") -> None:
        self.print(run_id, output)
        self._home.finished(run_id, code)
        self._over(run_id, code & 0xFF)

    def print(self, run_id: str, output: bytes) -> None:
        with open(self._home.run(run_id).guild_dir / layout.OUTPUT, "ab") as f:
            f.write(output)

    def is_killed(self, run_id: str) -> None:
        """The supervisor of a run, and the run, end without a word."""
        self._home.holder_dies(run_id)
        self._over(run_id, -9)

    def _over(self, run_id: str, code: int) -> None:
        del self._claims[run_id]
        self._ended.append(Ended(run_id, code))

    def poll(self) -> Sequence[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def stop(self, run_id: str) -> None:
        if run_id not in self._claims:
            return
        self.stopped.append(run_id)
        if self._home.status(run_id) == "running":
            self.end(run_id, -15)
        else:
            self._over(run_id, -15)

    def liveness(self, leases: Iterable[Lease]) -> Mapping[str, Liveness]:
        return {x.run: Liveness.ALIVE if x.is_held else Liveness.GONE for x in leases}

    def make_ready(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class FakeBell:
    """Each wait does the next thing of the script; after the last one somebody asks the queue to stop."""

    def __init__(self, *script: Callable[[], object]) -> None:
        self.stop = self.drain = False
        self.script = list(script)
        self.waits: list[float] = []
        self.pids: set[int] = set()
        self.watched: list[Path] = []
        self.is_closed = False
        self._rung = False

    def ring(self) -> None:
        self._rung = True

    def watch(self, path: Path) -> None:
        self.watched.append(path)

    def wait_for_ends_of(self, pids: Collection[int]) -> None:
        self.pids = set(pids)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 200, "the queue waits and waits"
        if self._rung:
            self._rung = False
        elif self.script:
            self.script.pop(0)()
        else:
            self.stop = True

    def close(self) -> None:
        self.is_closed = True
