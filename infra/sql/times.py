"""Times and durations as people type them: `10m`, `2013-02-01T09:30`, `@1359711000000`. Without a zone it is UTC."""

import re
from datetime import UTC, datetime, timedelta

from infra.clock import Clock, system_clock
from infra.errors import TapeError

_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """Return a duration such as 500ms, 5s, 10m, 2h, 1d or 1w; raises TapeError on anything else."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise TapeError(f"expected a duration such as 5s, 10m, 2h or 1d, was {text}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def instant_ms(text: str, clock: Clock = system_clock) -> int:
    """Return an instant in milliseconds: so long ago, an ISO date or time, or milliseconds; raises TapeError."""
    stripped = text.strip().removeprefix("@")
    if stripped.isdecimal():
        return int(stripped)
    at = clock() - duration(stripped) if _DURATION.fullmatch(stripped) else _parsed(stripped)
    return int(at.timestamp() * 1000)


def _parsed(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise TapeError(f"expected a time such as 10m or 2013-02-01T09:30, was {text}") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
