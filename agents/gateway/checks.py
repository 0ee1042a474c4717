"""Reading a CHECK: the market and the account as they were read for one order.

What is missing stays None or empty, so that the check that needs it names it; only a CHECK whose parts are no objects
cannot be read at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from agents.gateway.reading import UnreadableError, as_object, as_rows, instant, number, parsed, text, value_of
from schemas.account import TRANSFERS


@dataclass(frozen=True)
class Quoted:
    """A two-sided quote, dollars per share."""

    bid: Decimal
    ask: Decimal
    quoted_at: datetime


@dataclass(frozen=True)
class Held:
    """A position at the broker: signed shares, and dollars per share where the broker says any."""

    quantity: Decimal
    price: Decimal | None


@dataclass(frozen=True)
class Checked:
    """What was read: `quote` is None with the reason in `no_quote`; `broker_at` is the broker's own clock.

    `transferred` is the cash that came from outside since the day of `last_equity`, dollars, negative when more went
    there; None when it cannot be read.
    """

    read_at: datetime
    quote: Quoted | None
    no_quote: str
    positions: Mapping[str, Held]
    equity: Decimal | None
    last_equity: Decimal | None
    transferred: Decimal | None
    is_open: bool | None
    broker_at: datetime | None

    @property
    def settled_at(self) -> datetime:
        """What had ended before this instant is in the positions.

        The broker's clock and ours: whichever is behind, so that a clock that is ahead hides no order.
        """
        return self.read_at if self.broker_at is None else min(self.read_at, self.broker_at)


def read_check(body: str) -> Checked:
    """Return what was read; raises UnreadableError when a part is missing altogether."""
    parts = as_object(parsed(body), "the body")
    read_at = instant(parts.get("read_at"))
    if read_at is None:
        raise UnreadableError(f"expected read_at to be an instant, was {str(parts.get('read_at'))[:50]!r}")
    account, clock = as_object(parts.get("account"), "account"), as_object(parts.get("clock"), "clock")
    positions = (_position(row) for row in as_rows(parts.get("positions"), "positions"))
    is_open = clock.get("is_open")
    quote, no_quote = _quote(parts.get("quote"))
    return Checked(
        read_at=read_at,
        quote=quote,
        no_quote=no_quote,
        positions={symbol: held for symbol, held in positions if held.quantity},
        equity=value_of(account, "equity"),
        last_equity=value_of(account, "last_equity"),
        transferred=_transferred(parts.get("transfers"), account.get("balance_asof")),
        is_open=is_open if isinstance(is_open, bool) else None,
        broker_at=instant(clock.get("timestamp")),
    )


def _transferred(said: object, closed_on: object) -> Decimal | None:
    """Return the sum of the transfers dated after a day; one of that day is in the equity of its close.

    A canceled one has moved nothing: a withdrawal that did not happen excuses no loss. A reading without the part is of
    a time when nobody looked for transfers.
    """
    if said is None:
        return Decimal(0)
    try:
        rows = [row for row in as_rows(said, "transfers") if _moves_cash(row)]
        if not rows:
            return Decimal(0)
        closed = _day(closed_on)
        since = [value_of(row, "net_amount") for row in rows if _day(row.get("date")) > closed]
    except UnreadableError:
        return None
    amounts = [each for each in since if each is not None]
    return sum(amounts, Decimal(0)) if len(amounts) == len(since) else None


def _moves_cash(row: Mapping[str, object]) -> bool:
    return row.get("activity_type") in TRANSFERS and row.get("status") != "canceled"


def _day(said: object) -> date:
    try:
        return date.fromisoformat(said if isinstance(said, str) else "")
    except ValueError as error:
        raise UnreadableError(f"expected a day, was {str(said)[:50]!r}") from error


def _quote(said: object) -> tuple[Quoted | None, str]:
    if said is None:
        return None, "the broker has none"
    try:
        fields = as_object(said, "quote")
        bid, ask, quoted_at = number(fields, "bp", 6), number(fields, "ap", 6), instant(fields.get("t"))
    except UnreadableError as error:
        return None, f"unreadable: {error}"
    if quoted_at is None:
        return None, "it has no time"
    if bid <= 0 or ask <= 0 or bid > ask:
        return None, f"bid {bid:f}, ask {ask:f}"
    return Quoted(bid, ask, quoted_at), ""


def _position(row: Mapping[str, object]) -> tuple[str, Held]:
    symbol, quantity = text(row, "symbol"), number(row, "qty", 9)
    is_short = row.get("side") == "short" and quantity > 0
    price, value = value_of(row, "current_price"), value_of(row, "market_value")
    if price is None and value is not None and quantity:
        price = abs(value / quantity)
    return symbol, Held(-quantity if is_short else quantity, None if price is None or price <= 0 else price)
