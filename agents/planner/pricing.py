"""What a symbol's market is good for: a price to value with, the prices orders meet, and whether it trades now."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from agents.planner.units import as_price, price_units
from schemas.account import InstrumentStatus, SnapshotContent
from schemas.market import Quote
from schemas.plan import Rule

STOPPED = {InstrumentStatus.NOT_TRADABLE: Rule.NOT_TRADABLE, InstrumentStatus.HALTED: Rule.HALTED}

SECOND = timedelta(seconds=1)


class Market(NamedTuple):
    """One symbol's market: prices in units of 1e-6 dollars, 0 where the quote lacks a side.

    The midpoint is rounded half-even to six decimals. An order never meets a better price in the plan than the worse
    side of the quote, also when bid and ask are crossed. `rule` is why no order may go, `cross_rule` why nothing is
    crossed inside the account either.
    """

    quote: Quote | None
    price: Decimal | None
    mid: int
    buy: int
    sell: int
    rule: Rule | None
    threshold: Decimal | None
    cross_rule: Rule | None


class Markets:
    """The markets of a snapshot by symbol; a symbol nobody quoted has no price."""

    def __init__(self, snapshot: SnapshotContent, age_max_s: int) -> None:
        stopped = {each.symbol: STOPPED[each.status] for each in snapshot.instruments}
        age_max = timedelta(seconds=age_max_s)
        self._stopped = stopped
        self._markets = {
            each.symbol: _market(each, stopped.get(each.symbol), snapshot.taken_at, age_max) for each in snapshot.quotes
        }

    @property
    def mids(self) -> dict[str, int]:
        """The midpoints of what has a price."""
        return {symbol: market.mid for symbol, market in self._markets.items() if market.mid}

    def of(self, symbol: str) -> Market:
        """Return the market of a symbol."""
        found = self._markets.get(symbol)
        return _unpriced(None, self._stopped.get(symbol)) if found is None else found


def _market(quote: Quote, stopped: Rule | None, taken_at: datetime, age_max: timedelta) -> Market:
    bid, ask = price_units(quote.bid), price_units(quote.ask)
    if bid <= 0 or ask <= 0:
        return _unpriced(quote, stopped)
    mid = _half_even(bid + ask)
    rule = stopped or (Rule.QUOTE_STALE if taken_at - quote.quoted_at > age_max else None)
    return Market(
        quote=quote,
        price=as_price(mid),
        mid=mid,
        buy=max(bid, ask),
        sell=min(bid, ask),
        rule=rule,
        threshold=Decimal(age_max // SECOND) if rule is Rule.QUOTE_STALE else None,
        cross_rule=rule or _not_open(bid, ask),
    )


def _unpriced(quote: Quote | None, stopped: Rule | None) -> Market:
    rule = stopped or Rule.NO_PRICE
    return Market(quote, None, 0, 0, 0, rule, None, rule)


def _not_open(bid: int, ask: int) -> Rule | None:
    if bid < ask:
        return None
    return Rule.QUOTE_LOCKED if bid == ask else Rule.QUOTE_CROSSED


def _half_even(twice: int) -> int:
    half, odd = divmod(twice, 2)
    return half + (half & odd)
