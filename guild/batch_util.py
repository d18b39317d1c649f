"""For operations that run batches: choose values, run a trial with them, look at its results, choose again.

    from guild import batch_util

    batch = batch_util.batch_run()
    for lr in (0.1, 0.01, 0.001):
        trial = batch.run_trial({"lr": lr})
        print(trial.id, trial.scalars.get("loss"))

Such an operation is run by `guild run train --optimizer tune`. Needs Python 3.10 and PyYAML, as Guild does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from guild.errors import GuildError
from guild.launch import recipe
from guild.launch.batch import DEFAULT_MAX_TRIALS
from guild.launch.entry import make_runner
from guild.launch.job import BatchPlan, part_of
from guild.launch.rejob import Changes, rejob
from guild.launch.trials import Mould, Runner, key_of, new_trial
from guild.ops.flags import read_row, settle
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.scalars import read_scalars


@dataclass(frozen=True)
class Trial:
    """A trial. `exit_status` is 0 for one that went well, negative for one that was ended, None for one that
    has not ended, or was only staged."""

    id: str
    path: Path
    flags: Mapping[str, Any]
    exit_status: int | None

    @cached_property
    def scalars(self) -> Mapping[str, float]:
        """The last value of each scalar, by name."""
        return {s.key: s.last_val for s in read_scalars(self.path)}


class Batch:
    """The batch that this process runs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        proto = part_of(runner.parent, layout.PROTO)
        if proto is None:
            raise GuildError(
                f"run {runner.parent.id} is no batch",
                "Run this operation as an optimizer of another one: guild run train --optimizer NAME",
            )
        self._plan = recipe.read(runner.parent, runner.place).batch or BatchPlan(())
        self._mould = Mould(proto, self._plan, runner.place)
        self._flags = rejob(proto, Changes(), runner.place).spec.flags
        self._count = len(runner.linked())
        # What an earlier execution of this batch has completed need not be run again.
        self._completed = {key_of(t.flags): t for t in self.trials if t.exit_status == 0}

    @property
    def flags(self) -> dict[str, Any]:
        """The flags that the user gave for the trials: values, lists, and search ranges as text."""
        return dict(self._flags)

    @property
    def max_trials(self) -> int:
        """How many trials the user wants at most."""
        return self._plan.max_trials or DEFAULT_MAX_TRIALS

    @property
    def random_seed(self) -> int:
        return self._plan.seed

    @property
    def objective(self) -> tuple[str, bool]:
        """The scalar to be optimized, and whether more of it is better."""
        text = str(self._mould.opdef.objective or "loss")
        return text.removeprefix("-"), text.startswith("-")

    @property
    def trials(self) -> list[Trial]:
        """The trials of this batch so far, the oldest first: those of an earlier execution, too."""
        runs = sorted(self._runner.linked().values(), key=lambda run: (run.timestamp or 0, run.id))
        return [_trial(run) for run in runs]

    def run_trial(self, flags: Mapping[str, Any]) -> Trial:
        """Run the operation with these values over `flags`, and wait for its end. It is staged instead
        with `--stage-trials`, which an operation takes that says `can-stage-trials: yes`.

        Raises GuildError for values that the operation does not take, SystemExit where the batch is stopped.
        """
        if self._runner.is_stopped:
            raise SystemExit(1)
        opdef = self._mould.opdef
        given = read_row(opdef.flags, flags, typed=False)
        values = settle(opdef.flags, {**self._flags, **given}).values
        if (earlier := self._completed.pop(key_of(values), None)) is not None:
            self._runner.say(f"INFO: [guild] Skipping trial {earlier.id}: it has completed")
            return earlier
        if self._plan.stage_trials:
            job = self._mould.job_of(values, self._count)
            self._count += 1
            return _trial(self._runner.stage(self._mould.proto, job))
        run, code = new_trial(self._runner, self._mould, values, self._count)
        self._count += 1
        if self._runner.is_stopped:
            raise SystemExit(1)
        return Trial(run.id, run.path, values, code)


def _trial(run: Run) -> Trial:
    return Trial(run.id, run.path, run.map_attr("flags"), run.exit_status())


def batch_run() -> Batch:
    """The batch that this process runs. Raises GuildError in a process that runs none."""
    return Batch(make_runner(may_fork=False))
