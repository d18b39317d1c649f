"""Selection: from what a user types (`1`, `3f2a`, `2:5`, filters) to runs, newest first.

Damage in one run never hides the others, and nothing is read that no filter asks for.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from guild.base import files, yamlio
from guild.errors import GuildError, OpRefError
from guild.ops.opref import OpRef, parse_opref
from guild.runs import layout
from guild.runs.run import Run, is_run_dir
from guild.runs.status import RunStatus
from guild.runs.store import RunStore

UNREADABLE = "?"
_INDEX = re.compile(r"[0-9]+\Z")
_RANGE = re.compile(r"([0-9]*):([0-9]*)\Z")
_SHOWN_MATCHES = 20
# A number beyond the list may be the beginning of an id; a slip of the finger must not be taken for one.
_SHORTEST_NUMERIC_ID = 4


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


class Seen:
    """A run as one look saw it: what was read for a filter is not read again to be shown."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def id(self) -> str:
        return self.run.id

    @cached_property
    def status(self) -> RunStatus:
        return self.run.status()

    @cached_property
    def label(self) -> str:
        return self.run.label

    @cached_property
    def timestamp(self) -> int | None:
        """As `Run.timestamp`. It is read of every run, so by the quickest way where all is in order."""
        path = os.path.join(self.run.guild_dir, layout.ATTRS, layout.STARTED)
        try:
            value = yamlio.decode(files.read_regular(path))
        except (OSError, ValueError):
            value = None
        return value if type(value) is int else self.run.timestamp

    @cached_property
    def is_marked(self) -> bool:
        return self.run.attr("marked") is True

    @cached_property
    def proto(self) -> OpRef | None:
        """The operation that a batch runs; None for any other run."""
        path = self.run.guild_dir / layout.PROTO / layout.GUILD_DIR / layout.OPREF
        try:
            return parse_opref(files.read_regular(path).decode("utf-8", "surrogateescape"))
        except (OSError, OpRefError):
            return None

    @property
    def is_batch(self) -> bool:
        """Whether compare leaves it out: batches, and queues, which mark themselves so."""
        return os.path.lexists(self.run.guild_dir / layout.PROTO)

    @cached_property
    def operation(self) -> str:
        """As listings show it: `op`, `model:op`, `package/model:op`; `op+` for a batch; `?` if unreadable."""
        opref = self.run.opref
        if opref is None:
            return UNREADABLE
        if self.proto is None:
            return opref.display
        return self.proto.display + self._suffix(opref)

    @staticmethod
    def _suffix(batch: OpRef) -> str:
        return "+" if batch.op == "+" else "+" + batch.display

    def operation_parts(self) -> tuple[str, str, str]:
        """(package, model, operation), empty where there is none."""
        opref = self.run.opref
        if opref is None:
            return "", "", UNREADABLE
        base = self.proto or opref
        suffix = self._suffix(opref) if self.proto else ""
        return (base.name if base.type == "package" else ""), base.model, base.op + suffix


@dataclass(frozen=True)
class Filters:
    """Which runs are meant. Several values of one kind: any of them; several kinds: all of them."""

    operations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # `-`: without a label
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    marked: bool | None = None
    digest: str = ""
    statuses: frozenset[RunStatus] = frozenset()
    not_statuses: frozenset[RunStatus] = frozenset()

    def match(self, seen: Seen) -> bool:
        """Cheap questions first. Raises GuildError for a filter that cannot be understood."""
        return (
            (not self.operations or any(is_operation(seen, spec) for spec in self.operations))
            and (self.marked is None or seen.is_marked is self.marked)
            and self._match_label(seen)
            and (not self.tags or any(tag in self.tags for tag in map(str, seen.run.list_attr("tags"))))
            and (not self.digest or self._digest(seen).startswith(self.digest))
            and (not self.statuses or seen.status in self.statuses)
            and (not self.not_statuses or seen.status not in self.not_statuses)
        )

    def _match_label(self, seen: Seen) -> bool:
        if self.unlabeled and seen.label:
            return False
        return not self.labels or any(
            not seen.label if text == "-" else text in seen.label for text in self.labels
        )

    @staticmethod
    def _digest(seen: Seen) -> str:
        return str(seen.run.attr("sourcecode_digest") or "")


NO_FILTERS = Filters()


def is_operation(seen: Seen, spec: str) -> bool:
    """Whether a run is of an operation: `[package/][model:]op`, each a whole name or a pattern with `*`;
    or, beginning with `^` or ending with `$`, a regular expression for the shown name."""
    if spec.startswith("^") or spec.endswith("$"):
        try:
            return re.search(spec, seen.operation) is not None
        except re.error as e:
            raise GuildError(f"invalid regular expression for --operation: {spec!r}: {e}") from None
    if spec == seen.operation:
        return True
    package, _, rest = spec.rpartition("/")
    model, _, op = rest.rpartition(":")
    wanted = (package, model, op)
    return all(
        not want or _is_like(have, want) for have, want in zip(seen.operation_parts(), wanted, strict=True)
    )


def _is_like(text: str, pattern: str) -> bool:
    if not any(c in pattern for c in "*?["):
        return text == pattern
    from fnmatch import fnmatchcase

    return fnmatchcase(text, pattern)


def look(runs: Iterable[Run], filters: Filters = NO_FILTERS) -> list[Seen]:
    """The runs that the filters leave, newest first; those without a time last."""
    kept = [seen for seen in map(Seen, runs) if filters.match(seen)]
    return sorted(kept, key=lambda s: (-1 if s.timestamp is None else s.timestamp, s.id), reverse=True)


def select(runs: Sequence[T], specs: Sequence[str]) -> list[T]:
    """The runs that each of `specs` names, in that order, none twice.

    `N`: the N-th (from 1); `A:B`: from A to B, ends may be left out; else the beginning of an id, or the path
    of a run directory. Raises GuildError for one that names no run, or several.
    """
    chosen: dict[str, T] = {}
    for spec in specs:
        for run in _select_one(runs, spec):
            chosen.setdefault(run.id, run)
    return list(chosen.values())


def _select_one(runs: Sequence[T], spec: str) -> Sequence[T]:
    if _INDEX.match(spec) and len(spec) < 10 and 0 < int(spec) <= len(runs):
        return [runs[int(spec) - 1]]
    span = _RANGE.match(spec)
    if span:
        found = _in_range(runs, span[1], span[2])
        if not found:
            raise _not_found(spec)
        return found
    if "/" in spec:
        return [_by_id(runs, os.path.basename(os.path.realpath(spec)), spec)]
    if _INDEX.match(spec) and len(spec) < _SHORTEST_NUMERIC_ID:
        raise _not_found(spec)
    return [_by_id(runs, spec)]


def _in_range(runs: Sequence[T], first: str, last: str) -> Sequence[T]:
    start = int(first[:10]) if first else 1
    if start < 1:
        return ()
    end = int(last[:10]) if last else len(runs)
    return runs[start - 1 : end]


def _by_id(runs: Sequence[T], text: str, shown: str = "") -> T:
    matches = [run for run in runs if text and run.id.startswith(text)]
    exact = [run for run in matches if run.id == text]
    if exact:
        return exact[0]
    if not matches:
        raise _not_found(shown or text)
    if len(matches) > 1:
        raise _ambiguous(text, [run.id for run in matches])
    return matches[0]


def _not_found(text: str) -> GuildError:
    return GuildError(f"could not find a run matching '{text}'", "Try 'guild runs' for a list.")


def _ambiguous(text: str, ids: Sequence[str]) -> GuildError:
    shown = list(ids[:_SHOWN_MATCHES])
    if len(ids) > len(shown):
        shown.append(f"... and {len(ids) - len(shown)} more")
    return GuildError("\n  ".join([f"'{text}' matches multiple runs:", *shown]), "Give more of the id.")


def find_one(store: RunStore, text: str, runs: Sequence[Run] | None = None) -> Run:
    """The one run that --start, --restart, --restage or --proto names: a number of the list, the beginning
    of an id, or the path of a run directory (absolute, or beginning with `.`, or holding a `/`).

    `runs` is the list that a number refers to, newest first; it is read from `store` where it is needed.
    Raises GuildError where it names none, or several.
    """
    if os.path.isabs(text) or text.startswith(".") or "/" in text:
        path = Path(os.path.abspath(text))
        if not is_run_dir(path):
            raise GuildError(
                f"'{text}' is not a run directory",
                f"It should hold a file '{layout.GUILD_DIR}/{layout.OPREF}'.",
            )
        return Run(path)
    if len(text) == 32 and (run := store.get(text)) is not None:
        return run  # a whole id: no need to read all runs
    if _INDEX.match(text):
        found = runs if runs is not None else [seen.run for seen in look(store.runs())]
    else:
        found = runs if runs is not None else store.runs()
    try:
        return _one(select(found, [text]), text)
    except GuildError:
        if is_run_dir(text):  # as `--stage-dir NAME` was given
            return Run(Path(os.path.abspath(text)))
        raise


def _one(found: Sequence[Run], text: str) -> Run:
    if len(found) != 1:
        raise _ambiguous(text, [run.id for run in found])
    return found[0]


def staged_places(runs: Iterable[Run]) -> list[str]:
    """Ids of the staged runs, as the queues take them; queues themselves left out."""
    staged = [run for run in runs if not run.is_queue and run.status() is RunStatus.STAGED]
    return [run.id for run in sorted(staged, key=Run.place)]
