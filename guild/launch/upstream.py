"""Runs that a run depends on: which ones they are, and whether they are ready for it."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from guild.errors import GuildError
from guild.ops.opdef import Dependency, FlagValue, ResourceSource
from guild.runs.run import Run
from guild.runs.status import RunStatus

Values = Mapping[str, FlagValue]

_USABLE = frozenset((RunStatus.COMPLETED, RunStatus.TERMINATED))
_TO_COME = frozenset((RunStatus.STAGED, RunStatus.PENDING, RunStatus.RUNNING))
_SHORTEST_NUMERIC_ID = 4
_ID = re.compile(r"[0-9a-f]{32}")


class Standing(Enum):
    """What a run is to one that depends on it."""

    READY = "ready"
    WAIT = "to come"
    FAILED = "failed"
    GONE = "gone"


def standing(run: Run | None) -> Standing:
    """A run that was stopped is ready: its user has decided that it went on for long enough."""
    if run is None:
        return Standing.GONE
    status = run.status()
    if status in _USABLE:
        return Standing.READY
    return Standing.WAIT if status in _TO_COME else Standing.FAILED


def operation_sources(deps: Sequence[Dependency]) -> list[ResourceSource]:
    return [s for d in deps for s in d.sources if s.kind == "operation"]


def upstream_ids(deps: Sequence[Dependency], values: Values) -> tuple[str, ...]:
    """The ids of the runs that must have ended before a run with these flags can start, none twice."""
    flags = [s.config_flag for s in operation_sources(deps)]
    found = [values.get(flag) for flag in flags if flag is not None]
    return tuple(dict.fromkeys(v for v in found if isinstance(v, str) and _ID.fullmatch(v)))


def is_of(run: Run, source: ResourceSource) -> bool:
    """Whether a run is of one of the operations that a source names, each a regular expression for the whole
    name, with or without the model. Raises GuildError for one that is none."""
    opref = run.opref
    if opref is None:
        return False
    for pattern in (p.strip() for p in source.target.split(",")):
        try:
            if re.fullmatch(pattern, opref.op) or re.fullmatch(pattern, opref.display):
                return True
        except re.error as e:
            raise GuildError(
                f"operation:{source.target}: invalid regular expression '{pattern}': {e}"
            ) from None
    return False


def pin(
    deps: Sequence[Dependency],
    values: Values,
    user: Values,
    runs: Callable[[], Sequence[Run]],
    allow_unfinished: bool,
) -> dict[str, FlagValue]:
    """The values, with the runs that operations depend on filled in: those that the user names by the
    beginning of an id in full, for others the marked run, else the latest.

    For a run that is executed now only ended ones will do; one that is staged (`allow_unfinished`) may wait
    for others. `runs` gives the candidates. Raises GuildError for an id that names none of them, or several.
    """
    filled = dict(values)
    listed: list[Run] | None = None
    for source in operation_sources(deps):
        flag = source.config_flag
        if flag is None:
            continue
        given = filled.get(flag)
        if isinstance(given, str) and _ID.fullmatch(given):
            continue
        if listed is None:
            listed = list(runs())
        if isinstance(given, list):  # a batch over these runs
            filled[flag] = [_by_prefix(flag, str(one), source, listed) for one in given]
        elif given not in (None, ""):
            filled[flag] = _by_prefix(flag, str(given), source, listed)
        elif latest := _latest(source, listed, allow_unfinished):
            filled[flag] = latest.id
    return filled


def _by_prefix(flag: str, prefix: str, source: ResourceSource, runs: Sequence[Run]) -> str:
    """The id that begins so, of a run that will do; what is no such id is a path and stays."""
    if "/" in prefix or prefix.startswith(".") or _ID.fullmatch(prefix):
        return prefix
    if prefix.isdigit() and len(prefix) < _SHORTEST_NUMERIC_ID:  # a number of a list is not meant to be an id
        raise GuildError(f"{flag}={prefix}: expected the id of a run, at least four digits of it")
    found = [run for run in runs if run.id.startswith(prefix) and is_of(run, source)]
    if len(found) == 1:
        return found[0].id
    if found:
        ids = "\n  ".join(["", *sorted(run.id for run in found)])
        raise GuildError(
            f"{flag}={prefix} matches several runs of {source.target}:{ids}", "Give more of the id."
        )
    raise GuildError(
        f"{flag}={prefix}: there is no run of {source.target} whose id begins so",
        f"Try 'guild runs -Fo {source.target.partition(',')[0]}' for a list.",
    )


def _latest(source: ResourceSource, runs: Sequence[Run], allow_unfinished: bool) -> Run | None:
    wanted = _USABLE | _TO_COME if allow_unfinished else _USABLE
    found = [run for run in runs if is_of(run, source) and run.status() in wanted]
    marked = [run for run in found if run.attr("marked") is True]
    return max(marked or found, key=lambda run: (run.timestamp or 0, run.id), default=None)
