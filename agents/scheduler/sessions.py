"""Exchange sessions: whether an instant falls on a day on which New York trades.

Pure in the sense that matters here: the calendar is computed from rules shipped with the pinned library, offline, and
its two ends are fixed below. Without them the library ends it a year from today, and the same run would be judged
differently next year.
"""

import warnings
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

EXCHANGE = "XNYS"
FIRST = date(1990, 1, 1)
LAST = date(2049, 12, 31)
NEW_YORK = ZoneInfo("America/New_York")


def session_date(at: datetime) -> date:
    """Return the New York date of an instant: the session it belongs to, if that day is one."""
    return at.astimezone(NEW_YORK).date()


def is_session(day: date) -> bool:
    """Return whether New York trades on `day`; days outside FIRST to LAST count as no session."""
    return day in _sessions()


@cache
def _sessions() -> frozenset[date]:
    from exchange_calendars import get_calendar  # noqa: PLC0415 - on first use: it brings pandas, over a second

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls what a newer pandas deprecates; nothing a reader of ours can change
        calendar = get_calendar(EXCHANGE, start=FIRST, end=LAST)
    return frozenset(session.date() for session in calendar.sessions)
