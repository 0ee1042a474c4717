"""A bar for tests that only need one."""

from datetime import date, timedelta
from decimal import Decimal

from schemas.market import Bar

FIRST = date(2012, 6, 1)


def bar(number: int) -> Bar:
    """Return the number-th daily bar of a symbol that goes up a dollar a day."""
    price = Decimal(100 + number)
    return Bar(
        symbol="TDECK",
        session_date=FIRST + timedelta(days=number),
        open=price,
        high=price,
        low=price,
        close=price,
        adjusted_close=price,
        volume=1000,
        source="test",
    )
