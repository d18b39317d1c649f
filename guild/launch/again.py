"""Running a run again: what `--start`, `--restart`, `--restage` and `--proto` make of an earlier run.

Flags are checked against the operation as it was frozen in the run's recipe: the project may be gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import RunChanged
from guild.launch import environ as env_rules
from guild.launch import recipe
from guild.launch.label import render_label
from guild.launch.prepare import (
    Snapshot,
    Source,
    comment,
    describe,
    in_staging,
    prepare,
    write_env,
)
from guild.launch.spec import Place, RunRequest, RunSpec, build
from guild.launch.supervise import read_env
from guild.ops.flags import assign
from guild.ops.opdef import OpDef
from guild.runs import attrs, lifecycle, swap
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore


@dataclass(frozen=True)
class Changes:
    """What the command line says about running it again. None, () or False: as it was."""

    flags: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    gpus: str | None = None
    stop_after: float | None = None
    force_flags: bool = False
    source: Source = None  # today's source code, for --force-sourcecode
    opdef: OpDef | None = None  # and today's operation

    @property
    def any(self) -> bool:
        return self != Changes(force_flags=self.force_flags)


def respec(run: Run, changes: Changes, place: Place) -> RunSpec:
    """The run's spec with the changes. Raises GuildError for flags that its operation does not take."""
    made = recipe.read(run, place)
    opdef = changes.opdef or made.opdef
    if opdef is None:
        raise RunChanged(f"run {run.id} does not say what operation it is of")
    old = run.map_attr("flags")
    flags = assign(opdef.flags, changes.flags, base=old, force=changes.force_flags, opname=opdef.name)
    params = _params(run, changes)
    template = changes.label if changes.label is not None else run.map_attr("op").get("label-template")
    request = RunRequest(
        label=template,
        gpus=changes.gpus if changes.gpus is not None else _gpus(params),
        stop_after=changes.stop_after if changes.stop_after is not None else made.stop_after,
        keep_run=params.get("keep_run") is True,
        random_seed=run.int_attr("random_seed"),
        params=params,
    )
    interpreter = made.interpreter or place.python_exe
    same_place = replace(place, python_exe=interpreter, cmd_dir=made.cmd_dir or place.cmd_dir)
    spec = build(opdef, flags, request, same_place)
    if changes.label is None and _has_own_label(run, old, template):
        return replace(spec, label=run.label)
    return spec


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


def recorded_environ(run: Run, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that a run was staged or executed with, else that of who asks."""
    recorded = read_env(run) or run.map_attr("env")
    if not recorded:
        return dict(environ)
    return env_rules.without_run({str(k): str(v) for k, v in recorded.items()})


@dataclass(frozen=True)
class Restage:
    """A restage that is prepared and only needs the swap."""

    run: Run
    made: Run
    seen: lifecycle.Witness
    trash_id: str


def prepare_restage(
    store: RunStore, run: Run, spec: RunSpec, changes: Changes, environ: Mapping[str, str]
) -> Restage:
    """Make the new directory for a staged or ended run, under no lock. Nothing has changed until
    `carry_out`. Raises RunChanged for a pending or running run, GuildError, OSError."""
    seen = lifecycle.witness(run)
    if not (seen.status.is_ended or seen.status is RunStatus.STAGED):
        raise RunChanged(f"cannot restage run {run.id} because it's {seen.status.value}")
    extra: dict[str, Any] = {
        "initialized": run.int_attr("initialized"),
        "tags": sorted(changes.tags) or None,
        "comments": comment(changes.comment, store.clock.now(), environ) if changes.comment else None,
    }
    place = in_staging(store)
    try:
        made = prepare(
            store,
            spec,
            changes.source or Snapshot(run),
            recorded_environ(run, environ),
            place=place,
            run_id=run.id,
            run_dir=run.path,
            staged=True,
            extra=extra,
        )
        lifecycle.mark_new_staged(made)
        files.sync_tree(made.path)
    except BaseException:
        swap.remove(store, place)
        raise
    return Restage(run, made, seen, store.new_id() if seen.status.is_ended else "")


def carry_out(held: lifecycle.Held, restage: Restage) -> Path | None:
    """The swap. Raises RunChanged, having changed nothing. Its result is for `clean_up`."""
    return lifecycle.restage(held, restage.run, restage.seen, restage.made, restage.trash_id)


def clean_up(store: RunStore, restage: Restage, doomed: Path | None) -> None:
    """After `carry_out`, whether it succeeded or not: remove what is not needed. Without the lock."""
    swap.remove(store, restage.made.path)
    if doomed is not None:
        swap.remove(store, doomed)
    if restage.trash_id:
        old = Run(store.home.trash / restage.trash_id)
        if old.guild_dir.is_dir():
            attrs.write_attr(old.guild_dir, "id", restage.trash_id)


def rewrite(run: Run, spec: RunSpec, changes: Changes, now: int, environ: Mapping[str, str]) -> None:
    """Replace in place what the changes say, in a run that nobody else executes or starts meanwhile."""
    described = describe(spec)
    described.pop("tags", None)
    if changes.tags:
        described["tags"] = sorted(changes.tags)
    if changes.comment:
        described["comments"] = comment(changes.comment, now, environ)
    for name, value in described.items():
        attrs.write_attr(run.guild_dir, name, value)
    if spec.opdef.opref != run.opref:
        attrs.write_opref(run.guild_dir, str(spec.opdef.opref))
    recipe.write(run, recipe.from_spec(spec, environ))


def rewrite_env(run: Run, spec: RunSpec, environ: Mapping[str, str], home: Path) -> None:
    """Record the environment of a staging in place."""
    write_env(run, spec, environ, run_id=run.id, run_dir=run.path, home=home)
