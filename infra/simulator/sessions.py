"""When sessions of the New York Stock Exchange open and close, early closes included."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

from agents.scheduler.sessions import LAST, is_session
from infra.simulator.early_closes import EARLY_CLOSES

NEW_YORK = ZoneInfo("America/New_York")

#: Before 1993 early closes were at other hours.
FIRST = date(1993, 1, 1)
EARLY, OPEN, CLOSE, LATE = time(4), time(9, 30), time(16), time(20)
EARLY_CLOSE, LATE_AFTER_EARLY_CLOSE = time(13), time(17)
T_PLUS_2_FROM, T_PLUS_1_FROM = date(2017, 9, 5), date(2024, 5, 28)


def new_york_day(at: datetime) -> date:
    """Return the date in New York."""
    return at.astimezone(NEW_YORK).date()


@dataclass(frozen=True)
class MarketHours:
    """What /v2/clock says."""

    is_open: bool
    next_open: datetime
    next_close: datetime


@dataclass(frozen=True)
class Session:
    """One trading day: extended hours from `early` to `open` and from `close` to `late`, times in UTC."""

    day: date
    early: datetime
    open: datetime
    close: datetime
    late: datetime


#: Returns the session whose extended hours are on at a time, else the next one; raises ValueError out of bounds.
SessionOf = Callable[[datetime], Session]


@cache
def _session(day: date) -> Session:
    close, late = (EARLY_CLOSE, LATE_AFTER_EARLY_CLOSE) if day in EARLY_CLOSES else (CLOSE, LATE)
    early, opens, closes, ends = (
        datetime.combine(day, each, NEW_YORK).astimezone(UTC) for each in (EARLY, OPEN, close, late)
    )
    return Session(day, early, opens, closes, ends)


def _days(first: date, last: date = LAST) -> Iterator[date]:
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return (day for day in days if is_session(day))


def session_of(at: datetime) -> Session:
    """Return the session whose extended hours are on at a time, else the next one; raises ValueError out of bounds."""
    today = new_york_day(at)
    sessions = (_session(day) for day in _days(today) if today >= FIRST)
    found = next((session for session in sessions if session.late > at), None)
    if found is None:
        raise ValueError(f"clock {at.isoformat()}: sessions are known from {FIRST} to {LAST}")
    return found


def sessions_between(first: date | None, last: date | None) -> list[Session]:
    """Return the sessions of the days from `first` to `last`, both included; None is as far as they are known."""
    return [_session(day) for day in _days(max(first or FIRST, FIRST), min(last or LAST, LAST))]


def settlement_day(day: date) -> date:
    """Return when trades of a session settle: one session later, two before 2024-05-28, three before 2017-09-05."""
    count = 1 if day >= T_PLUS_1_FROM else 2 if day >= T_PLUS_2_FROM else 3
    after = _days(day + timedelta(days=1))
    return next(islice(after, count - 1, None), day + timedelta(days=count))


def regular_session(session_of: SessionOf, at: datetime) -> Session:
    """Return the session whose regular hours are on at a time, else the next one."""
    session = session_of(at)
    return session if at < session.close else session_of(session.late)


def market_hours(at: datetime) -> MarketHours:
    """Return whether the exchange is open and when that changes; raises ValueError out of bounds."""
    session = regular_session(session_of, at)
    is_open = session.open <= at
    next_open = session_of(session.late).open if is_open else session.open
    return MarketHours(is_open, next_open, session.close)
