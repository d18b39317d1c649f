"""Recipe: all that a supervisor needs to execute a prepared run, from the run directory alone.

`.guild/recipe.json` is read without YAML and without the project. It names the digests of the attributes
`op` and `flags` that it was made from: where they no longer fit (Guild 0.9 has restarted the run), or there
is no recipe (Guild 0.9 has made it), the recipe is rebuilt from the attributes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any

from guild.base import files, jsonio
from guild.errors import GuildError
from guild.launch import environ as env_rules
from guild.launch.command import cmd_flags_from_attr, flag_env, render_command
from guild.launch.dependency_attr import from_attr
from guild.launch.frozen_opdef import read_opdef, read_plan
from guild.launch.job import BatchPlan
from guild.launch.spec import Place, RunSpec
from guild.launch.switches import with_switches
from guild.launch.upstream import upstream_ids
from guild.ops.flags import with_undefined
from guild.ops.opdef import PYTHON_EXE, PYTHON_EXES, FlagDef, OpDef, SourceRules, Step
from guild.runs import layout, older
from guild.runs.run import Run

VERSION = 1


@dataclass(frozen=True)
class Recipe:
    argv: tuple[str, ...]
    own_env: Mapping[str, str]
    interpreter: str = ""
    is_python: bool = False
    opspec: str = ""
    cmd_dir: str = ""
    dest: str = "."
    output_scalars: Any = None
    flag_names: tuple[str, ...] = ()
    stop_after: float | None = None  # minutes
    delete_on_success: bool = False
    pip_freeze: bool = False
    env_secrets: tuple[str, ...] = ()
    more_env: Mapping[str, str] = field(default_factory=dict)  # recorded, with names that no shell can export
    opdef: OpDef | None = field(default=None)
    force_deps: bool = False
    upstream: tuple[str, ...] = ()  # runs that must have ended before this one can start
    batch: BatchPlan | None = None

    @property
    def is_rebuilt(self) -> bool:
        """Whether it comes from the attributes, which do not say where the command was typed."""
        return not self.cmd_dir


def from_spec(spec: RunSpec, environ: Mapping[str, str], batch: BatchPlan | None = None) -> Recipe:
    """`environ`: that of a staging, of which `.guild/ENV` holds what a shell can take."""
    opdef = spec.opdef
    more = {k: v for k, v in env_rules.without_run(environ).items() if not env_rules.is_exportable(k)}
    return Recipe(
        argv=spec.argv,
        own_env=spec.own_env,
        interpreter=spec.interpreter,
        is_python=opdef.is_python,
        opspec=opdef.opspec,
        cmd_dir=spec.place.cmd_dir,
        dest=spec.request.debug_source or opdef.sourcecode.dest,
        output_scalars=opdef.output_scalars,
        flag_names=tuple(spec.flags),
        stop_after=spec.request.stop_after,
        delete_on_success=opdef.delete_on_success and not spec.request.keep_run,
        pip_freeze=opdef.is_python and opdef.pip_freeze,
        env_secrets=opdef.env_secrets,
        more_env=env_rules.recorded(more, opdef.env_secrets),
        opdef=opdef,
        force_deps=spec.request.force_deps,
        upstream=upstream_ids(opdef.requires, spec.flags),
        batch=batch,
    )


def write(run: Run, recipe: Recipe) -> None:
    """Write the recipe beside the attributes that it was made from, which must be there already."""
    data = {"format": VERSION, "digests": _digests(run), **asdict(recipe)}
    text = json.dumps(data, default=_plain)
    files.write_whole(run.guild_dir / layout.RECIPE, text.encode("utf-8", "surrogatepass"))


def read(run: Run, place: Place) -> Recipe:
    """The recipe of a run; rebuilt from its attributes where it is missing, damaged or out of date.

    Raises GuildError where the attributes do not tell how to start the run.
    """
    return _recorded(run) or _rebuilt(run, place)


def tells_flags(run: Run) -> bool:
    """Whether the recipe says what the flags take. Not where Guild 0.9 has made the run, or restarted it."""
    return _recorded(run) is not None


def _recorded(run: Run) -> Recipe | None:
    """The recipe as it was written, if it belongs to what the attributes say now."""
    try:
        data = jsonio.load(files.read_regular(run.guild_dir / layout.RECIPE), object_hook=_revive)
        if data.get("format") == VERSION and data.get("digests") == _digests(run):
            return _from_json(data)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        pass
    return None


def upstream_of(run: Run) -> tuple[str, ...]:
    """The ids of runs that must have ended before this one can start; none where that cannot be told."""
    try:
        data = jsonio.load(files.read_regular(run.guild_dir / layout.RECIPE))
        if data.get("digests") == _digests(run):
            return tuple(str(r) for r in data.get("upstream") or ())
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    return upstream_ids(from_attr(run.map_attr("op").get("deps")), run.map_attr("flags"))


def _digests(run: Run) -> dict[str, str]:
    return {name: _digest(run, name) for name in ("op", "flags")}


def _digest(run: Run, name: str) -> str:
    try:
        return files.md5_bytes(files.read_regular(run.guild_dir / layout.ATTRS / name))
    except OSError:
        return ""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"__datetime__": value.isoformat()}
    if isinstance(value, date):
        return {"__date__": value.isoformat()}
    raise TypeError(f"not JSON: {value!r}")


def _revive(data: dict[str, Any]) -> Any:
    if "__datetime__" in data:
        return datetime.fromisoformat(data["__datetime__"])
    return date.fromisoformat(data["__date__"]) if "__date__" in data else data


def _from_json(data: dict[str, Any]) -> Recipe:
    known = {f.name: data[f.name] for f in fields(Recipe) if f.name in data}
    for name in ("argv", "flag_names", "env_secrets", "upstream"):
        known[name] = tuple(known.get(name) or ())
    opdef, batch = known.pop("opdef", None), known.pop("batch", None)
    return Recipe(
        **known,
        opdef=None if opdef is None else read_opdef(opdef),
        batch=None if batch is None else read_plan(batch),
    )


def _rebuilt(run: Run, place: Place) -> Recipe:
    """From `attrs/op` and `attrs/flags`, as Guild 0.9 and earlier ones write them: without flag types."""
    op, flags = older.op_of(run), run.map_attr("flags")
    cmd = _map(op.get("op-cmd"))
    if not cmd.get("cmd-args"):
        raise _unknown(run)
    dest, params = str(_map(op.get("sourcecode")).get("dest") or "."), run.map_attr("run_params")
    env = {str(k): str(v) for k, v in _map(cmd.get("cmd-env")).items()}
    # Those that --force-flags let in are not described, and passed as any.
    defs = with_undefined(cmd_flags_from_attr(_map(cmd.get("cmd-flags"))), map(str, flags))
    template = [str(arg) for arg in cmd["cmd-args"]]
    defs = with_switches(defs, flags, template, [str(word) for word in run.list_attr("cmd")])
    variables = {
        "python_exe": _recorded_python(run, template) or place.python_exe,
        "guild_python_exe": place.guild_python_exe,
        "project_dir": env.get("PROJECT_DIR", ""),
    }
    flags_dest = str(cmd.get("flags-dest") or "args")
    argv = render_command(template, flags, defs, flags_dest, variables)
    rendered = {k: render_command([v], flags, (), "args", variables)[0] for k, v in env.items()}
    is_python = _is_python(template)
    return Recipe(
        argv=tuple(argv),
        own_env={**rendered, **flag_env(defs, flags)},
        interpreter=variables["python_exe"] if template[0] == PYTHON_EXE else "",
        is_python=is_python,
        opspec=str(params.get("opspec") or (run.opref.display if run.opref else "")),
        dest=dest,
        output_scalars=op.get("output-scalars"),
        flag_names=tuple(str(name) for name in flags),
        stop_after=_number(params.get("stop_after")),
        delete_on_success=op.get("delete-on-success") is True,
        pip_freeze=is_python,
        opdef=_bare_opdef(run, defs, template, flags_dest, env, op, is_python, dest),
        force_deps=params.get("force_deps") is True,
        upstream=upstream_ids(from_attr(op.get("deps")), flags),
    )


def _is_python(template: Sequence[str]) -> bool:
    """Whether a command of Guild 0.9 is a Python program of the user's, not one of Guild's own."""
    if "guild.op_main" in template:
        return True
    return template[0] in PYTHON_EXES and not any(word.startswith("guild.") for word in template)


def _unknown(run: Run) -> GuildError:
    text = f"run {run.id} cannot be started: its attribute 'op' does not say how"
    if run.map_attr("opdef"):
        return GuildError(text, "Guild before 0.7 did not record it. Run the operation anew in its project.")
    return GuildError(text, f"See '{run.guild_dir / layout.ATTRS / 'op'}'.")


def _bare_opdef(
    run: Run,
    defs: tuple[FlagDef, ...],
    template: list[str],
    flags_dest: str,
    env: dict[str, str],
    op: dict[str, Any],
    is_python: bool,
    dest: str,
) -> OpDef | None:
    """The operation as far as the attributes tell it, for a restage with other flag values."""
    if run.opref is None:
        return None
    baked = {"PYTHONPATH", "PROJECT_DIR", "GUILD_PLUGINS", "FLAGS_DEST", "CUDA_VISIBLE_DEVICES"}
    if not is_python and env.get("PYTHONPATH") == dest:
        baked.remove("PYTHONPATH")
    return OpDef(
        opref=run.opref,
        opspec=run.opref.display,
        cmd_args=tuple(template),
        project_dir=env.get("PROJECT_DIR", ""),
        is_python=is_python,
        flags=defs,
        flags_dest=flags_dest,
        says_dest="FLAGS_DEST" in env,
        label=op.get("label-template"),
        env={k: v for k, v in env.items() if k not in baked},
        sourcecode=SourceRules(dest=dest),
        plugins=tuple(p for p in env.get("GUILD_PLUGINS", "").split(",") if p),
        output_scalars=op.get("output-scalars"),
        delete_on_success=op.get("delete-on-success") is True,
        requires=from_attr(op.get("deps")),
        steps=_steps(run),
        steps_attr=tuple(run.list_attr("steps")),
    )


def _steps(run: Run) -> tuple[Step, ...]:
    """The steps of a workflow that Guild 0.9 has made. Raises GuildError for what are none."""
    steps = run.list_attr("steps")
    if not steps:
        return ()
    from guild.ops.coerce import Entry, Faults
    from guild.ops.guildfile_steps import read_steps

    faults = Faults(run.guild_dir / layout.ATTRS / "steps")
    found = read_steps(Entry({"steps": steps}, (), faults))
    faults.raise_any()
    return found


def _recorded_python(run: Run, template: list[str]) -> str:
    """The interpreter that the recorded command begins with, where the template begins with one."""
    cmd = run.list_attr("cmd")
    return str(cmd[0]) if cmd and template[0] == PYTHON_EXE else ""


def _map(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
