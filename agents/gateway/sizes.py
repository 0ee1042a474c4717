"""The second half of the gate: how much an order, the account and each strategy may come to hold, at the worst price.

An order that brings a position nearer to zero and not past it passes, however much is held: it can only lower it.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from agents.gateway import exposure
from agents.gateway.asked import Asked
from agents.gateway.exposure import Owned
from agents.gateway.orders import ZERO
from schemas.gate import StrategyGateLimits
from schemas.order import Side


def order_notional_max(asked: Asked) -> str:
    """The order alone is worth too much."""
    most, order = asked.limits.order_notional_max, asked.order
    value = order.terms.order_qty * order.worst_price
    if most is None or value <= most:
        return ""
    return f"{order.terms.order_qty:f} shares at {order.worst_price:f} are {value:f}, at most {most:f}"


def position_value_max(asked: Asked) -> str:
    """The account would hold too much of one symbol."""
    most, found = asked.limits.position_value_max, asked.exposure
    side = asked.order.terms.side
    if most is None or found.is_reducing(side):
        return ""
    value = abs(found.end(side)) * found.price
    held = f"{found.position:f} held, {found.end(side):f} at worst"
    return "" if value <= most else f"{held}, at {found.price:f} {value:f}, at most {most:f}"


def gross_value_max(asked: Asked) -> str:
    """The account would hold too much of all symbols together."""
    most = asked.limits.gross_value_max
    if most is None or asked.is_reducing:
        return ""
    value = exposure.gross_value(asked.reading, asked.counted)
    return "" if value <= most else f"{value:f} of all symbols at worst, at most {most:f}"


def strategy_position_value_max(asked: Asked) -> str:
    """A strategy would own too much of one symbol."""
    symbol = asked.order.terms.symbol
    for limits, is_more in _strategies(asked):
        most, owner = limits.position_value_max, limits.strategy_id
        if most is None:
            continue
        found = exposure.owned_by(owner, (each for each in asked.plan_orders if each.terms.symbol == symbol))[symbol]
        end = _end(found, is_more)
        value = abs(end) * found.price
        if _adds(end, is_more) and value > most:
            return f"{owner} had {found.before:f}, {end:f} at worst, at {found.price:f} {value:f}, at most {most:f}"
    return ""


def strategy_gross_value_max(asked: Asked) -> str:
    """A strategy would own too much of all symbols together."""
    symbol = asked.order.terms.symbol
    for limits, is_more in _strategies(asked):
        most, owner = limits.gross_value_max, limits.strategy_id
        if most is None:
            continue
        owned = exposure.owned_by(owner, asked.plan_orders)
        value = _gross(asked, owner, owned)
        if _adds(_end(owned[symbol], is_more), is_more) and value > most:
            return f"{owner} would own {value:f} of all symbols at worst, at most {most:f}"
    return ""


def _strategies(asked: Asked) -> Iterator[tuple[StrategyGateLimits, bool]]:
    """Yield the limits of each strategy that has a part, and whether its part is bought."""
    for limits in asked.limits.strategies:
        part = _net(asked, limits.strategy_id)
        if part:
            yield limits, part > 0


def _net(asked: Asked, strategy_id: str) -> Decimal:
    parts = (each for each in asked.order.terms.contributions if each.strategy_id == strategy_id)
    return _sum(each.quantity if each.side is Side.BUY else -each.quantity for each in parts)


def _end(owned: Owned, is_more: bool) -> Decimal:
    return max(owned.least, owned.most) if is_more else min(owned.least, owned.most)


def _adds(end: Decimal, is_more: bool) -> bool:
    return end > 0 if is_more else end < 0


def _gross(asked: Asked, strategy_id: str, owned: Mapping[str, Owned]) -> Decimal:
    """Return what a strategy owned before its plan, each symbol of the plan replaced by its worst."""
    before = next(each.gross_value for each in asked.order.terms.contributions if each.strategy_id == strategy_id)
    found = (owned[symbol] for symbol in sorted(owned))
    return before + _sum(each.worst * each.price - abs(each.before) * each.price_before for each in found)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
