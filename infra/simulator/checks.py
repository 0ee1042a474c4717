"""What the account and the market do not allow: the check of a well-formed order before it is taken."""

from datetime import datetime, time
from typing import Literal

from infra.simulator import margin
from infra.simulator.book import Book
from infra.simulator.drafts import Draft
from infra.simulator.events import Accepted, TimeInForce
from infra.simulator.exact import ZERO, plain, total
from infra.simulator.orders import Order
from infra.simulator.rules import forbidden, invalid, is_whole
from infra.simulator.sessions import NEW_YORK

#: When on-open and on-close orders are refused, New York; from the last time on they are for the next session.
AUCTION_CLOSED: dict[TimeInForce, tuple[time, time, str]] = {
    "opg": (time(9, 28), time(19), "opg orders must be submitted after 7:00pm and before 9:28am"),
    "cls": (time(15, 50), time(19), "cls orders must be submitted after 7:00pm and before 3:50pm"),
}
Meeting = Literal["market/stop", "limit"]


def check_against_account(book: Book, draft: Draft, order: Accepted) -> None:
    """Raise RefusalError when the asset, the hour, or the account as it stands cannot carry the order."""
    if book.configuration.suspend_trade:
        raise forbidden("new orders are rejected by user request")
    _refuse_asset(book, draft)
    _refuse_hour(draft.time_in_force, book.now)
    _refuse_wash_trade(book, draft)
    held = book.held_qty(draft.symbol)
    if (held > 0 and draft.side == "sell") or (held < 0 and draft.side == "buy"):
        _refuse_missing_qty(book, order)
        return
    if draft.side == "sell":
        _refuse_short(book, draft)
    _refuse_missing_money(book, order)


def _refuse_asset(book: Book, draft: Draft) -> None:
    """Every symbol is an active asset until the market is told otherwise."""
    if draft.is_fractional and not book.configuration.fractional_trading:
        raise forbidden("account is not allowed to trade fractional shares")
    asset = book.assets.get(draft.symbol)
    if asset is None:
        return
    if asset.status is None:
        raise invalid(f'asset "{draft.symbol}" not found')
    if asset.status == "inactive":
        raise invalid(f"asset {draft.symbol} is not active")
    if not asset.tradable:
        raise invalid(f"asset {draft.symbol} is not tradable")
    if not asset.fractionable and draft.is_fractional:
        raise forbidden(f'asset "{draft.symbol}" is not fractionable')


def _refuse_hour(time_in_force: TimeInForce, now: datetime) -> None:
    if time_in_force in AUCTION_CLOSED:
        start, end, words = AUCTION_CLOSED[time_in_force]
        if start <= now.astimezone(NEW_YORK).time() < end:
            raise forbidden(words)


def _refuse_wash_trade(book: Book, draft: Draft) -> None:
    for order in book.open_orders(draft.symbol):
        if order.terms.side == draft.side:
            continue
        meeting = _meeting(draft, order.terms)
        if meeting is not None:
            raise forbidden(
                "potential wash trade detected. use complex orders",
                reject_reason=f"opposite side {meeting} order exists",
                existing_order_id=order.terms.order_id,
            )


def _meeting(coming: Draft, resting: Accepted) -> Meeting | None:
    """Say how two opposite orders could trade with each other: market and stop orders with any, limits that cross.

    An order that trails the market is let through, as Alpaca does.
    """
    if "trailing_stop" in (coming.type, resting.type):
        return None
    if resting.limit_price is None:
        return "market/stop"
    if coming.limit_price is None:
        return "limit"
    buy, sell = coming.limit_price, resting.limit_price
    if coming.side == "sell":
        buy, sell = sell, buy
    return "limit" if buy >= sell else None


def _refuse_missing_qty(book: Book, order: Accepted) -> None:
    """An order closes at most what is held and not claimed: none turns a long holding into a short one, or back."""
    symbol = order.symbol
    held, reserved = abs(book.held_qty(symbol)), book.reserved_qty(symbol)
    available = total(held, -reserved)
    price = book.touch(symbol, order.side)
    wanted = available if price is None else Order.accepted(order, None).leaves_at(price)
    wanted = wanted if order.qty is None else order.qty
    if wanted > available or available <= 0:
        raise forbidden(
            f"insufficient qty available for order (requested: {plain(wanted)}, available: {plain(available)})",
            symbol=symbol,
            existing_qty=plain(held),
            held_for_orders=plain(reserved),
            available=plain(available),
        )


def _refuse_short(book: Book, draft: Draft) -> None:
    if book.multiplier == 1 or book.configuration.no_shorting:
        raise forbidden("account is not allowed to short")
    if draft.qty is None or not is_whole(draft.qty):
        raise invalid("fractional orders cannot be sold short")


def _refuse_missing_money(book: Book, order: Accepted) -> None:
    cost = margin.cost_of(book, order)
    available = margin.buying_power(book)
    if cost > available:
        raise forbidden(
            "insufficient buying power",
            buying_power=plain(max(available, ZERO)),
            cost_basis=plain(cost),
        )
