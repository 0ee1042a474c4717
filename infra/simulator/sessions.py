"""When sessions of the New York Stock Exchange open and close, early closes included.

The calendar brings pandas along and takes two seconds to load; a simulator that nobody asks for the time never does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

FIRST_SESSION = "2010-01-04"


@dataclass(frozen=True)
class MarketHours:
    """What /v2/clock says."""

    is_open: bool
    next_open: datetime
    next_close: datetime


@cache
def calendar() -> Any:
    """Load the exchange's calendar, once; it reaches one year past today."""
    import exchange_calendars  # noqa: PLC0415

    return exchange_calendars.get_calendar("XNYS", start=FIRST_SESSION)


def session_close(at: datetime) -> datetime:
    """Return the close of the session open at `at`, else of the next one; raises ValueError out of bounds."""
    return _utc(calendar().next_close(_within_bounds(at)))


def market_hours(at: datetime) -> MarketHours:
    """Return whether the exchange is open and when that changes; raises ValueError out of bounds."""
    moment = _within_bounds(at)
    open_now = bool(calendar().is_open_on_minute(moment, ignore_breaks=True))
    return MarketHours(open_now, _utc(calendar().next_open(moment)), _utc(calendar().next_close(moment)))


def _within_bounds(at: datetime) -> datetime:
    first, last = _utc(calendar().first_minute), _utc(calendar().last_minute)
    if not first <= at < last:
        raise ValueError(f"clock {at.isoformat()}: sessions are known from {first.isoformat()} to {last.isoformat()}")
    return at.replace(second=0, microsecond=0)


def _utc(moment: Any) -> datetime:
    found: datetime = moment.to_pydatetime()
    return found.astimezone(UTC)
