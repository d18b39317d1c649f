"""Scalars: numbers in the lines of a run's output, and the numbers that event files hold."""

import math
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guild.errors import GuildError
from guild.runs import layout
from guild.runs.contents import contents
from guild.runs.index import Stamp, stamp_of
from guild.runs.run import EventValue, Run

_ALIASES = (("\\key", r"[^ \t]+"), ("\\value", r"[0-9\.e\-]+"), ("\\step", r"[0-9]+"))
# By default a key is a plain one, with a letter: `train.py:12: 3` and `12:30: 1` are no results.
_KEY = r"(?=[^\s:]*[^\W\d])([^\s:]+)"
_MAYBE = re.compile(rb"[^ \t]+:[ \t]+[0-9.e-]").match
_TRACEBACK = b"Traceback (most recent call last):"
_DEFAULT_VALUE = re.compile(_KEY + r":[ \t]+([0-9.e-]+)(?:[ \t]+\(.*\))?\Z")
_DEFAULT_STEP = re.compile(r"[^ \t]+:[ \t]+[0-9.e-]+[ \t]+\((?:step[ \t]+)?([0-9]+)\)\Z")
_LONGEST_LINE = 10_000

Scalar = tuple[str, float, int | None]


@dataclass(frozen=True)
class _Pattern:
    """`name` is the key of a one-group pattern; None where the pattern itself captures keys."""

    regex: re.Pattern[str]
    name: str | None = None

    def find(self, line: str) -> Iterator[tuple[str, str]]:
        for match in self.regex.finditer(line):
            yield from self._pairs(match)

    def _pairs(self, match: re.Match[str]) -> Iterator[tuple[str, str]]:
        named = match.groupdict()
        if "_key" in named and "_val" in named:
            yield str(named["_key"]), str(named["_val"])
        elif named:
            yield from ((key, value) for key, value in named.items() if value is not None)
        elif self.name is not None and match.groups():
            yield self.name, str(match.group(1))
        elif len(match.groups()) == 2:
            yield str(match.group(1)), str(match.group(2))


class OutputScalars:
    """Takes lines of output and gives the scalars in them. The step that was seen last holds on."""

    def __init__(self, patterns: Sequence[_Pattern] | None, ignored: Collection[str]) -> None:
        self._patterns = patterns  # None: the default ones
        self._ignored = frozenset(ignored)
        self._step: int | None = None
        self._in_traceback = False

    def feed(self, line: bytes) -> list[Scalar]:
        """(key, value, step) of each scalar of a line; the step is None before the first one."""
        if self._patterns is None:
            if b":" not in line and not self._in_traceback:
                return []  # most lines
            if self._in_traceback or not _MAYBE(line):
                self._follow_traceback(line)
                return []
        if len(line) > _LONGEST_LINE:
            return []
        text = line.decode("utf-8", "replace").rstrip()
        pairs = self._default(text) if self._patterns is None else self._own(text)
        found: list[Scalar] = []
        for key, value in pairs:
            number = _number(value)
            if number is None:
                continue
            if key == "step":
                self._step = int(number) if math.isfinite(number) else self._step
            elif self._patterns is not None or key not in self._ignored:
                found.append((key, number, self._step))
        return found

    def _follow_traceback(self, line: bytes) -> None:
        """A traceback ends with the exception, its first line without indentation: no scalar."""
        if self._in_traceback:
            self._in_traceback = line[:1] in b" \t"
        elif line.startswith(_TRACEBACK):
            self._in_traceback = True

    def _default(self, text: str) -> Iterator[tuple[str, str]]:
        if text.endswith(")") and (step := _DEFAULT_STEP.match(text)):
            yield "step", step.group(1)
        if match := _DEFAULT_VALUE.match(text):
            yield match.group(1), match.group(2)

    def _own(self, text: str) -> list[tuple[str, str]]:
        pairs = [pair for pattern in self._patterns or () for pair in pattern.find(text)]
        # A step on the same line holds for the line's other values.
        return sorted(pairs, key=lambda pair: pair[0] != "step")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def compile_patterns(spec: Any, flag_names: Collection[str]) -> OutputScalars:
    """From an operation's `output-scalars`: None for the defaults, which leave out keys that are flags; an
    empty list or no for none; else a map of names and patterns, a pattern, or a list of these.

    Raises GuildError for a pattern that is none.
    """
    if spec is None:
        return OutputScalars(None, flag_names)
    if spec is False or spec == []:
        return OutputScalars((), ())
    items = spec if isinstance(spec, list) else [spec]
    return OutputScalars(tuple(p for item in items for p in _compile_item(item)), ())


def _compile_item(item: Any) -> Iterator[_Pattern]:
    if isinstance(item, Mapping):
        for name, pattern in item.items():
            yield _Pattern(_compile(pattern), str(name))
    else:
        yield _Pattern(_compile(item))


def _compile(pattern: Any) -> re.Pattern[str]:
    if not isinstance(pattern, str):
        raise GuildError(f"output-scalars: {pattern!r} is no pattern")
    for alias, meaning in _ALIASES:
        pattern = pattern.replace(alias, meaning)
    try:
        return re.compile(pattern)
    except re.error as e:
        raise GuildError(f"output-scalars: invalid pattern {pattern!r}: {e}") from None


@dataclass(frozen=True)
class ScalarSummary:
    """All values of one scalar of a run. `prefix`: the event file's directory, relative to the run's."""

    prefix: str
    tag: str
    first_val: float
    first_step: int
    last_val: float
    last_step: int
    min_val: float
    min_step: int
    max_val: float
    max_step: int
    total: float
    count: int

    @property
    def avg_val(self) -> float:
        return self.total / self.count

    @property
    def key(self) -> str:
        return display_key(self.prefix, self.tag)

    def with_value(self, value: float, step: int) -> "ScalarSummary":
        """With one more value; of equal steps the later value is the last one."""
        changes: dict[str, Any] = {"total": self.total + value, "count": self.count + 1}
        if step < self.first_step:
            changes.update(first_val=value, first_step=step)
        if step >= self.last_step:
            changes.update(last_val=value, last_step=step)
        # A first value that is not a number gives way.
        if value < self.min_val or math.isnan(self.min_val):
            changes.update(min_val=value, min_step=step)
        if value > self.max_val or math.isnan(self.max_val):
            changes.update(max_val=value, max_step=step)
        return replace(self, **changes)


def display_key(prefix: str, tag: str) -> str:
    """The name that a scalar is shown by."""
    return tag if prefix in ("", layout.GUILD_DIR) else f"{prefix}#{tag}"


def read_scalars(run_dir: Path) -> list[ScalarSummary]:
    """The scalars of all event files below a run, by prefix and tag. What cannot be read is left out."""
    return _summarize(_values(_event_files(run_dir)))


def recall_scalars(run: Run) -> list[ScalarSummary]:
    """The same for a run, wherever it lies; from the index where its event files are what they were."""
    values = run.event_values()
    if values is not None:
        return _summarize(values)
    if run.index is None:
        return read_scalars(run.path)
    found = list(_event_files(run.path))
    stamp = _stamp(found)
    if stamp is None:
        return []
    rows = run.index.recall_stamped(
        run.id,
        "scalars",
        stamp,
        lambda: [list(vars(summary).values()) for summary in _summarize(_values(found))],
    )
    return [ScalarSummary(*row) for row in rows]


@dataclass(frozen=True)
class _EventFile:
    """`prefix`: its directory, relative to the run's."""

    prefix: str
    path: str
    info: os.stat_result


def _stamp(found: Sequence[_EventFile]) -> Stamp | None:
    """One stamp for all of these: the newest time, and a digest of what each is; None for no file."""
    if not found:
        return None
    from hashlib import blake2b

    stamps = [(each.path, each.info.st_size, *stamp_of(each.info)) for each in found]
    digest = blake2b(repr(stamps).encode("utf-8", "surrogateescape"), digest_size=7).digest()
    return max(stamp for *_, stamp, _ in stamps), int.from_bytes(digest, "big")


def _values(found: Iterable[_EventFile]) -> Iterator[EventValue]:
    from guild.runs.events import read_events

    for each in found:
        with suppress(OSError):
            for value in read_events(each.path):
                yield each.prefix, *value


def _summarize(values: Iterable[EventValue]) -> list[ScalarSummary]:
    summaries: dict[tuple[str, str], ScalarSummary] = {}
    for prefix, tag, value, step in values:
        old = summaries.get((prefix, tag))
        summaries[prefix, tag] = old.with_value(value, step) if old else _first(prefix, tag, value, step)
    return [summaries[key] for key in sorted(summaries)]


def _first(prefix: str, tag: str, value: float, step: int) -> ScalarSummary:
    pair = (value, step)
    return ScalarSummary(prefix, tag, *pair, *pair, *pair, *pair, total=value, count=1)


def _event_files(run_dir: Path) -> Iterator[_EventFile]:
    for prefix, entry in contents(run_dir):
        if layout.EVENTS_MARK in entry.name:
            with suppress(OSError):
                info = entry.stat()
                if stat.S_ISREG(info.st_mode):
                    yield _EventFile(prefix, entry.path, info)
