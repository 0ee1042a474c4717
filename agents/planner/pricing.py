"""What a quote is good for: a price to value with, a price an order would meet, and whether a cross may use it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from schemas.market import Quote

PRICE_UNIT = Decimal(1).scaleb(-6)


class Priced(NamedTuple):
    """A quote with both sides: its midpoint, the prices orders would meet, and whether it is fresh and open."""

    price: Decimal
    buy_price: Decimal
    sell_price: Decimal
    is_stale: bool
    is_open: bool


def priced(quote: Quote | None, taken_at: datetime, age_max_s: int) -> Priced | None:
    """Return what a quote is good for, or None when it lacks a side.

    The midpoint is rounded half-even to six decimals. A quote is stale when it was more than `age_max_s` seconds old
    when the snapshot was taken; it is open when its bid is below its ask, neither locked nor crossed.
    """
    if quote is None or quote.bid <= 0 or quote.ask <= 0:
        return None
    return Priced(
        price=((quote.bid + quote.ask) / 2).quantize(PRICE_UNIT),
        buy_price=max(quote.bid, quote.ask),
        sell_price=min(quote.bid, quote.ask),
        is_stale=taken_at - quote.quoted_at > timedelta(seconds=age_max_s),
        is_open=quote.bid < quote.ask,
    )
