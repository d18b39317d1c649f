"""guild.yml: plain data -> models, and the operations in them.

The file's form is read at once; an operation (`operation.py`) only when it is asked for, so that one that is
wrong does not break the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guild.base import files
from guild.errors import GuildError, OperationNotFound
from guild.ops import coerce
from guild.ops.coerce import Entry, Faults, Place, Where
from guild.ops.found import Found
from guild.ops.includes import Item, Package, read_items
from guild.ops.operation import read_operation

# Loaded for files with inheritance only.
if TYPE_CHECKING:
    from guild.ops.inherit import Fault
    from guild.ops.trees import Tree

MODEL_ATTRS = (
    "model", "description", "default", "operations", "sourcecode", "flags", "references", "extra", "plugins",
    "python-requires", "resources", "extends", "params", "operation-defaults",
)  # fmt: skip
_INHERITING = ("extends", "params", "operation-defaults")


@dataclass(frozen=True)
class OpSummary:
    """An operation as `guild operations` lists it: `op` or `model:op`. `fault`: why it cannot be run."""

    name: str
    description: str
    default: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Model:
    """Operations by name, as plain data. `name` is empty for those that belong to no model.

    `faults` concern all operations, those of `of_op` one each.
    """

    name: str
    attrs: Mapping[str, Any]
    operations: Mapping[str, Any]
    where: Where
    at: Where  # of the operations
    default: bool = False
    faults: "Sequence[Fault]" = ()
    of_op: "Mapping[str, Sequence[Fault]]" = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return f"model '{self.name}'" if self.name else "this project"

    def full_name(self, op: str) -> str:
        return f"{self.name}:{op}" if self.name else op

    @property
    def description(self) -> str:
        return _text(self.attrs.get("description"))

    @property
    def references(self) -> tuple[str, ...]:
        found = self.attrs.get("references")
        return tuple(map(_text, found)) if isinstance(found, list) else ()

    def summary(self, op: str) -> str:
        """The first line of an operation's description."""
        return _summary(self.operations[op])

    def resources(self) -> dict[str, str]:
        """The names of its resources and the first lines of their descriptions."""
        found = self.attrs.get("resources")
        return {str(k): _summary(v) for k, v in found.items()} if isinstance(found, Mapping) else {}

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
    package: Package | None = None
    item_warnings: tuple[str, ...] = ()
    # Where data that was put together from several places stands; None where there is no such data.
    locate: Callable[[Where], Place] | None = None

    def operations(self, hidden: bool = False) -> list[OpSummary]:
        """The operations, in the file's order; those whose names begin with `_` only with `hidden`."""
        return [
            OpSummary(m.full_name(name), _summary(data), _is_default(data))
            for m in self.models
            for name, data in m.operations.items()
            if hidden or not name.startswith("_")
        ]

    def check(self) -> tuple[list[OpSummary], tuple[str, ...]]:
        """All operations, each read to the end, those that cannot be run with a fault; and warnings of what
        else is strange about the file."""
        found: list[OpSummary] = []
        warnings = list(self.item_warnings)
        for model, name, made in self._each():
            data = model.operations[name]
            fault = made.message if isinstance(made, GuildError) else self._unnamable(model, name)
            found.append(OpSummary(model.full_name(name), _summary(data), _is_default(data), fault))
            warnings += made.warnings if isinstance(made, Found) else ()
        return found, tuple(dict.fromkeys(warnings))

    def _unnamable(self, model: Model, name: str) -> str:
        """What is wrong with a name that `guild run` cannot be told."""
        for what, text, bad in (("model", model.name, "/:"), ("operation", name, "/:=")):
            held = [c for c in bad if c in text]
            if held or text.startswith("@") or (what == "operation" and not text.strip()):
                why = f"holds '{held[0]}'" if held else "cannot be typed"
                return f"error in {self.path}: {what} '{text}' cannot be run, since its name {why}"
        return ""

    def _each(self) -> Iterator[tuple[Model, str, Found | GuildError]]:
        for model in self.models:
            for name in model.operations:
                try:
                    yield model, name, self.read(model, name)
                except GuildError as e:
                    yield model, name, e

    def find(self, model_name: str | None, op_name: str | None) -> Found:
        """The operation of this name; without a name the default one.

        Raises OperationNotFound; GuildfileError for an operation that is wrong; GuildError for one that
        needs what is not supported.
        """
        model = self.model(model_name, op_name)
        name = op_name or model.default_op()
        if name is None:
            raise OperationNotFound(
                f"a default operation is not defined for {model.shown}", self._hint(model, "")
            )
        if name not in model.operations:
            raise OperationNotFound(
                f"operation '{name}' is not defined for {model.shown}", self._hint(model, name)
            )
        found = self.read(model, name)
        return replace(found, warnings=(*self.item_warnings, *found.warnings))

    def read(self, model: Model, name: str) -> Found:
        """An operation of a model. Raises GuildfileError, GuildError."""
        faults = Faults(self.path, locate=self.locate)
        faults.placed += [*model.faults, *model.of_op.get(name, ())]
        attrs = Entry(model.attrs, model.where, faults)
        if not model.attrs.keys() <= {"operations"}:
            _check_model(attrs)
        data = model.operations[name]
        if not isinstance(data, str | Mapping):
            faults.add((*model.at, name), f"expected a text or a mapping, got {coerce.show(data)}")
            raise faults.error()
        entry = coerce.entry_of({"main": data} if isinstance(data, str) else data, (*model.at, name), faults)
        if entry is None:
            raise faults.error()
        found = read_operation(
            self.path, self.version, model.name, attrs, name, entry, lambda res: self._resource(model, res)
        )
        faults.raise_any()
        return replace(found, warnings=(*faults.warnings(), *found.warnings))

    def _resource(self, model: Model, name: str) -> tuple[Any, Where] | None:
        """The resource `res` of a model, or `model:res` of another one: its data and where they stand."""
        of, _, own = name.rpartition(":")
        holder = next((m for m in self.models if m.name == of), None) if ":" in name else model
        resources = holder.attrs.get("resources") if holder is not None else None
        if holder is None or not isinstance(resources, Mapping) or own not in resources:
            return None
        return resources[own], (*holder.where, "resources", own)

    def model(self, name: str | None, op: str | None) -> Model:
        """The only model whose name contains `name`, else the one that is called so; without a name the
        default one; for an empty one the nameless, else the default one. Raises OperationNotFound, with
        `op` to say what was looked for."""
        if not name:
            nameless = [m for m in self.models if not m.name] if name is not None else []
            return nameless[0] if nameless else self._default_model(op)
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
        of = f" {model.name}" if model is not None and model.name else ""
        lines.append(f"Try 'guild operations{of}' for a list of available operations.")
        return "\n".join(lines)


def _summary(data: Any) -> str:
    """The first line of the description."""
    described = data.get("description") if isinstance(data, Mapping) else None
    return _text(described).partition("\n")[0]


def _text(value: Any) -> str:
    return str(value if value is not None else "").strip()


def _is_default(data: Any) -> bool:
    return isinstance(data, Mapping) and data.get("default") is True


# Reading.


def _check_model(attrs: Entry) -> None:
    """Faults and warnings of a model's own attributes, but for those that its operations read."""
    attrs.warn_unknown(MODEL_ATTRS)
    attrs.get("description", coerce.text, "")
    attrs.get("references", coerce.texts, coerce.NO_TEXTS)
    attrs.get("extra", coerce.mapping, coerce.NO_MAP)
    attrs.get("resources", coerce.mapping, coerce.NO_MAP)


def load_guildfile(path: Path) -> Guildfile:
    """Read a guildfile. Raises GuildfileError naming file and line of all that is wrong with its form."""
    read = read_items(path)
    faults = Faults(path)
    if _inherits(path, read.content, read.items):
        models = _with_inherited(read.items, faults)
    else:
        models = [_model(item, item.data, item.where, faults) for item in read.items if item.kind == "model"]
    faults.raise_any()
    version = files.md5_bytes(read.content)
    return Guildfile(path, version, tuple(models), read.package, read.warnings, faults.locate)


def _inherits(path: Path, content: bytes, items: Sequence[Item]) -> bool:
    """Whether any data of the file may be put together from several places."""
    return b"$include" in content or any(
        item.path is not path or any(attr in item.data for attr in _INHERITING) for item in items
    )


def _with_inherited(items: Sequence[Item], faults: Faults) -> list[Model]:
    from guild.ops.inherit import Named, inherit
    from guild.ops.trees import place_of, plain

    roots: dict[str | int, Tree] = {}

    def locate(where: Where) -> Place:
        tree = roots.get(where[0]) if where else None
        return place_of(tree, where[1:]) if tree is not None else (faults.path, where)

    faults.locate = locate
    made = inherit([Named(item.kind, item.name, _tree(item)) for item in items])
    models = []
    for n, (item, inherited) in enumerate(zip((i for i in items if i.kind == "model"), made, strict=True)):
        roots[item.name or n] = inherited.tree
        model = _model(replace(item, bare=False), plain(inherited.tree), (item.name or n,), faults)
        models.append(replace(model, faults=inherited.faults, of_op=inherited.of_op))
    return models


def _tree(item: Item) -> "Tree":
    from guild.ops.trees import Tree, tree_of

    if item.bare:
        return Tree(None, item.path, (), {"operations": tree_of(item.data["operations"], item.path, ())})
    return tree_of(item.data, item.path, item.where)


def _model(item: Item, data: Mapping[str, Any], where: Where, faults: Faults) -> Model:
    attrs = Entry(data, where, faults)
    operations = attrs.get("operations", coerce.mapping, coerce.NO_MAP)
    at = where if item.bare else (*where, "operations")
    return Model(item.name, data, operations, where, at, attrs.get("default", coerce.boolean, False))
