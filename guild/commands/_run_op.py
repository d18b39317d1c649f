"""The operation that a command means, its flags as they were given, and its source code."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from guild.app import App
from guild.commands._run_options import RunOptions, warn
from guild.errors import GuildError
from guild.launch import recipe
from guild.launch.flag_types import with_types
from guild.launch.job import ProjectSource, Source, part_of
from guild.launch.machine import find_place
from guild.launch.upstream import operation_sources, pin
from guild.ops.flags import is_batch, read_given, read_row, read_typed, settle
from guild.ops.opdef import FlagDef, FlagValue, OpDef
from guild.ops.resolve import Context, resolve
from guild.ops.select import select_source
from guild.plugin import providers
from guild.runs import layout
from guild.runs.run import Run
from guild.runs.selection import find_one

Values = Mapping[str, FlagValue]


@dataclass(frozen=True)
class Chosen:
    """The operation to be run, and the run that it is taken from, if any: of a batch its prototype."""

    opdef: OpDef
    proto: Run | None = None
    batch: Run | None = None


@dataclass(frozen=True)
class Nested:
    """A step: the operations that it is in, and the values that its workflow gives."""

    within: tuple[str, ...]
    given: Values


def resolve_op(app: App, opspec: str | None) -> OpDef:
    """The operation of this name here; warnings are shown."""
    place = find_place(app.environ, str(app.cwd))
    context = Context(app.cwd, app.home.cache, place.python_exe, app.environ)
    found = resolve(opspec, context, providers())
    if found.refreshed and "NO_IMPORT_FLAGS_PROGRESS" not in app.environ:
        click.echo("Refreshing flags...", err=True)
    for text in found.warnings:
        warn(text)
    return found.opdef


def choose(app: App, options: RunOptions) -> Chosen:
    named = find_one(app.store, options.proto) if options.proto else None
    part = part_of(named, layout.PROTO) if named is not None else None
    proto, batch = part or named, named if part is not None else None
    if proto is None or options.opspec or options.force_sourcecode:
        opspec = options.opspec
        if proto is not None and opspec is None:
            return Chosen(todays_op(app, proto), proto, batch)
        return Chosen(resolve_op(app, opspec), proto, batch)
    frozen = recipe.read(proto, find_place(app.environ, str(app.cwd))).opdef
    if frozen is None:
        raise GuildError(f"run {proto.id} does not say what operation it is of")
    label = proto.map_attr("op").get("label-template", frozen.label)  # with what the user said of it
    known = todays_flags(app, proto) if options.flags or options.edit_flags else ()
    return Chosen(replace(frozen, label=label, flags=with_types(frozen.flags, known)), proto, batch)


def todays_op(app: App, run: Run) -> OpDef:
    """The operation of a run as its project defines it now."""
    opref = run.opref
    directory = Path(opref.directory) if opref is not None and opref.directory else None
    if opref is None or directory is None or not directory.is_dir():
        raise GuildError(
            f"cannot find the project of run {run.id}",
            "Leave out --force-sourcecode to use the source code that the run has.",
        )
    spec = opref.op if opref.type == "script" else f"{opref.model}:{opref.op}" if opref.model else opref.op
    return resolve_op(there(app, directory), spec)


def todays_flags(app: App, run: Run) -> tuple[FlagDef, ...]:
    """The flags of a run's operation, for one that does not tell itself what they take; none where the
    project does not tell it either."""
    if recipe.tells_flags(run):
        return ()
    try:
        return todays_op(app, run).flags
    except (GuildError, OSError):
        return ()


def there(app: App, directory: Path) -> App:
    return App(directory, app.environ, app.options)


@dataclass(frozen=True)
class Flags:
    """The flags of a run or a batch: `rows` are those of batch files, if there are several."""

    values: dict[str, FlagValue]  # with lists and search ranges
    user: Values
    base: Values | None
    rows: tuple[Values, ...]

    @property
    def is_batch(self) -> bool:
        return len(self.rows) > 1 or is_batch(self.values)


def split_files(args: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """(flags, paths of batch files) of what was typed behind the operation."""
    typed = tuple(arg for arg in args if not arg.startswith("@"))
    return typed, [arg[1:] for arg in args if arg.startswith("@")]


def read_flags(app: App, options: RunOptions, chosen: Chosen, nested: Nested | None = None) -> Flags:
    """Read, edit and complete what was said about the flags. Raises GuildError for what they do not take."""
    opdef, force = chosen.opdef, options.force_flags
    typed, paths = split_files(options.flags)
    given = nested.given if nested is not None else {}
    user = {
        **read_given(opdef.flags, given, force=force, opname=opdef.name),
        **read_typed(opdef.flags, typed, force=force, opname=opdef.name),
    }
    rows = _rows(app, paths, opdef, force)
    base: Values | None = chosen.proto.map_attr("flags") if chosen.proto is not None else None
    if len(rows) == 1:
        user, rows = {**rows[0], **user}, ()
    values = settle(opdef.flags, user, base=base, force=force or bool(rows)).values
    if options.edit_flags:
        from guild.commands._edit import edit_flags

        edited = read_row(opdef.flags, edit_flags(values, opdef.name), typed=False, force=force)
        user = {**user, **{n: v for n, v in edited.items() if values.get(n) != v or n in user}}
        values = settle(opdef.flags, user, base=base, force=force or bool(rows)).values
    if opdef.requires and nested is None:
        pinned = pin(opdef.requires, values, user, app.store.runs, allow_unfinished=options.is_staging)
        for source in operation_sources(opdef.requires):
            if pinned.get(source.config_flag or "") in (None, "") and not source.optional:
                warn(f"cannot find a suitable run for required resource '{source.resolved_name}'")
        base = {**(base or {}), **{n: v for n, v in pinned.items() if values.get(n) != v and n not in user}}
        user = {n: pinned.get(n, v) for n, v in user.items()}
        values = {**values, **pinned}
    return Flags(values, user, base, rows)


def _rows(app: App, paths: list[str], opdef: OpDef, force: bool) -> tuple[Values, ...]:
    if not paths:
        return ()
    from guild.launch.batch_file import read_batch_files

    return tuple(read_batch_files(paths, app.cwd, opdef.flags, force))


def project_source(app: App, opdef: OpDef, *, quiet: bool = False) -> Source:
    """Which files of the project belong to the run, None for operations without source code."""
    if opdef.sourcecode.disabled or not opdef.project_dir or app.environ.get("NO_SOURCECODE") == "1":
        return None
    root = Path(os.path.normpath(os.path.join(opdef.project_dir, opdef.sourcecode.root or "")))
    if not root.is_dir():
        raise GuildError(f"the source code directory '{root}' does not exist")
    selection = select_source(
        root,
        opdef.sourcecode,
        python=opdef.is_python,
        exclude=_dependency_files(opdef, root),
        avoid=[app.home.path],
    )
    if not quiet:
        for text in selection.warnings:
            warn(text)
    return ProjectSource(root, selection)


def _dependency_files(opdef: OpDef, root: Path) -> list[str]:
    """Single files that the operation depends on: they get into the run by that, not as source code."""
    sources = [(d, s) for d in opdef.requires for s in d.sources if s.kind in ("file", "config")]
    paths = [os.path.normpath(os.path.join(d.location, s.target)) for d, s in sources]
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]
