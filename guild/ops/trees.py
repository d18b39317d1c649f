"""Plain data that remembers where each part of it stands in which file, so that what is inherited from
elsewhere can be merged, filled in and still be found again. Pure.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guild.ops.coerce import Place, Where

INCLUDE = "$include"
_PARAM = re.compile(r"\{\{\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*\}\}")
_MAX_DEPTH = 50  # YAML can hold mappings that hold themselves

# Which values are operations and flags: these may be short for a mapping with one attribute.
_LEVELS: Mapping[str, Mapping[Any, str]] = {
    "model": {"operations": "operations", "flags": "flags", "operation-defaults": "op"},
    "op": {"flags": "flags"},
}
_EACH = {"operations": "op", "flags": "flag"}
_SHORT_FOR = {"op": "main", "flag": "default"}


@dataclass(frozen=True)
class Tree:
    """A value and its place. `parts`: the values of a mapping; None for anything else."""

    value: Any
    path: Path
    where: Where
    parts: Mapping[Any, "Tree"] | None = None

    def part(self, *names: str) -> "Tree | None":
        """The value below these names."""
        tree: Tree | None = self
        for name in names:
            tree = tree.parts.get(name) if tree is not None and tree.parts is not None else None
        return tree

    def put(self, parts: "Mapping[Any, Tree]") -> "Tree":
        """With other values for some names."""
        return replace(self, parts={**(self.parts or {}), **parts})

    def only(self, names: Set[Any]) -> "Tree":
        return replace(self, parts={k: v for k, v in (self.parts or {}).items() if k in names})

    def without(self, name: str) -> "Tree":
        return replace(self, parts={k: v for k, v in (self.parts or {}).items() if k != name})

    @property
    def place(self) -> Place:
        return self.path, self.where


def tree_of(value: Any, path: Path, where: Where, depth: int = 0) -> Tree:
    """The tree of plain data that stands at `where` of `path`."""
    if not isinstance(value, Mapping) or depth >= _MAX_DEPTH:
        return Tree(value, path, where)
    parts = {k: tree_of(v, path, (*where, _name(k)), depth + 1) for k, v in value.items()}
    return Tree(None, path, where, parts)


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


def plain(tree: Tree) -> Any:
    """The data without the places."""
    return tree.value if tree.parts is None else {k: plain(v) for k, v in tree.parts.items()}


def place_of(tree: Tree, rest: Where) -> Place:
    """Where the part `rest` of a tree stands; what is not a part of it stands below the last one that is."""
    for n, name in enumerate(rest):
        found = tree.parts.get(name) if tree.parts is not None else None
        if found is None:
            return tree.path, (*tree.where, *rest[n:])
        tree = found
    return tree.place


def merge(child: Tree, parent: Tree, level: str = "plain") -> Tree:
    """The child, completed from the parent: of two mappings every part, else the child's value.

    `level`: what the values are (model, operations, op, flags, flag); a text for an operation is its `main`,
    a bare value for a flag its default.
    """
    child, parent = spelled_out(child, level), spelled_out(parent, level)
    if parent.parts is not None and child.parts is None and child.value is None and level != "plain":
        return parent
    if child.parts is None or parent.parts is None:
        return child
    parts = dict(parent.parts)
    for name, mine in child.parts.items():
        if name not in parts:
            parts[name] = mine
        elif name == INCLUDE:
            parts[name] = _both(parts[name], mine)
        else:
            parts[name] = merge(mine, parts[name], _level_below(level, name))
    return replace(child, parts=parts)


def spelled_out(tree: Tree, level: str) -> Tree:
    """An operation or a flag in its long form; anything else as it is."""
    short = _SHORT_FOR.get(level)
    if short is None or tree.parts is not None or (level == "op" and not isinstance(tree.value, str)):
        return tree
    return Tree(None, tree.path, tree.where, {short: tree})


def _level_below(level: str, name: Any) -> str:
    return _EACH.get(level) or _LEVELS.get(level, {}).get(name, "plain")


def _both(first: Tree, second: Tree) -> Tree:
    """Two values of `$include` as one list; the later of its items prevail."""
    values = [v if isinstance(v, list) else [v] for v in (first.value, second.value) if v is not None]
    return replace(second, value=[item for value in values for item in value])


def fill(tree: Tree, params: Mapping[str, Any]) -> Tree:
    """With `{{ name }}` replaced in every text."""
    if not params:
        return tree
    if tree.parts is None:
        value = filled(tree.value, params)
        return tree if value is tree.value else tree_of(value, tree.path, tree.where)
    return replace(tree, parts={k: fill(v, params) for k, v in tree.parts.items()})


def filled(value: Any, params: Mapping[str, Any], depth: int = 0) -> Any:
    """Plain data with its texts filled in. A text that is nothing but `{{ name }}` becomes the parameter's
    value, of whatever type; what is no parameter stays as it is written."""
    if isinstance(value, str):
        return _filled_text(value, params) if "{{" in value else value
    if depth >= _MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [filled(v, params, depth + 1) for v in value]
    if isinstance(value, Mapping):
        return {k: filled(v, params, depth + 1) for k, v in value.items()}
    return value


def _filled_text(text: str, params: Mapping[str, Any]) -> Any:
    whole = _PARAM.fullmatch(text)
    if whole is not None:
        return params.get(whole[1], text)
    return _PARAM.sub(lambda m: str(params[m[1]]) if m[1] in params else m[0], text)
