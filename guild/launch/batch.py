"""From flag lists, search ranges and rows of batch files to the trials of a batch. Pure."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from guild.errors import GuildError
from guild.ops.flag_values import decode, format_value, is_function
from guild.ops.flags import settle
from guild.ops.opdef import FlagDef, FlagValue

DEFAULT_MAX_TRIALS = 20  # of a search; a grid has no limit
MAX_TRIALS = 100_000
_FUNCTION = re.compile(r"([A-Za-z_][\w-]*)?\[([^\[\]]*)\]")
_SEQUENCES = "Use range[START:END:STEP], linspace[START:END:COUNT] or logspace[START:END:COUNT:BASE]."
_TRIES = 100  # to find values that no earlier trial has

Flags = Mapping[str, FlagValue]


class Random(Protocol):
    """What is needed of `random.Random`."""

    def random(self) -> float: ...
    def randrange(self, stop: int, /) -> int: ...
    def sample(self, population: Sequence[int], k: int, /) -> list[int]: ...


@dataclass(frozen=True)
class Space:
    """What trials are made of: rows of batch files (at least one, empty without a file), over which comes
    what the user typed; lists and search ranges may be anywhere."""

    flags: tuple[FlagDef, ...]
    user: Flags
    rows: tuple[Flags, ...] = ({},)
    base: Flags | None = None  # values of an earlier run
    force: bool = False

    def row_values(self) -> list[dict[str, FlagValue]]:
        """The values of each row, with lists and search ranges still in them."""
        return [
            settle(self.flags, {**row, **self.user}, base=self.base, force=self.force).values
            for row in self.rows
        ]


def is_search(values: Flags) -> bool:
    """Whether any value is a search range."""
    return any(
        is_function(item)
        for value in values.values()
        for item in (value if isinstance(value, list) else [value])
    )


def searched(flags: Sequence[FlagDef], given: Collection[str]) -> dict[str, FlagValue]:
    """What a search tries of those flags that are not `given`: any choice, any value from `min` to `max`."""
    found = {flag.name: _own_space(flag) for flag in flags if flag.name not in given}
    return {name: values for name, values in found.items() if values is not None}


def _own_space(flag: FlagDef) -> FlagValue:
    if flag.choices:
        return [choice.value for choice in flag.choices]
    if flag.min is None or flag.max is None or flag.min >= flag.max:
        return None
    log = flag.distribution == "log-uniform" and flag.min > 0
    numbers = [flag.min, flag.max]
    if isinstance(flag.default, int | float) and not isinstance(flag.default, bool):
        numbers.append(flag.default)
    return f"{'loguniform' if log else 'uniform'}[{':'.join(map(format_value, numbers))}]"


def grid(space: Space, max_trials: int | None, random: Random) -> list[dict[str, FlagValue]]:
    """All combinations of the lists, rows outermost, the last flag by name changing fastest. Of more than
    `max_trials` a random choice, in the original order. Raises GuildError for more than 100,000."""
    rows = space.row_values()
    sizes = [math.prod(len(v) for v in values.values() if isinstance(v, list)) for values in rows]
    total = sum(sizes)
    if total > MAX_TRIALS and max_trials is None:
        raise GuildError(
            f"{total} trials are more than the {MAX_TRIALS} that are allowed",
            "Limit them with --max-trials N.",
        )
    wanted = (
        sorted(random.sample(range(total), max_trials)) if max_trials and max_trials < total else range(total)
    )
    return [_settled(space, _nth(rows, sizes, index)) for index in wanted]


def _nth(rows: Sequence[Flags], sizes: Sequence[int], index: int) -> dict[str, FlagValue]:
    """The combination of this number."""
    at_row = 0
    while index >= sizes[at_row]:
        index -= sizes[at_row]
        at_row += 1
    values = rows[at_row]
    chosen = dict(values)
    for name in sorted(values, reverse=True):
        options = values[name]
        if isinstance(options, list):
            index, at = divmod(index, len(options))
            chosen[name] = options[at]
    return chosen


def search(space: Space, max_trials: int, random: Random) -> list[dict[str, FlagValue]]:
    """Random trials: a value of each search range and each list, of a row by chance; none twice, so fewer
    where there are not so many. The first one has the initial values that search ranges name. Raises
    GuildError for a search range that makes no sense."""
    own = searched(space.flags, {*space.user, *(space.base or {})})
    space = replace(space, rows=tuple({**own, **row} for row in space.rows))
    rows = space.row_values()
    flags = {flag.name: flag for flag in space.flags}
    found: dict[str, dict[str, FlagValue]] = {}
    for _ in range(max_trials):
        for _ in range(_TRIES):
            values = rows[random.randrange(len(rows))] if len(rows) > 1 else rows[0]
            drawn = {name: _draw(name, value, flags.get(name), random) for name, value in values.items()}
            if not found:
                drawn.update(_initial(values))
            key = repr(sorted(drawn.items()))
            if key not in found:
                found[key] = _settled(space, drawn)
                break
        else:
            break
    return list(found.values())


def _settled(space: Space, values: Flags) -> dict[str, FlagValue]:
    """One trial's values, with what its choices set, checked."""
    given = {name for row in space.rows for name in row} | set(space.user)
    user = {name: value for name, value in values.items() if name in given}
    base = {name: value for name, value in values.items() if name not in given}
    if not any(c.flags for f in space.flags for c in f.choices):
        return settle(space.flags, values, force=space.force).values
    defaults = {f.name for f in space.flags}
    kept = base if space.base is not None else {n: v for n, v in base.items() if n not in defaults}
    return settle(space.flags, user, base=kept, force=space.force).values


def _initial(values: Flags) -> dict[str, FlagValue]:
    """The third number of each search range that has one."""
    ranges = {name: _bounds(name, str(value)) for name, value in values.items() if is_function(value)}
    return {name: initial for name, (_low, _high, _log, initial) in ranges.items() if initial is not None}


def _draw(name: str, value: FlagValue, flag: FlagDef | None, random: Random) -> FlagValue:
    if isinstance(value, list) and value:
        return _draw(name, value[random.randrange(len(value))], flag, random)
    if not is_function(value):
        return value
    low, high, log, _first = _bounds(name, str(value))
    if _is_whole(low, high, log, flag):
        first, last = math.ceil(low), math.floor(high)
        if last < first:
            raise GuildError(f"{name}={value}: there is no whole number in this range")
        if log:
            return min(max(round(_draw_log(low, high, random)), first), last)
        return first + random.randrange(last - first + 1)
    return _draw_log(low, high, random) if log else low + random.random() * (high - low)


def _draw_log(low: float, high: float, random: Random) -> float:
    drawn = math.exp(math.log(low) + random.random() * (math.log(high) - math.log(low)))
    return min(max(drawn, low), high)


def _is_whole(low: Any, high: Any, log: bool, flag: FlagDef | None) -> bool:
    """Whole numbers for a whole flag; and, as in Guild 0.9, between whole ends of a uniform range, unless the
    flag is one of fractions."""
    if flag is not None and flag.type == "int":
        return True
    if flag is not None and (flag.type == "float" or isinstance(flag.default, float)):
        return False
    return isinstance(low, int) and isinstance(high, int) and not log


def _bounds(name: str, text: str) -> tuple[Any, Any, bool, Any]:
    """(low, high, whether logarithmic, initial value) of `uniform[a:b]`, `loguniform[a:b]` and `[a:b]`, each
    perhaps with an initial value. `log-uniform` is what Guild 0.9 writes for flags with that distribution."""
    match = _FUNCTION.fullmatch(text.strip())
    function = (match[1] or "uniform").replace("-", "") if match else ""
    numbers = [decode(arg) for arg in match[2].split(":")] if match else []
    good = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    if function in ("range", "linspace", "logspace"):
        raise GuildError(f"{name}={text}: these arguments make no sequence", _SEQUENCES)
    if function not in ("uniform", "loguniform") or len(numbers) not in (2, 3) or not good:
        raise GuildError(
            f"{name}={text}: unknown search range",
            "Use uniform[LOW:HIGH], loguniform[LOW:HIGH] or [LOW:HIGH].",
        )
    low, high = numbers[0], numbers[1]
    if low > high or (function == "loguniform" and low <= 0):
        why = (
            "the lower end must be above 0"
            if function == "loguniform" and low <= 0
            else "its ends are swapped"
        )
        raise GuildError(f"{name}={text}: {why}")
    initial = numbers[2] if len(numbers) == 3 else None
    return low, high, function == "loguniform", initial


def describe(values: Flags) -> str:
    """`lr=0.1, m=2`, as log lines show a trial."""
    return ", ".join(f"{n}={format_value(v)}" for n, v in sorted(values.items()) if v is not None)
