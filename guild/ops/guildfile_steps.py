"""`steps` of a guildfile: the operations that a workflow runs one after the other, and what it checks."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guild.ops import coerce
from guild.ops.coerce import Entry, Where
from guild.ops.flag_values import format_value, is_function
from guild.ops.opdef import Check, FlagValue, Step

STEP_ATTRS = ("run", "name", "flags", "expect", "isolate-runs")
CHECK_ATTRS = ("output", "file", "contains", "compare-to")
_FLAG = re.compile(r"[^-@=][^=]*=")


def _whole(value: Any) -> int:
    """A whole number, as YAML has it or as a text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected a whole number, got {coerce.show(value)}")
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"expected a whole number, got {coerce.show(value)}") from None


def _count(value: Any) -> int:
    number = _whole(value)
    if number < 1:
        raise ValueError(f"expected a whole number from 1, got {coerce.show(value)}")
    return number


def _minutes(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, str) else coerce.number(value)
    except ValueError:
        raise ValueError(f"expected a number, got {coerce.show(value)}") from None
    if not number >= 0:
        raise ValueError(f"expected a number from 0, got {coerce.show(value)}")
    return number


@dataclass(frozen=True)
class _Option:
    """An option of `guild run` that a step may have. `read` is None for one without a value."""

    key: str
    names: tuple[str, ...]
    read: Callable[[Any], Any] | None = coerce.text
    many: bool = False


_OPTIONS = (
    _Option("label", ("--label", "-l")),
    _Option("tags", ("--tag", "-t"), many=True),
    _Option("comment", ("--comment", "-c")),
    _Option("gpus", ("--gpus",)),
    _Option("no_gpus", ("--no-gpus",), None),
    _Option("stop_after", ("--stop-after",), _minutes),
    _Option("random_seed", ("--random-seed",), _whole),
    _Option("force_flags", ("--force-flags", "-f"), None),
    _Option("needed", ("--needed",), None),
    _Option("keep_run", ("--keep-run",), None),
    _Option("max_trials", ("--max-trials", "--trials", "-m"), _count),
    _Option("minimize", ("--minimize", "-N")),
    _Option("maximize", ("--maximize", "-X")),
    _Option("optimizer", ("--optimizer", "-o")),
    _Option("optimize", ("--optimize", "-O"), None),
    _Option("opt_flags", ("--opt-flag", "-Fo"), many=True),
    _Option("fail_on_trial_error", ("--fail-on-trial-error",), None),
    _Option("batch_label", ("--batch-label", "-bl")),
    _Option("batch_tags", ("--batch-tag", "-bt"), many=True),
)
_BY_NAME = {name: option for option in _OPTIONS for name in option.names}
# As attributes of a step: `batch-tags`, `max-trials`.
_BY_ATTR = {
    **{option.key.replace("_", "-"): option for option in _OPTIONS},
    "trials": _BY_NAME["--trials"],
    "tag": _BY_NAME["--tag"],
    "batch-tag": _BY_NAME["--batch-tag"],
    "opt-flag": _BY_NAME["--opt-flag"],
}
_EXCLUSIVE = (("minimize", "maximize"), ("no_gpus", "gpus"), ("optimize", "optimizer"))
# Options of `guild run` that make no sense in a step: (with a value, without one).
_IGNORED_WITH_VALUE = frozenset(
    ("--run-dir", "-d", "--run-id", "--stage-dir", "--start", "--restart", "--restage", "--proto",
     "--pidfile", "--remote", "-r", "--save-trials", "--test-output-scalars", "--debug-sourcecode", "--break",
     "--batch-comment", "-bc", "--dep", "-D")
)  # fmt: skip
_IGNORED = frozenset(
    ("--stage", "--stage-trials", "--background", "-b", "--no-wait", "-n", "--quiet", "-q", "--yes", "-y",
     "--print-cmd", "--print-env", "--print-trials", "--help-model", "--help-op", "-h", "--help",
     "--test-flags", "--test-sourcecode", "--edit-flags", "-e", "--edit-comment", "-ec", "-ebc",
     "--edit-batch-comment", "--break-on-error", "--force-sourcecode", "--force-deps", "--keep-batch")
)  # fmt: skip
_ATTRS_IGNORED = frozenset(n[2:] for n in _IGNORED | _IGNORED_WITH_VALUE if n.startswith("--"))
_ATTRS = (*STEP_ATTRS, *_BY_ATTR)


def read_steps(entry: Entry) -> tuple[Step, ...]:
    """The steps of an operation. Faults and warnings go to the entry's."""
    value = entry.data.get("steps")
    if value is None:
        return ()
    if not isinstance(value, list):
        entry.faults.add((*entry.where, "steps"), f"expected a list, got {coerce.show(value)}")
        return ()
    if not value:
        entry.faults.add((*entry.where, "steps"), "expected at least one step")
    steps = [_step(entry, item, (*entry.where, "steps", number)) for number, item in enumerate(value)]
    return tuple(step for step in steps if step is not None)


def _step(entry: Entry, item: Any, where: Where) -> Step | None:
    data = {"run": item} if isinstance(item, str) else item
    at = coerce.entry_of(data, where, entry.faults)
    if at is None:
        return None
    line = at.get("run", coerce.text, "")
    if not line.strip():
        entry.faults.add((*where, "run"), "expected an operation to run")
        return None
    at_run = (*where, "run")
    try:
        typed = _read_line(at, line, at_run)
    except ValueError as e:
        entry.faults.add(at_run, str(e))
        return None
    _ignore(at, line)
    options = {**typed.options, **_options(at)}
    for one, other in _EXCLUSIVE:
        if options.get(one) and options.get(other):
            names = " and ".join(name.replace("_", "-") for name in (one, other))
            entry.faults.add(where, f"{names} cannot both be used")
    return Step(
        typed.opspec,
        name=at.get("name", coerce.text, "") or typed.opspec,
        flags={**typed.flags, **_flags(at)},
        batch_files=typed.batch_files,
        expect=_checks(at),
        isolate_runs=at.get("isolate-runs", coerce.boolean, True),
        options=options,
    )


@dataclass(frozen=True)
class _Typed:
    """What a `run` line says."""

    opspec: str
    flags: Mapping[str, FlagValue]
    batch_files: tuple[str, ...]
    options: Mapping[str, Any]


def _read_line(at: Entry, line: str, where: Where) -> _Typed:
    """Raises ValueError for a line that `guild run` would not take."""
    try:
        words = shlex.split(line)
    except ValueError as e:
        raise ValueError(f"cannot be split into words: {e}") from None
    opspec = ""
    flags: dict[str, FlagValue] = {}
    files: list[str] = []
    options: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word.startswith("-") and word != "-":
            _take_option(at, line, where, word, words, options)
        elif word.startswith("@"):
            files.append(word[1:])
        elif _FLAG.match(word):
            name, _, flags[name] = word.partition("=")
        elif opspec:
            raise ValueError(f"'{word}' is neither a flag (NAME=VALUE) nor an option of guild run")
        else:
            opspec = word
    if not opspec:
        raise ValueError("expected an operation to run")
    return _Typed(opspec, flags, tuple(files), options)


def _take_option(
    at: Entry, line: str, where: Where, word: str, words: list[str], options: dict[str, Any]
) -> None:
    name, has_value, value = _name_and_value(word)
    option = _BY_NAME.get(name)
    if option is None:
        if name in _IGNORED_WITH_VALUE and not has_value and words:
            words.pop(0)
        elif name not in _IGNORED | _IGNORED_WITH_VALUE:
            near = coerce.nearest(name, _BY_NAME)
            raise ValueError(f"unknown option '{name}'" + (f" (did you mean '{near}'?)" if near else ""))
        at.faults.warn(where, f"run parameter {name} used in '{line}' is ignored")
        return
    if option.read is None:
        if has_value:
            raise ValueError(f"option '{name}' takes no value")
        options[option.key] = True
        return
    if not has_value:
        if not words:
            raise ValueError(f"option '{name}' needs a value")
        value = words.pop(0)
    try:
        found = option.read(value)
    except ValueError as e:
        raise ValueError(f"option '{name}': {e}") from None
    options[option.key] = (*options.get(option.key, ()), found) if option.many else found


def _name_and_value(word: str) -> tuple[str, bool, str]:
    """(name, whether a value is in the word, that value) of `--tag=x`, `--tag`, `-t` or `-tx`."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, bool(equals), value
    short = _BY_NAME.get(word[:2])
    if word not in _BY_NAME and word not in _IGNORED | _IGNORED_WITH_VALUE and short and short.read:
        return word[:2], True, word[2:]
    return word, False, ""


def _ignore(at: Entry, line: str) -> None:
    for name in at.data:
        if name in _ATTRS_IGNORED and name not in _ATTRS:
            at.faults.warn((*at.where, name), f"run parameter {name} used in '{line}' is ignored")
    known = (*_ATTRS, *_ATTRS_IGNORED)
    at.warn_unknown(known)


def _options(at: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attr, option in _BY_ATTR.items():
        if attr not in at.data:
            continue
        if option.key == "opt_flags" and isinstance(at.data[attr], Mapping):
            found[option.key] = tuple(f"{n}={v}" for n, v in at.data[attr].items())
            continue
        read: Callable[[Any], Any] = coerce.boolean if option.read is None else option.read
        if option.many:
            read = coerce.texts
        value = at.maybe(attr, read)
        if value is not None:
            found[option.key] = value
    return found


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Options as they would be typed, sorted by name: `{"tags": ("a", "b")}` -> `--tag a --tag b`."""
    words: list[str] = []
    for option in sorted(_OPTIONS, key=lambda option: option.names[0]):
        value = options.get(option.key)
        if value is None or value is False or value == ():
            continue
        for each in value if option.many else (value,):
            words += [option.names[0]] if option.read is None else [option.names[0], str(each)]
    return words


def _flags(at: Entry) -> Mapping[str, FlagValue]:
    value = at.data.get("flags")
    if isinstance(value, list) and all(isinstance(v, str) and _FLAG.match(v) for v in value):
        return {name: text for name, _, text in (v.partition("=") for v in value)}
    if isinstance(value, list):
        at.faults.add((*at.where, "flags"), f"expected NAME=VALUE texts, got {coerce.show(value)}")
        return {}
    return {name: _as_typed(v) for name, v in at.get("flags", coerce.mapping, coerce.NO_MAP).items()}


def _as_typed(value: Any) -> FlagValue:
    """A value of a mapping: `'1'` is the text 1 there, which is typed with quotes. Search ranges, and texts
    that the workflow's flags will be filled into, are what they look like."""
    is_text = isinstance(value, str) and "${" not in value and not is_function(value)
    return format_value(value) if is_text else value


def _checks(at: Entry) -> tuple[Check, ...]:
    value = at.data.get("expect")
    items = value if isinstance(value, list) else [] if value is None else [value]
    found = [_check(at, item, (*at.where, "expect", number)) for number, item in enumerate(items)]
    return tuple(check for check in found if check is not None)


def _check(at: Entry, item: Any, where: Where) -> Check | None:
    entry = coerce.entry_of(item, where, at.faults)
    if entry is None:
        return None
    entry.warn_unknown(CHECK_ATTRS)
    before = len(at.faults.found)
    check = Check(
        output=entry.get("output", _regex, ""),
        file=entry.get("file", coerce.text, ""),
        contains=entry.get("contains", _regex, ""),
        compare_to=entry.get("compare-to", coerce.text, ""),
    )
    if len(at.faults.found) == before and bool(check.output) == bool(check.file):
        at.faults.add(where, f"expected one of output, file, got {coerce.show(item)}")
        return None
    return check


def _regex(value: Any) -> str:
    text = coerce.text(value)
    try:
        re.compile(text)
    except re.error as e:
        raise ValueError(f"invalid regular expression '{text}': {e}") from None
    return text
