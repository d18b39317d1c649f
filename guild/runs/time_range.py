"""Time ranges: `last 2 hours`, `before yesterday`, `between 11-1 and 11-10`, in local time. Pure.

Days and longer units are of wall clock time, so a day in which the clock is set has 23 or 25 hours; minutes
and hours are such as have passed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from guild.errors import GuildError

HINT = (
    "A range is one of: today, yesterday, 'last 2 hours', 'this week', '3 days ago', a date or time "
    "(2024-11-30, 11-30, 9:00, '11-30 9:00'), 'after X', 'before X', 'between X and Y'."
)
_UNITS = {
    **dict.fromkeys(("min", "minute", "minutes"), "minute"),
    **dict.fromkeys(("hr", "hour", "hours"), "hour"),
    **{name + plural: name for name in ("day", "week", "month", "year") for plural in ("", "s")},
}
_PASSING = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_DAYS = {"today": 0, "yesterday": 1}
_DATE = re.compile(r"(?:([0-9]{4}|[0-9]{2})-)?([0-9]{1,2})-([0-9]{1,2})\Z")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\Z")
_ISO = re.compile(r"(?<=[0-9])t(?=[0-9])")  # between date and time
_GLUED = re.compile(r"(?<=[0-9])(?=[a-z])")  # `3days`
_COUNT = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True)
class TimeRange:
    """From `start` (included) to `end` (not included), in µs since the epoch; None: open."""

    start: int | None = None
    end: int | None = None

    def __contains__(self, micros: int | None) -> bool:
        """What has no time is in no range."""
        if micros is None:
            return False
        return (self.start is None or micros >= self.start) and (self.end is None or micros < self.end)


class _Unexpected(Exception):
    """The text is no range; says where it goes wrong."""


@dataclass(frozen=True)
class _Span:
    """A stretch of time, as instants in µs. Of one that is given as a date or time (`is_named`), `after`
    and `between` mean the start."""

    start: int
    end: int
    is_named: bool

    @property
    def far_end(self) -> int:
        return self.start if self.is_named else self.end


def parse_range(text: str, now: datetime) -> TimeRange:
    """The range that a text means at `now`, which is local time; without a zone, in that of the system.

    Raises GuildError for a text that is no range, or one that the calendar does not have.
    """
    words = _GLUED.sub(" ", _ISO.sub(" ", text.lower())).split()
    reader = _Reader(words, _Clock(now))
    try:
        found = reader.range()
        reader.expect_end()
        return found
    except _Unexpected as e:
        raise GuildError(f"invalid RANGE: {e} in {text[:80]!r}", HINT) from None
    except (ValueError, OverflowError, OSError):
        raise GuildError(f"invalid RANGE: there is no such date or time: {text[:80]!r}", HINT) from None


class _Clock:
    """Local time, to instants and back."""

    def __init__(self, now: datetime) -> None:
        self._zone: tzinfo | None = now.tzinfo
        self.instant = self._instant(now)
        self.wall = now.replace(tzinfo=None)

    def _instant(self, time: datetime) -> int:
        return round(time.replace(tzinfo=self._zone).timestamp() * 1_000_000)

    def _wall(self, instant: int) -> datetime:
        return datetime.fromtimestamp(instant / 1_000_000, self._zone)

    def ago(self, count: int, unit: str) -> int:
        """The moment so many units before now."""
        if unit in _PASSING:
            return self.instant - count * (_PASSING[unit] // timedelta(microseconds=1))
        if unit in ("month", "year"):
            return self._instant(_months_before(self.wall, count * (12 if unit == "year" else 1)))
        return self._instant(self.wall - count * timedelta(days=7 if unit == "week" else 1))

    def unit(self, count: int, unit: str) -> _Span:
        """The whole calendar unit `count` before the current one."""
        if unit in _PASSING:
            start = self._wall(self.ago(count, unit)).replace(second=0, microsecond=0)
            start = start.replace(minute=0) if unit == "hour" else start
            first = self._instant(start)
            return _Span(first, first + _PASSING[unit] // timedelta(microseconds=1), False)
        day = self.wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if unit in ("day", "week"):
            length = timedelta(days=7 if unit == "week" else 1)
            start = day - timedelta(days=day.weekday() if unit == "week" else 0) - count * length
            return _Span(self._instant(start), self._instant(start + length), False)
        months = 12 if unit == "year" else 1
        first_month = day.replace(day=1, month=1) if unit == "year" else day.replace(day=1)
        start = _months_before(first_month, count * months)
        return _Span(self._instant(start), self._instant(_months_before(start, -months)), False)

    def named(self, time: datetime, length: timedelta) -> _Span:
        return _Span(self._instant(time), self._instant(time + length), True)


def _months_before(time: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last one."""
    year, month = divmod(time.year * 12 + time.month - 1 - months, 12)
    for day in range(time.day, 27, -1):
        try:
            return time.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return time.replace(year=year, month=month + 1, day=min(time.day, 28))


class _Reader:
    """Reads a range word by word."""

    def __init__(self, words: Sequence[str], clock: _Clock) -> None:
        self._words = words
        self._at = 0
        self._clock = clock

    def range(self) -> TimeRange:
        if self._take("last"):
            return TimeRange(self._clock.ago(self._count(default=1), self._unit()))
        if self._take("after"):
            return TimeRange(self._span().far_end)
        if self._take("before"):
            return TimeRange(None, self._span().start)
        if self._take("between"):
            first = self._span()
            if not self._take("and"):
                raise self._unexpected()
            first, second = sorted((first, self._span()), key=lambda span: span.start)
            return TimeRange(first.start, second.far_end)
        span = self._span()
        return TimeRange(span.start, span.end)

    def expect_end(self) -> None:
        if self._at < len(self._words):
            raise self._unexpected()

    def _span(self) -> _Span:
        word = self._peek()
        if word in _DAYS:
            self._at += 1
            return self._clock.unit(_DAYS[word], "day")
        if self._take("this"):
            return self._clock.unit(0, self._unit())
        if _COUNT.match(word):
            count, unit = self._count(default=0), self._unit()
            if not self._take("ago"):
                raise self._unexpected()
            return self._clock.unit(count, unit)
        return self._date_and_time()

    def _date_and_time(self) -> _Span:
        date = _DATE.match(self._peek())
        self._at += 1 if date else 0
        time = _TIME.match(self._peek())
        self._at += 1 if time else 0
        if date is None and time is None:
            raise self._unexpected()
        moment = self._clock.wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if date:
            moment = moment.replace(year=_year(date[1], moment.year), month=int(date[2]), day=int(date[3]))
        if time is None:
            return self._clock.named(moment, timedelta(days=1))
        moment = moment.replace(hour=int(time[1]), minute=int(time[2]), second=int(time[3] or 0))
        return self._clock.named(moment, timedelta(seconds=1) if time[3] else timedelta(minutes=1))

    def _count(self, default: int) -> int:
        if not _COUNT.match(self._peek()):
            return default
        self._at += 1
        return int(self._words[self._at - 1])

    def _unit(self) -> str:
        unit = _UNITS.get(self._peek())
        if unit is None:
            raise self._unexpected()
        self._at += 1
        return unit

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._at += 1
        return True

    def _unexpected(self) -> _Unexpected:
        word = self._peek()
        return _Unexpected(f"unexpected {word[:40]!r}" if word else "unexpected end")


def _year(text: str | None, this_year: int) -> int:
    if text is None:
        return this_year
    if len(text) == 4:
        return int(text)
    return int(text) + (2000 if int(text) < 69 else 1900)  # as POSIX has it
