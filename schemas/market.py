"""Market data: bars, and the quotes a decision saw."""

from datetime import date
from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from schemas.quantities import CONTEXT, Price
from schemas.record import Instant, Record, Value

PRICE_UNIT = Decimal(1).scaleb(-6)


class Bar(Record):
    """One daily bar; a correction is a later record of the same symbol and session."""

    topic: ClassVar[str] = "bars.v1"

    symbol: str = Field(description="Ticker, upper case.", min_length=1)
    session_date: date = Field(description="The exchange session the bar sums up.")
    open: Price = Field(description="First price of the session, unadjusted dollars.")
    high: Price = Field(description="Highest price of the session, unadjusted dollars.")
    low: Price = Field(description="Lowest price of the session, unadjusted dollars.")
    close: Price = Field(description="Closing price, unadjusted dollars: what an order would have paid.")
    adjusted_close: Price = Field(description="Closing price adjusted for splits and dividends: what indicators read.")
    volume: int = Field(description="Shares traded.", ge=0)
    source: str = Field(description="Where the bar comes from.")


class Quote(Value):
    """The best bid and offer of one symbol, as the broker gave it."""

    symbol: str = Field(description="Ticker, upper case.")
    bid: Price = Field(description="Best bid, dollars; 0 = none.")
    ask: Price = Field(description="Best offer, dollars; 0 = none.")
    quoted_at: Instant = Field(description="The venue's time of the quote.")
    source: str = Field(description="Feed the quote came from.")

    @property
    def midpoint(self) -> Decimal | None:
        """Return the middle of bid and ask, dollars, half-even at a price's six decimals; None without two sides.

        The one price that shares are valued at and crossed at, so there is one rule for it.
        """
        if self.bid <= 0 or self.ask <= 0:
            return None
        return CONTEXT.divide(CONTEXT.add(self.bid, self.ask), Decimal(2)).quantize(PRICE_UNIT, context=CONTEXT)
