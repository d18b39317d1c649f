"""Switches that Guild 0.9 did not record: it loses `arg-switch: no` in the attribute `op`. The command, which
it recorded as well, shows them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from guild.ops.opdef import FLAG_ARGS, FlagDef, FlagValue


def with_switches(
    defs: Sequence[FlagDef], values: Mapping[str, FlagValue], template: Sequence[str], cmd: Sequence[str]
) -> tuple[FlagDef, ...]:
    """The flags, with those as switches that a command of these values passes so."""
    if FLAG_ARGS not in template or not cmd:
        return tuple(defs)
    return tuple(_as_switch(d) if _is_switch(d, values.get(d.name), cmd) else d for d in defs)


def _as_switch(flag: FlagDef) -> FlagDef:
    return replace(flag, arg_switch=False, has_arg_switch=True)


def _is_switch(flag: FlagDef, value: FlagValue, cmd: Sequence[str]) -> bool:
    """Whether the option of a boolean flag is missing, or has no value.

    The command of a trial may be that of its prototype, with several values.
    """
    if not isinstance(value, bool) or flag.has_arg_switch or flag.arg_skip or flag.arg_encoding:
        return False
    option = f"--{flag.arg_name or flag.name}"
    if option not in cmd:
        return True
    following = cmd[cmd.index(option) + 1 :][:1]
    return not following or following[0].startswith("--")
