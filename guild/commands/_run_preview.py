"""What a job is in words, before it is carried out."""

import os
from pathlib import Path

from guild.launch.job import Job
from guild.ops.flags import format_value
from guild.runs import layout


def subject(job: Job, cwd: Path) -> str:
    """The operation that is to be run: for a batch that of its trials. A script is named by its path."""
    opdef = _shown(job).spec.opdef
    if opdef.opref.type != "script":
        return opdef.name
    return os.path.relpath(opdef.opspec, cwd)


def _shown(job: Job) -> Job:
    return job.parts.get(layout.PROTO, job)


def note(job: Job) -> str:
    """` as a batch (2 trials)`, ` with random search (20 trials)`; empty for a single run."""
    plan, proto = job.batch, job.parts.get(layout.PROTO)
    if plan is None or proto is None:
        return ""
    from guild.plugins import batch as batch_ops

    count = len(plan.trials) if batch_ops.is_built_in(job.spec.opdef) else plan.max_trials
    trials = f"{count} trial{'' if count == 1 else 's'}"
    files = " (flags below used unless specified in batch trial)" if len(plan.rows) > 1 else ""
    by = job.spec.opdef
    if by.opref.op == batch_ops.GRID:
        return f" as a batch ({trials}){files}"
    if batch_ops.is_built_in(by):
        return f" with random search ({trials}){files}"
    goal = str(proto.spec.opdef.objective or "loss")
    aim = f"maximize {goal[1:]}" if goal.startswith("-") else f"minimize {goal}"
    return f" with {by.name} optimizer ({trials}, {aim}){files}"


def preview(job: Job) -> list[str]:
    """One line for each flag, sorted; then those of the optimizer."""
    lines = [f"  {line}" for line in _flags(_shown(job))]
    if layout.PROTO in job.parts and job.spec.flags:
        lines += ["Optimizer flags:", *(f"  {line}" for line in _flags(job))]
    return lines


def _flags(job: Job) -> list[str]:
    nulls = {f.name: f.null_label or "default" for f in job.spec.opdef.flags}
    return [
        f"{name}: {nulls.get(name, 'default') if value is None else format_value(value)}"
        for name, value in sorted(job.spec.flags.items())
    ]
