"""guild.yml: plain data -> models and OpDefs.

The file's form is read at once; an operation only when it is asked for, so that one that is wrong does not
break the others.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guild.base import files, yamlio
from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops import coerce
from guild.ops.coerce import Entry, Faults
from guild.ops.guildfile_flags import read_flag, read_source_rules
from guild.ops.opdef import FLAG_ARGS, FlagDef, OpDef, SourceRules
from guild.ops.opref import OpRef

PLUGINS = ("cpu", "disk", "memory", "perf")
_OP_ATTRS = (
    "main", "exec", "description", "default", "label", "tags", "env", "env-secrets", "flags", "flags-import",
    "flags-import-skip", "flags-dest", "default-flag-arg-skip", "sourcecode", "output-scalars", "objective",
    "run-attrs", "python-requires", "pip-freeze", "plugins", "delete-on-success", "compare", "python-path",
    "handle-keyboard-interrupt", "default-max-trials", "can-stage-trials", "stoppable", "publish", "name",
)  # fmt: skip
_OP_LATER = ("steps", "requires", "notebook", "optimizer", "optimizers", "flag-encoder", "$include")
_MODEL_ATTRS = (
    "model", "description", "default", "operations", "sourcecode", "flags", "references", "extra", "plugins",
)  # fmt: skip
_MODEL_LATER = ("extends", "params", "operation-defaults", "resources", "python-requires")
_ITEMS_LATER = ("config", "package", "include")


@dataclass(frozen=True)
class OpSummary:
    """An operation as `guild operations` lists it."""

    name: str
    description: str
    default: bool = False


@dataclass(frozen=True)
class ImportSpec:
    """Which flags of the script an operation takes: all, those of a list, or those defined under `flags`."""

    all: bool = False
    names: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    python_path: tuple[str, ...] = ()
    dest: str | None = None
    script: str | None = None  # the module that `main` names


@dataclass(frozen=True)
class Found:
    """An operation as the guildfile has it, before its script's flags are added."""

    opdef: OpDef
    imports: ImportSpec
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    name: str
    entry: Entry
    operations: Mapping[str, Any]
    default: bool = False


@dataclass(frozen=True)
class Guildfile:
    path: Path
    version: str  # md5 of the bytes, as oprefs have it
    models: tuple[Model, ...]

    def operations(self, hidden: bool = False) -> Iterator[OpSummary]:
        """The operations, in the file's order; names that begin with `_` are hidden ones."""
        for model in self.models:
            for name, data in model.operations.items():
                if hidden or not name.startswith("_"):
                    full = f"{model.name}:{name}" if model.name else name
                    yield OpSummary(full, _summary(data), _is_default(data))

    def find(self, model_name: str | None, op_name: str | None) -> Found:
        """The operation of this name; without a name the default one. Raises OperationNotFound,
        GuildfileError for an operation that is wrong."""
        model = self._model(model_name, op_name)
        name = op_name or _default_op(model)
        if name not in model.operations:
            where = f"model '{model.name}'" if model.name else "this project"
            raise OperationNotFound(
                f"operation '{name}' is not defined for {where}", "Try 'guild operations' for a list."
            )
        return _read_operation(self, model, name)

    def _model(self, name: str | None, op: str | None) -> Model:
        if name is None:
            return self._default_model(op)
        matching = [m for m in self.models if name in m.name]
        if len(matching) == 1:
            return matching[0]
        exact = [m for m in matching if m.name == name]
        if exact:
            return exact[0]
        if matching:
            raise OperationNotFound(
                f"there are multiple models that match '{name}'",
                "They are: " + ", ".join(m.name for m in matching),
            )
        raise OperationNotFound(f"cannot find operation {name}:{op or ''}")

    def _default_model(self, op: str | None) -> Model:
        chosen = [m for m in self.models if m.default] or [m for m in self.models if not m.name]
        if len(self.models) == 1:
            chosen = list(self.models)
        if not chosen:
            raise OperationNotFound(
                f"cannot find operation {op}" if op else "cannot find a default operation",
                "Name one with its model: MODEL:OPERATION.",
            )
        return chosen[0]


def _summary(data: Any) -> str:
    if not isinstance(data, Mapping):
        return ""
    return str(data.get("description") or "").strip().split("\n")[0]


def _is_default(data: Any) -> bool:
    return isinstance(data, Mapping) and data.get("default") is True


def _default_op(model: Model) -> str:
    marked = [name for name, data in model.operations.items() if _is_default(data)]
    visible = [name for name in model.operations if not name.startswith("_")]
    if marked:
        return marked[0]
    if len(visible) == 1:
        return visible[0]
    where = f"model '{model.name}'" if model.name else "this project"
    raise OperationNotFound(
        f"a default operation is not defined for {where}", "Try 'guild operations' for a list."
    )


def load_guildfile(path: Path) -> Guildfile:
    """Read a guildfile. Raises GuildfileError naming file and line."""
    try:
        content = files.read_regular(path)
    except OSError as e:
        raise GuildfileError(f"error in {path}: {e.strerror or e}") from None
    try:
        data = yamlio.load(content)
    except yamlio.YAMLError as e:
        at = f"{path}: line {e.line}" if e.line else str(path)
        raise GuildfileError(f"error in {at}: {e}") from None
    faults = Faults(path)
    models = tuple(_models(data, faults))
    faults.raise_any()
    return Guildfile(path, files.md5_bytes(content), models)


def _models(data: Any, faults: Faults) -> Iterator[Model]:
    if data is None:
        return
    if isinstance(data, Mapping):
        if any(key in data for key in ("model", "config", "package", "include")):
            data = [data]
        else:
            entry = Entry({str(k): v for k, v in data.items()}, (), faults)
            yield Model("", entry, entry.data)
            return
    if not isinstance(data, list):
        faults.add((), f"expected a mapping of operations or a list, got {coerce.show(data)}")
        return
    for index, item in enumerate(data):
        model = _model_of(index, item, faults)
        if model is not None:
            yield model


def _model_of(index: int, item: Any, faults: Faults) -> Model | None:
    if not isinstance(item, Mapping):
        faults.add((str(index),), f"expected a mapping, got {coerce.show(item)}")
        return None
    if any(key in item for key in _ITEMS_LATER):
        return None  # nothing that can be run; what names it is refused where it is used
    if "model" not in item and "operations" not in item:
        faults.add((str(index),), "expected one of model, config, package, include")
        return None
    name = str(item.get("model") or "")
    entry = Entry({str(k): v for k, v in item.items()}, (name,) if name else (), faults)
    operations = entry.get("operations", coerce.mapping, coerce.NO_MAP)
    return Model(name, entry, operations, entry.get("default", coerce.boolean, False))


def _read_operation(guildfile: Guildfile, model: Model, name: str) -> Found:
    faults = Faults(guildfile.path)
    data = model.operations[name]
    where = (model.name, "operations", name) if model.name else (name,)
    if isinstance(data, str):
        data = {"main": data}
    parent = Entry({}, where[:-1], faults)
    entry = parent.child(name, data)
    if entry is None:
        faults.raise_any()
        raise GuildfileError(f"error in {guildfile.path}: {name}")  # raise_any has raised
    _refuse_later(guildfile.path, model, entry)
    found = _operation(guildfile, model, name, entry)
    faults.raise_any()
    return found


def _refuse_later(path: Path, model: Model, entry: Entry) -> None:
    """What this version does not have must not be passed over in silence."""
    for attrs, data, where in (
        (_MODEL_LATER, model.entry.data, (model.name,)),
        (_OP_LATER, entry.data, entry.where),
    ):
        for attr in attrs:
            if model.name == "" and data is model.entry.data:
                continue
            if attr in data and data[attr] not in (None, [], {}):
                raise GuildError(f"{path}: {'.'.join((*where, attr))}: '{attr}' is not supported yet")


def _operation(guildfile: Guildfile, model: Model, name: str, entry: Entry) -> Found:
    project = str(guildfile.path.parent)
    main, command = _command(entry, name)
    flags = _flags(entry)
    rules = _source(model, entry)
    dest = entry.get("flags-dest", coerce.text, None) if entry.data.get("flags-dest") else None
    if dest is not None and dest.startswith("config:"):
        raise GuildError(
            f"{guildfile.path}: {'.'.join(entry.where)}.flags-dest: 'config:' is not supported yet"
        )
    opdef = OpDef(
        opref=OpRef("guildfile", str(guildfile.path), guildfile.version, model.name, name),
        opspec=f"{model.name}:{name}" if model.name else name,
        cmd_args=command,
        project_dir=project,
        is_python=main is not None,
        flags=flags,
        flags_dest=dest or "args",
        description=entry.get("description", coerce.text, ""),
        default=entry.get("default", coerce.boolean, False),
        label=entry.get("label", coerce.text, None) if entry.data.get("label") is not None else None,
        tags=entry.get("tags", coerce.texts, coerce.NO_TEXTS),
        env=entry.get("env", coerce.text_map, coerce.NO_MAP),
        env_secrets=entry.get("env-secrets", coerce.texts, coerce.NO_TEXTS),
        sourcecode=rules,
        plugins=(*PLUGINS, "python_script") if main is not None else PLUGINS,
        output_scalars=_output_scalars(entry),
        objective=entry.data.get("objective"),
        delete_on_success=entry.get("delete-on-success", coerce.boolean, False),
        pip_freeze=entry.get("pip-freeze", coerce.boolean, True),
        python_requires=entry.get("python-requires", coerce.text, None)
        if entry.data.get("python-requires")
        else None,
        run_attrs=entry.get("run-attrs", coerce.mapping, coerce.NO_MAP),
        handle_keyboard_interrupt=entry.get("handle-keyboard-interrupt", coerce.boolean, False),
    )
    imports = _import_spec(entry, dest, main)
    warnings = entry.unknown((*_OP_ATTRS, *_OP_LATER))
    if model.name:
        warnings += model.entry.unknown((*_MODEL_ATTRS, *_MODEL_LATER))
    return Found(opdef, imports, tuple(f"{guildfile.path.name}: {w}" for w in warnings))


def _command(entry: Entry, name: str) -> tuple[str | None, tuple[str, ...]]:
    """(module that `main` names, command template). `exec` wins over `main`."""
    words = entry.get("exec", _words, coerce.NO_TEXTS)
    if words:
        return None, tuple(FLAG_ARGS if w == "${flag_args}" else w for w in words)
    words = entry.get("main", _words, coerce.NO_TEXTS) or (name.replace("-", "_"),)
    module = words[0][:-3] if words[0].endswith(".py") else words[0]
    command = ("${python_exe}", "-um", "guild.op_main", module, *words[1:], "--", FLAG_ARGS)
    return module, command


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(coerce.text(v) for v in value)
    try:
        return tuple(shlex.split(coerce.text(value)))
    except ValueError as e:
        raise ValueError(f"cannot be split into words: {e}") from None


def _flags(entry: Entry) -> tuple[FlagDef, ...]:
    flags = []
    parent = entry.child("flags", entry.data.get("flags"))
    skip = entry.get("default-flag-arg-skip", coerce.boolean, False)
    for name, data in (parent.data if parent else {}).items():
        assert parent is not None
        flag = read_flag(parent, name, data)
        if flag is not None:
            flags.append(replace(flag, arg_skip=True) if skip and flag.arg_skip is None else flag)
    return tuple(flags)


def _source(model: Model, entry: Entry) -> SourceRules:
    """The model's rules, then the operation's."""
    rules = SourceRules()
    for owner in (model.entry, entry):
        if owner is model.entry and not model.name:
            continue
        if "sourcecode" in owner.data:
            rules = read_source_rules(owner, owner.data["sourcecode"], rules)
    return rules


def _output_scalars(entry: Entry) -> Any:
    value = entry.data.get("output-scalars")
    return [] if value is False else value


def _import_spec(entry: Entry, dest: str | None, main: str | None) -> ImportSpec:
    value = entry.data.get("flags-import")
    skip = entry.get("flags-import-skip", coerce.texts, coerce.NO_TEXTS)
    names: tuple[str, ...] | None = None
    if value is False:
        names = ()
    elif isinstance(value, list):
        names = entry.get("flags-import", coerce.texts, coerce.NO_TEXTS)
    elif value not in (None, True, "all", "yes"):
        entry.get("flags-import", coerce.one_of("all", "yes", "no"), "")
    return ImportSpec(
        all=value in (True, "all", "yes"),
        names=names,
        skip=skip,
        python_path=entry.get("python-path", coerce.texts, coerce.NO_TEXTS),
        dest=dest,
        script=main,
    )
