"""One operation of a guildfile: its attributes -> an OpDef and what to import from its script."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guild.errors import GuildError
from guild.ops import coerce
from guild.ops.coerce import Entry, Where
from guild.ops.found import PLUGINS, PYTHON_PLUGINS, Found, ImportSpec
from guild.ops.guildfile_flags import read_flag, warn_flags
from guild.ops.guildfile_source import read_source_rules
from guild.ops.opdef import (
    FLAG_ARGS,
    PYTHON_EXES,
    Dependency,
    FlagDef,
    OpDef,
    OptimizerDef,
    ResourceSource,
    SourceRules,
)
from guild.ops.opref import OpRef

# Of the last line: known to Guild 0.9, and without effect on a single run. Its `plugins` neither adds nor
# removes any of those that are recorded.
OP_ATTRS = (
    "main", "exec", "steps", "notebook", "description", "default", "label", "tags", "env", "env-secrets",
    "flags", "flags-import", "flags-import-skip", "flags-dest", "default-flag-arg-skip", "requires",
    "sourcecode", "output-scalars", "objective", "run-attrs", "python-requires", "pip-freeze",
    "delete-on-success", "python-path", "handle-keyboard-interrupt", "compare", "default-max-trials",
    "can-stage-trials", "optimizer", "optimizers", "references",
    "plugins", "stoppable", "publish", "flag-encoder", "name", "extra",
)  # fmt: skip
_CONFIG = "config:"
_STEPS = ("${guild_python_exe}", "-um", "guild.steps_main")
# The data and place of a resource, by `res` or `model:res`.
FindResource = Callable[[str], tuple[Any, Where] | None]
_DEST = re.compile(r"args|args:click|globals|none|(global|dict|namespace|config):.+", re.DOTALL)
# Attributes that Guild itself writes (`docs/run-directory.md`).
_CORE_ATTRS = {
    *("id", "initialized", "started", "stopped", "exit_status", "cmd", "flags", "user_flags", "label"),
    *("tags", "marked", "comments", "op", "run_params", "random_seed", "deps", "env", "host", "user"),
    *("platform", "plugins", "sourcecode_digest", "vcs_commit", "pip_freeze", "max_trials", "objective"),
    *("stage_trials", "trials", "steps"),
}


def read_operation(
    path: Path,
    version: str,
    model: str,
    attrs: Entry,
    name: str,
    entry: Entry,
    find_resource: FindResource = lambda name: None,
) -> Found:
    """The operation `name` of a model (whose own attributes are `attrs`) from its entry in the guildfile.

    What is wrong, or strange, goes to the entry's faults. Raises GuildError for what is not supported.
    """
    entry.warn_unknown(OP_ATTRS)
    what = _kind(path, entry)
    main, command = _command(entry, name, what)
    is_python = main is not None or (what == "exec" and bool(command) and command[0] in PYTHON_EXES)
    flags, said = _flags(entry)
    dest = entry.maybe("flags-dest", _dest)
    opdef = OpDef(
        opref=OpRef("guildfile", str(path), version, model, name),
        opspec=f"{model}:{name}" if model else name,
        cmd_args=command,
        project_dir=str(path.parent),
        is_python=is_python,
        flags=flags,
        flags_dest=dest or "args",
        sourcecode=read_source_rules(entry, read_source_rules(attrs, SourceRules())),
        plugins=PYTHON_PLUGINS if is_python or what == "steps" else PLUGINS,
        python_requires=entry.maybe("python-requires", coerce.text)
        or attrs.maybe("python-requires", coerce.text),
        requires=_requires(entry, str(path.parent), dest, find_resource),
    )
    opdef = _with_attributes(opdef, entry)
    if what == "steps":
        opdef = _with_steps(opdef, entry)
    return Found(opdef, replace(_import_spec(entry, dest), script=main, said=said))


def _with_attributes(opdef: OpDef, entry: Entry) -> OpDef:
    """With those attributes that stand for themselves."""
    get, maybe = entry.get, entry.maybe
    scalars = entry.data.get("output-scalars")
    if not (scalars is None or scalars is False or isinstance(scalars, list)):
        scalars = [scalars]
    return replace(
        opdef,
        description=get("description", coerce.text, ""),
        default=get("default", coerce.boolean, False),
        label=maybe("label", coerce.text),
        tags=get("tags", coerce.texts, coerce.NO_TEXTS),
        env=get("env", coerce.env, coerce.NO_MAP),
        env_secrets=get("env-secrets", coerce.texts, coerce.NO_TEXTS),
        output_scalars=[] if scalars is False else scalars,
        objective=maybe("objective", _objective),
        delete_on_success=get("delete-on-success", coerce.boolean, False),
        pip_freeze=get("pip-freeze", coerce.boolean, True),
        run_attrs=_run_attrs(entry),
        handle_keyboard_interrupt=get("handle-keyboard-interrupt", coerce.boolean, False),
        optimizers=_optimizers(entry),
        default_max_trials=maybe("default-max-trials", coerce.count),
        can_stage_trials=get("can-stage-trials", coerce.boolean, False),
        compare=get("compare", coerce.texts, coerce.NO_TEXTS),
        references=get("references", coerce.texts, coerce.NO_TEXTS),
    )


def _kind(path: Path, entry: Entry) -> str:
    """What the operation runs: exec, steps or main. Of several the first of exec, main, steps counts."""
    given = [attr for attr in ("exec", "main", "steps") if entry.data.get(attr) is not None]
    for attr in given[1:]:
        entry.faults.warn((*entry.where, attr), f"'{attr}' has no effect beside '{given[0]}'")
    if not given and entry.data.get("notebook") is not None:
        where = ".".join(str(part) for part in (*entry.where, "notebook"))
        raise GuildError(
            f"{path.name}: {where}: notebooks need a plugin that is not there",
            "Convert it ('jupyter nbconvert --to script') and name the script with 'main'.",
        )
    return given[0] if given else "main"


def _command(entry: Entry, name: str, what: str) -> tuple[str | None, tuple[str, ...]]:
    """(module that `main` names, command template)."""
    if what == "steps":
        return None, _STEPS
    if what == "exec":
        words = entry.get("exec", _words, coerce.NO_TEXTS)
        return None, tuple(FLAG_ARGS if word == "${flag_args}" else word for word in words)
    default: tuple[str, ...] = (name.removesuffix(".py").replace("-", "_"),)
    module, *args = entry.get("main", _words, default)
    module = module.removesuffix(".py")
    head = ("${python_exe}", "-um", "guild.op_main", module)
    if "${flag_args}" in args:  # their place is given
        return module, (*head, *(FLAG_ARGS if word == "${flag_args}" else word for word in args))
    return module, (*head, *args, "--", FLAG_ARGS)


def _with_steps(opdef: OpDef, entry: Entry) -> OpDef:
    from guild.ops.guildfile_steps import read_steps

    raw = entry.data["steps"]
    return replace(
        opdef,
        steps=read_steps(entry),
        steps_attr=tuple(raw) if isinstance(raw, list) else (raw,),
        sourcecode=replace(opdef.sourcecode, disabled=True),
    )


def _requires(
    entry: Entry, location: str, dest: str | None, find_resource: FindResource
) -> tuple[Dependency, ...]:
    """What the operation needs; the config file that its flags go to comes last."""
    found: tuple[Dependency, ...] = ()
    if entry.data.get("requires") is not None:
        from guild.ops.guildfile_requires import read_requires

        found = read_requires(entry, location, find_resource)
    if dest is not None and dest.startswith(_CONFIG):
        source = ResourceSource(
            "config", dest.removeprefix(_CONFIG), replace_existing=True, always_resolve=True
        )
        attr = {"config": source.target, "replace-existing": True, "always-resolve": True}
        found += (Dependency(dest, (source,), location, attr={"sources": [attr]}),)
    return found


def _optimizers(entry: Entry) -> tuple[OptimizerDef, ...]:
    if entry.data.get("optimizer") is None and entry.data.get("optimizers") is None:
        return ()
    from guild.ops.guildfile_optimizers import read_optimizers

    return read_optimizers(entry)


def _words(value: Any) -> tuple[str, ...]:
    """The words of a command: those of a list, or of a text as the shell splits it."""
    try:
        words = coerce.texts(value) if isinstance(value, list) else shlex.split(coerce.text(value))
    except ValueError as e:
        if isinstance(value, str):
            raise ValueError(f"cannot be split into words: {e}") from None
        raise
    if not words or not words[0]:
        raise ValueError("the command is empty")
    return tuple(words)


def _flags(entry: Entry) -> tuple[tuple[FlagDef, ...], Mapping[str, frozenset[str]]]:
    """The flags, and which attributes of each the guildfile gives."""
    parent = entry.child("flags", entry.data.get("flags"))
    skip = entry.get("default-flag-arg-skip", coerce.boolean, False)
    flags, said = [], {}
    for name, data in (parent.data if parent is not None else {}).items():
        found = read_flag(parent, name, data) if parent is not None else None
        if found is not None:
            flag, said[name] = found
            flags.append(replace(flag, arg_skip=True) if skip and flag.arg_skip is None else flag)
    if parent is not None:
        warn_flags(parent)
    return tuple(flags), said


def _dest(value: Any) -> str:
    if not isinstance(value, str) or not _DEST.fullmatch(value):
        raise ValueError(
            "expected one of args, args:click, globals, global:NAME, dict:NAME, namespace:NAME, config:FILE, "
            "none, "
            f"got {coerce.show(value)}"
        )
    return value


def _objective(value: Any) -> str:
    """As runs record it: `loss`, or `-acc` where more is better."""
    if not isinstance(value, Mapping):
        return coerce.text(value)
    if set(value) == {"minimize"}:
        return coerce.text(value["minimize"])
    if set(value) == {"maximize"}:
        return f"-{coerce.text(value['maximize'])}"
    raise ValueError(f"expected a text, or one of minimize, maximize, got {coerce.show(value)}")


def _run_attrs(entry: Entry) -> Mapping[str, Any]:
    """The attributes that may be set; a warning for each of the others."""
    given = entry.get("run-attrs", coerce.mapping, coerce.NO_MAP)
    for name in given:
        if name in _CORE_ATTRS:
            text = f"'{name}' is an attribute of Guild's own, ignored"
            entry.faults.warn((*entry.where, "run-attrs"), text)
    return {k: v for k, v in given.items() if k not in _CORE_ATTRS}


def _import_spec(entry: Entry, dest: str | None) -> ImportSpec:
    return ImportSpec(
        all=entry.data.get("flags-import") in (True, "all", "yes"),
        names=entry.maybe("flags-import", _import_names),
        skip=entry.get("flags-import-skip", coerce.texts, coerce.NO_TEXTS),
        python_path=entry.get("python-path", coerce.texts, coerce.NO_TEXTS),
        dest=dest,
    )


def _import_names(value: Any) -> tuple[str, ...]:
    if value is True or value is False or value in ("all", "yes", "no"):
        return ()
    if not isinstance(value, list):
        raise ValueError(f"expected yes, all, no, or a list of flag names, got {coerce.show(value)}")
    return coerce.texts(value)
