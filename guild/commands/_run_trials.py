"""The job of a batch: what runs its trials, and which ones they are."""

import random
from dataclasses import replace

from guild.app import App
from guild.commands._run_op import Flags, project_source, resolve_op
from guild.commands._run_options import RunOptions, warn
from guild.errors import GuildError
from guild.launch.batch import Space, is_search, searched
from guild.launch.job import BatchPlan, Job
from guild.launch.machine import find_place
from guild.launch.rejob import keeps_batch, make_plan
from guild.launch.spec import RunRequest, build
from guild.ops.flags import Assignment, read_typed, settle
from guild.ops.opdef import OpDef
from guild.plugins import batch as batch_ops
from guild.runs import layout
from guild.runs.run import Run


def with_search_space(by: OpDef, opdef: OpDef, flags: Flags) -> Flags:
    """What is shown and recorded of the batch: flags that nobody gave have all the values that `by` tries."""
    if by.opref.op != batch_ops.RANDOM:
        return flags
    own = searched(opdef.flags, {*flags.user, *(flags.base or {})})
    return replace(flags, values={**flags.values, **own})


def like(options: RunOptions, batch: Run | None) -> RunOptions:
    """The options for a batch like this one; what was typed counts more."""
    if batch is None:
        return options
    seed, label = options.random_seed, options.batch_label
    return replace(
        options,
        keep_batch=options.keep_batch or keeps_batch(batch),
        batch_label=batch.map_attr("op").get("label-template") if label is None else label,
        max_trials=options.max_trials or batch.int_attr("max_trials"),
        random_seed=batch.int_attr("random_seed") if seed is None else seed,
    )


def batch_job(app: App, options: RunOptions, by: OpDef, inner: Job, flags: Flags) -> Job:
    """The job of a batch with these flags, run by `by`; `inner` is the prototype. Raises GuildError."""
    seed = options.random_seed if options.random_seed is not None else random.randrange(2**32)
    limit = options.max_trials
    if limit is None and by.opref.op != batch_ops.GRID:
        limit = inner.spec.opdef.default_max_trials or batch_ops.DEFAULT_MAX_TRIALS
    plan = BatchPlan(
        (),
        search=by.opref.op == batch_ops.RANDOM,
        max_trials=limit,
        seed=seed,
        fail_on_trial_error=options.fail_on_trial_error,
        needed=options.needed,
        stage_trials=options.stage_trials,
    )
    if batch_ops.is_built_in(by):
        space = Space(
            inner.spec.opdef.flags, flags.user, flags.rows or ({},), flags.base, options.force_flags
        )
        plan = make_plan(space, plan)
        _check_count(plan, flags, options)
    request = RunRequest(
        label=options.batch_label,
        tags=options.batch_tags,
        comment=options.batch_comment,
        keep_run=options.keep_batch,
        gpus=options.visible_gpus,
        random_seed=seed,
        env={"NO_OP_INTERRUPTED_MSG": "1"},
        params=inner.spec.request.params,
    )
    opt_flags = _opt_flags(options, by, inner.spec.opdef)
    spec = build(by, opt_flags, request, find_place(app.environ, str(app.cwd)))
    if not spec.label:
        spec = replace(spec, label=inner.spec.label)  # what its trials are made of
    source = None if batch_ops.is_built_in(by) else project_source(app, by)
    return Job(spec, source, {layout.PROTO: inner}, plan)


def _check_count(plan: BatchPlan, flags: Flags, options: RunOptions) -> None:
    """Raises GuildError where nothing would be run; says where it is less than was asked for."""
    if not plan.trials:
        empty = [name for name, value in flags.values.items() if value == []]
        which = f"{', '.join(empty)} has no values" if empty else "there are no trials in the batch files"
        raise GuildError(f"nothing to run: {which}")
    if plan.search and options.max_trials and len(plan.trials) < options.max_trials:
        limit = f"--max-trials {options.max_trials}"
        warn(f"there are only {len(plan.trials)} different trials, fewer than {limit}")


def _opt_flags(options: RunOptions, by: OpDef, opdef: OpDef) -> Assignment:
    own = next((o.flags for o in opdef.optimizers if batch_ops.names(o, options.optimizer)), {})
    user = read_typed(by.flags, options.opt_flags, force=options.force_flags, opname=by.name)
    return settle(by.flags, {**own, **user}, force=options.force_flags)


def choose_optimizer(app: App, options: RunOptions, opdef: OpDef, flags: Flags) -> OpDef:
    """What runs the trials."""
    name = options.optimizer
    if options.optimize:
        default = batch_ops.default_optimizer(opdef.optimizers)
        if default is None:
            raise GuildError(f"no default optimizer defined for {opdef.name}")
        name = default.opspec
    for optimizer in opdef.optimizers:
        if optimizer.name == name:
            name = optimizer.opspec
    if name is None and not flags.is_batch:
        raise GuildError(f"invalid optimizer flag {options.opt_flags[0]}: no optimizer specified")
    values = [flags.values, *flags.rows]
    if name is None:
        return batch_ops.provide(batch_ops.RANDOM if any(map(is_search, values)) else batch_ops.GRID)
    built_in = batch_ops.provide_named(name)
    return built_in if built_in is not None else resolve_op(app, name)
