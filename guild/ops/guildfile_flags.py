"""Flags of a guildfile."""

from collections.abc import Mapping
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry
from guild.ops.opdef import Choice, FlagDef

FLAG_TYPES = ("string", "int", "float", "number", "boolean", "path", "existing-path", "auto")
FLAG_ATTRS = (
    "default", "description", "type", "required", "choices", "allow-other", "min", "max", "alias", "arg-name",
    "arg-skip", "arg-switch", "arg-split", "arg-encoding", "env-encoding", "env-name", "null-label",
    "distribution",
)  # fmt: skip
CHOICE_ATTRS = ("value", "description", "alias", "flags")


def read_flag(parent: Entry, name: str, data: Any) -> tuple[FlagDef, frozenset[str]] | None:
    """One flag, its attributes or a bare value, which is its default; and the fields of FlagDef that it
    gives. None where there is a fault."""
    if not isinstance(data, Mapping):
        return FlagDef(name, default=data), frozenset({"default"})
    entry = parent.child(name, data)
    if entry is None:
        return None
    get, maybe = entry.get, entry.maybe
    flag = FlagDef(
        name,
        default=entry.data.get("default"),
        description=get("description", coerce.text, ""),
        type=maybe("type", coerce.one_of(*FLAG_TYPES)),
        required=get("required", coerce.boolean, False),
        choices=_choices(entry),
        allow_other=get("allow-other", coerce.boolean, False),
        min=maybe("min", coerce.number),
        max=maybe("max", coerce.number),
        alias=maybe("alias", coerce.text),
        arg_name=maybe("arg-name", coerce.text),
        arg_skip=maybe("arg-skip", coerce.boolean),
        arg_switch=entry.data.get("arg-switch"),
        has_arg_switch="arg-switch" in entry.data,
        arg_split=maybe("arg-split", _split),
        arg_encoding=maybe("arg-encoding", coerce.encoding),
        env_encoding=maybe("env-encoding", coerce.encoding),
        env_name=maybe("env-name", coerce.text),
        null_label=maybe("null-label", coerce.text),
        distribution=maybe("distribution", coerce.text),
        extra={k: v for k, v in entry.data.items() if k not in FLAG_ATTRS},
    )
    return flag, frozenset(k.replace("-", "_") for k in entry.data)


def warn_flags(parent: Entry) -> None:
    """Warnings for attributes of flags that resemble a known one; others are free data for plugins."""
    for name, data in parent.data.items():
        if isinstance(data, Mapping):
            attrs = {str(k): v for k, v in data.items()}
            Entry(attrs, (*parent.where, name), parent.faults).warn_unknown(FLAG_ATTRS, near_only=True)


def _split(value: Any) -> bool | str:
    return value if isinstance(value, bool) else coerce.text(value)


def _choices(entry: Entry) -> tuple[Choice, ...]:
    value = entry.data.get("choices")
    if value is None:
        return ()
    if not isinstance(value, list):
        entry.faults.add((*entry.where, "choices"), f"expected a list, got {coerce.show(value)}")
        return ()
    choices = [_choice(entry, index, item) for index, item in enumerate(value)]
    return tuple(choice for choice in choices if choice is not None)


def _choice(entry: Entry, index: int, item: Any) -> Choice | None:
    if not isinstance(item, Mapping):
        return Choice(item)
    at = coerce.entry_of(item, (*entry.where, "choices", index), entry.faults)
    if at is None:
        return None
    if "value" not in at.data or not set(at.data) <= set(CHOICE_ATTRS):
        expected = f"expected 'value' and perhaps {', '.join(CHOICE_ATTRS[1:])}"
        entry.faults.add(at.where, f"{expected}, got {coerce.show(item)}")
        return None
    return Choice(
        at.data["value"],
        at.get("description", coerce.text, ""),
        at.data.get("alias"),
        at.get("flags", coerce.mapping, coerce.NO_MAP),
    )
