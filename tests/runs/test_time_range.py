"""Time ranges: from words to the instants between which a run began."""

import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.errors import GuildError
from guild.runs.time_range import TimeRange, parse_range

UTC = timezone.utc
NOW = datetime(2026, 11, 25, 19, 17, 46, tzinfo=UTC)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def span(start: str | None, end: str | None) -> TimeRange:
    return TimeRange(micros(start) if start else None, micros(end) if end else None)


# What Guild 0.9 was seen to do at that moment; times in UTC.
AS_GUILD = {
    "last hour": ("2026-11-25 18:17:46", None),
    "last 1 hr": ("2026-11-25 18:17:46", None),
    "last 5 minutes": ("2026-11-25 19:12:46", None),
    "last min": ("2026-11-25 19:16:46", None),
    "last 2 days": ("2026-11-23 19:17:46", None),
    "last 2days": ("2026-11-23 19:17:46", None),
    "before 3days ago": (None, "2026-11-22"),
    "this hour": ("2026-11-25 19:00", "2026-11-25 20:00"),
    "this min": ("2026-11-25 19:17", "2026-11-25 19:18"),
    "this day": ("2026-11-25", "2026-11-26"),
    "this week": ("2026-11-23", "2026-11-30"),
    "this weeks": ("2026-11-23", "2026-11-30"),
    "this month": ("2026-11-01", "2026-12-01"),
    "this year": ("2026-01-01", "2027-01-01"),
    "today": ("2026-11-25", "2026-11-26"),
    " TODAY ": ("2026-11-25", "2026-11-26"),
    "yesterday": ("2026-11-24", "2026-11-25"),
    "2 hours ago": ("2026-11-25 17:00", "2026-11-25 18:00"),
    "5 min ago": ("2026-11-25 19:12", "2026-11-25 19:13"),
    "0 days ago": ("2026-11-25", "2026-11-26"),
    "3 days ago": ("2026-11-22", "2026-11-23"),
    "2 weeks ago": ("2026-11-09", "2026-11-16"),
    "1 month ago": ("2026-10-01", "2026-11-01"),
    "11 months ago": ("2025-12-01", "2026-01-01"),
    "2 years ago": ("2024-01-01", "2025-01-01"),
    "after yesterday": ("2026-11-25", None),
    "before yesterday": (None, "2026-11-24"),
    "after 3 days ago": ("2026-11-23", None),
    "before this month": (None, "2026-11-01"),
    "after 2026-11-20": ("2026-11-20", None),
    "before 24-11-20": (None, "2024-11-20"),
    "after 9:00": ("2026-11-25 09:00", None),
    "before 9:00:30": (None, "2026-11-25 09:00:30"),
    "after 2026-11-25 18:00": ("2026-11-25 18:00", None),
    "11-3": ("2026-11-03", "2026-11-04"),
    "12-25": ("2026-12-25", "2026-12-26"),
    "24-2-29": ("2024-02-29", "2024-03-01"),
    "9:15": ("2026-11-25 09:15", "2026-11-25 09:16"),
    "9:00:00": ("2026-11-25 09:00:00", "2026-11-25 09:00:01"),
    "11-25  9:00": ("2026-11-25 09:00", "2026-11-25 09:01"),
    "between 11-1 and 11-10": ("2026-11-01", "2026-11-10"),
    "Between 10:00 AND 9:00": ("2026-11-25 09:00", "2026-11-25 10:00"),
    "between yesterday and today": ("2026-11-24", "2026-11-26"),
    "between today and 9:00": ("2026-11-25", "2026-11-25 09:00"),
    "between 2026-11-1 and 3 days ago": ("2026-11-01", "2026-11-23"),
}
OURS = {
    "last week": ("2026-11-18 19:17:46", None),
    "last 2 weeks": ("2026-11-11 19:17:46", None),
    "last month": ("2026-10-25 19:17:46", None),
    "last 3 years": ("2023-11-25 19:17:46", None),
    "after 2026-11-25T18:00": ("2026-11-25 18:00", None),
}


@pytest.mark.parametrize(("text", "want"), [*AS_GUILD.items(), *OURS.items()])
def test_a_range_is_from_one_instant_up_to_another(text: str, want: tuple[str | None, str | None]) -> None:
    assert parse_range(text, NOW) == span(*want)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "unexpected end"),
        ("foo", "'foo'"),
        ("after", "unexpected end"),
        ("after foo", "'foo'"),
        ("last", "unexpected end"),
        ("last 5", "unexpected end"),
        ("last 5 weekends", "'weekends'"),
        ("last -1 minutes", "'-1'"),
        ("last 1.5 hours", "'1.5'"),
        ("before last hour", "'last'"),
        ("between yesterday", "unexpected end"),
        ("between today and yesterday and 9:00", "'and'"),
        ("9:00 11-25", "'11-25'"),
        ("today 9:00", "'9:00'"),
        ("2026/11/3", "'2026/11/3'"),
        ("007-1-1", "'007-1-1'"),
        ("3 days", "unexpected end"),
        ("tomorrow", "'tomorrow'"),
    ],
)
def test_what_is_no_range_is_refused_with_the_word_and_the_forms(text: str, word: str) -> None:
    with pytest.raises(GuildError, match=r"^invalid RANGE: ") as e:
        parse_range(text, NOW)
    assert word in e.value.message
    assert "yesterday" in e.value.hint


@pytest.mark.parametrize(
    "text",
    ["2-30", "after 25:00", "13-45", "2026-11-25 24:00", "last 999999999 days", "99999 years ago", "9:60"],
)
def test_a_date_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(GuildError, match="there is no such date or time"):
        parse_range(text, NOW)


def test_the_day_of_a_month_that_lacks_it_is_the_last_one() -> None:
    assert parse_range("last month", datetime(2026, 3, 31, 1, tzinfo=UTC)) == span("2026-02-28 01:00", None)
    assert parse_range("last year", datetime(2024, 2, 29, 1, tzinfo=UTC)) == span("2023-02-28 01:00", None)


def hours(found: TimeRange) -> float:
    assert found.start is not None
    assert found.end is not None
    return (found.end - found.start) / 3.6e9


def test_a_day_in_which_the_clock_is_set_is_whole() -> None:
    assert hours(parse_range("yesterday", datetime(2026, 3, 30, 9, tzinfo=BERLIN))) == 23
    assert hours(parse_range("yesterday", datetime(2026, 10, 26, 9, tzinfo=BERLIN))) == 25


def test_hours_are_such_as_have_passed_though_the_clock_was_set() -> None:
    now = datetime(2026, 10, 25, 3, 30, tzinfo=BERLIN)  # at 3:00 it was set back to 2:00
    found = parse_range("last 2 hours", now)
    assert found.start == round(now.timestamp() * 1e6) - 2 * 3_600_000_000
    first, second = parse_range("2 hours ago", now), parse_range("1 hour ago", now)
    assert (hours(first), hours(second)) == (1, 1)
    assert first.end == second.start  # 2:00 to 3:00, twice
    assert second.end == round(now.replace(minute=0).timestamp() * 1e6)


def test_without_a_zone_local_time_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        here = parse_range("between 3-28 and 3-30", datetime(2026, 6, 1))
        assert here == parse_range("between 3-28 and 3-30", datetime(2026, 6, 1, tzinfo=BERLIN))
        assert hours(here) == 47
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_range_holds_its_start_and_not_its_end() -> None:
    assert [t in TimeRange(5, 7) for t in (4, 5, 6, 7, None)] == [False, True, True, False, False]
    assert None not in TimeRange()
    assert 0 in TimeRange()


NOWS = st.datetimes(datetime(1975, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, BERLIN]))
UNITS = st.sampled_from(["minute", "hour", "day", "week", "month", "year"])


@given(NOWS, UNITS, st.integers(0, 60))
def test_units_follow_one_another_without_a_gap(now: datetime, unit: str, count: int) -> None:
    this = parse_range(f"{count} {unit} ago", now)
    before = parse_range(f"{count + 1} {unit} ago", now)
    assert before.end == this.start
    assert parse_range(f"after {count} {unit} ago", now) == TimeRange(this.end)
    assert parse_range(f"before {count} {unit} ago", now) == TimeRange(None, this.start)


@given(NOWS, UNITS)
def test_now_is_in_every_current_unit(now: datetime, unit: str) -> None:
    instant = round(now.timestamp() * 1e6)
    assert instant in parse_range(f"this {unit}", now)
    assert instant in parse_range(f"last {unit}", now)
    assert instant + 1 not in parse_range("yesterday", now)


@given(NOWS, st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_a_written_time_is_in_the_range_that_it_names(now: datetime, moment: datetime) -> None:
    moment = moment.replace(tzinfo=now.tzinfo, microsecond=0, fold=0)
    instant = round(moment.timestamp() * 1e6)
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        text = moment.strftime(form)
        exists = moment.astimezone(UTC).astimezone(moment.tzinfo).replace(fold=0) == moment
        assert not exists or instant in parse_range(text, now)
        assert parse_range(f"after {text}", now).start == parse_range(text, now).start


RANGE_WORDS = st.sampled_from(["last", "2", "hours", "ago", "between", "and", "1-1", "9:00", "this"])


@given(st.text() | st.lists(RANGE_WORDS, max_size=8).map(" ".join))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        found = parse_range(text, NOW)
    except GuildError:
        return
    assert found.start is None or found.end is None or found.start <= found.end


def test_the_current_moment_may_be_any_that_a_clock_shows() -> None:
    assert parse_range("today", NOW + timedelta(microseconds=1)) == span("2026-11-25", "2026-11-26")


def test_a_date_and_time_of_iso_8601_are_one() -> None:
    now = datetime(2026, 11, 25, 12)
    assert parse_range("after 2026-11-25T09:30", now) == parse_range("after 2026-11-25 09:30", now)
