"""`--needed`: the runs that make another one of the same operation with the same flags unnecessary."""

from guild.launch.spec import RunSpec
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore


def same_runs(store: RunStore, spec: RunSpec) -> list[Run]:
    """Runs of the same operation with the same flags that are neither pending nor failed."""
    return [
        run
        for run in store.runs()
        if run.opref == spec.opdef.opref
        and run.map_attr("flags") == dict(spec.flags)
        and run.status() not in (RunStatus.PENDING, RunStatus.ERROR)
    ]


def skipping(runs: list[Run]) -> str:
    return f"Skipping because the following runs match: {', '.join(run.short_id for run in runs)}"
