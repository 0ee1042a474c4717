"""Reading what the brokerage answers, as far as the broker agent itself needs it.

It reads whole answers only to take the account's snapshot; orders and executions it reads just enough to know which
order is meant and whether anything is new. What reports mean is read by the gateway, from the text as received.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal

from agents.broker.ports import Reply
from agents.broker.raw import Fields, rows_of
from schemas.account import Position
from schemas.market import Quote
from schemas.quantities import CONTEXT, at_scale

MONEY_DIGITS = 15
MONEY_UNIT = Decimal(1).scaleb(-MONEY_DIGITS)


@dataclass(frozen=True)
class OrderShown:
    """What an order's JSON says about identity and progress."""

    client_order_id: str
    broker_order_id: str
    status: str
    filled_qty: Decimal

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be executed of it."""
        return self.status in ENDED


@dataclass(frozen=True)
class AccountShown:
    """What an account's JSON says, dollars."""

    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


VALUED = ("equity", "buying_power", "initial_margin", "maintenance_margin")

ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


def fields_of(body: str) -> Fields:
    """Return the fields of a JSON object; empty for anything else."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def part(fields: Fields, name: str) -> Fields:
    """Return a field that is an object itself; empty when it is not."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def text(fields: Fields, name: str) -> str:
    """Return a field's text, empty when it has none that UTF-8 can carry."""
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    return "" if value.encode("utf-8", "replace").decode() != value else value


def number(fields: Fields, name: str) -> Decimal | None:
    """Return a finite number given as text or as a number, else None."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        found = Decimal(value)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def instant(fields: Fields, *names: str) -> datetime | None:
    """Return the first of some fields that is a point in time; a plain date is its midnight in UTC."""
    for name in names:
        try:
            found = text(fields, name)
            if len(found) == len("2012-06-01"):
                return datetime.combine(date.fromisoformat(found), time(), UTC)
            at = datetime.fromisoformat(found)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def order_of(fields: Fields) -> OrderShown | None:
    """Return what an order's JSON says; None when it is none."""
    filled_qty = number(fields, "filled_qty")
    shown = OrderShown(
        text(fields, "client_order_id"), text(fields, "id"), text(fields, "status"), filled_qty or Decimal(0)
    )
    return shown if shown.broker_order_id and shown.status and filled_qty is not None else None


def account_of(body: str) -> AccountShown:
    """Return cash, exact, and what is valued, rounded to the schema's scale; raises ValueError."""
    fields = fields_of(body)
    cash = _money("cash", _needed(fields, "cash"))
    return AccountShown(cash, *(_valued(fields, name) for name in VALUED))


def positions_of(body: str) -> tuple[Position, ...]:
    """Return the open positions, sorted by symbol, shorts negative; raises ValueError."""
    positions = (_position(row.fields) for row in rows_of(body))
    return tuple(sorted((each for each in positions if each.quantity), key=lambda each: each.symbol))


def quotes_of(body: str, source: str) -> tuple[Quote, ...]:
    """Return the latest quotes, sorted by symbol; raises ValueError when the body has none.

    A quote that cannot be read is left out: its line has no price, which is a typed reason of its own.
    """
    fields = fields_of(body)
    if not isinstance(fields.get("quotes"), dict):
        raise ValueError(f"expected an object with quotes, was {body[:50]!r}")
    quotes = part(fields, "quotes")
    found = (_quote(symbol, part(quotes, symbol), source) for symbol in sorted(quotes))
    return tuple(each for each in found if each is not None)


def untradable(reply: Reply) -> str:
    """Return why a symbol cannot be traded, as its asset says; empty when it can, or when nothing was said."""
    if reply.http_status == 404:
        return "the broker knows no such asset"
    fields = fields_of(reply.body) if reply.http_status == 200 else {}
    status, is_tradable = text(fields, "status"), fields.get("tradable")
    if not status or (status == "active" and is_tradable is not False):
        return ""
    return f"asset status {status}, tradable {'yes' if is_tradable else 'no'}"


def _position(fields: Fields) -> Position:
    symbol, quantity = text(fields, "symbol"), _needed(fields, "qty")
    if not symbol:
        raise ValueError(f"a position of {quantity} has no symbol")
    is_short = text(fields, "side") == "short" and quantity > 0
    return Position(symbol=symbol, quantity=-quantity if is_short else quantity)


def _quote(symbol: str, fields: Fields, source: str) -> Quote | None:
    bid, ask, quoted_at = number(fields, "bp"), number(fields, "ap"), instant(fields, "t")
    if bid is None or ask is None or quoted_at is None or bid < 0 or ask < 0:
        return None
    try:
        return Quote(symbol=symbol, bid=bid, ask=ask, quoted_at=quoted_at, source=source)
    except ValueError:
        return None


def _needed(fields: Fields, name: str) -> Decimal:
    found = number(fields, name)
    if found is None:
        raise ValueError(f"expected a number in {name}, was {fields.get(name)!r}")
    return found


def _valued(fields: Fields, name: str) -> Decimal:
    value = _needed(fields, name)
    try:
        return _money(name, value.quantize(MONEY_UNIT, rounding=ROUND_HALF_EVEN, context=CONTEXT))
    except ArithmeticError as error:
        raise ValueError(f"{name} {value} does not fit") from error


def _money(name: str, value: Decimal) -> Decimal:
    try:
        return at_scale(MONEY_DIGITS)(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
