"""When the dependencies of a run are resolved: at staging all but those on other runs; the rest at its start.

They are made in a directory of the run, where nobody looks, and moved in place at the end.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guild.base import files
from guild.launch.dependency_flags import with_flags
from guild.launch.job import Console
from guild.launch.recipe import Recipe
from guild.launch.spec import RunSpec, dependency_flag_names
from guild.ops.opdef import OpDef
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.store import RunStore

if TYPE_CHECKING:  # most runs depend on nothing, and do not load what follows from it
    from guild.launch.dependencies import Resolution, Resolver


def resolve_ahead(
    store: RunStore, made: Run, spec: RunSpec, run_dir: Path, console: Console, reuse: Run | None
) -> None:
    """Resolve what needs no other run, for a run in the making that will lie at `run_dir`.

    What did not change since `reuse`, the run that it is made from, is taken from there.
    Raises GuildError, OSError.
    """
    from guild.launch import dependencies

    force = spec.request.force_deps
    resolver = _resolver(
        store, made, spec.opdef, spec.flags, run_dir, console, force, True, spec.place.cmd_dir
    )
    found = dependencies.resolve(resolver, [with_flags(d, spec.flags) for d in spec.opdef.requires], reuse)
    _install(made, found, console)


def resolve_rest(store: RunStore, run: Run, made: Recipe, console: Console) -> "Resolution | None":
    """Resolve what is left, without changing the run: `install` does that, once it is starting.

    None where there is nothing to do. Raises GuildError, OSError.
    """
    if made.opdef is None or not made.opdef.requires:
        return None
    from guild.launch import dependencies

    flags = run.map_attr("flags")
    force = made.force_deps
    resolver = _resolver(store, run, made.opdef, flags, run.path, console, force, False, made.cmd_dir)
    return dependencies.resolve(resolver, [with_flags(d, flags) for d in made.opdef.requires], run)


def discard(run: Run) -> None:
    """Remove what was made for a run that will not be executed."""
    files.remove_tree(run.guild_dir / layout.RESOLVING)


def install(run: Run, found: "Resolution | None", console: Console) -> None:
    """Move in place what was resolved, and record it."""
    if found is not None:
        _install(run, found, console)


def _install(run: Run, found: "Resolution", console: Console) -> None:
    from guild.launch import dependencies

    for text in dependencies.install(run.path, found):
        console.warn(text)
    discard(run)


def _resolver(
    store: RunStore,
    run: Run,
    opdef: OpDef,
    flags: Mapping[str, Any],
    run_dir: Path,
    console: Console,
    force: bool,
    staging: bool,
    cwd: str,
) -> "Resolver":
    from guild.launch.dependencies import Resolver

    work = run.guild_dir / layout.RESOLVING
    files.remove_tree(work)  # what an attempt that was given up left
    os.makedirs(work)
    return Resolver(
        run=run,
        final=run_dir,
        work=work,
        cache=store.home.cache / "resources",
        flags=flags,
        find_run=store.get,
        cwd=cwd,
        flag_defs=opdef.flags,
        dependency_flags=frozenset(dependency_flag_names(opdef)),
        staging=staging,
        force=force,
        say=console.say,
        warn=console.warn,
        progress=console.progress,
        stopped=console.stopped,
    )
