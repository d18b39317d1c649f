"""`--needed`: the runs that make another one of the same operation with the same flags unnecessary."""

from guild.launch.spec import RunSpec
from guild.ops.opref import OpRef
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore


def runs_of(store: RunStore, opref: OpRef) -> list[Run]:
    """Runs of an operation that are neither pending nor failed."""
    found = [run for run in store.runs() if run.opref == opref]
    return [run for run in found if run.status() not in (RunStatus.PENDING, RunStatus.ERROR)]


def same_runs(store: RunStore, spec: RunSpec) -> list[Run]:
    """Those with the same flags."""
    flags = dict(spec.flags)
    return [run for run in runs_of(store, spec.opdef.opref) if run.map_attr("flags") == flags]


def skipping(runs: list[Run]) -> str:
    return f"Skipping because the following runs match: {', '.join(run.short_id for run in runs)}"
