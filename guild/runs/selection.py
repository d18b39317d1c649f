"""Selection: from what a user types (`1`, `3f2a`, `2:5`, filters) to runs, newest first.

Damage in one run never hides the others, and nothing is read that no filter asks for.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, cast

from guild.errors import GuildError
from guild.runs import layout
from guild.runs.filters import NO_FILTERS, Filters
from guild.runs.listing import NO_TIME
from guild.runs.run import Run, is_run_dir
from guild.runs.seen import Seen
from guild.runs.status import RunStatus
from guild.runs.store import Newest, RunStore

_INDEX = re.compile(r"[0-9]+\Z")
_RANGE = re.compile(r"([0-9]*):([0-9]*)\Z")
_SHOWN_MATCHES = 20
# A number beyond the list may be the beginning of an id; a slip of the finger must not be taken for one.
_SHORTEST_NUMERIC_ID = 4


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


def look(runs: RunStore | Iterable[Run], filters: Filters = NO_FILTERS) -> Sequence[Seen]:
    """The runs that the filters leave, newest first; those without a time last."""
    if isinstance(runs, RunStore):
        newest = runs.newest_first()
        return newest if filters == NO_FILTERS else [seen for seen in newest if filters.match(seen)]
    kept = [seen for seen in map(Seen, runs) if filters.match(seen)]
    return sorted(kept, key=lambda s: (NO_TIME if s.timestamp is None else s.timestamp, s.id), reverse=True)


class Page(NamedTuple):
    """The first runs of a list, and how many it has in all."""

    seen: list[Seen]
    total: int


def look_at_page(runs: RunStore | Iterable[Run], filters: Filters, limit: int | None) -> Page:
    """At most `limit` of the runs that the filters leave. Of a store without filters only these are read."""
    seen = look(runs, filters)
    return Page(list(seen[:limit]), len(seen))


def select(runs: Sequence[T], specs: Sequence[str]) -> list[T]:
    """The runs that each of `specs` names, in that order, none twice.

    `N`: the N-th (from 1); `A:B`: from A to B, ends may be left out; else the beginning of an id, or the path
    of a run directory. Raises GuildError for one that names no run, or several; a range may be empty.
    """
    chosen: dict[str, T] = {}
    for spec in specs:
        for run in _select_one(runs, spec):
            chosen.setdefault(run.id, run)
    return list(chosen.values())


def _select_one(runs: Sequence[T], spec: str) -> Sequence[T]:
    if _INDEX.match(spec) and len(spec) < 10 and int(spec) > 0:
        at = int(spec)
        if found := runs[at - 1 : at]:
            return found
    if span := _RANGE.match(spec):
        return _in_range(runs, span)
    if "/" in spec:
        return [_by_id(runs, os.path.basename(os.path.realpath(spec)), spec)]
    if _INDEX.match(spec) and len(spec) < _SHORTEST_NUMERIC_ID:
        raise _not_found(spec)
    return [_by_id(runs, spec)]


def _in_range(runs: Sequence[T], span: re.Match[str]) -> Sequence[T]:
    """The runs of a range, which may be none: `21:` where there are twenty. An end that is named must be
    there, so that a slip (`1:22` for `1:2`) does not take all runs."""
    start = int(span[1][:10]) if span[1] else 1
    end = int(span[2][:10]) if span[2] else len(runs)
    if start < 1 or end > len(runs):
        raise _not_found(span[0])
    return runs[start - 1 : end]


def _by_id(runs: Sequence[T], text: str, shown: str = "") -> T:
    matches = _starting_with(runs, text) if text else ()
    exact = [run for run in matches if run.id == text]
    if exact:
        return exact[0]
    if not matches:
        raise _not_found(shown or text)
    if len(matches) > 1:
        raise _ambiguous(text, [run.id for run in matches])
    return matches[0]


def _starting_with(runs: Sequence[T], prefix: str) -> Sequence[T]:
    if isinstance(runs, Newest):
        return cast(Sequence[T], runs.starting_with(prefix))  # without making the others
    return [run for run in runs if run.id.startswith(prefix)]


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
        found = runs if runs is not None else [seen.run for seen in look(store)]
    else:
        found = runs if runs is not None else store.runs()
    try:
        return _one(select(found, [text]), text)
    except GuildError:
        if is_run_dir(text):  # as `--stage-dir NAME` was given
            return Run(Path(os.path.abspath(text)))
        raise


def _one(found: Sequence[Run], text: str) -> Run:
    if not found:
        raise _not_found(text)
    if len(found) > 1:
        raise _ambiguous(text, [run.id for run in found])
    return found[0]


def staged_places(runs: Iterable[Run]) -> list[str]:
    """Ids of the staged runs, as the queues take them; queues themselves left out."""
    staged = [run for run in runs if not run.is_queue and run.status() is RunStatus.STAGED]
    return [run.id for run in sorted(staged, key=Run.place)]
