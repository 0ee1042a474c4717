"""The gate before the broker: all checks in one fixed order; the first that fails names itself in the refusal.

It is passed twice. The first half is judged when an intent comes, on what the gateway remembers. What passes is
CHECKING: the broker agent reads the market and the account for it. On that reading the first half is judged once more,
because a halt, other limits or an UNKNOWN order may have come in between, and then the second half (`market`, `sizes`).
A cross has no second half: it is held to what concerns the symbol, the strategies and their books.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from agents.gateway import market, sizes
from agents.gateway.account import Account, twins_key
from agents.gateway.asked import Asked, asked_on_reading
from agents.gateway.checks import Checked
from agents.gateway.halts import stopping
from agents.gateway.orders import ZERO, Order
from agents.gateway.reading import clean
from schemas.gate import GateLimits
from schemas.ledger import CASH
from schemas.order import NET, OrdType, Refusal, Side, Venue

Check = Callable[[Asked], str]
"""Returns the values that disagree, nothing when the order passes."""

Refused = tuple[Refusal, str]
"""A check and the values that disagree."""


def refused_at_once(asked: Asked) -> Refused | None:
    """Return why an intent does not pass the first half of the gate; None when it does."""
    return _first(CROSS_CHECKS if asked.is_cross else FIRST_HALF, asked)


def refused_on_reading(account: Account, order: Order, checked: Checked) -> tuple[Order, Refused | None]:
    """Return an order with what the gate saw of it, and why it does not pass; None when it does."""
    asked = asked_on_reading(account, order, checked)
    return asked.order, _first((*FIRST_HALF, *SECOND_HALF), asked)


def _first(checks: tuple[tuple[Refusal, Check], ...], asked: Asked) -> Refused | None:
    return next(((refusal, clean(reason)) for refusal, check in checks if (reason := check(asked))), None)


# --- of the intent by itself -----------------------------------------------------------------------------------------


def _expired_intent(asked: Asked) -> str:
    valid_until = asked.order.terms.valid_until
    return "" if asked.at < valid_until else f"valid until {valid_until.isoformat()}, was {asked.at.isoformat()}"


def _wrong_venue(asked: Asked) -> str:
    wanted, venue = Venue.INTERNAL if asked.is_cross else Venue.BROKER, asked.order.terms.venue
    return "" if venue is wanted else f"{venue} for {'a cross' if asked.is_cross else 'an order'}"


def _reserved_symbol(asked: Asked) -> str:
    return f"{CASH} is cash in the books" if asked.order.terms.symbol == CASH else ""


def _no_price(asked: Asked) -> str:
    price = asked.order.terms.reference_price
    return "" if price > 0 else f"planned at {price:f}"


def _wrong_book(asked: Asked) -> str:
    """Shares of a strategy's own book are bought and sold for that strategy alone; only the netted ones are crossed."""
    book = asked.order.terms.book
    if book == NET:
        return ""
    if asked.is_cross:
        return f"a cross in the book of {book}"
    others = [each.strategy_id for each in asked.order.terms.contributions if each.strategy_id != book]
    return f"{', '.join(others)} in the book of {book}" if others else ""


def _bad_contributions(asked: Asked) -> str:
    """Shares nobody asked for cannot be split afterwards; both sides of a cross are its quantity."""
    order = asked.order.terms
    buys = sum((each.quantity for each in order.contributions if each.side is Side.BUY), ZERO)
    sells = sum((each.quantity for each in order.contributions if each.side is Side.SELL), ZERO)
    if asked.is_cross:
        is_owned = buys == sells == order.order_qty
    else:
        own, other = (buys, sells) if order.side is Side.BUY else (sells, buys)
        is_owned = own >= order.order_qty and other == 0
    return "" if is_owned else f"buys {buys:f}, sells {sells:f} for {order.side} {order.order_qty:f}"


def _order_form(asked: Asked) -> str:
    """What the broker refuses by its form; prices from a dollar up have two decimals, below it four."""
    order, price = asked.order.terms, asked.order.terms.limit_price
    if order.ord_type is OrdType.MARKET:
        if price is not None:
            return f"MARKET with a limit of {price:f}"
        return "MARKET outside the regular session" if order.is_extended_hours else ""
    if price is None or price <= 0:
        return f"LIMIT with a limit of {'none' if price is None else f'{price:f}'}"
    tick = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price % tick:
        return f"a limit of {price:f}, in steps of {tick}"
    is_fraction = order.order_qty != order.order_qty.to_integral_value()
    return f"{order.order_qty:f} shares outside the regular session" if order.is_extended_hours and is_fraction else ""


# --- of what a person has set ----------------------------------------------------------------------------------------


def _no_limits(asked: Asked) -> str:
    if asked.account.limits is None:
        return "no limits were set: tape limits"
    is_empty = not _sets_a_number(asked.limits)
    return f"the limits of request {asked.account.limits.request_id} set no number" if is_empty else ""


def _sets_a_number(limits: GateLimits) -> bool:
    """Limits in which no number is set hold nothing back: they are none."""
    own = (
        limits.order_qty_max,
        limits.order_notional_max,
        limits.price_collar,
        limits.position_value_max,
        limits.gross_value_max,
        limits.orders_per_second_max,
        limits.orders_per_minute_max,
        limits.orders_per_day_max,
        limits.open_orders_max,
        limits.duplicate_window_s,
        limits.daily_loss_max,
    )
    of_strategies = (value for each in limits.strategies for value in (each.position_value_max, each.gross_value_max))
    return any(each is not None for each in (*own, *of_strategies))


def _halted(asked: Asked) -> str:
    """A cross reduces no position of the account, so it stops with the first halt."""
    for halt in stopping(asked.account, asked.order, asked.at):
        if asked.is_cross or not (halt.is_reducing_allowed and asked.is_reducing):
            return f"halt {halt.halt_id} of {halt.scope} {halt.name}".rstrip() + f": {halt.reason}"
    return ""


def _symbol_not_allowed(asked: Asked) -> str:
    allowed, symbol = asked.limits.symbols_allowed, asked.order.terms.symbol
    return "" if allowed is None or symbol in allowed else f"{symbol} is none of {', '.join(allowed) or 'no symbols'}"


def _symbol_denied(asked: Asked) -> str:
    for each in asked.limits.symbols_denied:
        if each.symbol == asked.order.terms.symbol and (each.until is None or asked.at < each.until):
            return f"{each.symbol} until {'further notice' if each.until is None else each.until}: {each.reason}"
    return ""


def _order_qty_max(asked: Asked) -> str:
    most, quantity = asked.limits.order_qty_max, asked.order.terms.order_qty
    return "" if most is None or quantity <= most else f"{quantity:f} shares, at most {most:f}"


# --- of the orders there are -----------------------------------------------------------------------------------------


def _line_exceeded(asked: Asked) -> str:
    """The orders of a plan line never execute more than the line; one that has ended counts what it has executed.

    One that a person had to resolve counts whole: the rest of its line is left to the next plan.
    """
    order = asked.order
    counted = order.terms.order_qty
    for each in asked.account.of_plan(order.terms.plan_id):
        if each.client_order_id != order.client_order_id and each.line == order.line:
            is_cross = each.terms.venue is Venue.INTERNAL
            is_whole = each.is_live or each.client_order_id in asked.account.resolved
            counted += ZERO if is_cross else each.terms.order_qty if is_whole else each.cum_qty
    return "" if counted <= order.terms.line_qty else f"{counted:f} shares of a line of {order.terms.line_qty:f}"


def _duplicate_order(asked: Asked) -> str:
    """Two lines that ask for the same within the window; the orders of one line are held to LINE_EXCEEDED instead.

    An order that never came to the broker is none that could be doubled.
    """
    window, order = asked.limits.duplicate_window_s, asked.order
    if window is None:
        return ""
    for each in reversed(asked.account.twins_of(twins_key(order))):
        if each.line == order.line or not (each.is_live or each.broker_order_id):
            continue
        if each.check is None:
            return f"as {each.client_order_id}, which is under way"
        if asked.at - each.check.read_at < timedelta(seconds=window):
            return f"as {each.client_order_id} at {each.check.read_at.isoformat()}, within {window} s"
        return ""
    return ""


def _self_cross(asked: Asked) -> str:
    for each in asked.others:
        if each.terms.symbol == asked.order.terms.symbol and each.terms.side is not asked.order.terms.side:
            return f"against {each.client_order_id}, {each.terms.side} {each.terms.order_qty:f}"
    return ""


def _symbol_unknown(asked: Asked) -> str:
    """An order that may be at the broker leaves open what the account holds, so not even a reducing one passes."""
    for each in asked.others:
        if each.terms.symbol == asked.order.terms.symbol and each.is_doubtful:
            return f"{each.client_order_id} is UNKNOWN"
    return ""


def _open_orders_max(asked: Asked) -> str:
    most, count = asked.limits.open_orders_max, len(asked.others) + 1
    return "" if most is None or count <= most else f"{count} orders, at most {most}"


_OF_THE_INTENT: tuple[tuple[Refusal, Check], ...] = (
    (Refusal.EXPIRED_INTENT, _expired_intent),
    (Refusal.WRONG_VENUE, _wrong_venue),
    (Refusal.RESERVED_SYMBOL, _reserved_symbol),
    (Refusal.NO_PRICE, _no_price),
    (Refusal.WRONG_BOOK, _wrong_book),
    (Refusal.BAD_CONTRIBUTIONS, _bad_contributions),
    (Refusal.ORDER_FORM, _order_form),
    (Refusal.NO_LIMITS, _no_limits),
    (Refusal.HALTED, _halted),
    (Refusal.SYMBOL_NOT_ALLOWED, _symbol_not_allowed),
    (Refusal.SYMBOL_DENIED, _symbol_denied),
)

CROSS_CHECKS = (
    *_OF_THE_INTENT,
    (Refusal.STRATEGY_POSITION_VALUE_MAX, sizes.strategy_position_value_max),
    (Refusal.STRATEGY_GROSS_VALUE_MAX, sizes.strategy_gross_value_max),
)

FIRST_HALF = (
    *_OF_THE_INTENT,
    (Refusal.ORDER_QTY_MAX, _order_qty_max),
    (Refusal.LINE_EXCEEDED, _line_exceeded),
    (Refusal.DUPLICATE_ORDER, _duplicate_order),
    (Refusal.SELF_CROSS, _self_cross),
    (Refusal.SYMBOL_UNKNOWN, _symbol_unknown),
    (Refusal.OPEN_ORDERS_MAX, _open_orders_max),
)

SECOND_HALF = (
    (Refusal.CHECK_FAILED, market.check_failed),
    (Refusal.SESSION_CLOSED, market.session_closed),
    (Refusal.NO_QUOTE, market.no_quote),
    (Refusal.QUOTE_STALE, market.quote_stale),
    (Refusal.PRICE_COLLAR, market.price_collar),
    (Refusal.ORDER_NOTIONAL_MAX, sizes.order_notional_max),
    (Refusal.POSITION_VALUE_MAX, sizes.position_value_max),
    (Refusal.GROSS_VALUE_MAX, sizes.gross_value_max),
    (Refusal.STRATEGY_POSITION_VALUE_MAX, sizes.strategy_position_value_max),
    (Refusal.STRATEGY_GROSS_VALUE_MAX, sizes.strategy_gross_value_max),
    (Refusal.DAILY_LOSS_MAX, market.daily_loss_max),
    (Refusal.ORDERS_PER_SECOND_MAX, market.orders_per_second_max),
    (Refusal.ORDERS_PER_MINUTE_MAX, market.orders_per_minute_max),
    (Refusal.ORDERS_PER_DAY_MAX, market.orders_per_day_max),
)
