"""Flags and source code rules of a guildfile."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry
from guild.ops.opdef import Choice, FlagDef, SelectRule, SourceRules

_TYPES = ("string", "int", "float", "number", "boolean", "path", "existing-path", "auto")
_FLAG_ATTRS = (
    "default", "description", "type", "required", "choices", "allow-other", "min", "max", "alias", "arg-name",
    "arg-skip", "arg-switch", "arg-split", "arg-encoding", "env-encoding", "env-name", "null-label",
    "distribution",
)  # fmt: skip


def read_flag(parent: Entry, name: str, data: Any) -> FlagDef | None:
    """One flag: attributes, or a bare value, its default. None where there is a fault."""
    if not isinstance(data, Mapping):
        return FlagDef(name, default=_default(data))
    entry = parent.child(name, data)
    if entry is None:
        return None
    has = entry.data.get
    return FlagDef(
        name,
        default=_default(has("default")),
        description=entry.get("description", coerce.text, ""),
        type=entry.get("type", coerce.one_of(*_TYPES), "") or None,
        required=entry.get("required", coerce.boolean, False),
        choices=_choices(entry),
        allow_other=entry.get("allow-other", coerce.boolean, False),
        min=entry.get("min", coerce.number, 0.0) if has("min") is not None else None,
        max=entry.get("max", coerce.number, 0.0) if has("max") is not None else None,
        alias=entry.get("alias", coerce.text, "") or None,
        arg_name=entry.get("arg-name", coerce.text, "") or None,
        arg_skip=entry.get("arg-skip", coerce.boolean, False) if has("arg-skip") is not None else None,
        arg_switch=has("arg-switch"),
        has_arg_switch="arg-switch" in entry.data,
        arg_split=has("arg-split"),
        arg_encoding=entry.get("arg-encoding", coerce.text_map, coerce.NO_MAP) or None,
        env_encoding=entry.get("env-encoding", coerce.text_map, coerce.NO_MAP) or None,
        env_name=entry.get("env-name", coerce.text, "") or None,
        null_label=entry.get("null-label", coerce.text, "") or None,
        distribution=entry.get("distribution", coerce.text, "") or None,
        extra={k: v for k, v in entry.data.items() if k not in _FLAG_ATTRS},
    )


def _default(value: Any) -> Any:
    """A list as a default is a blank-joined text, as for imported lists."""
    return " ".join(str(v) for v in value) if isinstance(value, list) else value


def _choices(entry: Entry) -> tuple[Choice, ...]:
    value = entry.data.get("choices")
    if value is None:
        return ()
    if not isinstance(value, list):
        entry.faults.add((*entry.where, "choices"), f"expected a list, got {coerce.show(value)}")
        return ()
    return tuple(_choice(entry, item) for item in value)


def _choice(entry: Entry, item: Any) -> Choice:
    if not isinstance(item, Mapping):
        return Choice(item)
    unknown = set(item) - {"value", "description", "alias", "flags"}
    if unknown or "value" not in item:
        entry.faults.add((*entry.where, "choices"), f"expected a value, got {coerce.show(dict(item))}")
        return Choice(None)
    flags = item.get("flags") or {}
    return Choice(item["value"], str(item.get("description") or ""), item.get("alias"), dict(flags))


def read_source_rules(entry: Entry, spec: Any, base: SourceRules) -> SourceRules:
    """`sourcecode`: no; patterns to take (and nothing else); rules added to the defaults; or all of it."""
    where = (*entry.where, "sourcecode")
    if spec is None or spec is True:
        return base
    if spec is False or spec == []:
        return replace(base, disabled=True)
    if isinstance(spec, Mapping):
        return _from_map(entry, dict(spec), base, where)
    items = spec if isinstance(spec, list) else [spec]
    if all(isinstance(i, str) for i in items):
        rules = (SelectRule(False, "*"), *(SelectRule(True, i) for i in items))
        return replace(base, disabled=False, rules=(*base.rules, *rules))
    rules_of = [r for i in items for r in _rules(entry, i, where)]
    return replace(base, disabled=False, rules=(*base.rules, *rules_of))


def _from_map(entry: Entry, spec: dict[str, Any], base: SourceRules, where: tuple[str, ...]) -> SourceRules:
    if set(spec) <= {"include", "exclude"}:
        return replace(base, rules=(*base.rules, *_rules(entry, spec, where)))
    unknown = set(spec) - {"root", "dest", "select", "digest"}
    if unknown:
        entry.faults.add(where, f"unknown attribute '{sorted(map(str, unknown))[0]}'")
        return base
    if "select" in spec:
        base = read_source_rules(entry, spec["select"], base)
    return replace(base, root=spec.get("root") or base.root, dest=str(spec.get("dest") or base.dest))


def _rules(entry: Entry, item: Any, where: tuple[str, ...]) -> list[SelectRule]:
    if isinstance(item, str):
        return [SelectRule(True, item)]
    if not isinstance(item, Mapping) or not set(item) <= {"include", "exclude"}:
        entry.faults.add(where, f"expected include or exclude, got {coerce.show(item)}")
        return []
    rules = []
    for verb, patterns in item.items():
        for kind, pattern in _patterns(patterns):
            rules.append(SelectRule(verb == "include", pattern, kind))
    return rules


def _patterns(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [p for v in value for p in _patterns(v)]
    if isinstance(value, Mapping):
        return [(str(kind), p) for kind, v in value.items() for _, p in _patterns(v)]
    return [("", str(value))]
