"""OpDef and its parts: what a guildfile or a plugin says about an operation. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guild.ops.opref import OpRef

# None, bool, int, float, str, datetime.date, and lists and maps of these.
FlagValue = Any

# Stands in a command template for the place of the flag arguments.
FLAG_ARGS = "__flag_args__"
# A command template that begins with one of these is a Python program.
PYTHON_EXE, GUILD_PYTHON_EXE = PYTHON_EXES = ("${python_exe}", "${guild_python_exe}")


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
class Rename:
    """In a resolved name the first match of a pattern gives way to `repl`."""

    pattern: str
    repl: str


@dataclass(frozen=True)
class ResourceSource:
    """One source of a resource. `kind`: file, url, module, config, operation; `target`: what it names."""

    kind: str
    target: str
    name: str = ""  # as the guildfile gives it
    flag_name: str | None = None  # '' for `flag-name: no`
    sha256: str = ""
    unpack: bool | None = None  # None: as the resource says
    type: str = ""  # of an archive: zip, tar, gzip; '' by its name
    select: tuple[str, ...] = ()
    select_min: str = ""
    select_max: str = ""
    rename: tuple[Rename, ...] = ()
    optional: bool = False
    warn_if_empty: bool = True
    fail_if_empty: bool = False
    target_path: str | None = None  # None: as the resource says
    target_type: str | None = None  # copy, link
    preserve_path: bool | None = None
    post_process: str = ""
    replace_existing: bool = False
    always_resolve: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    help: str = ""

    @property
    def uri(self) -> str:
        """`file:data.txt`; that of a URL is the URL itself."""
        return self.target if self.kind == "url" else f"{self.kind}:{self.target}"

    @property
    def resolved_name(self) -> str:
        """The key of this source in the attribute `deps`."""
        return self.name or self.flag_name or self.uri

    @property
    def config_flag(self) -> str | None:
        """The flag that tells another location; None where there is none. A file needs one of its own
        name; an operation always has one, unless it says no."""
        if self.flag_name == "":
            return None
        if self.kind == "operation":
            return self.flag_name or self.name or self.uri
        return self.flag_name


@dataclass(frozen=True)
class Dependency:
    """A resource that an operation requires. `location`: where relative paths of it begin."""

    name: str
    sources: tuple[ResourceSource, ...]
    location: str
    description: str = ""
    target_path: str = ""
    target_type: str = "copy"
    default_unpack: bool = True
    preserve_path: bool = False
    # As the attribute `op` has it: the resource as plain data (`docs/run-directory.md`).
    attr: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimizerDef:
    """An optimizer of an operation: what runs its batches, and that one's flags."""

    name: str
    opspec: str
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    default: bool = False


@dataclass(frozen=True)
class Check:
    """What is expected of a step: `output` matches, or files match `file` (and contain, or equal)."""

    output: str = ""
    file: str = ""
    contains: str = ""
    compare_to: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a workflow. Texts may hold `${flag}` of the workflow. `options`: run options by the names
    of RunOptions (label, tags, gpus, ...), as the guildfile gives them."""

    opspec: str
    name: str
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    batch_files: tuple[str, ...] = ()
    expect: tuple[Check, ...] = ()
    isolate_runs: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpDef:
    """All that is known about one operation before a run of it is made."""

    opref: OpRef
    opspec: str  # as `GUILD_OP` has it: `model:op`, an absolute script path, `queue`
    # Command template: `${flag}`, `${python_exe}`, `${guild_python_exe}`, `${project_dir}`, FLAG_ARGS.
    cmd_args: tuple[str, ...]
    project_dir: str  # absolute; '' for built-in operations
    is_python: bool = False  # a script, `main`, or `exec` of ${python_exe}: gets PYTHONPATH
    flags: tuple[FlagDef, ...] = ()
    flags_dest: str = "args"
    says_dest: bool = False  # the guildfile or the script says so; else it is what is left
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
    requires: tuple[Dependency, ...] = ()
    steps: tuple[Step, ...] = ()
    steps_attr: tuple[Any, ...] = ()  # as the attribute `steps` has them
    optimizers: tuple[OptimizerDef, ...] = ()
    default_max_trials: int | None = None
    can_stage_trials: bool = False  # of an operation that runs batches
    compare: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`op` or `model:op`: how prompts and listings call it."""
        return self.opref.display

    def flag(self, name: str) -> FlagDef | None:
        return next((f for f in self.flags if f.name == name), None)
