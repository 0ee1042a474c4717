"""How many orders were let pass in a second, a minute and a UTC day.

Counted are orders, not attempts: a second attempt is the same order. The time is that of the check an order was let
pass on. It only goes forward: a check of an earlier time counts at the latest one, so that a clock that was set back
lets nothing more through.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Sent:
    """Times of the last minute in order, and how many there were on the day of the latest."""

    times: tuple[datetime, ...] = ()
    day: date | None = None
    day_count: int = 0

    def at(self, read_at: datetime) -> datetime:
        """Return the time at which an order counts."""
        return max(read_at, self.times[-1]) if self.times else read_at

    def within(self, span: timedelta, read_at: datetime) -> int:
        """Return how many orders were let pass in the span before a time: an order a whole span ago is none."""
        after = self.at(read_at) - span
        return sum(1 for each in self.times if each > after)

    def on_day(self, read_at: datetime) -> int:
        """Return how many orders were let pass on the UTC day of a time."""
        return self.day_count if self.day == self.at(read_at).astimezone(UTC).date() else 0

    def after(self, read_at: datetime) -> "Sent":
        """Return the counts with one order more."""
        at = self.at(read_at)
        return Sent(
            times=(*(each for each in self.times if each > at - MINUTE), at),
            day=at.astimezone(UTC).date(),
            day_count=self.on_day(at) + 1,
        )
