"""An operation as it was found, and how the flags of its script are merged in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from guild.ops.opdef import FlagDef, OpDef

# What Guild 0.9 records as the plugins of every operation; Python ones have one more.
PLUGINS = ("cpu", "disk", "memory", "perf")
PYTHON_PLUGINS = (*PLUGINS, "python_script")


@dataclass(frozen=True)
class ImportSpec:
    """Which flags of the script an operation takes: all, those of `names`, or those that it defines itself
    (`names` is None); with `names` empty, none."""

    all: bool = False
    names: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    python_path: tuple[str, ...] = ()
    dest: str | None = None
    script: str | None = None  # the module that `main` names
    # Of each flag, the attributes that the guildfile gives: a null default is one, too.
    said: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def explicit(self) -> bool:
        """Whether the guildfile asks for an import in so many words."""
        return self.all or bool(self.names)


@dataclass(frozen=True)
class Found:
    """An operation before its script's flags are added."""

    opdef: OpDef
    imports: ImportSpec
    warnings: tuple[str, ...] = ()


def wanted(own: Sequence[FlagDef], spec: ImportSpec) -> bool:
    """Whether any flag of the script could be taken."""
    return spec.all or bool(own if spec.names is None else spec.names)


def merge(own: Sequence[FlagDef], imported: Sequence[FlagDef], spec: ImportSpec) -> tuple[FlagDef, ...]:
    """The flags that the guildfile defines, completed from the script's, then the others to be imported."""
    by_name = {f.name: f for f in imported if f.name not in spec.skip}
    if not spec.all:
        names = spec.names if spec.names is not None else [f.name for f in own]
        by_name = {name: by_name[name] for name in names if name in by_name}
    mine = {f.name for f in own}
    # A flag with the `arg-name` of an imported one stands in its place.
    replaced = {f.arg_name for f in own if f.arg_name}
    others = [f for f in by_name.values() if f.name not in mine and f.name not in replaced]
    merged = [_complete(f, by_name.get(f.name), spec.said.get(f.name, frozenset())) for f in own]
    return (*merged, *others)


_COMPLETED = ("default", "description", "type", "choices", "arg_split", "arg_name")


def _complete(flag: FlagDef, script: FlagDef | None, said: frozenset[str]) -> FlagDef:
    """What the guildfile does not say is taken from the script."""
    if script is None:
        return flag
    taken = {name: getattr(script, name) for name in _COMPLETED if name not in said}
    completed = replace(flag, **taken)
    if "required" not in said:
        completed = replace(completed, required=script.required and completed.default in (None, ""))
    if "arg_switch" not in said:
        completed = replace(completed, arg_switch=script.arg_switch, has_arg_switch=script.has_arg_switch)
    return completed
