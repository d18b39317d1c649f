"""guild.yml: plain data -> models, and the operations in them.

The file's form is read at once; an operation (`operation.py`) only when it is asked for, so that one that is
wrong does not break the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guild.base import files, yamlio
from guild.errors import GuildError, GuildfileError, OperationNotFound
from guild.ops import coerce
from guild.ops.coerce import Entry, Faults, Where
from guild.ops.found import Found
from guild.ops.operation import operation_warnings, read_operation

_MODEL_ATTRS = (
    "model", "description", "default", "operations", "sourcecode", "flags", "references", "extra", "plugins",
    "python-requires", "resources",
)  # fmt: skip
_MODEL_LATER = ("extends", "params", "operation-defaults")
# Items of a list that hold no operation of their own.
_ITEMS_LATER = ("config", "package", "include")
_ITEMS = ("model", *_ITEMS_LATER)


@dataclass(frozen=True)
class OpSummary:
    """An operation as `guild operations` lists it: `op` or `model:op`."""

    name: str
    description: str
    default: bool = False


@dataclass(frozen=True)
class Model:
    """Operations by name, as plain data. `name` is empty for those that belong to no model."""

    name: str
    attrs: Entry
    operations: Mapping[str, Any]
    at: Where  # of the operations, in the file
    default: bool = False

    @property
    def shown(self) -> str:
        return f"model '{self.name}'" if self.name else "this project"

    def default_op(self) -> str | None:
        """The operation with `default: yes`, else the only one whose name does not begin with `_`."""
        marked = [name for name, data in self.operations.items() if _is_default(data)]
        visible = [name for name in self.operations if not name.startswith("_")]
        return marked[0] if marked else visible[0] if len(visible) == 1 else None


@dataclass(frozen=True)
class Guildfile:
    path: Path
    version: str  # md5 of the bytes, as oprefs have it
    models: tuple[Model, ...]
    left_out: tuple[str, ...] = ()  # what this version does not read, for hints

    @property
    def warnings(self) -> tuple[str, ...]:
        """Attributes that nobody knows, of the whole file."""
        return tuple(
            warning
            for model in self.models
            for warning in (
                *self._model_warnings(model),
                *(w for op, data in model.operations.items() for w in self._op_warnings(model, op, data)),
            )
        )

    def operations(self, hidden: bool = False) -> list[OpSummary]:
        """The operations, in the file's order; those whose names begin with `_` only with `hidden`."""
        return [
            OpSummary(f"{m.name}:{name}" if m.name else name, _summary(data), _is_default(data))
            for m in self.models
            for name, data in m.operations.items()
            if hidden or not name.startswith("_")
        ]

    def find(self, model_name: str | None, op_name: str | None) -> Found:
        """The operation of this name; without a name the default one.

        Raises OperationNotFound; GuildfileError for an operation that is wrong; GuildError for one that
        needs what is not supported yet.
        """
        model = self._model(model_name, op_name)
        name = op_name or model.default_op()
        if name is None:
            raise OperationNotFound(
                f"a default operation is not defined for {model.shown}", self._hint(model, "")
            )
        if name not in model.operations:
            raise OperationNotFound(
                f"operation '{name}' is not defined for {model.shown}", self._hint(model, name)
            )
        for attr in _MODEL_LATER:
            if model.attrs.data.get(attr):
                at = ".".join(str(part) for part in (*model.attrs.where, attr))
                raise GuildError(f"{self.path.name}: {at}: '{attr}' is not supported yet")
        faults = Faults(self.path)
        attrs = Entry(model.attrs.data, model.attrs.where, faults)
        data = model.operations[name]
        entry = coerce.entry_of({"main": data} if isinstance(data, str) else data, (*model.at, name), faults)
        if entry is None:
            raise faults.error()
        found = read_operation(self.path, self.version, model.name, attrs, name, entry)
        faults.raise_any()
        warnings = (*self._model_warnings(model), *self._op_warnings(model, name, data))
        return replace(found, warnings=(*warnings, *found.warnings))

    def _model(self, name: str | None, op: str | None) -> Model:
        """Of the given models: the only one whose name contains `name`, else the one that is called so."""
        if name is None:
            return self._default_model(op)
        matching = [m for m in self.models if name in m.name]
        exact = [m for m in matching if m.name == name]
        if len(matching) == 1 or exact:
            return (exact or matching)[0]
        if matching:
            names = "\n".join(f"  {m.name}" for m in matching)
            raise OperationNotFound(
                f"there are multiple models that match '{name}'",
                f"Try specifying one of the following:\n{names}",
            )
        raise OperationNotFound(f"cannot find operation {name}:{op or ''}", self._hint(None, ""))

    def _default_model(self, op: str | None) -> Model:
        chosen = [m for m in self.models if m.default] or [m for m in self.models if not m.name]
        if len(self.models) == 1:
            chosen = list(self.models)
        if chosen:
            return chosen[0]
        if op is None:
            raise OperationNotFound("cannot find a default operation", self._hint(None, ""))
        having = [f"{m.name}:{op}" for m in self.models if op in m.operations]
        hint = f"Did you mean {' or '.join(having)}?\n" if having else ""
        raise OperationNotFound(
            f"cannot find operation {op}",
            f"{hint}You may need to include a model in the form MODEL:OPERATION. {self._hint(None, '')}",
        )

    def _hint(self, model: Model | None, name: str) -> str:
        near = coerce.nearest(name, model.operations) if model is not None and name else None
        lines = [f"Did you mean '{near}'?"] if near else []
        lines.append("Try 'guild operations' for a list of available operations.")
        if self.left_out:
            lines.append(f"Not supported yet, so left out: {', '.join(self.left_out)}.")
        return "\n".join(lines)

    def _model_warnings(self, model: Model) -> list[str]:
        known = (*_MODEL_ATTRS, *_MODEL_LATER)
        return [f"{self.path.name}: {text}" for text in model.attrs.unknown(known)]

    def _op_warnings(self, model: Model, name: str, data: Any) -> list[str]:
        return [f"{self.path.name}: {text}" for text in operation_warnings(data, (*model.at, name))]


def _summary(data: Any) -> str:
    """The first line of the description."""
    described = data.get("description") if isinstance(data, Mapping) else None
    return str(described or "").strip().partition("\n")[0]


def _is_default(data: Any) -> bool:
    return isinstance(data, Mapping) and data.get("default") is True


# Reading.


def load_guildfile(path: Path) -> Guildfile:
    """Read a guildfile. Raises GuildfileError naming file and line of all that is wrong with its form."""
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
    left_out: list[str] = []
    models = tuple(_models(data, faults, left_out))
    faults.raise_any()
    return Guildfile(path, files.md5_bytes(content), models, tuple(left_out))


def _models(data: Any, faults: Faults, left_out: list[str]) -> Iterator[Model]:
    if data is None:
        return
    if isinstance(data, Mapping):
        # An operation may be called `model`, too; it is a mapping then.
        if not any(isinstance(data.get(key), str | list) for key in _ITEMS):
            yield Model("", Entry({}, (), faults), _operations(data, (), faults, left_out), ())
            return
        data = [data]
    if not isinstance(data, list):
        faults.add((), f"expected a mapping of operations or a list, got {coerce.show(data)}")
        return
    names: set[str] = set()
    for index, item in enumerate(data):
        model = _model_of(index, item, faults, left_out)
        if model is not None and model.name in names:
            faults.add((index,), f"duplicate model '{model.name}'")
        elif model is not None:
            names.add(model.name)
            yield model


def _model_of(index: int, item: Any, faults: Faults, left_out: list[str]) -> Model | None:
    attrs = coerce.entry_of(item, (index,), faults)
    if attrs is None:
        return None
    kinds = [key for key in _ITEMS if key in attrs.data]
    if len(kinds) > 1:
        faults.add((index,), f"expected one of {', '.join(_ITEMS)}, got {' and '.join(kinds)}")
        return None
    if kinds and kinds[0] in _ITEMS_LATER:
        # Of no concern to the operations of other items, unless they name it, which is refused there.
        if kinds[0] == "include":
            left_out.append("include")
        return None
    if not kinds and "operations" not in attrs.data:
        faults.add((index,), f"expected one of {', '.join(_ITEMS)}")
        return None
    name = attrs.get("model", coerce.text, "")
    attrs = Entry(attrs.data, (name,) if name else (index,), faults)
    at = (*attrs.where, "operations")
    operations = _operations(attrs.data.get("operations"), at, faults, left_out)
    return Model(name, attrs, operations, at, attrs.get("default", coerce.boolean, False))


def _operations(data: Any, at: Where, faults: Faults, left_out: list[str]) -> Mapping[str, Any]:
    entry = coerce.entry_of(data, at, faults)
    operations = {}
    for name, value in (entry.data if entry is not None else {}).items():
        if name == "$include":
            left_out.append("operations of $include")
        elif isinstance(value, str | Mapping):
            operations[name] = value
        else:
            faults.add((*at, name), f"expected a text or a mapping, got {coerce.show(value)}")
    return operations
