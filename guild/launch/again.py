"""Running a run again: what `--start`, `--restart`, `--restage` and `--proto` make of an earlier run.

Flags are checked against the operation as it was frozen in the run's recipe: the project may be gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.base import files
from guild.errors import GuildError, RunChanged
from guild.launch import environ as env_rules
from guild.launch import recipe
from guild.launch.job import Console, Job, part_of
from guild.launch.prepare import comment, describe, in_staging, of_batch, prepare, rows_attr, write_env
from guild.launch.rejob import Changes
from guild.launch.spec import RunSpec, dependency_flag_names
from guild.launch.supervise import read_env
from guild.runs import attrs, layout, lifecycle, swap
from guild.runs.abandoned import is_over
from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.runs.store import RunStore


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
    store: RunStore, run: Run, job: Job, changes: Changes, environ: Mapping[str, str], console: Console
) -> Restage:
    """Make the new directory for a staged, ended or abandoned run, under no lock. Nothing has changed until
    `carry_out`. Raises RunChanged for a pending or running run, GuildError, OSError."""
    seen = lifecycle.witness(run)
    is_staged = seen.status is RunStatus.STAGED
    if not (is_staged or is_over(store, run, seen.status)):
        raise RunChanged(f"cannot restage run {run.id} because it's {seen.status.value}")
    is_batch = layout.PROTO in job.parts
    tags = changes.batch_tags if is_batch else changes.tags
    text = changes.batch_comment if is_batch else changes.comment
    extra: dict[str, Any] = {
        "initialized": run.int_attr("initialized"),
        "tags": sorted(tags) or None,
        "comments": comment(text, store.clock.now(), environ) if text else None,
    }
    place = in_staging(store)
    try:
        made = prepare(
            store,
            job,
            recorded_environ(run, environ),
            place=place,
            run_id=run.id,
            run_dir=run.path,
            staged=True,
            extra=extra,
            resolve=console,
        )
        lifecycle.mark_new_staged(made)
        files.sync_tree(made.path)
    except BaseException:
        swap.remove(store, place)
        raise
    return Restage(run, made, seen, "" if is_staged else store.new_id())


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


def refuse_in_place(run: Run, job: Job, changes: Changes) -> None:
    """Raises GuildError for changes that cannot be made in the directory of an ended run itself."""
    old = run.map_attr("flags")
    for name in dependency_flag_names(job.spec.opdef) if changes.flags else ():
        if job.spec.flags.get(name) != old.get(name) and any(run.map_attr("deps").values()):
            raise GuildError(
                f"{name}: the run has the files of what it depends on already",
                "Use --restage RUN to make it anew with others.",
            )
    if job.parts and changes.opdef is not None:
        raise GuildError(
            f"{job.name} has runs of its own, which were made with its source code",
            "Use --restage RUN to make it anew with today's.",
        )


def rewrite(run: Run, job: Job, changes: Changes, now: int, environ: Mapping[str, str]) -> None:
    """Replace in place what the changes say, in a run that nobody else executes or starts meanwhile, and in
    what it makes its own runs from."""
    spec, is_batch = job.spec, layout.PROTO in job.parts
    tags = changes.batch_tags if is_batch else changes.tags
    text = changes.batch_comment if is_batch else changes.comment
    described = {**of_batch(job), **describe(spec)}
    described["tags"] = sorted(tags) or None
    described["comments"] = comment(text, now, environ) if text else None
    if is_batch or not changes.flags:
        del described["user_flags"]  # nothing was typed for it
    for name, value in described.items():
        if value is not None:
            attrs.write_attr(run.guild_dir, name, value)
    if spec.opdef.opref != run.opref:
        attrs.write_opref(run.guild_dir, str(spec.opdef.opref))
    recipe.write(run, recipe.from_spec(spec, environ, job.batch))
    for name, part in job.parts.items():
        if (inside := part_of(run, name)) is not None:
            rewrite(inside, part, changes if is_batch else Changes(), now, environ)
            if is_batch and changes.rows is not None:
                attrs.write_attr(inside.guild_dir, "trials", rows_attr(job.batch).get("trials", []))


def rewrite_env(run: Run, spec: RunSpec, environ: Mapping[str, str], home: Path) -> None:
    """Record the environment of a staging in place."""
    write_env(run, spec, environ, run_id=run.id, run_dir=run.path, home=home)
