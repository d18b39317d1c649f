"""From an opspec to an OpDef: the project's guildfile first, then providers, in order."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops.flag_import import ImportedFlags, import_flags
from guild.ops.guildfile import Found, Guildfile, ImportSpec, OpSummary, load_guildfile
from guild.ops.opdef import FlagDef, OpDef
from guild.ops.project import find_guildfile


@dataclass(frozen=True)
class Context:
    """Where an operation is looked for, and by what its flags are imported."""

    cwd: Path
    cache: Path | None
    python_exe: str
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Resolved:
    """`refreshed`: flags were imported anew, which took a moment."""

    opdef: OpDef
    warnings: tuple[str, ...] = ()
    refreshed: bool = False


Provider = Callable[[str, Context], Resolved | OpDef | None]

_SPEC = re.compile(r"(?:(?P<model>[^/:]*):)?(?P<op>[^/:]+)\Z")


def resolve(opspec: str | None, context: Context, providers: Sequence[Provider]) -> Resolved:
    """The operation that `opspec` names. Raises OperationNotFound, GuildfileError, GuildError."""
    guildfile = _guildfile(context)
    missing: GuildError
    try:
        return _from_guildfile(opspec, guildfile, context)
    except OperationNotFound as e:
        missing = e
    for provide in providers if opspec else ():
        found = provide(str(opspec), context)
        if found is not None:
            return found if isinstance(found, Resolved) else Resolved(found)
    raise missing


def available(context: Context, hidden: bool = False) -> list[OpSummary]:
    """The operations of the guildfile here. Raises GuildfileError."""
    guildfile = _guildfile(context)
    return list(guildfile.operations(hidden)) if guildfile is not None else []


def _guildfile(context: Context) -> Guildfile | None:
    path = find_guildfile(context.cwd)
    if path is None:
        return None
    try:
        return load_guildfile(path)
    except GuildfileError as e:
        raise GuildfileError(e.message, f"guildfile in {context.cwd} contains an error") from None


def _from_guildfile(opspec: str | None, guildfile: Guildfile | None, context: Context) -> Resolved:
    match = _SPEC.match(opspec) if opspec else None
    if guildfile is None or (opspec and match is None):
        if not opspec:
            raise OperationNotFound(
                "cannot find a default operation", "Name an operation, or a script: guild run train.py."
            )
        raise OperationNotFound(
            f"cannot find operation {opspec}",
            "You may need to name a script or another executable file, or to define it in guild.yml.",
        )
    found = guildfile.find(match["model"] if match else None, match["op"] if match else None)
    return with_imported(found, context)


def with_imported(found: Found, context: Context) -> Resolved:
    """The operation with the flags of its script merged in."""
    opdef, spec = found.opdef, found.imports
    script = _script(opdef, spec)
    if script is None:
        dest = spec.dest or "args"
        return Resolved(replace(opdef, flags_dest=dest), found.warnings)
    args = opdef.cmd_args[4 : opdef.cmd_args.index("--")] if "--" in opdef.cmd_args else ()
    imported = import_flags(
        script,
        args,
        dest=spec.dest,
        python_exe=context.python_exe,
        cache=context.cache,
        environ=context.environ,
        project_dir=Path(opdef.project_dir),
    )
    flags = merge(opdef.flags, imported, spec)
    warnings = found.warnings
    if context.environ.get("NO_WARN_FLAGS_IMPORT") != "1":
        warnings = (*warnings, *imported.warnings)
    return Resolved(replace(opdef, flags=flags, flags_dest=imported.dest), warnings, imported.refreshed)


def _script(opdef: OpDef, spec: ImportSpec) -> Path | None:
    """The source file of `main`, if it is one of the project's."""
    if spec.script is None:
        return None
    relative = spec.script.replace(".", "/") if "/" not in spec.script else spec.script
    roots = [*spec.python_path, "", *([opdef.sourcecode.root] if opdef.sourcecode.root else [])]
    for root in roots:
        for name in (spec.script, relative):
            path = Path(opdef.project_dir, root, name + ".py")
            if path.is_file():
                return path
    return None


def merge(own: Sequence[FlagDef], imported: ImportedFlags, spec: ImportSpec) -> tuple[FlagDef, ...]:
    """The guildfile's flags over the script's: without `flags-import` only those that it lists."""
    by_name = {f.name: f for f in imported.flags if f.name not in spec.skip}
    mine = {f.arg_name or f.name: f for f in own}
    merged = [_complete(f, by_name.get(f.arg_name or f.name)) for f in own]
    if spec.all:
        wanted = list(by_name)
    else:
        wanted = [name for name in spec.names or () if name in by_name]
    return (*merged, *(by_name[name] for name in wanted if name not in mine))


def _complete(flag: FlagDef, script: FlagDef | None) -> FlagDef:
    """What the guildfile leaves out is taken from the script."""
    if script is None:
        return flag
    return replace(
        flag,
        default=flag.default if flag.default is not None else script.default,
        description=flag.description or script.description,
        type=flag.type or script.type,
        choices=flag.choices or script.choices,
        required=flag.required or (script.required and flag.default is None),
        arg_split=flag.arg_split if flag.arg_split is not None else script.arg_split,
        arg_switch=flag.arg_switch if flag.has_arg_switch else script.arg_switch,
        has_arg_switch=flag.has_arg_switch or script.has_arg_switch,
        arg_name=flag.arg_name or script.arg_name,
    )
