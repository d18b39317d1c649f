"""Job: a run to be made, with the runs in the making that belong to it (the prototype of a batch, steps)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guild.launch.spec import RunSpec
from guild.ops.opdef import FlagValue
from guild.ops.select import Selection
from guild.runs import layout
from guild.runs.run import Run, is_run_dir


@dataclass(frozen=True)
class ProjectSource:
    """The source code as it is in the project now."""

    root: Path
    selection: Selection


@dataclass(frozen=True)
class Snapshot:
    """The source code as an earlier run has it."""

    run: Run


Source = ProjectSource | Snapshot | None


@dataclass(frozen=True)
class BatchPlan:
    """The trials of a batch, in order, and what they were made from, so that they can be made anew with
    other flags. `rows`: of batch files; `base`: the values of an earlier run."""

    trials: tuple[Mapping[str, FlagValue], ...]
    user: Mapping[str, FlagValue] = field(default_factory=dict)
    rows: tuple[Mapping[str, FlagValue], ...] = ({},)
    base: Mapping[str, FlagValue] | None = None
    search: bool = False
    max_trials: int | None = None
    seed: int = 0
    fail_on_trial_error: bool = False
    needed: bool = False  # trials of which there is a run already are left out
    stage_trials: bool = False  # an optimizer of the project is to stage its trials

    def seed_of(self, index: int) -> int:
        """The random seed of a trial: its own, and the same whenever the batch is made again."""
        return (self.seed + index) % 2**32


@dataclass(frozen=True)
class Job:
    """`parts`: jobs that are made inside of the run directory, by `proto` or `steps/N`."""

    spec: RunSpec
    source: Source
    parts: Mapping[str, "Job"] = field(default_factory=dict)
    batch: BatchPlan | None = None

    @property
    def name(self) -> str:
        """The operation, as listings show its runs: `train+` for a batch of `train`."""
        proto = self.parts.get(layout.PROTO)
        return self.spec.opdef.name if proto is None else batch_name(proto.name, self.spec.opdef.name)


def batch_name(of: str, by: str) -> str:
    """`train+` for the built-in batch, else `train+random`."""
    return f"{of}+" if by == "+" else f"{of}+{by}"


def step_part(index: int) -> str:
    """The name, among the parts of a workflow, of its step of this number."""
    return f"{layout.STEPS}/{index}"


def part_of(run: Run, name: str) -> Run | None:
    """A part of a run, as it lies in its directory."""
    path = run.guild_dir / name
    return Run(path) if is_run_dir(path) else None


@dataclass(frozen=True)
class Console:
    """How the slow parts of making a run speak to the user, and hear that they should stop."""

    say: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None
    stopped: Callable[[], bool] = lambda: False
