"""Flags from the global variables of a script, found by reading it."""

import ast
import shlex
from collections.abc import Mapping
from typing import Any

from guild.ops.opdef import FlagDef

_NOTHING = object()  # of an expression: its value is known only when it runs
_NAMESPACES = ("SimpleNamespace", "Namespace", "dict")


class NoFlags(Exception):
    """A script that has no flags to be read, and why."""


def parse(source: bytes, name: str) -> ast.Module:
    """The syntax tree of a script. Raises NoFlags."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the script's own, shown when it runs
            return ast.parse(source, name)
    except SyntaxError as e:
        at = f"line {e.lineno}: " if e.lineno else ""
        raise NoFlags(f"{at}{e.msg}") from None
    except (ValueError, RecursionError, MemoryError) as e:
        raise NoFlags(str(e) or type(e).__name__) from None


def dest_of(tree: ast.Module) -> str:
    """Where a script takes its flags, by what it imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    if "argparse" in names:
        return "args"
    return "args:click" if "click" in names else "globals"


def global_flags(tree: ast.Module, dest: str) -> list[FlagDef]:
    """Of each variable the first assignment at the top level, if it is of a plain value: the default, and
    its type the flag's. Lists become blank-joined texts that are split again.

    `dest` is `globals`, or names the variable whose members are the flags. Raises NoFlags where that is
    neither a dict nor a SimpleNamespace.
    """
    values = _assigned(tree)
    kind, _, variable = dest.partition(":")
    if kind in ("global", "dict", "namespace"):
        nested = values.get(variable)
        if not isinstance(nested, dict):
            raise NoFlags(f"'{variable}' is neither a dict nor a SimpleNamespace")
        values = _flatten(nested)
    return [f for f in (_flag(name, value) for name, value in values.items()) if f is not None]


def _assigned(tree: ast.Module) -> dict[str, Any]:
    """The values of the first assignments; `_NOTHING` where a later one would undo what is preset."""
    values: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            values.setdefault(node.target.id, _NOTHING)
        elif isinstance(node, ast.Assign):
            value = _value(node.value)
            for target in node.targets:
                if isinstance(target, ast.Name) and not target.id.startswith("_"):
                    values.setdefault(target.id, value)
    return values


def _value(node: ast.expr) -> Any:
    """The value of a literal, a mapping for `SimpleNamespace(a=1)`, else `_NOTHING`."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        named = [(k.value, v) for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str)]
        return {name: _value(v) for name, v in named}
    if isinstance(node, ast.Call) and not node.args:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in _NAMESPACES:
            return {k.arg: _value(k.value) for k in node.keywords if k.arg is not None}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _NOTHING


def _flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _flag(name: str, value: Any) -> FlagDef | None:
    if isinstance(value, bool):
        return FlagDef(name, default=value, type="boolean")
    if isinstance(value, int | float):
        return FlagDef(name, default=value, type="number")
    if isinstance(value, str):
        return FlagDef(name, default=value, type="string")
    if isinstance(value, list) and all(v is None or isinstance(v, bool | int | float | str) for v in value):
        return FlagDef(name, default=" ".join(_word(v) for v in value), arg_split=True)
    return FlagDef(name) if value is None else None


def _word(value: Any) -> str:
    return "null" if value is None else shlex.quote(str(value))
