"""From an opspec to an OpDef: the project's guildfile first, then providers, in order."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops.found import Found, merge, wanted
from guild.ops.opdef import OpDef
from guild.ops.project import MainScript, find_guildfile, find_main

# Loaded when they are needed: most commands only need the types.
if TYPE_CHECKING:
    from guild.ops.flag_import import ImportedFlags
    from guild.ops.guildfile import Guildfile


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


@dataclass(frozen=True)
class OpSpec:
    """What `[PACKAGE/][MODEL:]OPERATION` names; None for a part that is absent, '' for the model in `:op`."""

    package: str | None = None
    model: str | None = None
    op: str | None = None


# Tells the operation of an opspec, None if it is not its own. Raises GuildError for one that it cannot make.
Provider = Callable[[str, Context], Resolved | OpDef | None]

_SPEC = re.compile(r"(?:(?P<package>[^:]+)/)?(?:(?P<model>[^/:]*):)?(?P<op>[^/:]+)\Z")


def parse_opspec(text: str | None) -> OpSpec:
    """Read an opspec; empty stands for the default operation. Raises OperationNotFound for what is none."""
    if not text:
        return OpSpec()
    match = _SPEC.match(text)
    if match is None:
        raise OperationNotFound(
            f"invalid operation '{text}'", "Try 'guild operations' for a list of available operations."
        )
    return OpSpec(match["package"], match["model"], match["op"])


def resolve(opspec: str | None, context: Context, providers: Sequence[Provider]) -> Resolved:
    """The operation that `opspec` names: of the guildfile, else of the first provider that knows it.

    A broken guildfile does not keep a script, or a queue, from being run: it is named in a warning then.
    Raises OperationNotFound, GuildfileError, GuildError.
    """
    warnings: tuple[str, ...] = ()
    missing: GuildError
    try:
        return _from_guildfile(opspec, project_guildfile(context), context)
    except OperationNotFound as e:
        missing = e
    except GuildfileError as e:
        missing, warnings = e, (e.message,)
    for provide in providers if opspec else ():
        try:
            found = provide(str(opspec), context)
        except OperationNotFound as e:
            raise (missing if warnings else e) from None
        if found is not None:
            resolved = found if isinstance(found, Resolved) else Resolved(found)
            return replace(resolved, warnings=(*warnings, *resolved.warnings))
    raise missing


def project_guildfile(context: Context) -> "Guildfile | None":
    """The guildfile here. Raises GuildfileError for one of a wrong form."""
    path = find_guildfile(context.cwd)
    if path is None:
        return None
    from guild.ops.guildfile import load_guildfile

    try:
        return load_guildfile(path)
    except GuildfileError as e:
        raise _broken(e, context) from None


def _broken(error: GuildfileError, context: Context) -> GuildfileError:
    return GuildfileError(error.message, f"guildfile in {context.cwd} contains an error")


def _from_guildfile(opspec: str | None, guildfile: "Guildfile | None", context: Context) -> Resolved:
    spec = parse_opspec(opspec)
    if guildfile is not None and not spec.package:
        try:
            found = guildfile.find(spec.model, spec.op)
        except GuildfileError as e:
            raise _broken(e, context) from None
        return with_imported(found, context)
    if spec.op is None:
        raise OperationNotFound(
            "cannot find a default operation", "Name an operation, or a script: guild run train.py."
        )
    hint = "Name an operation of guild.yml, a script or another executable file."
    raise OperationNotFound(
        f"cannot find operation {opspec}",
        f"{hint}\nTry 'guild operations' for a list of available operations." if guildfile else hint,
    )


def with_imported(found: Found, context: Context) -> Resolved:
    """The operation with the flags of its script, or of its config file, merged in; those of what it
    requires come last."""
    resolved = _with_imported(found, context)
    requires = resolved.opdef.requires
    if not requires:
        return resolved
    from guild.ops.guildfile_requires import dependency_flags

    flags = resolved.opdef.flags
    own = {f.name for f in flags}
    flags += tuple(f for f in dependency_flags(requires) if f.name not in own)
    return replace(resolved, opdef=replace(resolved.opdef, flags=flags))


def _with_imported(found: Found, context: Context) -> Resolved:
    opdef, spec = found.opdef, found.imports
    if spec.dest is not None and spec.dest.startswith("config:"):
        return _with_config(found, spec.dest, context)
    opdef = replace(opdef, flags_dest=spec.dest or "args", says_dest=spec.dest is not None)
    if spec.script is None:
        return Resolved(opdef, found.warnings)
    script = find_main(spec.script, _roots(found))
    if script is None:
        warnings = (*found.warnings, *_missing(found))
        return Resolved(opdef, _heard(warnings, context))
    if not wanted(opdef.flags, spec):
        from guild.ops.flag_import import detect_dest

        # `flags-import: no`: nothing of the script is looked at, so its flags are arguments.
        if spec.dest is None and spec.names != ():
            opdef = replace(opdef, flags_dest=detect_dest(script.path), says_dest=True)
        return Resolved(opdef, found.warnings)
    return _merged(found, _import(found, script, context), context)


def _merged(found: Found, imported: "ImportedFlags", context: Context) -> Resolved:
    flags = merge(found.opdef.flags, imported.flags, found.imports)
    return Resolved(
        replace(found.opdef, flags=flags, flags_dest=imported.dest, says_dest=True),
        (*found.warnings, *_heard(imported.warnings, context)),
        imported.refreshed,
    )


def _with_config(found: Found, dest: str, context: Context) -> Resolved:
    if not wanted(found.opdef.flags, found.imports):
        return Resolved(replace(found.opdef, flags_dest=dest, says_dest=True), found.warnings)
    from guild.ops.flag_config import import_config

    path = Path(found.opdef.project_dir, dest.removeprefix("config:"))
    return _merged(found, import_config(path, dest), context)


def _import(found: Found, script: MainScript, context: Context) -> "ImportedFlags":
    from guild.ops.flag_import import import_flags

    words = found.opdef.cmd_args
    return import_flags(
        script.path,
        words[4 : len(words) - 1 - words[::-1].index("--")] if "--" in words else (),
        dest=found.imports.dest,
        python_exe=context.python_exe,
        cache=context.cache,
        environ=context.environ,
        project_dir=Path(found.opdef.project_dir),
        root=script.root,
        module=script.module,
        explicit=found.imports.explicit,
    )


def _roots(found: Found) -> list[Path]:
    """Where `main` is looked for: as in the run, below the root of the source code; then in the project."""
    project, root = Path(found.opdef.project_dir), found.opdef.sourcecode.root
    places = [*found.imports.python_path, *([root] if root else []), ""]
    return [Path(project, place) for place in places]


def _missing(found: Found) -> list[str]:
    """A warning for a `main` that is no file of the project, where flags of it were to be taken."""
    import sys

    main = found.imports.script or ""
    # Guild's own and those of the standard library take no flags that could be imported.
    known = main.partition(".")[0] in ("guild", *sys.stdlib_module_names)
    if not wanted(found.opdef.flags, found.imports) or known:
        return []
    return [f"cannot import flags from {main}: no such script in {found.opdef.project_dir}"]


def _heard(warnings: tuple[str, ...], context: Context) -> tuple[str, ...]:
    return () if context.environ.get("NO_WARN_FLAGS_IMPORT") == "1" else warnings
