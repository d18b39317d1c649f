"""From a command template and flags to the arguments and variables of a process."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guild.errors import GuildError
from guild.ops.flag_values import decode, encode_inline, encoded, format_value, split_words, to_text
from guild.ops.opdef import FLAG_ARGS, FlagDef, FlagValue

_FLAG_ARGS_WORD = "${flag_args}"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_GLOBALS = ("globals", "global", "dict", "namespace")  # values are passed as YAML


def flag_args(flags: Sequence[FlagDef], values: Mapping[str, FlagValue], dest: str) -> list[str]:
    """The arguments that pass the flags to a process, sorted by flag name.

    `dest` is the operation's `flags-dest`; from a script that gets them in another way, `guild.op_main` keeps
    them. Flags that are null, and values of no flag, are not passed.
    """
    args = []
    for flag in sorted(flags, key=lambda f: f.name):
        args += _args_of(flag, values.get(flag.name), dest)
    return args


def _args_of(flag: FlagDef, value: FlagValue, dest: str) -> list[str]:
    if value is None or flag.arg_skip:
        return []
    option = _option(flag)
    text = encoded(flag.arg_encoding, value)
    if text is not None:
        return [option, text]
    if flag.has_arg_switch:
        return [option] if value == flag.arg_switch else []
    as_yaml = _family(dest) in _GLOBALS
    if flag.arg_split and not isinstance(value, list):
        parts = split_words(to_text(value), flag.arg_split)
        if as_yaml:
            return [option, encode_inline([decode(part) for part in parts])]
        return [option, *parts] if parts else []
    return [option, encode_inline(value) if as_yaml else to_text(value)]


def _option(flag: FlagDef) -> str:
    return f"--{flag.arg_name or flag.name}"


def _family(dest: str) -> str:
    """`global` of `global:params`."""
    return dest.partition(":")[0]


def render_command(
    template: Sequence[str],
    values: Mapping[str, FlagValue],
    flags: Sequence[FlagDef],
    dest: str,
    variables: Mapping[str, str],
) -> list[str]:
    """The arguments of a template: one for each item, but for FLAG_ARGS, which becomes those of the flags.

    `${name}` is replaced by the variable, else by the flag of this name. A flag whose option the template
    spells out is not passed again. Raises GuildError for a reference to nothing.
    """
    hidden = {f.name for f in shadowed(template, flags)}
    passed = flag_args([f for f in flags if f.name not in hidden], values, dest)

    def resolve(name: str) -> str:
        if name in variables:
            return variables[name]
        if name in values:
            return to_text(values[name])
        if name == "flag_args":
            return shlex.join(passed)
        known = ", ".join(sorted([*variables, *values]))
        raise GuildError(
            f"invalid setting for operation: command contains invalid reference '{name}'",
            f"Known names: {known}." if known else "",
        )

    args: list[str] = []
    for item in template:
        args += passed if item == FLAG_ARGS else [_substituted(item, resolve)]
    return args


def _substituted(item: str, resolve: Callable[[str], str]) -> str:
    return _REFERENCE.sub(lambda match: resolve(match[1]), item) if "${" in item else item


def shadowed(template: Sequence[str], flags: Sequence[FlagDef]) -> list[FlagDef]:
    """The flags that are not passed, since the command spells out their option (`--name` or `--name=...`)."""
    if FLAG_ARGS not in template:
        return []
    spelled = {word.partition("=")[0] for word in template if word.startswith("--")}
    return [flag for flag in flags if _option(flag) in spelled and not flag.arg_skip]


def flag_env(flags: Sequence[FlagDef], values: Mapping[str, FlagValue]) -> dict[str, str]:
    """The variable of every flag: `FLAG_<NAME>` or its `env-name`; True is `1`, False and null are empty."""
    known = {flag.name: flag for flag in flags}
    env = {}
    for name, value in sorted(values.items()):
        flag = known.get(name) or FlagDef(name)
        text = encoded(flag.env_encoding or flag.arg_encoding, value)
        env[flag.env_name or env_name(name)] = to_text(value) if text is None else text
    return env


def env_name(flag_name: str) -> str:
    """`FLAG_A_B` for `a-b`."""
    return "FLAG_" + re.sub(r"[^A-Z0-9_]", "_", flag_name.upper())


# The attribute `op` (`docs/run-directory.md`).

_PLAIN_ATTRS = {
    "arg-name": "arg_name",
    "arg-skip": "arg_skip",
    "arg-split": "arg_split",
    "env-name": "env_name",
}
_ENCODINGS = {"arg-encoding": "arg_encoding", "env-encoding": "env_encoding"}


def cmd_flags_to_attr(flags: Sequence[FlagDef]) -> dict[str, dict[str, Any]]:
    """The map `cmd-flags`: what is set of how each flag is passed."""
    return {flag.name: _flag_to_attr(flag) for flag in flags}


def _flag_to_attr(flag: FlagDef) -> dict[str, Any]:
    attr: dict[str, Any] = {}
    for key, name in _PLAIN_ATTRS.items():
        if value := getattr(flag, name):
            attr[key] = value
    for key, name in _ENCODINGS.items():
        if encoding := getattr(flag, name):
            attr[key] = _typed_keys(encoding)
    if flag.has_arg_switch:
        attr["arg-switch"] = flag.arg_switch
    return attr


def _typed_keys(encoding: Mapping[str, str]) -> dict[FlagValue, str]:
    """The encoding by value, as Guild 0.9 looks it up; of two equal ones (1 and yes), one by text."""
    typed: dict[FlagValue, str] = {}
    for text, encoded_text in encoding.items():
        key = decode(text)
        typed[text if isinstance(key, list | dict) or key in typed else key] = encoded_text
    return typed


def cmd_flags_from_attr(data: Any) -> tuple[FlagDef, ...]:
    """The flags of a map `cmd-flags`, as we or Guild 0.9 wrote it; what does not fit is left out."""
    if not isinstance(data, Mapping):
        return ()
    return tuple(_flag_from_attr(str(name), attr) for name, attr in data.items())


def _flag_from_attr(name: str, attr: Any) -> FlagDef:
    attr = attr if isinstance(attr, Mapping) else {}
    split = attr.get("arg-split")
    return FlagDef(
        name,
        arg_name=_text(attr.get("arg-name")),
        arg_skip=True if attr.get("arg-skip") else None,
        arg_split=split if isinstance(split, bool | str) else None,
        env_name=_text(attr.get("env-name")),
        arg_encoding=_encoding(attr.get("arg-encoding")),
        env_encoding=_encoding(attr.get("env-encoding")),
        arg_switch=attr.get("arg-switch"),
        has_arg_switch="arg-switch" in attr,
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _encoding(data: Any) -> dict[str, str] | None:
    if not isinstance(data, Mapping) or not data:
        return None
    return {k if isinstance(k, str) else format_value(k): to_text(v) for k, v in data.items()}
