"""Opening and closing auctions of each day, from the prints that are marked as such. Pure."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from infra.simulator.bars import DAY
from infra.simulator.market_rows import TradeRow
from infra.simulator.sessions import new_york_day

OPENING = frozenset("OQ")
CLOSING = frozenset("6M")


class AuctionRow(NamedTuple):
    """The auctions of the day that begins at `time`."""

    time: datetime
    opening: tuple[TradeRow, ...]
    closing: tuple[TradeRow, ...]

    @property
    def message(self) -> dict[str, object]:
        """Return them in Alpaca's words."""
        day = new_york_day(self.time).isoformat()
        return {"d": day, "o": _prints(self.opening, OPENING), "c": _prints(self.closing, CLOSING)}


def auctions_of(trades: Iterable[TradeRow]) -> list[AuctionRow]:
    """Return the days of trades in order that had an auction."""
    found = []
    for begins, group in groupby(trades, key=lambda trade: DAY.start_of(trade.time)):
        prints = list(group)
        opening = tuple(trade for trade in prints if OPENING & set(trade.conditions))
        closing = tuple(trade for trade in prints if CLOSING & set(trade.conditions))
        if opening or closing:
            found.append(AuctionRow(begins, opening, closing))
    return found


def _prints(trades: tuple[TradeRow, ...], marks: frozenset[str]) -> list[dict[str, object]]:
    """Show every price, exchange and mark once, at its earliest time."""
    shown: dict[object, dict[str, object]] = {}
    for trade in trades:
        mark = next(letter for letter in trade.conditions if letter in marks)
        row = {"t": trade.time, "x": trade.exchange, "p": trade.price, "s": int(trade.size), "c": mark}
        shown.setdefault((trade.price, trade.exchange, mark), row)
    return list(shown.values())
