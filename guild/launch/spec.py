"""RunSpec: the complete, frozen description of a run. `build` is pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from guild.launch.command import cmd_flags_to_attr, flag_env, render_command
from guild.launch.dependency_attr import to_attr
from guild.launch.label import render_label
from guild.ops.flags import Assignment, with_undefined
from guild.ops.opdef import OpDef

STOP_GRACE = 30.0  # seconds between SIGTERM and SIGKILL
QUEUE_GRACE = 15.0  # what a queue gets on top, to end its own runs first


@dataclass(frozen=True)
class RunRequest:
    """What the user typed about a run, apart from the operation's flags."""

    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    gpus: str | None = None  # '' for --no-gpus
    stop_after: float | None = None  # minutes
    keep_run: bool = False
    random_seed: int | None = None
    force_deps: bool = False
    env: Mapping[str, str] = field(default_factory=dict)  # for this run: breakpoints and the like
    debug_source: str = ""  # a directory whose modules are run instead of the copies of them
    params: Mapping[str, Any] = field(default_factory=dict)  # the attribute run_params


@dataclass(frozen=True)
class Place:
    """Where guild is and runs: the directory of the command, the interpreters, our entry on PYTHONPATH."""

    cmd_dir: str
    python_exe: str
    guild_python_exe: str
    guild_path: str


@dataclass(frozen=True)
class RunSpec:
    opdef: OpDef
    flags: Mapping[str, Any]
    user_flags: Mapping[str, Any]
    argv: tuple[str, ...]
    own_env: Mapping[str, str]  # of the operation: its `env`, FLAG_*, what Guild bakes in
    cmd_env: Mapping[str, str]  # the same as recorded: templates, without FLAG_*
    interpreter: str  # that argv begins with; '' where it begins with none
    label: str
    label_template: str | None
    place: Place
    request: RunRequest

    @property
    def plugins(self) -> tuple[str, ...]:
        return self.opdef.plugins


def build(opdef: OpDef, flags: Assignment, request: RunRequest, place: Place) -> RunSpec:
    """Compile an operation and its flags to what will be run."""
    opdef = replace(opdef, flags=with_undefined(opdef.flags, flags.values))
    template = label_template(opdef, request)
    variables = {
        "python_exe": place.python_exe,
        "guild_python_exe": place.guild_python_exe,
        "project_dir": opdef.project_dir,
    }
    argv = render_command(opdef.cmd_args, flags.values, opdef.flags, opdef.flags_dest, variables)
    cmd_env = _cmd_env(opdef, request, place)
    rendered = {
        name: render_command([value], flags.values, (), "args", variables)[0] if "${" in value else value
        for name, value in cmd_env.items()
    }
    python = place.python_exe if opdef.is_python else ""
    return RunSpec(
        opdef=opdef,
        flags=flags.values,
        user_flags=flags.user,
        argv=tuple(argv),
        own_env={**rendered, **flag_env(opdef.flags, flags.values)},
        cmd_env=cmd_env,
        interpreter=python if argv and argv[0] == python else "",
        label=render_label(template, flags.values),
        label_template=template,
        place=place,
        request=request,
    )


def label_template(opdef: OpDef, request: RunRequest) -> str | None:
    """`--label`; with `--tag` and no label, the tags and the default label; else the operation's."""
    if request.label is not None:
        return request.label
    if request.tags:
        return " ".join([*request.tags, "${default_label}"])
    return opdef.label


def _cmd_env(opdef: OpDef, request: RunRequest, place: Place) -> dict[str, str]:
    env = {k: str(v) for k, v in opdef.env.items()}
    env["PROJECT_DIR"] = opdef.project_dir
    env["GUILD_PLUGINS"] = ",".join(opdef.plugins)
    if opdef.is_python:
        env["PYTHONPATH"] = f"{request.debug_source or opdef.sourcecode.dest}:{place.guild_path}"
    if opdef.says_dest:
        env["FLAGS_DEST"] = opdef.flags_dest
    if opdef.handle_keyboard_interrupt:
        env["HANDLE_KEYBOARD_INTERRUPT"] = "1"
    if request.gpus is not None:
        env["CUDA_VISIBLE_DEVICES"] = request.gpus
    return {**env, **request.env}


def op_attr(spec: RunSpec) -> dict[str, Any]:
    """The attribute `op`: Guild 0.9's recipe for starting the run again (`docs/run-directory.md`)."""
    opdef = spec.opdef
    source: dict[str, Any] = {"dest": opdef.sourcecode.dest}
    if opdef.sourcecode.root:
        source["root"] = opdef.sourcecode.root
    cmd_flags = cmd_flags_to_attr(opdef.flags)
    return {
        "delete-on-success": opdef.delete_on_success and not spec.request.keep_run,
        "deps": to_attr(opdef.requires, spec.flags),
        "flag-null-labels": {f.name: f.null_label for f in opdef.flags if f.null_label},
        "flags-extra": {name: {"name": name} for name in dependency_flag_names(opdef)},
        "label-template": spec.label_template,
        "op-cmd": {
            "cmd-args": list(opdef.cmd_args),
            "cmd-env": dict(spec.cmd_env),
            **({"cmd-flags": cmd_flags} if cmd_flags else {}),
            "flags-dest": opdef.flags_dest,
        },
        "output-scalars": opdef.output_scalars,
        "python-requires": opdef.python_requires,
        "sourcecode": source,
    }


def dependency_flag_names(opdef: OpDef) -> list[str]:
    """The flags that say where a dependency comes from."""
    return [s.config_flag for d in opdef.requires for s in d.sources if s.config_flag]


def run_environ(run_dir: str, run_id: str, home: str, opspec: str, cmd_dir: str, dest: str) -> dict[str, str]:
    """The run's own variables, the last word in its environment."""
    return {
        "RUN_DIR": run_dir,
        "RUN_ID": run_id,
        "GUILD_HOME": home,
        "GUILD_OP": opspec,
        "GUILD_SOURCECODE": dest,
        "CMD_DIR": cmd_dir,
        "LOG_LEVEL": "20",
    }
