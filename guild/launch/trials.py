"""The process of a batch: its trials, one after the other, each a run of its own.

A trial is made when its turn comes, so that a batch that is ended leaves none that waits. A batch that is
started again goes on with those that have not completed; its links say which are its own.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from guild.base import files
from guild.errors import GuildError, RunChanged
from guild.launch import environ as env_rules
from guild.launch import process, recipe, supervise
from guild.launch.batch import describe
from guild.launch.job import BatchPlan, Console, Job, Snapshot, part_of
from guild.launch.label import render_label
from guild.launch.needed import runs_of, skipping
from guild.launch.prepare import in_staging, prepare
from guild.launch.rejob import Changes, plan_of_proto, rejob
from guild.launch.spec import Place, build
from guild.ops.flags import Assignment
from guild.ops.opdef import OpDef
from guild.runs import layout, lifecycle, swap
from guild.runs.lease import Doing, Lease
from guild.runs.run import Run, is_run_dir
from guild.runs.status import RunStatus
from guild.runs.store import RunStore

_LOOK_SECONDS = 0.2
_WAIT_SECONDS = 5.0  # a signal wakes us; the limit is for the case that it was lost on the way
_ID = re.compile(r"[0-9a-f]{32}")


class Mould:
    """Makes the jobs of a batch's trials from its prototype, which is read once."""

    def __init__(self, proto: Run, plan: BatchPlan, place: Place) -> None:
        self.proto, self.plan, self._place = proto, plan, place
        first = rejob(proto, Changes(same_debugging=True), place)
        self._first = first.spec
        self._has_parts = bool(first.parts)
        self._others: dict[str, list[Run]] | None = None  # by their flags: read once, and only for --needed
        # A label that the user gave holds for all trials; one that was made of the flags is made anew.
        template = first.spec.label_template
        made_of_flags = render_label(template, first.spec.flags)
        self._own_label = first.spec.label if first.spec.label != made_of_flags else None

    def job(self, index: int) -> Job:
        """The job of the trial of this number. Raises GuildError."""
        return self.job_of(self.plan.trials[index], index)

    def job_of(self, values: Mapping[str, Any], index: int) -> Job:
        """The same for values that the plan does not have. Raises GuildError."""
        seed = self.plan.seed_of(index)
        if self._has_parts:
            return rejob(
                self.proto, Changes(values=values, random_seed=seed, same_debugging=True), self._place
            )
        first = self._first
        request = replace(first.request, random_seed=seed)
        spec = build(first.opdef, Assignment(dict(values), {}), request, first.place)
        if self._own_label is not None:
            spec = replace(spec, label=self._own_label)
        return Job(spec, Snapshot(self.proto))

    def is_met(self, store: RunStore, values: Mapping[str, Any], index: int) -> list[Run]:
        """With `--needed`, the runs that make a trial unnecessary."""
        if not self.plan.needed:
            return []
        if self._others is None:
            self._others = {}
            for run in runs_of(store, self._first.opdef.opref):
                self._others.setdefault(key_of(run.map_attr("flags")), []).append(run)
        return self._others.get(key_of(self.job_of(values, index).spec.flags), [])

    def shown(self, values: Mapping[str, Any]) -> str:
        """`train (lr=0.1, m=2)`."""
        return f"{self._first.opdef.name} ({describe(values)})"

    @property
    def opdef(self) -> OpDef:
        """The operation of the trials."""
        return self._first.opdef


def carried(part: Run) -> dict[str, Any]:
    """The attributes of a prototype, or of a step, that its copies have as they are."""
    return {name: part.attr(name) for name in ("tags", "comments")}


@dataclass
class Runner:
    """Makes runs below another one, links them there, and executes them in this process's foreground.

    `say` takes lines about it; `environ` is what the runs get, beside what they bring along.
    """

    store: RunStore
    parent: Run
    place: Place
    environ: Mapping[str, str]
    say: Callable[[str], None]
    orders: process.Orders = field(default_factory=process.Orders)
    may_fork: bool = True  # this process has a single thread
    voice: str = "INFO: [guild] "  # before what a run says of itself

    @property
    def is_stopped(self) -> bool:
        return self.orders.stop or self.orders.interrupt

    def execute(
        self, part: Run | None, job: Job, link: Callable[[Run], str], say: Callable[[Run], None]
    ) -> tuple[Run, int]:
        """Make a new run like `part`, link it by the name that `link` gives, and execute it: the run and its
        exit status.

        Raises GuildError, OSError where it cannot be made.
        """
        store, place = self.store, in_staging(self.store)
        try:
            made = prepare(
                store,
                job,
                self.environ,
                place=place,
                run_id=place.name,
                run_dir=store.home.runs / place.name,
                staged=False,
                extra=carried(part) if part is not None else None,
                # Of a part that was staged, the files that it depends on are frozen as its code is.
                resolve=Console() if part is not None and part.map_attr("deps") else None,
            )
            lease = lifecycle.new_lease(store, made, Doing.PREPARING)
            lifecycle.mark_new_pending(made, lease)
            # Before it is there: a run without a link would be made a second time.
            self.link(link(made), made.id)
            run = lifecycle.enter(store, made)
        finally:
            swap.remove(store, place)
        say(run)
        return run, self._start(run, lease)

    def stage(self, part: Run, job: Job) -> Run:
        """Make a new run like `part`, and stage it. Raises GuildError, OSError."""
        store, place = self.store, in_staging(self.store)
        warn = Console(warn=lambda text: self.say(f"WARNING: {text}"))
        try:
            made = prepare(
                store,
                job,
                env_rules.without_run(self.environ),
                place=place,
                run_id=place.name,
                run_dir=store.home.runs / place.name,
                staged=True,
                extra=carried(part),
                resolve=warn,
            )
            lifecycle.mark_new_staged(made)
            files.sync_tree(place)
            self.link(made.id, made.id)
            with lifecycle.locked(store) as held:
                return lifecycle.stage(held, made)
        finally:
            swap.remove(store, place)

    def execute_again(self, run: Run, shown: str) -> int:
        """Execute a run of ours that has ended once more, in place. Raises RunChanged if it has not."""
        with lifecycle.locked(self.store) as held:
            lifecycle.recover(held, run)
            lease = lifecycle.new_lease(self.store, run, Doing.PREPARING)
            lifecycle.restart(held, run, lease)
        self.say(f"INFO: [guild] Running trial {run.id}: {shown}")
        return self._start(run, lease)

    def _start(self, run: Run, lease: Lease) -> int:
        """Have a run executed by a supervisor of its own: stopping the run does not stop us, and if we are
        killed, it goes on to its end and is recorded. Its exit status."""
        supervisor = self._fork(run, lease) if self.may_fork else self._spawn(run, lease)
        asked: set[int] = set()
        while os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            for number in self._passed_on() - asked:
                asked.add(number)
                os.kill(supervisor, number)
            self.orders.wait(_WAIT_SECONDS)
        code = os.waitstatus_to_exitcode(os.waitpid(supervisor, 0)[1])
        if run.claim_lease() is not None and run.status() is RunStatus.PENDING:
            lifecycle.fail(self.store, run, f"its supervisor ended with {code} before it began", 1)
        recorded = run.exit_status()
        return recorded if recorded is not None else code or 0

    def _passed_on(self) -> set[int]:
        wanted = {signal.SIGTERM: self.orders.stop, signal.SIGINT: self.orders.interrupt}
        return {int(number) for number, is_wanted in wanted.items() if is_wanted}

    def _fork(self, run: Run, lease: Lease) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = supervise.EXIT_NOT_MINE
        try:
            code = supervise.execute_within(
                self.store, run, lease.token, self.environ, self.say, self.orders, self.voice
            )
        finally:
            os._exit(code & 0xFF)

    def _spawn(self, run: Run, lease: Lease) -> int:
        import subprocess

        argv = [
            sys.executable,
            "-m",
            "guild.launch.supervise",
            "--within",
            str(run.path),
            lease.token,
            self.voice,
        ]
        return subprocess.Popen(argv, env=dict(self.environ)).pid

    def link(self, name: str, run_id: str) -> None:
        """Link a run from the parent's directory. Raises OSError."""
        os.symlink(os.path.join("..", run_id), self.parent.path / name)

    def linked(self) -> dict[str, Run]:
        """The runs that are linked from the parent and are still there, by the name of the link."""
        found = {}
        with os.scandir(self.parent.path) as entries:
            names = sorted(e.name for e in entries if e.is_symlink())
        for name in names:
            target = os.path.basename(os.readlink(self.parent.path / name))
            if is_run_dir(self.store.home.runs / target):
                found[name] = Run(self.store.home.runs / target)
        return found


def run_batch(runner: Runner) -> int:
    """Run the trials of a batch that have not completed; the exit code of its process.

    Raises GuildError for a run that is no batch.
    """
    batch = runner.parent
    proto = part_of(batch, layout.PROTO)
    if proto is None:
        raise GuildError(f"run {batch.id} is no batch: it has no prototype")
    plan = recipe.read(batch, runner.place).batch
    if plan is None or not plan.trials:
        plan = plan_of_proto(proto, rejob(proto, Changes(), runner.place))
    mould = Mould(proto, plan, runner.place)
    own = [run for name, run in runner.linked().items() if _ID.fullmatch(name)]
    left = {run.id: run for run in own}
    by_values: dict[str, list[str]] = {}
    for run in sorted(own, key=lambda r: (r.timestamp or 0, r.id)):
        by_values.setdefault(key_of(run.map_attr("flags")), []).append(run.id)
    for index, values in enumerate(plan.trials):
        if runner.is_stopped:
            return 1
        earlier = by_values.get(key_of(values))
        code = _trial(runner, mould, values, index, left[earlier.pop(0)] if earlier else None)
        if code != 0 and plan.fail_on_trial_error and not runner.is_stopped:
            rest = len(plan.trials) - index - 1
            hint = f"'guild run --restart {batch.short_id}' goes on here"
            runner.say(f"ERROR: [guild] Stopping batch because a trial failed, {rest} left ({hint})")
            return code & 0xFF or 1
    return 1 if runner.is_stopped else 0


def key_of(values: Mapping[str, Any]) -> str:
    """Equal for the flags of trials that are the same."""
    return json.dumps(dict(values), sort_keys=True, default=str)


def _when_ended(runner: Runner, run: Run) -> RunStatus:
    """The status of a trial; one whose supervisor was killed, and which goes on by itself, is waited for."""
    if run.status() is RunStatus.RUNNING:
        runner.say(f"INFO: [guild] Waiting for trial {run.id}, which is running")
    while (status := run.status()) is RunStatus.RUNNING and not runner.is_stopped:
        runner.orders.wait(_LOOK_SECONDS)
    return status


def new_trial(runner: Runner, mould: Mould, values: Mapping[str, Any], index: int) -> tuple[Run, int]:
    """Make and run a trial: the run and its exit status. Raises GuildError, OSError."""
    return runner.execute(
        mould.proto,
        mould.job_of(values, index),
        lambda made: made.id,
        lambda made: runner.say(f"INFO: [guild] Running trial {made.id}: {mould.shown(values)}"),
    )


def _trial(runner: Runner, mould: Mould, values: Mapping[str, Any], index: int, earlier: Run | None) -> int:
    """Run one trial, unless it has completed; its exit status."""
    shown = mould.shown(values)
    if earlier is not None:
        status = _when_ended(runner, earlier)
        if status is RunStatus.COMPLETED:
            runner.say(f"INFO: [guild] Skipping trial {earlier.id}: {shown} because it has completed")
            return 0
        if status in (RunStatus.RUNNING, RunStatus.STAGED):
            runner.say(f"WARNING: Skipping trial {earlier.id}: {shown} because it is {status.value}")
            return 0
        try:
            run, code = earlier, runner.execute_again(earlier, shown)
        except RunChanged as e:
            runner.say(f"WARNING: Skipping trial {earlier.id}: {shown} because {e.message}")
            return 0
    elif same := mould.is_met(runner.store, values, index):
        runner.say(f"INFO: [guild] {skipping(same)} ({shown})")
        return 0
    else:
        try:
            run, code = new_trial(runner, mould, values, index)
        except (GuildError, OSError) as e:
            runner.say(f"ERROR: [guild] Trial of {shown} cannot be made: {e}")
            return 1
    if code != 0 and not runner.is_stopped:
        runner.say(f"ERROR: [guild] Trial {run.id} exited with an error ({code}) - see log for details")
    return code
