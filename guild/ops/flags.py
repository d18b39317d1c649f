"""The flags of one run: read what was typed, convert it by type, fill in defaults, check.

Decoding and showing of single values: `flag_values.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from guild.base.text import table
from guild.errors import GuildError
from guild.ops.flag_values import (
    decode,
    format_flags,
    format_value,
    is_batch,
    is_function,
    join_words,
    same_value,
    split_words,
)
from guild.ops.opdef import Choice, FlagDef, FlagValue

__all__ = [
    "Assignment", "assign", "check", "convert", "decode", "format_flags", "format_value", "is_batch",
    "read_given", "read_row", "read_typed", "settle", "with_undefined",
]  # fmt: skip

Flags = Mapping[str, FlagValue]

_EXPECTED = {
    "int": "expected a whole number (type 'int')",
    "float": "expected a number (type 'float')",
    "number": "expected a number (type 'number')",
    "boolean": "expected yes or no (type 'boolean')",
}
_FORCE_HINT = "use --force-flags to skip this check."


@dataclass(frozen=True)
class Assignment:
    """The flags of a run: all values, defaults included, and those that the user typed."""

    values: dict[str, FlagValue] = field(default_factory=dict)
    user: dict[str, FlagValue] = field(default_factory=dict)


class _Invalid(Exception):
    """A value that a flag does not take, and why not."""


# Converting.


def convert(flag: FlagDef, text: str) -> FlagValue:
    """The value of a typed text, by the flag's type. A list makes a batch; its items are converted each.

    Raises GuildError `invalid value TEXT for NAME: expected ...`.
    """
    try:
        return _convert(flag, text)
    except _Invalid as e:
        raise GuildError(_invalid(flag, text, e)) from None


def _invalid(flag: FlagDef, text: str, why: Exception) -> str:
    return f"invalid value {text} for {flag.name}: {why}"


def _convert(flag: FlagDef, text: str) -> FlagValue:
    if flag.type == "string":
        # Other texts are what they are: `1.0`, `null`.
        return _as_type(flag, decode(text)) if text[:1] in ("[", "'", '"') else text
    if flag.type in ("path", "existing-path"):
        return _as_type(flag, decode(text) if text[:1] == "[" or text in ("null", "~") else text)
    if flag.type in ("int", "number", "float") and "_" in text:
        return _as_type(flag, _with_underscores(text))
    if flag.arg_split and flag.type in _EXPECTED:
        decoded = decode(text)
        return _as_type(flag, decoded if decoded is None or isinstance(decoded, list) else text)
    if flag.type == "boolean" and text.strip() in ("y", "Y", "n", "N"):
        return text.strip() in ("y", "Y")
    return _as_type(flag, decode(text))


def _with_underscores(text: str) -> FlagValue:
    """`1_000` is a number for a flag that takes numbers, and a text for one without a type."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return decode(text)


def _as_type(flag: FlagDef, value: FlagValue) -> FlagValue:
    """A decoded value, or a default, as the flag's type has it. Raises _Invalid."""
    if isinstance(value, list):
        return [_as_type(flag, item) for item in value]
    if value is None or flag.type in (None, "auto"):
        return value
    if flag.type == "string":
        return value if isinstance(value, str) else _unquoted(value)
    if flag.type in ("path", "existing-path"):
        return _as_path(flag, value)
    if flag.arg_split and not is_function(value):
        return _as_words(flag, value)
    if is_function(value):
        return value
    if flag.type == "boolean":
        if isinstance(value, bool) or value in (0, 1, ""):
            return bool(value)
    elif flag.type == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif flag.type == "float":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _as_float(value)
    elif flag.type != "number" or isinstance(value, int | float):
        return value
    raise _Invalid(_EXPECTED[flag.type])


def _as_words(flag: FlagDef, value: FlagValue) -> str:
    """The text of several arguments, each of which is of the flag's type."""
    each = replace(flag, arg_split=None)
    words = split_words(value if isinstance(value, str) else format_value(value), flag.arg_split or True)
    return join_words([format_value(_as_type(each, decode(word))) for word in words], flag.arg_split or True)


def _unquoted(value: FlagValue) -> str:
    text = format_value(value)
    return text[1:-1] if text[:1] == "'" else text


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _Invalid("the number is too large for the type 'float'") from None


def _as_path(flag: FlagDef, value: FlagValue) -> FlagValue:
    if value == "":
        return value
    from guild.ops import flag_paths

    path = flag_paths.absolute(value if isinstance(value, str) else _unquoted(value))
    if flag.type == "existing-path" and not flag_paths.exists(path):
        raise _Invalid(f"{path} does not exist")
    return path


# Assigning.


def assign(
    flags: Sequence[FlagDef],
    args: Sequence[str],
    *,
    base: Flags | None = None,
    force: bool = False,
    opname: str = "",
) -> Assignment:
    """The flags of a run from what was typed (`NAME=VALUE`), over those of an earlier run, over defaults.

    `base` may hold flags that are no longer defined: they are kept. With `force` nothing is checked, and
    undefined flags are taken. Raises GuildError, which names all faults of the same kind.
    """
    user = _read(flags, split_args(args), force, opname)
    return settle(flags, user, base=base, force=force)


def settle(
    flags: Sequence[FlagDef], user: Flags, *, base: Flags | None = None, force: bool = False
) -> Assignment:
    """The same from values that are read already: those that the user gave, over `base`, over defaults."""
    values: dict[str, FlagValue] = {f.name: _default(f) for f in flags}
    values.update(base or {})
    values.update(user)
    for flag in flags:
        values[flag.name] = _without_aliases(flag, values[flag.name])
        choice = _choice(flag, values[flag.name])
        for other, value in (choice.flags if choice else {}).items():
            # What an earlier run had stands, unless the choice itself is new.
            if other not in user and (flag.name in user or other not in (base or {})):
                values[other] = value
    if not force:
        check(flags, values)
    return Assignment(values, {name: values[name] for name in user})


def read_typed(
    flags: Sequence[FlagDef], args: Sequence[str], *, force: bool = False, opname: str = ""
) -> dict[str, FlagValue]:
    """The values of `NAME=VALUE` texts, by flag, not checked together. Raises GuildError as `assign` does."""
    return _read(flags, split_args(args), force, opname)


def read_given(
    flags: Sequence[FlagDef], values: Flags, *, force: bool = False, opname: str = ""
) -> dict[str, FlagValue]:
    """The same from a mapping: texts stand for what would be typed, other values for themselves."""
    texts = [(name, value) for name, value in values.items() if isinstance(value, str)]
    others = {name: value for name, value in values.items() if not isinstance(value, str)}
    return {**_read(flags, texts, force, opname), **read_row(flags, others, typed=False, force=force)}


def read_row(
    flags: Sequence[FlagDef], row: Mapping[str, FlagValue], typed: bool, force: bool = False
) -> dict[str, FlagValue]:
    """The flag values of one row of a batch file; `typed`: they are texts, read as typed ones are.

    Raises GuildError, which does not name the row.
    """
    if typed:
        return _read(flags, [(name, str(text)) for name, text in row.items()], force, "")
    known = {f.alias: f for f in flags if f.alias} | {f.name: f for f in flags}
    unknown = [name for name in row if name not in known]
    if unknown and not force:
        raise GuildError(
            "\n".join(f"unsupported flag '{name}'" for name in unknown), _unknown_hint(unknown, flags, "")
        )
    found: dict[str, FlagValue] = {}
    for name, value in row.items():
        flag = known.get(name) or FlagDef(name)
        try:
            found[flag.name] = _as_type(flag, value)
        except _Invalid as e:
            if not force:
                raise GuildError(_invalid(flag, format_value(value), e)) from None
            found[flag.name] = value
    return found


def split_args(args: Sequence[str]) -> list[tuple[str, str]]:
    """(name, text) of each `NAME=VALUE`. Raises GuildError naming all that are something else."""
    bad = [arg for arg in args if "=" not in arg or arg.startswith("=")]
    if bad:
        lines = "\n".join(bad)
        raise GuildError(f"invalid argument(s):\n{lines}\nexpected NAME=VAL")
    return [(name, text) for name, _, text in (arg.partition("=") for arg in args)]


def _default(flag: FlagDef) -> FlagValue:
    try:
        return _as_type(flag, flag.default)
    except _Invalid:
        return flag.default  # not the user's fault, and an `argparse` default may be of any type


def _read(
    flags: Sequence[FlagDef], pairs: Iterable[tuple[str, str]], force: bool, opname: str
) -> dict[str, FlagValue]:
    """The values that the user typed, by flag; of a flag given twice the last one counts."""
    known = {f.alias: f for f in flags if f.alias} | {f.name: f for f in flags}
    user: dict[str, FlagValue] = {}
    typed_as: dict[str, str] = {}
    unknown: list[str] = []
    faults: list[str] = []
    for name, text in pairs:
        flag = known.get(name)
        if flag is None:
            unknown.append(name)
            user[name] = decode(text)
            continue
        if typed_as.setdefault(flag.name, name) != name:
            faults.append(f"cannot specify both '{flag.name}' and its alias '{flag.alias}'")
        try:
            user[flag.name] = _typed(flag, text)
        except _Invalid as e:
            faults.append(_invalid(flag, text, e))
            user[flag.name] = decode(text)
    if unknown and not force:
        faults = [*(f"unsupported flag '{name}'" for name in unknown), *faults]
        raise GuildError("\n".join(faults), _unknown_hint(unknown, flags, opname))
    if faults and not force:
        raise GuildError("\n".join(faults), f"Correct the values, or {_FORCE_HINT}")
    return user


def _typed(flag: FlagDef, text: str) -> FlagValue:
    """The value of a text: the choice of this alias, else what the type makes of it."""
    for choice in flag.choices:
        if choice.alias is not None and (choice.alias == text or same_value(choice.alias, decode(text))):
            return choice.alias
    return _convert(flag, text)


def _unknown_hint(unknown: Sequence[str], flags: Sequence[FlagDef], opname: str) -> str:
    import difflib

    names = [f.name for f in flags] + [f.alias for f in flags if f.alias]
    near = [close[0] for name in unknown if (close := difflib.get_close_matches(name, names, 1))]
    lines = [f"Did you mean {' and '.join(repr(n) for n in dict.fromkeys(near))}?"] if near else []
    lines.append(f"Flags: {', '.join(sorted(names))}." if names else "This operation has no flags.")
    target = f" {opname}" if opname else ""
    lines.append(f"Try 'guild run{target} --help-op' for a list of flags or {_FORCE_HINT}")
    return "\n".join(lines)


def with_undefined(flags: Sequence[FlagDef], names: Iterable[str]) -> tuple[FlagDef, ...]:
    """The flags, and a bare one for each name that is not among them: those that `--force-flags` lets in."""
    known = {f.name for f in flags}
    return (*flags, *(FlagDef(name) for name in names if name not in known))


# Checking.


def check(flags: Sequence[FlagDef], values: Flags) -> None:
    """Raise GuildError where a required flag is missing, or a value is no choice or out of range.

    A search range is always good.
    """
    faults, hints = [], []
    for flag in flags:
        value = values.get(flag.name)
        for item in _singles(flag, value):
            fault = _fault(flag, item)
            if fault:
                faults.append(fault[0])
                hints.append(fault[1])
                break
    missing = [f for f in flags if f.required and values.get(f.name) in (None, "")]
    if missing:
        rows = table([(f.name, f.description.partition("\n")[0]) for f in missing], indent=2)
        faults.append("\n".join(["Operation requires the following missing flags:", "", *rows, ""]))
        hints.append("Run the command again with these flags specified as NAME=VAL.")
    if faults:
        raise GuildError("\n".join(faults), "\n".join(dict.fromkeys(h for h in hints if h)))


def _singles(flag: FlagDef, value: FlagValue) -> list[FlagValue]:
    """What is checked by itself: each value of a list, each argument of a text that is split."""
    values = value if isinstance(value, list) else [value]
    if not flag.arg_split or not (flag.choices or flag.type in _EXPECTED):
        return values
    read = str if flag.type == "string" else decode
    texts = [v if isinstance(v, str) else format_value(v) for v in values if v is not None]
    return [read(word) for text in texts for word in split_words(text, flag.arg_split)]


def _fault(flag: FlagDef, value: FlagValue) -> tuple[str, str] | None:
    """(what is wrong with one value, what to do), if something is."""
    if value is None or is_function(value):
        return None
    if flag.type in ("int", "float", "number") and isinstance(value, str) and value:
        return f"invalid value {format_value(value)} for {flag.name}: {_EXPECTED[flag.type]}", ""
    if value and flag.choices and not flag.allow_other and _choice(flag, value) is None:
        rows = table([(format_value(c.value), c.description) for c in flag.choices], indent=2)
        lines = [f"Unsupported value for '{flag.name}' - supported values are:", "", *rows, ""]
        return "\n".join(lines), "Run the command again using one of these options."
    if flag.min is None and flag.max is None:
        return None
    why = ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        why = "expected a number"
    elif flag.min is not None and not value >= flag.min:
        why = f"out of range (less than min {flag.min})"
    elif flag.max is not None and not value <= flag.max:
        why = f"out of range (greater than max {flag.max})"
    return (f"invalid value {format_value(value)} for {flag.name}: {why}", "") if why else None


def _without_aliases(flag: FlagDef, value: FlagValue) -> FlagValue:
    """A value, or the values of a list, with each alias of a choice replaced by what it stands for."""
    if isinstance(value, list):
        return [_without_aliases(flag, item) for item in value]
    choice = _choice(flag, value)
    return value if choice is None else choice.value


def _choice(flag: FlagDef, value: FlagValue) -> Choice | None:
    """The choice that a value, or an alias, stands for."""
    if isinstance(value, list | dict):
        return None
    for choice in flag.choices:
        if choice.alias is not None and same_value(choice.alias, value):
            return choice
        if same_value(choice.value, value):
            return choice
        if flag.type == "string" and value is not None and value == _unquoted(choice.value):
            return choice
    return None
