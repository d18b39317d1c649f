"""The flag values of a workflow's step: what its definition says, filled in with the workflow's own. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from guild.errors import GuildError
from guild.ops.flag_values import encode_inline, format_value, to_text
from guild.ops.opdef import FlagValue, Step

_REFERENCE = re.compile(r"\$\{([^}]*)\}")

Values = Mapping[str, FlagValue]


def step_values(step: Step, parent: Values) -> dict[str, FlagValue]:
    """The values that a step is given; texts are as they would be typed.

    `${flag}` alone becomes the value itself, within a text its text. A flag of the workflow that is called
    `STEP:FLAG` has the last word. Raises GuildError for a reference to no flag of the workflow.
    """
    values = {name: filled(value, parent, step) for name, value in step.flags.items()}
    for name, value in parent.items():
        owner, _, flag = name.rpartition(":")
        if owner and owner in (step.name, step.opspec) and value is not None:
            values[flag] = format_value(value) if isinstance(value, str) else value
    return values


def filled_options(step: Step, parent: Values) -> dict[str, Any]:
    """The options of a step with the workflow's flags in them; other references, such as those of a label
    to the step's own flags, stay."""
    return {name: _in_option(value, parent) for name, value in step.options.items()}


def _in_option(value: Any, parent: Values) -> Any:
    if isinstance(value, tuple):
        return tuple(_in_option(item, parent) for item in value)
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda m: to_text(parent[m[1]]) if m[1] in parent else m[0], value)


def filled(value: FlagValue, parent: Values, step: Step) -> FlagValue:
    """A value with its references to the workflow's flags replaced."""
    if isinstance(value, list):
        return [filled(item, parent, step) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        found = _lookup(whole[1], parent, step)
        return format_value(found) if isinstance(found, str) else found
    return _REFERENCE.sub(lambda match: _inside(_lookup(match[1], parent, step)), value)


def _inside(value: FlagValue) -> str:
    """A value within a text: `true`, `null`, `0.1`; a text is itself."""
    return value if isinstance(value, str) else encode_inline(value)


def _lookup(name: str, parent: Values, step: Step) -> FlagValue:
    if name not in parent:
        known = f"Its flags: {', '.join(sorted(parent))}." if parent else "It has no flags."
        raise GuildError(f"step '{step.name}' refers to '{name}', which is no flag of the workflow", known)
    return parent[name]
