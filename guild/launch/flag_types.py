"""Flags of a run that Guild 0.9 has made: how they are passed is on record, what they take is not. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from guild.ops.opdef import FlagDef


def with_types(recorded: Sequence[FlagDef], known: Sequence[FlagDef]) -> tuple[FlagDef, ...]:
    """The recorded flags, with what the project says of them: type, choices, limits."""
    by_name = {flag.name: flag for flag in known}
    return tuple(_with_type(flag, by_name[flag.name]) if flag.name in by_name else flag for flag in recorded)


def _with_type(flag: FlagDef, known: FlagDef) -> FlagDef:
    # A switch that is on when the flag is false is not recorded.
    switch = known if known.has_arg_switch and not flag.has_arg_switch and not known.arg_switch else flag
    return replace(
        known,
        arg_name=flag.arg_name,
        arg_skip=flag.arg_skip,
        arg_split=flag.arg_split,
        arg_encoding=flag.arg_encoding,
        env_encoding=flag.env_encoding,
        env_name=flag.env_name,
        arg_switch=switch.arg_switch,
        has_arg_switch=switch.has_arg_switch,
    )
