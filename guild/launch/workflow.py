"""The process of a workflow: its steps, one after the other, each a run of its own, and what is checked.

The steps were made together with the workflow, so that they are what they were then.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from guild.errors import EXIT_CHECK_FAILED
from guild.launch.checks import run_checks
from guild.launch.job import Job, part_of, step_part
from guild.launch.rejob import Changes, Values, rejob
from guild.launch.spec import build
from guild.launch.step_values import filled_options, step_values
from guild.launch.trials import Runner
from guild.launch.upstream import pin
from guild.ops.flags import Assignment, format_flags
from guild.ops.guildfile_steps import option_words
from guild.ops.opdef import OpDef, Step
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.status import RunStatus

_SEPARATORS = re.compile(r"[\s:/\\]+")


# Makes the job of a step from the project as it is now: for a workflow that Guild 0.9 has staged.
Compile = Callable[[Step, Values], Job]


def run_steps(runner: Runner, opdef: OpDef, compile_step: Compile) -> int:
    """Run the steps of a workflow; its exit code: that of the first step that failed, 3 for a failed check.

    Raises GuildError for a step that cannot be made.
    """
    runner = replace(runner, voice="")  # a step speaks as a command of its own
    workflow = _Workflow(runner, opdef, compile_step, set(runner.linked()))
    for index, step in enumerate(opdef.steps):
        if runner.is_stopped:
            return 1
        code = workflow.run(index, step)
        if code != 0:
            return code & 0xFF or 1
    return 0


@dataclass
class _Workflow:
    """`taken`: names of links in its directory; `siblings`: the runs that its steps have made."""

    runner: Runner
    opdef: OpDef
    compile_step: Compile
    taken: set[str]
    siblings: list[Run] = field(default_factory=list)

    def run(self, index: int, step: Step) -> int:
        """Run a step and check it; 0 if all went well."""
        part = part_of(self.runner.parent, step_part(index))
        job = self._job(part, step)
        self.runner.say(f"INFO: [guild] running {step.name}: {self._line(step, job)}")
        if step.options.get("needed") and self._skips(step, job):
            return 0
        name = _link_name(step.name, self.taken)
        run, code = self.runner.execute(part, job, lambda made: name, lambda made: None)
        self._add(run, step, name)
        if code != 0 or not step.expect:
            return code
        if job.batch is not None:
            self.runner.say(f"INFO: [guild] skipping checks for {step.name}")
            return 0
        return 0 if self._passes(run, step) else EXIT_CHECK_FAILED

    def _job(self, part: Run | None, step: Step) -> Job:
        """The job of a step, with the runs that it depends on filled in."""

        def fill(opdef: OpDef, values: Values) -> Values:
            return pin(opdef.requires, values, {}, lambda: self._candidates(step), allow_unfinished=False)

        if part is not None:
            job = rejob(part, Changes(pin=fill, same_debugging=True), self.runner.place)
            user = {name: job.spec.flags.get(name) for name in part.map_attr("user_flags")}
            return replace(job, spec=replace(job.spec, user_flags=user))
        job = self.compile_step(step, self._values())
        spec = job.spec
        flags = Assignment(dict(fill(spec.opdef, spec.flags)), dict(spec.user_flags))
        return replace(job, spec=build(spec.opdef, flags, spec.request, spec.place))

    def _values(self) -> Values:
        return self.runner.parent.map_attr("flags")

    def _candidates(self, step: Step) -> list[Run]:
        """The runs that a step sees: those of this workflow, all if it says so."""
        return list(self.siblings) if step.isolate_runs else self.runner.store.runs()

    def _line(self, step: Step, job: Job) -> str:
        """As Guild 0.9 logs it: the operation, its options, and the flags that it is given."""
        values = {**job.spec.flags, **(job.batch.user if job.batch is not None else {})}
        given = {name: values.get(name) for name in step_values(step, self._values())}
        params = self.runner.parent.map_attr("run_params")
        options = {name: params[name] for name in ("label", "tags") if params.get(name)}
        options.update(filled_options(step, self.runner.parent.map_attr("flags")))
        opspec = str(job.spec.request.params.get("opspec") or step.opspec)
        return " ".join(w for w in (opspec, *option_words(options), format_flags(given)) if w)

    def _skips(self, step: Step, job: Job) -> bool:
        """Whether a step is not needed: there is a run of the same operation with the same flags."""
        same = [
            run
            for run in self._candidates(step)
            if job.batch is None
            and run.opref == job.spec.opdef.opref
            and run.map_attr("flags") == dict(job.spec.flags)
            and run.status() not in (RunStatus.PENDING, RunStatus.ERROR)
        ]
        if same:
            ids = ", ".join(run.short_id for run in same)
            self.runner.say(f"Skipping because the following runs match: {ids}")
            known = {run.id for run in self.siblings}
            self.siblings += [run for run in same if run.id not in known]
        return bool(same)

    def _add(self, run: Run, step: Step, name: str) -> None:
        """Remember the runs of a step. A batch that went well is gone: its trials are linked in its place."""
        made = _made_by(self.runner, run)
        if not run.path.is_dir():
            os.unlink(self.runner.parent.path / name)
            self.taken.remove(name)
            for each in made:
                self.runner.link(_link_name(step.name, self.taken), each.id)
        self.siblings += made

    def _passes(self, run: Run, step: Step) -> bool:
        runner = self.runner
        passed, total = run_checks(run, step.expect, self.opdef.project_dir, runner.say)
        runner.say(f"INFO: [guild] {passed} of {total} checks passed")
        if passed < total:
            runner.say(f"ERROR: [guild] {total - passed} check(s) failed - see above for details")
            runner.say("guild: stopping because a check failed")
        return passed == total


def _made_by(runner: Runner, run: Run) -> list[Run]:
    """A run that is there, and those that it has made: the trials of a batch, the steps of a workflow."""
    found = [run] if run.path.is_dir() else []
    place = run if found else Run(runner.store.home.trash / run.id)
    if any((place.guild_dir / name).is_dir() for name in (layout.PROTO, layout.STEPS)):
        linked = replace(runner, parent=place).linked().values()
        for each in sorted(linked, key=lambda run: (run.timestamp or 0, run.id)):
            found += _made_by(runner, each)
    return found


def _link_name(name: str, taken: set[str]) -> str:
    """A name in the workflow's directory: `prep`, then `prep_2`."""
    plain = _SEPARATORS.sub("-", name).strip("-.") or "step"
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    taken.add(found)
    return found
