"""One operation of a guildfile: its attributes -> an OpDef and what to import from its script."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guild.errors import GuildError
from guild.ops import coerce
from guild.ops.coerce import Entry, Faults, Where
from guild.ops.found import PLUGINS, PYTHON_PLUGINS, Found, ImportSpec
from guild.ops.guildfile_flags import flag_warnings, read_flag
from guild.ops.guildfile_source import read_source_rules
from guild.ops.opdef import FLAG_ARGS, FlagDef, OpDef, SourceRules
from guild.ops.opref import OpRef

# The last line: known to Guild 0.9, and without effect on a single run. Its `plugins` neither adds nor
# removes any of those that are recorded.
_ATTRS = (
    "main", "exec", "description", "default", "label", "tags", "env", "env-secrets", "flags", "flags-import",
    "flags-import-skip", "flags-dest", "default-flag-arg-skip", "sourcecode", "output-scalars", "objective",
    "run-attrs", "python-requires", "pip-freeze", "delete-on-success", "python-path",
    "handle-keyboard-interrupt", "plugins", "compare", "default-max-trials", "can-stage-trials", "stoppable",
    "publish", "optimizer", "optimizers", "flag-encoder", "name", "references", "extra",
)  # fmt: skip
# Without these the operation would be another one, so it is refused.
_LATER = {
    "steps": "steps are not supported yet",
    "requires": "dependencies are not supported yet",
    "notebook": "notebooks are not supported yet",
    "$include": "'$include' is not supported yet",
}
_DEST = re.compile(r"args|args:click|globals|none|(global|dict|namespace|config):.+", re.DOTALL)
# Attributes that Guild itself writes (`docs/run-directory.md`).
_CORE_ATTRS = {
    *("id", "initialized", "started", "stopped", "exit_status", "cmd", "flags", "user_flags", "label"),
    *("tags", "marked", "comments", "op", "run_params", "random_seed", "deps", "env", "host", "user"),
    *("platform", "plugins", "sourcecode_digest", "vcs_commit", "pip_freeze", "max_trials", "objective"),
    *("stage_trials", "trials", "steps"),
}


def read_operation(path: Path, version: str, model: str, attrs: Entry, name: str, entry: Entry) -> Found:
    """The operation `name` of a model (whose own attributes are `attrs`) from its entry in the guildfile.

    What is wrong goes to the entry's faults. Raises GuildError for what is not supported yet.
    """
    _refuse_later(path, entry)
    main, command = _command(entry, name)
    flags, said = _flags(entry)
    dest = entry.maybe("flags-dest", _dest)
    run_attrs, warnings = _run_attrs(path, entry)
    get, maybe = entry.get, entry.maybe
    opdef = OpDef(
        opref=OpRef("guildfile", str(path), version, model, name),
        opspec=f"{model}:{name}" if model else name,
        cmd_args=command,
        project_dir=str(path.parent),
        is_python=main is not None,
        flags=flags,
        flags_dest=dest or "args",
        description=get("description", coerce.text, ""),
        default=get("default", coerce.boolean, False),
        label=maybe("label", coerce.text),
        tags=get("tags", coerce.texts, coerce.NO_TEXTS),
        env=get("env", coerce.env, coerce.NO_MAP),
        env_secrets=get("env-secrets", coerce.texts, coerce.NO_TEXTS),
        sourcecode=read_source_rules(entry, read_source_rules(attrs, SourceRules())),
        plugins=PYTHON_PLUGINS if main is not None else PLUGINS,
        output_scalars=[] if (scalars := entry.data.get("output-scalars")) is False else scalars,
        objective=maybe("objective", _objective),
        delete_on_success=get("delete-on-success", coerce.boolean, False),
        pip_freeze=get("pip-freeze", coerce.boolean, True),
        python_requires=maybe("python-requires", coerce.text) or attrs.maybe("python-requires", coerce.text),
        run_attrs=run_attrs,
        handle_keyboard_interrupt=get("handle-keyboard-interrupt", coerce.boolean, False),
    )
    return Found(opdef, replace(_import_spec(entry, dest), script=main, said=said), warnings)


def operation_warnings(data: Any, where: Where) -> list[str]:
    """A warning for each attribute of an operation, or of its flags, that nobody knows."""
    if not isinstance(data, Mapping):
        return []
    entry = Entry({str(k): v for k, v in data.items()}, where, Faults(Path()))
    flags = entry.data.get("flags")
    found = entry.unknown((*_ATTRS, *_LATER))
    if isinstance(flags, Mapping):
        found += flag_warnings(Entry({str(k): v for k, v in flags.items()}, (*where, "flags"), entry.faults))
    return found


def _refuse_later(path: Path, entry: Entry) -> None:
    """What this version does not have must not be passed over in silence."""
    flags = entry.data.get("flags")
    found: list[tuple[Where, str]] = []
    for attr, text in _LATER.items():
        # Steps beside a command have no effect, as in Guild 0.9.
        if entry.data.get(attr) and not (attr == "steps" and {"main", "exec"} & set(entry.data)):
            found.append(((attr,), text))
    if isinstance(flags, Mapping) and "$include" in flags:
        found.append((("flags", "$include"), _LATER["$include"]))
    if str(entry.data.get("flags-dest")).startswith("config:"):
        found.append((("flags-dest",), "flags that go to a config file are not supported yet"))
    for at, text in found:
        where = ".".join(str(part) for part in (*entry.where, *at))
        raise GuildError(f"{path.name}: {where}: {text}")


def _command(entry: Entry, name: str) -> tuple[str | None, tuple[str, ...]]:
    """(module that `main` names, command template). `exec` wins over `main`."""
    if entry.data.get("exec") is not None:
        words = entry.get("exec", _words, coerce.NO_TEXTS)
        return None, tuple(FLAG_ARGS if word == "${flag_args}" else word for word in words)
    default: tuple[str, ...] = (name.replace("-", "_"),)
    module, *args = entry.get("main", _words, default)
    module = module.removesuffix(".py")
    return module, ("${python_exe}", "-um", "guild.op_main", module, *args, "--", FLAG_ARGS)


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
    return tuple(flags), said


def _dest(value: Any) -> str:
    if not isinstance(value, str) or not _DEST.fullmatch(value):
        raise ValueError(
            "expected one of args, args:click, globals, global:NAME, dict:NAME, namespace:NAME, none, "
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


def _run_attrs(path: Path, entry: Entry) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """(the attributes that may be set, warnings for the others)."""
    given = entry.get("run-attrs", coerce.mapping, coerce.NO_MAP)
    core = [name for name in given if name in _CORE_ATTRS]
    where = ".".join(str(part) for part in (*entry.where, "run-attrs"))
    warnings = [f"{path.name}: {where}: '{name}' is an attribute of Guild's own, ignored" for name in core]
    return {k: v for k, v in given.items() if k not in core}, tuple(warnings)


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
