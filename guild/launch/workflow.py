"""The process of a workflow: its steps, one after the other, each a run of its own, and what is checked.

The steps were made together with the workflow, so that they are what they were then.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from guild.errors import EXIT_CHECK_FAILED
from guild.launch.checks import run_checks
from guild.launch.job import Job, part_of, step_part
from guild.launch.rejob import Changes, Values, rejob
from guild.launch.spec import build
from guild.launch.trials import Runner
from guild.launch.upstream import pin
from guild.ops.flags import Assignment, format_flags
from guild.ops.opdef import OpDef, Step
from guild.runs.run import Run

Fill = Callable[[OpDef, Values], Values]

_SEPARATORS = re.compile(r"[\s:/\\]+")


# Makes the job of a step from the project as it is now: for a workflow that Guild 0.9 has staged.
Compile = Callable[[Step, Values], Job]


def run_steps(runner: Runner, opdef: OpDef, compile_step: Compile) -> int:
    """Run the steps of a workflow; its exit code: that of the first step that failed, 3 for a failed check.

    Raises GuildError for a step that cannot be made.
    """
    values = runner.parent.map_attr("flags")
    taken = set(runner.linked())
    siblings: list[Run] = []
    for index, step in enumerate(opdef.steps):
        if runner.is_stopped:
            return 1
        part = part_of(runner.parent, step_part(index))
        fill = _pinner(runner, step, siblings)
        if part is None:
            job = _pinned(compile_step(step, values), fill)
        else:
            job = rejob(part, Changes(pin=fill), runner.place)
        name = _link_name(step.name, taken)
        runner.say(f"INFO: [guild] running {step.name}: {_line(step, job)}")
        run, code = runner.execute(part, job, lambda made, name=name: name, lambda made: None)  # type: ignore[misc]
        siblings.append(run)
        if code != 0:
            return code & 0xFF or 1
        if step.expect and not _passes(runner, run, step, opdef):
            return EXIT_CHECK_FAILED
    return 0


def _pinned(job: Job, fill: Fill) -> Job:
    spec = job.spec
    flags = Assignment(dict(fill(spec.opdef, spec.flags)), dict(spec.user_flags))
    return replace(job, spec=build(spec.opdef, flags, spec.request, spec.place))


def _pinner(runner: Runner, step: Step, siblings: list[Run]) -> Fill:
    """Fills in the runs that a step depends on: of this workflow alone, unless the step says otherwise."""

    def fill(opdef: OpDef, values: Values) -> Values:
        def runs() -> list[Run]:
            return list(siblings) if step.isolate_runs else runner.store.runs()

        return pin(opdef.requires, values, {}, runs, allow_unfinished=False)

    return fill


def _line(step: Step, job: Job) -> str:
    """As Guild 0.9 logs it: the operation and the flags that it is given."""
    given = {n: v for n, v in job.spec.flags.items() if n in step.flags}
    return " ".join(part for part in (step.opspec, format_flags(given)) if part)


def _link_name(name: str, taken: set[str]) -> str:
    """A name in the workflow's directory: `prep`, then `prep_2`."""
    plain = _SEPARATORS.sub("-", name).strip("-.") or "step"
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    taken.add(found)
    return found


def _passes(runner: Runner, run: Run, step: Step, opdef: OpDef) -> bool:
    passed, total = run_checks(run, step.expect, opdef.project_dir, runner.say)
    runner.say(f"INFO: [guild] {passed} of {total} checks passed")
    if passed < total:
        runner.say(f"ERROR: [guild] {total - passed} check(s) failed - see above for details")
        runner.say("guild: stopping because a check failed")
    return passed == total
