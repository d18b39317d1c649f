"""From a run, or a prototype, as it lies on the disk to the job of making one like it with other values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from guild.errors import GuildError, RunChanged
from guild.launch import recipe
from guild.launch.batch import DEFAULT_MAX_TRIALS, Space, grid, is_search, search
from guild.launch.flag_types import with_types
from guild.launch.job import BatchPlan, Job, Snapshot, Source, part_of, step_part
from guild.launch.label import render_label
from guild.launch.spec import Place, RunRequest, RunSpec, build
from guild.launch.step_values import filled_options, step_values
from guild.ops.flags import Assignment, assign, is_batch, read_given, settle
from guild.ops.opdef import FlagDef, FlagValue, OpDef, Step
from guild.runs import layout
from guild.runs.run import Run

Values = Mapping[str, FlagValue]


@dataclass(frozen=True)
class Changes:
    """What is to be different. None, () or False: as it was."""

    flags: tuple[str, ...] = ()  # as typed
    values: Values | None = None  # of all flags, instead of those of the run
    pin: Callable[[OpDef, Values], Values] | None = None  # fills in runs that are depended on
    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    gpus: str | None = None
    stop_after: float | None = None
    random_seed: int | None = None
    max_trials: int | None = None
    rows: tuple[Values, ...] | None = None  # of batch files
    fail_on_trial_error: bool = False
    batch_label: str | None = None
    batch_tags: tuple[str, ...] = ()
    batch_comment: str | None = None
    keep_batch: bool = False
    same_debugging: bool = False  # with the breakpoints of the run: for copies of a part
    force_flags: bool = False
    source: Source = None  # today's source code, for --force-sourcecode
    opdef: OpDef | None = None  # and today's operation
    known: tuple[FlagDef, ...] = ()  # what the project says of the flags, where the run does not

    @property
    def any(self) -> bool:
        return self != Changes(force_flags=self.force_flags)

    @property
    def of_batch(self) -> bool:
        """Whether there are any that only a batch can have."""
        named = (self.max_trials, self.rows, self.batch_label, self.batch_comment)
        said = self.fail_on_trial_error or self.keep_batch or bool(self.batch_tags)
        return said or any(value is not None for value in named)


def rejob(run: Run, changes: Changes, place: Place) -> Job:
    """The job that makes a run like this one with the changes. What was typed about the flags and the label
    of a batch is meant for its trials.

    Raises GuildError for flags that its operation does not take.
    """
    made = recipe.read(run, place)
    proto = part_of(run, layout.PROTO)
    source = Snapshot(run) if changes.source is None else changes.source
    if proto is None:
        return _single(run, made, changes, place, source)
    outer = Changes(
        label=changes.batch_label,
        tags=changes.batch_tags,
        gpus=changes.gpus,
        same_debugging=changes.same_debugging,
    )
    spec = respec(run, made, outer, place)
    keeps = changes.keep_batch or keeps_batch(run)
    spec = replace(spec, request=replace(spec.request, keep_run=keeps))
    inner, plan = _batch(proto, made.batch, changes, place)
    if changes.batch_label is None and run.label in ("", proto.label):
        spec = replace(spec, label=inner.spec.label)
    return Job(spec, Snapshot(run), {layout.PROTO: inner}, plan)


def keeps_batch(run: Run) -> bool:
    """Whether a batch stays when all went well."""
    kept = run.map_attr("run_params").get("keep_batch") is True
    return kept or run.map_attr("op").get("delete-on-success") is False


def _single(run: Run, made: recipe.Recipe, changes: Changes, place: Place, source: Source) -> Job:
    spec = respec(run, made, changes, place)
    parts: dict[str, Job] = {}
    for index, step in enumerate(spec.opdef.steps):
        part = part_of(run, step_part(index))
        if part is not None:
            parts[step_part(index)] = rejob(part, _for_step(part, step, spec.flags, place), place)
    return Job(spec, source, parts)


def _for_step(part: Run, step: Step, values: Values, place: Place) -> Changes:
    """The values and the label of a step, as its workflow, with these values, gives them now."""
    inner = part_of(part, layout.PROTO) or part
    old, given = inner.map_attr("flags"), step_values(step, values)
    opdef = recipe.read(inner, place).opdef
    label = filled_options(step, values).get("label")
    if opdef is None or not given:
        return Changes(label=label)
    return Changes(values={**old, **read_given(opdef.flags, given, force=True)}, label=label)


def _batch(proto: Run, plan: BatchPlan | None, changes: Changes, place: Place) -> tuple[Job, BatchPlan]:
    """The prototype, and the trials made anew where anything of them changed."""
    inner = rejob(proto, changes, place)
    opdef = inner.spec.opdef
    if plan is None:
        plan = plan_of_proto(proto, inner)
    plan = replace(
        plan,
        max_trials=changes.max_trials or plan.max_trials,
        rows=plan.rows if changes.rows is None else changes.rows,
        fail_on_trial_error=changes.fail_on_trial_error or plan.fail_on_trial_error,
    )
    given = (changes.values, changes.opdef, changes.pin, changes.max_trials, changes.rows)
    if not changes.flags and all(value is None for value in given):
        return inner, plan
    # What a new file says comes over what was typed when the batch was made.
    named = {name for row in changes.rows or () for name in row}
    user = {n: v for n, v in plan.user.items() if n not in named} | dict(inner.spec.user_flags)
    searches = is_search(inner.spec.flags) or any(map(is_search, plan.rows))
    plan = replace(plan, search=plan.search or searches)
    base = plan.base
    if changes.values is not None or changes.pin is not None:
        base = dict(inner.spec.flags)
        user = {name: base[name] for name in user if name in base}
    return inner, make_plan(Space(opdef.flags, user, plan.rows, base, changes.force_flags), plan)


def make_plan(space: Space, like: BatchPlan) -> BatchPlan:
    """The plan of a batch: its trials, by the seed of `like`, at most as many, in the same way.

    Raises GuildError for values that make no trials.
    """
    random = Random(like.seed)
    if like.search:
        trials = search(space, like.max_trials or DEFAULT_MAX_TRIALS, random)
    else:
        trials = grid(space, like.max_trials, random)
    return replace(like, trials=tuple(trials), user=dict(space.user), rows=space.rows, base=space.base)


def plan_of_proto(proto: Run, job: Job) -> BatchPlan:
    """The plan of a batch that Guild 0.9 has made: from the flags and the rows of its prototype."""
    rows = tuple(row for row in proto.list_attr("trials") if isinstance(row, dict)) or ({},)
    params = proto.map_attr("run_params")
    limit = params.get("max_trials")
    values = dict(job.spec.flags)
    like = BatchPlan(
        (),
        search=is_search(values) or params.get("optimizer") in ("random", "skopt:random"),
        max_trials=limit if isinstance(limit, int) else None,
        seed=proto.int_attr("random_seed") or 0,
        fail_on_trial_error=params.get("fail_on_trial_error") is True,
    )
    # Of a row and the command line the latter counts, which 0.9 does not tell apart from defaults.
    user = proto.map_attr("user_flags")
    return make_plan(Space(job.spec.opdef.flags, user, rows, values, force=True), like)


def respec(run: Run, made: recipe.Recipe, changes: Changes, place: Place) -> RunSpec:
    """The run's spec with the changes. Raises GuildError for flags that its operation does not take."""
    opdef = changes.opdef or made.opdef
    if opdef is None:
        raise RunChanged(f"run {run.id} does not say what operation it is of")
    opdef = replace(opdef, flags=with_types(opdef.flags, changes.known)) if changes.known else opdef
    old = run.map_attr("flags")
    flags = _assigned(opdef, old, changes)
    params = _params(run, changes)
    template = changes.label if changes.label is not None else run.map_attr("op").get("label-template")
    seed = changes.random_seed if changes.random_seed is not None else run.int_attr("random_seed")
    request = RunRequest(
        label=template,
        gpus=changes.gpus if changes.gpus is not None else _gpus(params),
        stop_after=changes.stop_after if changes.stop_after is not None else made.stop_after,
        keep_run=params.get("keep_run") is True,
        random_seed=seed,
        force_deps=params.get("force_deps") is True,
        env=_debugging(made) if changes.same_debugging else {},
        debug_source=made.dest if changes.same_debugging and made.dest.startswith("/") else "",
        params=params,
    )
    interpreter = made.interpreter or place.python_exe
    same_place = replace(place, python_exe=interpreter, cmd_dir=made.cmd_dir or place.cmd_dir)
    spec = build(opdef, flags, request, same_place)
    if changes.label is None and _has_own_label(run, old, template):
        return replace(spec, label=run.label)
    return spec


def _debugging(made: recipe.Recipe) -> dict[str, str]:
    return {n: made.own_env[n] for n in ("PDB_BREAKS", "BREAK_ON_ERROR") if n in made.own_env}


def _assigned(opdef: OpDef, old: Values, changes: Changes) -> Assignment:
    if changes.values is not None:
        flags = Assignment(dict(changes.values), {})
    elif not changes.flags:  # what the run has was accepted when it was made
        flags = settle(opdef.flags, {}, base=old, force=True)
    else:
        flags = assign(opdef.flags, changes.flags, base=old, force=changes.force_flags, opname=opdef.name)
    if changes.pin is not None:
        flags = Assignment(dict(changes.pin(opdef, flags.values)), flags.user)
    return flags


def _has_own_label(run: Run, flags: Mapping[str, Any], template: str | None) -> bool:
    """Whether the user gave the run a label of its own, which new flags must not replace."""
    return bool(run.label) and run.label != render_label(template, flags)


def _params(run: Run, changes: Changes) -> dict[str, Any]:
    params = dict(run.map_attr("run_params"))
    if changes.gpus is not None:
        params["gpus"], params["no_gpus"] = (changes.gpus or None), not changes.gpus
    if changes.label is not None:
        params["label"] = changes.label
    if changes.tags:
        params["tags"] = list(changes.tags)
    if changes.stop_after is not None:
        params["stop_after"] = changes.stop_after
    return params


def _gpus(params: Mapping[str, Any]) -> str | None:
    if params.get("no_gpus") is True:
        return ""
    gpus = params.get("gpus")
    return None if gpus is None else str(gpus)


def refuse_batch(job: Job, changes: Changes) -> None:
    """Raises GuildError where a run of one set of values was given several, or options of a batch."""
    if job.batch is None and changes.of_batch:
        raise GuildError(
            f"{job.name} is no batch: options and files of batches do not apply to it",
            "Start a batch: guild run --proto RUN ...",
        )
    if job.batch is None and is_batch(job.spec.flags):
        names = [n for n, v in job.spec.flags.items() if is_batch({n: v})]
        raise GuildError(
            f"{', '.join(names)}: a run takes one value, and this makes several",
            "Start a batch: guild run --proto RUN FLAG=[1,2]",
        )


def trial_specs(job: Job) -> list[RunSpec]:
    """What each trial of a batch will run; none for other jobs."""
    proto = job.parts.get(layout.PROTO)
    if proto is None or job.batch is None:
        return []
    spec = proto.spec
    trials = [Assignment(dict(values), {}) for values in job.batch.trials]
    return [build(spec.opdef, flags, spec.request, spec.place) for flags in trials]
