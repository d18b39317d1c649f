"""From the command line to a Job: find the operation, settle its flags, plan its trials or its steps."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from guild.app import App
from guild.commands._run_op import (
    Chosen,
    Flags,
    Nested,
    Values,
    project_source,
    read_flags,
    resolve_op,
    there,
)
from guild.commands._run_options import RunOptions, warn
from guild.errors import GuildError, OperationNotFound
from guild.launch.command import shadowed
from guild.launch.job import Job, Snapshot, Source, step_part
from guild.launch.label import unknown_filters
from guild.launch.machine import find_place
from guild.launch.spec import Place, RunRequest, build
from guild.launch.step_values import filled_options, step_values
from guild.ops.flags import Assignment, format_flags, format_value
from guild.ops.opdef import Dependency, FlagValue, OpDef, ResourceSource, Step
from guild.runs import layout


def compile_job(app: App, options: RunOptions, chosen: Chosen, nested: Nested | None = None) -> Job:
    """The job of a run, a batch or a workflow. Raises GuildError."""
    chosen = replace(chosen, opdef=_with_more(app, options, chosen.opdef))
    flags = read_flags(app, options, chosen, nested)
    if flags.is_batch or options.optimizer or options.optimize or options.opt_flags:
        from guild.commands._run_trials import batch_job, choose_optimizer, like, with_search_space

        by = choose_optimizer(app, options, chosen.opdef, flags)
        shown = with_search_space(by, chosen.opdef, flags)
        inner = _single_job(app, options, chosen, shown, nested)
        return batch_job(app, like(options, chosen.batch), by, inner, flags)
    inner = _single_job(app, options, chosen, flags, nested)
    if options.max_trials is not None:
        warn("not a batch run - ignoring --max-trials")
    return inner


def _with_more(app: App, options: RunOptions, opdef: OpDef) -> OpDef:
    """The operation with the dependencies and the objective of the command line."""
    more = tuple(_linked(app, path) for path in options.additional_deps)
    goal = options.minimize or (f"-{options.maximize}" if options.maximize else opdef.objective)
    return replace(opdef, requires=(*opdef.requires, *more), objective=goal) if more or goal else opdef


def _linked(app: App, path: str) -> Dependency:
    """`--dep PATH`: a link to a file or directory; raises GuildError where it is not there."""
    full = os.path.abspath(app.cwd / os.path.expanduser(path))
    if not os.path.exists(full):
        raise GuildError(f"--dep {path}: there is no file or directory '{full}'")
    attr = {"sources": [{"file": path}], "target-type": "link"}
    return Dependency(path, (ResourceSource("file", path),), str(app.cwd), target_type="link", attr=attr)


def _single_job(app: App, options: RunOptions, chosen: Chosen, flags: Flags, nested: Nested | None) -> Job:
    opdef = chosen.opdef
    for flag in shadowed(opdef.cmd_args, opdef.flags):
        shown = format_flags({flag.name: flags.values.get(flag.name)})
        option = f"--{flag.arg_name or flag.name}"
        warn(f"ignoring flag '{shown}' because it's shadowed in the operation cmd as {option}")
    request = RunRequest(
        label=options.label,
        tags=options.tags,
        comment=options.comment,
        gpus=options.visible_gpus,
        stop_after=options.stop_after,
        keep_run=options.keep_run,
        random_seed=_seed(options, chosen),
        force_deps=options.force_deps,
        env=_debug_env(options),
        debug_source=_debug_source(app, options),
        params=options.params(),
    )
    spec = build(opdef, Assignment(flags.values, dict(flags.user)), request, _place(app, opdef))
    for text in unknown_filters(spec.label_template or ""):
        warn(f"unsupported template transform: '{text}'")
    within = (*nested.within, opdef.opspec) if nested is not None else (opdef.opspec,)
    parts = {
        step_part(index): step_job(app, options, opdef, step, flags.values, within)
        for index, step in enumerate(opdef.steps)
    }
    return Job(spec, _source(app, options, chosen), parts)


def _seed(options: RunOptions, chosen: Chosen) -> int | None:
    """What was typed, else that of the run that this one is like; None for one that is drawn."""
    if options.random_seed is not None or chosen.proto is None:
        return options.random_seed
    return chosen.proto.int_attr("random_seed")


def _place(app: App, opdef: OpDef) -> Place:
    """The interpreters, with one that fits what the operation requires."""
    place = find_place(app.environ, str(app.cwd))
    if not opdef.python_requires:
        return place
    from guild.launch.interpreter import find_interpreter

    return replace(place, python_exe=find_interpreter(opdef.python_requires, place.python_exe, app.environ))


def _debug_source(app: App, options: RunOptions) -> str:
    if options.debug_sourcecode is None:
        return ""
    path = os.path.abspath(app.cwd / os.path.expanduser(options.debug_sourcecode))
    if not os.path.isdir(path):
        raise GuildError(f"--debug-sourcecode: '{path}' is not a directory")
    return path


def _debug_env(options: RunOptions) -> dict[str, str]:
    env = {}
    if options.break_:
        import shlex

        env["PDB_BREAKS"] = shlex.join(options.break_)
    if options.break_on_error:
        env["BREAK_ON_ERROR"] = "1"
    return env


def step_job(
    app: App, options: RunOptions, opdef: OpDef, step: Step, values: Values, within: tuple[str, ...]
) -> Job:
    """A step of a workflow, made together with it, so that its code is as it is now."""
    project = there(app, Path(opdef.project_dir))
    own: dict[str, Any] = filled_options(step, values)
    for name in ("label", "tags"):
        if not own.get(name):
            own[name] = getattr(options, name)
    flags = tuple(f"@{path}" for path in step.batch_files)
    nested = Nested(within, step_values(step, values))
    try:
        found = _step_op(project, opdef, step)
        own["opspec"] = found.opspec if found.opref.model else step.opspec
        if found.opspec in within:
            raise GuildError(f"it leads back to where it came from: {' -> '.join([*within, found.opspec])}")
        job = compile_job(project, RunOptions(flags=flags, yes=True, **own), Chosen(found), nested)
        return _as_typed(job, [*(_typed(n, v) for n, v in sorted(nested.given.items())), *flags])
    except GuildError as e:
        raise GuildError(f"step '{step.name}' of {opdef.name}: {e.message}", e.hint, e.code) from None


def _typed(name: str, value: FlagValue) -> str:
    return f"{name}={value if isinstance(value, str) else format_value(value)}"


def _as_typed(job: Job, flags: list[str]) -> Job:
    """The job of a step, with the flags that it is given as if they had been typed."""
    request = replace(job.spec.request, params={**job.spec.request.params, "flags": flags})
    parts = {
        name: _as_typed(part, flags) if name == layout.PROTO else part for name, part in job.parts.items()
    }
    return replace(job, spec=replace(job.spec, request=request), parts=parts)


def _step_op(project: App, opdef: OpDef, step: Step) -> OpDef:
    """The operation of a step: of the same model, if that has one of this name."""
    if opdef.opref.model and ":" not in step.opspec:
        try:
            return resolve_op(project, f"{opdef.opref.model}:{step.opspec}")
        except OperationNotFound:
            pass
    return resolve_op(project, step.opspec)


def _source(app: App, options: RunOptions, chosen: Chosen) -> Source:
    if chosen.proto is not None and not options.force_sourcecode:
        return Snapshot(chosen.proto)
    return project_source(app, chosen.opdef)
