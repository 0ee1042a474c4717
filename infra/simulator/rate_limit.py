"""How many requests a minute may bring, and what the answers say about it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

LIMIT_SAID = 1_000_000
"""What the headers say where no limit holds: a number that keeps no polite client waiting."""
MINUTE_S = 60


@dataclass(frozen=True)
class Allowance:
    """What is left of a minute after one request; `reset` is the second of the epoch at which the next one begins."""

    limit: int
    remaining: int
    reset: int
    is_exceeded: bool

    def headers(self, status: int) -> dict[str, str]:
        """Return the headers of an answer; one that refuses for too many requests has none left, whoever decided so."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0" if status == 429 else str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class RateLimit:
    """Counts the requests of each minute of real time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with nothing counted."""
        self._clock = clock
        self._minute = 0
        self._count = 0

    def count(self, limit: int | None) -> Allowance:
        """Count a request against `limit` a minute; None counts nothing."""
        minute = int(self._clock().timestamp()) // MINUTE_S
        if minute != self._minute:
            self._minute, self._count = minute, 0
        reset = (minute + 1) * MINUTE_S
        if limit is None:
            return Allowance(LIMIT_SAID, LIMIT_SAID, reset, is_exceeded=False)
        self._count += 1
        return Allowance(limit, max(limit - self._count, 0), reset, is_exceeded=self._count > limit)
