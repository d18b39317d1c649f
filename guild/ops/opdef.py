"""OpDef and its parts: what a guildfile or a plugin says about an operation. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guild.ops.opref import OpRef

# None, bool, int, float, str, datetime.date, and lists and maps of these.
FlagValue = Any

# Stands in a command template for the place of the flag arguments.
FLAG_ARGS = "__flag_args__"


@dataclass(frozen=True)
class Choice:
    """One value that a flag may have."""

    value: FlagValue
    description: str = ""
    alias: FlagValue = None
    flags: Mapping[str, FlagValue] = field(default_factory=dict)


@dataclass(frozen=True)
class FlagDef:
    """One flag of an operation (`docs/guide.md`, "Flags"). None means: not said."""

    name: str
    default: FlagValue = None
    description: str = ""
    type: str | None = None  # string int float number boolean path existing-path auto
    required: bool = False
    choices: tuple[Choice, ...] = ()
    allow_other: bool = False
    min: float | None = None
    max: float | None = None
    alias: str | None = None
    arg_name: str | None = None
    arg_skip: bool | None = None
    arg_switch: FlagValue = None  # pass a bare --name iff the value equals this; False is a value too
    has_arg_switch: bool = False
    arg_split: bool | str | None = None
    arg_encoding: Mapping[str, str] | None = None
    env_encoding: Mapping[str, str] | None = None
    env_name: str | None = None
    null_label: str | None = None
    distribution: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SelectRule:
    """Include or exclude files by a pattern; of all rules that match a file the last one counts.

    `kind`: "" any file, "text", "binary", "dir".
    """

    include: bool
    pattern: str
    kind: str = ""


@dataclass(frozen=True)
class SourceRules:
    """Which project files belong to the source code of an operation."""

    disabled: bool = False
    root: str | None = None  # relative to the guildfile
    dest: str = "."  # below the run directory
    rules: tuple[SelectRule, ...] = ()  # added to the defaults


@dataclass(frozen=True)
class OpDef:
    """All that is known about one operation before a run of it is made."""

    opref: OpRef
    opspec: str  # as `GUILD_OP` has it: `model:op`, an absolute script path, `queue`
    # Command template: `${flag}`, `${python_exe}`, `${guild_python_exe}`, `${project_dir}`, FLAG_ARGS.
    cmd_args: tuple[str, ...]
    project_dir: str  # absolute; '' for built-in operations
    is_python: bool = False  # `main` or a script: runs by guild.op_main
    flags: tuple[FlagDef, ...] = ()
    flags_dest: str = "args"
    description: str = ""
    default: bool = False
    label: str | None = None
    tags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    env_secrets: tuple[str, ...] = ()
    sourcecode: SourceRules = SourceRules()
    plugins: tuple[str, ...] = ()
    output_scalars: Any = None  # None: the default patterns; []: off
    objective: Any = None
    delete_on_success: bool = False
    pip_freeze: bool = True
    python_requires: str | None = None
    run_attrs: Mapping[str, Any] = field(default_factory=dict)
    handle_keyboard_interrupt: bool = False

    @property
    def name(self) -> str:
        """`op` or `model:op`: how prompts and listings call it."""
        return self.opref.display

    def flag(self, name: str) -> FlagDef | None:
        return next((f for f in self.flags if f.name == name), None)
