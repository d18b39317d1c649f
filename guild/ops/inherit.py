"""What the items of a guildfile take from each other: `extends`, `params`, `operation-defaults` and
`$include`. Pure: trees in, trees and faults out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from guild.ops.coerce import Place, nearest, show
from guild.ops.trees import INCLUDE, Tree, fill, filled, merge, plain, spelled_out

INHERITED = frozenset((
    "description", "extra", "flags", "operation-defaults", "operations", "params", "references", "resources",
    "sourcecode",
))  # fmt: skip
Fault = tuple[Place, str]

_REFERENCE = re.compile(r"(?:(?P<model>[^:#]*):(?P<op>[^:#]+)|(?P<config>[^:#]+))(?:#(?P<names>[^#]*))?")


class Named(NamedTuple):
    """A model or a config, as its file has it."""

    kind: str
    name: str
    tree: Tree


@dataclass
class Inherited:
    """A model with all that it takes from others. `of_op`: the faults that concern one operation only."""

    tree: Tree
    faults: list[Fault] = field(default_factory=list)
    of_op: dict[str, list[Fault]] = field(default_factory=dict)


class _Reference(NamedTuple):
    """`CONFIG#a,b` or `MODEL:OP#a,b`."""

    text: str
    place: Place
    config: str | None
    model: str | None
    op: str | None
    names: tuple[str, ...]


def inherit(items: Sequence[Named]) -> list[Inherited]:
    """The models among the items, in their order, each with what it extends and includes."""
    family = _Family(items)
    found = []
    for item in items:
        if item.kind == "model":
            made = family.shaped(item)
            found.append(Inherited(made.tree, list(made.faults)))
    for item, made in zip((i for i in items if i.kind == "model"), found, strict=True):
        operations = made.tree.part("operations")
        whole = {}
        for name in operations.parts if operations is not None and operations.parts is not None else ():
            made.of_op[name] = []
            whole[name] = family.operation(item, name, made.of_op[name])
        if operations is not None and whole:
            made.tree = made.tree.put({"operations": operations.put(whole)})
    return found


class _Family:
    """All items, and what is known of them so far."""

    def __init__(self, items: Sequence[Named]) -> None:
        self.items = items
        self._extended: dict[tuple[str, str], Inherited] = {}
        self._shaped: dict[tuple[str, str], Inherited] = {}

    def named(self, name: str, other_than: Named | None = None, kind: str = "") -> Named | None:
        """The item of this name; a config before a model."""
        having = [i for i in self.items if i.name == name and kind in ("", i.kind) and i is not other_than]
        return next((i for i in having if i.kind == "config"), having[0] if having else None)

    def near(self, name: str, *others: str) -> str:
        """A hint: what may have been meant."""
        near = nearest(name, [*(i.name for i in self.items), *others])
        return f" (did you mean '{near}'?)" if near else ""

    # `extends`.

    def extended(self, item: Named, trail: tuple[Named, ...] = ()) -> Inherited:
        """The item over all that it extends, the first of several before the others."""
        key = (item.kind, item.name)
        if key in self._extended:
            return self._extended[key]
        own = Inherited(item.tree)
        over: Tree | None = None
        for parent in self._parents(item, own.faults):
            if parent is item or parent in trail:
                circle = (*trail, item)
                chain = " -> ".join(i.name for i in (*circle[circle.index(parent) :], parent))
                own.faults.append((_at(item.tree, "extends"), f"a circle of 'extends' ({chain})"))
                continue
            above = self.extended(parent, (*trail, item))
            own.faults += [fault for fault in above.faults if fault not in own.faults]
            taken = above.tree.only(INHERITED)
            over = taken if over is None else merge(over, taken, "model")
        if over is not None:
            own.tree = merge(item.tree, over, "model")
        if not any("circle" in text for _, text in own.faults):
            self._extended[key] = own
        return own

    def _parents(self, item: Named, faults: list[Fault]) -> list[Named]:
        tree = item.tree.part("extends")
        value = plain(tree) if tree is not None else None
        names = value if isinstance(value, list) else [value] if value is not None else []
        found = []
        for name in names:
            parent = self.named(name, item) if isinstance(name, str) else None
            if isinstance(name, str) and name == item.name and parent is None:
                parent = item
            if parent is not None:
                found.append(parent)
                continue
            said = f"no model or config '{name}'{self.near(name)}" if isinstance(name, str) else ""
            if said and "/" in name:
                said = f"'{name}' is of a package, and packages are not supported"
            faults.append((_at(item.tree, "extends"), said or f"expected a name, got {show(name)}"))
        return found

    # `params`, `$include` of operations, `operation-defaults`.

    def shaped(self, item: Named, trail: tuple[Named, ...] = ()) -> Inherited:
        """The item with its parameters filled in and with all its operations."""
        key = (item.kind, item.name)
        if key in self._shaped:
            return self._shaped[key]
        extended = self.extended(item)
        made = Inherited(extended.tree, list(extended.faults))
        params = self.params(item, made.faults)
        made.tree = fill(made.tree, params)
        operations = made.tree.part("operations")
        if operations is not None and operations.part(INCLUDE) is not None:
            operations = self._with_included(item, operations, params, made.faults, (*trail, item))
        defaults = made.tree.part("operation-defaults")
        if defaults is not None and defaults.parts is None and defaults.value is not None:
            text = f"expected a mapping, got {show(defaults.value)}"
            made.faults.append((defaults.place, text))
        if operations is not None and operations.parts is not None:
            given = (defaults.parts or {}) if defaults is not None else {}
            made.tree = made.tree.put({"operations": operations.put(_defaulted(operations.parts, given))})
        self._shaped[key] = made
        return made

    def params(self, item: Named, faults: list[Fault]) -> Mapping[str, object]:
        """The parameters, which may hold each other."""
        tree = self.extended(item).tree.part("params")
        params = plain(tree) if tree is not None else None
        if tree is None or params is None:
            return {}
        if not isinstance(params, dict):
            faults.append((tree.place, f"expected a mapping, got {show(params)}"))
            return {}
        for _ in range(len(params) + 1):
            before, params = params, {k: filled(v, params) for k, v in params.items()}
            if before == params:
                return params
        faults.append((tree.place, "these parameters hold each other in a circle"))
        return {}

    def _with_included(
        self, item: Named, operations: Tree, params: Mapping[str, object], faults: list[Fault],
        trail: tuple[Named, ...],
    ) -> Tree:  # fmt: skip
        base = replace(operations, parts={})
        for ref in _references(operations, faults):
            source = self._source(ref, item, faults)
            if source is None or source is item:
                continue
            if source in trail:
                chain = " -> ".join(i.name for i in (*trail[trail.index(source) :], source))
                faults.append((ref.place, f"a circle of '{INCLUDE}' ({chain})"))
                continue
            if source.kind == "config":
                raw = self.extended(source).tree
                theirs = fill(raw, {**self.params(source, []), **params}).part("operations")
                if theirs is not None and theirs.part(INCLUDE) is not None:
                    theirs = self._with_included(source, theirs, params, faults, (*trail, source))
            else:
                made = self.shaped(source, trail)
                faults += [fault for fault in made.faults if fault not in faults]
                theirs = made.tree.part("operations")
            if theirs is None or theirs.parts is None:
                continue
            names = (ref.op,) if ref.op is not None else ref.names or tuple(theirs.parts)
            _check_names(ref, names, theirs, "operation", faults)
            base = merge(theirs.only(set(names) - {INCLUDE}), base, "operations")
        return merge(operations.without(INCLUDE), base, "operations")

    def _source(self, ref: _Reference, item: Named, faults: list[Fault]) -> Named | None:
        """The item that a reference names; a fault where there is none."""
        name = ref.config if ref.config is not None else ref.model or ""
        kind = "model" if ref.model is not None else ""
        found = self.named(name, kind=kind) or (item if ref.model == "" else None)
        if found is None:
            what = "model" if kind else "model or config"
            ops = item.tree.part("operations")
            ours = f"{item.name}:{name}"
            if not kind and ops is not None and name in (ops.parts or {}):
                faults.append((ref.place, f"no {what} '{name}' (did you mean '{ours}'?)"))
            else:
                faults.append((ref.place, f"no {what} '{name}'{self.near(name)}"))
        return found

    # `$include` of flags.

    def operation(
        self, item: Named, name: str, faults: list[Fault], trail: tuple[tuple[str, str], ...] = ()
    ) -> Tree:
        """An operation of a model, with the flags that it includes."""
        tree = self.shaped(item).tree.part("operations", name)
        assert tree is not None
        flags = tree.part("flags")
        if flags is None or flags.part(INCLUDE) is None:
            return tree
        made = self._flags(item, flags, faults, (*trail, (item.name, name)))
        return tree.put({"flags": made})

    def _flags(
        self, item: Named, flags: Tree, faults: list[Fault], trail: tuple[tuple[str, str], ...]
    ) -> Tree:
        base = replace(flags, parts={})
        for ref in _references(flags, faults):
            source = self._source(ref, item, faults)
            theirs = self._included_flags(ref, item, source, faults, trail) if source is not None else None
            if theirs is None or theirs.parts is None:
                continue
            names = ref.names or tuple(theirs.parts)
            _check_names(ref, names, theirs, "flag", faults)
            base = merge(theirs.only(set(names) - {INCLUDE}), base, "flags")
        return merge(flags.without(INCLUDE), base, "flags")

    def _included_flags(
        self, ref: _Reference, item: Named, source: Named, faults: list[Fault],
        trail: tuple[tuple[str, str], ...],
    ) -> Tree | None:  # fmt: skip
        step = (source.name, ref.op or "")
        if step in trail:
            circle = (*trail[trail.index(step) :], step)
            chain = " -> ".join(":".join(part for part in each if part) for each in circle)
            faults.append((ref.place, f"a circle of '{INCLUDE}' ({chain})"))
            return None
        if ref.op is not None:
            operations = self.shaped(source).tree.part("operations")
            if operations is None or operations.part(ref.op) is None:
                near = nearest(ref.op, (operations.parts or {}) if operations is not None else ())
                hint = f" (did you mean '{source.name}:{near}'?)" if near else ""
                faults.append((ref.place, f"no operation '{ref.op}' in model '{source.name}'{hint}"))
                return None
            return self.operation(source, ref.op, faults, trail).part("flags")
        params = {**self.params(source, []), **self.params(item, [])}
        flags = fill(self.extended(source).tree, params).part("flags")
        if flags is not None and flags.part(INCLUDE) is not None:
            flags = self._flags(source, flags, faults, (*trail, step))
        return flags


def _at(tree: Tree, name: str) -> Place:
    found = tree.part(name)
    return found.place if found is not None else tree.place


def _defaulted(operations: Mapping[str, Tree], defaults: Mapping[str, Tree]) -> dict[str, Tree]:
    """Operations with attributes that they do not have themselves."""
    found = {}
    for name, tree in operations.items():
        long = spelled_out(tree, "op") if defaults else tree
        found[name] = long.put({**defaults, **long.parts}) if long.parts is not None and defaults else long
    return found


def _references(parent: Tree, faults: list[Fault]) -> list[_Reference]:
    """What `$include` of a mapping names."""
    tree = parent.part(INCLUDE)
    value = plain(tree) if tree is not None else None
    found = []
    for text in value if isinstance(value, list) else [value]:
        if tree is None or text is None:
            continue
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            forms = "CONFIG, CONFIG#NAME,... or MODEL:OPERATION"
            faults.append((tree.place, f"expected {forms}, got {show(text)}"))
            continue
        names = tuple(name.strip() for name in (match["names"] or "").split(",") if name.strip())
        found.append(_Reference(match[0], tree.place, match["config"], match["model"], match["op"], names))
    return found


def _check_names(ref: _Reference, names: Sequence[str], source: Tree, what: str, faults: list[Fault]) -> None:
    for name in names:
        if name not in (source.parts or {}):
            near = nearest(name, [n for n in source.parts or {} if isinstance(n, str)])
            hint = f" (did you mean '{near}'?)" if near else ""
            faults.append((ref.place, f"'{ref.text}': no {what} '{name}'{hint}"))
