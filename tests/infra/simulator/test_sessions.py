"""When sessions open and close, as the exchange's calendar has it."""

import warnings
from datetime import UTC, date, datetime, timedelta

import pytest
from exchange_calendars import get_calendar

from agents.scheduler.sessions import LAST
from infra.simulator.sessions import (
    FIRST,
    market_hours,
    regular_session,
    session_of,
    sessions_between,
    settlement_day,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00-05:00")


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2025-11-26T19:59", date(2025, 11, 26)),
        ("2025-11-26T20:00", date(2025, 11, 28)),
        ("2025-11-27T12:00", date(2025, 11, 28)),
        ("2025-11-28T03:00", date(2025, 11, 28)),
        ("2025-11-28T16:59", date(2025, 11, 28)),
        ("2025-11-28T17:00", date(2025, 12, 1)),
    ],
)
def test_a_session_lasts_until_its_extended_hours_end(now: str, day: date) -> None:
    assert session_of(at(now)).day == day


def test_an_early_close_moves_the_end_of_extended_hours() -> None:
    session = session_of(at("2025-11-28T10:00"))
    hours = [each - session.open for each in (session.early, session.close, session.late)]
    assert hours == [timedelta(hours=-5.5), timedelta(hours=3.5), timedelta(hours=7.5)]


def test_after_the_close_the_regular_session_is_the_next_one() -> None:
    assert regular_session(session_of, at("2025-11-28T12:59")).day == date(2025, 11, 28)
    assert regular_session(session_of, at("2025-11-28T13:00")).day == date(2025, 12, 1)


@pytest.mark.parametrize(
    ("now", "is_open", "next_open", "next_close"),
    [
        ("2025-11-28T09:29", False, "2025-11-28T09:30", "2025-11-28T13:00"),
        ("2025-11-28T09:30", True, "2025-12-01T09:30", "2025-11-28T13:00"),
        ("2025-11-28T13:00", False, "2025-12-01T09:30", "2025-12-01T16:00"),
    ],
)
def test_the_clock_says_when_the_market_opens_and_closes(
    now: str, is_open: bool, next_open: str, next_close: str
) -> None:
    hours = market_hours(at(now))
    assert (hours.is_open, hours.next_open, hours.next_close) == (is_open, at(next_open), at(next_close))


def test_days_are_counted_from_the_first_to_the_last() -> None:
    days = [each.day for each in sessions_between(date(2025, 11, 27), date(2025, 12, 1))]
    assert days == [date(2025, 11, 28), date(2025, 12, 1)]
    assert len(sessions_between(date(2025, 1, 1), date(2025, 12, 31))) == 250


@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        (date(2017, 9, 1), date(2017, 9, 7)),
        (date(2017, 9, 5), date(2017, 9, 7)),
        (date(2024, 5, 24), date(2024, 5, 29)),
        (date(2024, 5, 28), date(2024, 5, 29)),
        (date(2025, 11, 26), date(2025, 11, 28)),
    ],
)
def test_trades_settle_three_two_and_one_sessions_later(traded: date, settled: date) -> None:
    assert settlement_day(traded) == settled


def test_a_time_without_a_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="sessions are known from 1993-01-01"):
        session_of(datetime(1992, 12, 31, tzinfo=UTC))


def test_the_table_of_sessions_is_what_the_calendar_library_says() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls what a newer pandas deprecates
        schedule = get_calendar("XNYS", start=FIRST, end=LAST).schedule
    expected = [(day.date(), opens, closes) for day, opens, closes in schedule[["open", "close"]].itertuples()]

    assert [(each.day, each.open, each.close) for each in sessions_between(None, None)] == expected
