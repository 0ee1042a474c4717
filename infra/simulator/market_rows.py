"""What a market says: quotes, trades and bars of one symbol, in the order of their times."""

from bisect import bisect_left, bisect_right, insort_right
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

LOT = Decimal(100)
"""Size of a side that was quoted without one, shares."""


class QuoteRow(NamedTuple):
    """Best bid and offer; a price of 0 means that the side is empty. Sizes are shares."""

    time: datetime
    bid: Decimal
    ask: Decimal
    bid_size: Decimal = LOT
    ask_size: Decimal = LOT
    bid_exchange: str = "V"
    ask_exchange: str = "V"
    tape: str = "C"


class TradeRow(NamedTuple):
    """A print; `conditions` are the tape's letters, and no other trade of the symbol's day has its `id`."""

    time: datetime
    price: Decimal
    size: Decimal
    exchange: str
    conditions: tuple[str, ...]
    tape: str
    id: int


class BarRow(NamedTuple):
    """A bar that begins at `time` and can be seen from `known_at` on; `value` is the sum of price times size."""

    time: datetime
    known_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    value: Decimal


class Timed(Protocol):
    """A row with a time."""

    @property
    def time(self) -> datetime: ...


Row = TypeVar("Row", bound=Timed)
_TIME = attrgetter("time")


class Series(Generic[Row]):
    """Rows in the order of their times; those of one instant in the order they came."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        """Begin with rows that are in order."""
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Put a row in its place."""
        insort_right(self._rows, row, key=_TIME)

    def between(self, start: datetime, end: datetime) -> list[Row]:
        """Return the rows of an interval, both ends included."""
        return self._rows[bisect_left(self._rows, start, key=_TIME) : bisect_right(self._rows, end, key=_TIME)]

    def after(self, start: datetime, end: datetime) -> list[Row]:
        """Return the rows after `start`, up to and with `end`."""
        return self._rows[bisect_right(self._rows, start, key=_TIME) : bisect_right(self._rows, end, key=_TIME)]

    def latest(self, now: datetime) -> Row | None:
        """Return the last row at or before `now`."""
        index = bisect_right(self._rows, now, key=_TIME)
        return self._rows[index - 1] if index else None
