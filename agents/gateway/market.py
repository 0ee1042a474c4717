"""The second half of the gate, on what was read for the order: session, quote, the day's loss, and how many orders.

Each check returns the values that disagree, nothing when the order passes. What a limit needs and the reading does not
have is CHECK_FAILED: a limit that cannot be judged is not kept.
"""

from datetime import timedelta

from agents.gateway.asked import Asked
from agents.gateway.rates import MINUTE, SECOND
from schemas.gate import SessionRule


def check_failed(asked: Asked) -> str:
    """What a limit needs was not read."""
    limits, reading, symbol = asked.limits, asked.reading, asked.order.terms.symbol
    if limits.session is SessionRule.REGULAR and reading.is_open is None:
        return "the clock does not say whether the market is open"
    if limits.daily_loss_max is not None and (reading.equity is None or reading.last_equity is None):
        return "the account does not say its equity and that of the last close"
    if limits.daily_loss_max is not None and reading.transferred is None:
        return "what cash came from outside or went there since the last close cannot be read"
    if limits.gross_value_max is not None:
        for each in sorted(reading.positions):
            if each != symbol and reading.positions[each].price is None:
                return f"the position of {reading.positions[each].quantity:f} {each} has no price"
    return ""


def session_closed(asked: Asked) -> str:
    """The market is closed."""
    is_held = asked.limits.session is SessionRule.REGULAR
    return f"the market is closed at {asked.at.isoformat()}" if is_held and not asked.reading.is_open else ""


def no_quote(asked: Asked) -> str:
    """There is no quote of two sides."""
    return asked.reading.no_quote if asked.reading.quote is None else ""


def quote_stale(asked: Asked) -> str:
    """The quote is too old, or of a time that has not come."""
    age, most = asked.at - asked.quote.quoted_at, asked.limits.quote_age_max_s
    if abs(age) <= timedelta(seconds=most):
        return ""
    return f"quoted at {asked.quote.quoted_at.isoformat()}, read at {asked.at.isoformat()}, at most {most} s apart"


def price_collar(asked: Asked) -> str:
    """The price it would be executed at, or its limit, is too far from the price the plan was made at."""
    collar, planned = asked.limits.price_collar, asked.order.terms.reference_price
    if collar is None:
        return ""
    for name, price in (("the far touch", asked.touch), ("the limit", asked.order.terms.limit_price)):
        if price is not None and abs(price - planned) > collar * planned:
            return f"{name} {price:f}, planned at {planned:f}, at most {collar:f} of it apart"
    return ""


def daily_loss_max(asked: Asked) -> str:
    """The account has lost too much since the last close; cash from outside is no profit, what went there no loss."""
    most, reading = asked.limits.daily_loss_max, asked.reading
    equity, before, moved = reading.equity, reading.last_equity, reading.transferred
    if most is None or equity is None or before is None or moved is None or asked.is_reducing:
        return ""
    if before + moved - equity <= most:
        return ""
    aside = f" and {moved:f} from outside since" if moved else ""
    return f"equity {equity:f}, at the last close {before:f}{aside}, at most {most:f} less"


def orders_per_second_max(asked: Asked) -> str:
    """Too many orders in a second."""
    return _too_many(asked, asked.limits.orders_per_second_max, SECOND)


def orders_per_minute_max(asked: Asked) -> str:
    """Too many orders in a minute."""
    return _too_many(asked, asked.limits.orders_per_minute_max, MINUTE)


def orders_per_day_max(asked: Asked) -> str:
    """Too many orders on a UTC day."""
    most, count = asked.limits.orders_per_day_max, asked.account.sent.on_day(asked.at) + 1
    return "" if most is None or count <= most else f"order {count} of the day, at most {most}"


def _too_many(asked: Asked, most: int | None, span: timedelta) -> str:
    count = asked.account.sent.within(span, asked.at) + 1
    return (
        "" if most is None or count <= most else f"{count} orders within {span.total_seconds():.0f} s, at most {most}"
    )
