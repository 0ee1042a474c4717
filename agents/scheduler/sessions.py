"""Exchange sessions: whether an instant falls on a day on which New York trades."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from agents.scheduler.holidays import HOLIDAYS

FIRST = date(1990, 1, 1)
LAST = date(2049, 12, 31)
NEW_YORK = ZoneInfo("America/New_York")
_SATURDAY = 5


def session_date(at: datetime) -> date:
    """Return the New York date of an instant: the session it belongs to, if that day is one."""
    return at.astimezone(NEW_YORK).date()


def is_session(day: date) -> bool:
    """Return whether New York trades on `day`; days outside FIRST to LAST count as no session."""
    return FIRST <= day <= LAST and day.weekday() < _SATURDAY and day not in HOLIDAYS
