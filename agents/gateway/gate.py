"""The gate before the broker: thin checks in a fixed order; the first that fails names itself in the refusal."""

from collections.abc import Callable

from agents.decider import Message
from agents.gateway.orders import ZERO
from schemas.ledger import CASH
from schemas.order import NET, IntentAction, OrderIntent, Side, Venue


def refused(intent: OrderIntent, message: Message) -> str:
    """Return why an intent does not pass, beginning with the check's name; empty when it does."""
    return next((reason for check in CHECKS if (reason := check(intent, message))), "")


def _expired_intent(intent: OrderIntent, message: Message) -> str:
    if message.occurred_at < intent.order.valid_until:
        return ""
    return f"EXPIRED_INTENT valid until {intent.order.valid_until.isoformat()}, was {message.occurred_at.isoformat()}"


def _wrong_venue(intent: OrderIntent, _: Message) -> str:
    wanted = Venue.INTERNAL if intent.action is IntentAction.CROSS else Venue.BROKER
    return "" if intent.order.venue is wanted else f"WRONG_VENUE {intent.order.venue} for {intent.action}"


def _reserved_symbol(intent: OrderIntent, _: Message) -> str:
    return f"RESERVED_SYMBOL {CASH} is cash in the books" if intent.order.symbol == CASH else ""


def _no_price(intent: OrderIntent, _: Message) -> str:
    is_unpriced = intent.action is IntentAction.CROSS and intent.order.reference_price <= 0
    return f"NO_PRICE a cross at {intent.order.reference_price:f}" if is_unpriced else ""


def _wrong_book(intent: OrderIntent, _: Message) -> str:
    """Shares of a strategy's own book are bought and sold for that strategy alone; only the netted ones are crossed."""
    book = intent.order.book
    if book == NET:
        return ""
    if intent.action is IntentAction.CROSS:
        return f"WRONG_BOOK a cross in the book of {book}"
    others = [each.strategy_id for each in intent.order.contributions if each.strategy_id != book]
    return f"WRONG_BOOK {', '.join(others)} in the book of {book}" if others else ""


def _bad_contributions(intent: OrderIntent, _: Message) -> str:
    """Shares nobody asked for cannot be split afterwards; both sides of a cross are its quantity."""
    parts, order = intent.order.contributions, intent.order
    buys = sum((each.quantity for each in parts if each.side is Side.BUY), ZERO)
    sells = sum((each.quantity for each in parts if each.side is Side.SELL), ZERO)
    if intent.action is IntentAction.CROSS:
        is_owned = buys == sells == order.order_qty
    else:
        own, other = (buys, sells) if order.side is Side.BUY else (sells, buys)
        is_owned = own >= order.order_qty and other == 0
    return "" if is_owned else f"BAD_CONTRIBUTIONS buys {buys:f}, sells {sells:f} for {order.side} {order.order_qty:f}"


CHECKS: tuple[Callable[[OrderIntent, Message], str], ...] = (
    _expired_intent,
    _wrong_venue,
    _reserved_symbol,
    _no_price,
    _wrong_book,
    _bad_contributions,
)
"""In order; each returns the reason for a refusal, or nothing."""
