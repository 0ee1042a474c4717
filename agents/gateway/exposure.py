"""What an account and a strategy may come to hold at worst, when all that was let pass is executed.

The account: what the broker holds, and every order under way, and every order whose end may not be in that reading yet,
whole and at its worst price. A part of an order that is in the reading already is counted twice: that errs to the safe
side. A strategy: what it owned before its plan, and all that the gate let pass of this plan, whole while it is under
way, what was executed of it afterwards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agents.gateway.checks import Checked
from agents.gateway.orders import ZERO, Order
from schemas.order import Side, Venue


@dataclass(frozen=True)
class Exposure:
    """Signed shares of one symbol, unsigned shares that may be bought and sold of it, dollars per share."""

    position: Decimal
    buys: Decimal
    sells: Decimal
    price: Decimal

    @property
    def worst(self) -> Decimal:
        """The most shares that may be held, long or short."""
        return max(abs(self.position + self.buys), abs(self.position - self.sells))

    def end(self, side: Side) -> Decimal:
        """Return the position when everything on a side is executed, signed shares."""
        return self.position + self.buys if side is Side.BUY else self.position - self.sells

    def is_reducing(self, side: Side) -> bool:
        """Say whether all that is on a side, executed, brings the position nearer to zero and not past it."""
        return self.end(side) <= 0 if side is Side.BUY else self.end(side) >= 0


def of_symbol(symbol: str, checked: Checked, orders: Iterable[Order]) -> Exposure:
    """Return what the account may come to hold of a symbol; `orders` are counted whole."""
    own = [each for each in orders if each.terms.symbol == symbol]
    held = checked.positions.get(symbol)
    prices = [each.worst_price for each in own]
    if held is not None and held.price is not None:
        prices.append(held.price)
    return Exposure(
        position=ZERO if held is None else held.quantity,
        buys=sum((each.terms.order_qty for each in own if each.terms.side is Side.BUY), ZERO),
        sells=sum((each.terms.order_qty for each in own if each.terms.side is Side.SELL), ZERO),
        price=max(prices, default=ZERO),
    )


def gross_value(checked: Checked, orders: Iterable[Order]) -> Decimal:
    """Return the dollars that the account may come to hold, longs and shorts added up."""
    by_symbol: dict[str, list[Order]] = {symbol: [] for symbol in sorted(checked.positions)}
    for each in orders:
        by_symbol.setdefault(each.terms.symbol, []).append(each)
    exposures = (of_symbol(symbol, checked, by_symbol[symbol]) for symbol in sorted(by_symbol))
    return sum((each.worst * each.price for each in exposures), ZERO)


@dataclass(frozen=True)
class Owned:
    """What one strategy may come to own of one symbol by its plan.

    `before` signed shares before the plan, `least` and `most` after as little and as much as may be executed;
    `price_before` is the plan's, `price` the worst of its orders.
    """

    before: Decimal
    least: Decimal
    most: Decimal
    price_before: Decimal
    price: Decimal

    @property
    def worst(self) -> Decimal:
        """The most shares that it may own, long or short."""
        return max(abs(self.least), abs(self.most))


def owned_by(strategy_id: str, orders: Iterable[Order]) -> Mapping[str, Owned]:
    """Return what a strategy may come to own of each symbol in which orders of one plan have a part of it.

    How an execution is split is not known here, only that no strategy gets more than its part of the line, and that all
    that is executed belongs to somebody.
    """
    by_symbol: dict[str, list[Order]] = {}
    for each in orders:
        if any(part.strategy_id == strategy_id for part in each.terms.contributions):
            by_symbol.setdefault(each.terms.symbol, []).append(each)
    return {symbol: _owned(strategy_id, by_symbol[symbol]) for symbol in sorted(by_symbol)}


def _owned(strategy_id: str, orders: list[Order]) -> Owned:
    before = next(part.position for part in orders[0].terms.contributions if part.strategy_id == strategy_id)
    crossed = sum((_crossed(strategy_id, each) for each in orders if each.terms.venue is Venue.INTERNAL), ZERO)
    least = most = before + crossed
    lines: dict[tuple[object, ...], list[Order]] = {}
    for each in orders:
        if each.terms.venue is Venue.BROKER:
            lines.setdefault((*each.line, each.terms.side), []).append(each)
    for own in (lines[key] for key in sorted(lines, key=str)):
        sign = 1 if own[0].terms.side is Side.BUY else -1
        least += sign * _least(strategy_id, own)
        most += sign * _most(strategy_id, own)
    return Owned(
        before=before,
        least=least,
        most=most,
        price_before=orders[0].terms.reference_price,
        price=max(each.worst_price for each in orders),
    )


def _crossed(strategy_id: str, cross: Order) -> Decimal:
    """Return the signed shares that a cross moves to a strategy; one that is not filled moves none."""
    moved = (
        part.quantity if part.side is Side.BUY else -part.quantity
        for part in cross.terms.contributions
        if part.strategy_id == strategy_id
    )
    return sum(moved, ZERO) if cross.cum_qty or cross.is_live else ZERO


def _most(strategy_id: str, orders: list[Order]) -> Decimal:
    part, _ = _parts(strategy_id, orders[0])
    counted = sum((each.terms.order_qty if each.is_live else each.cum_qty for each in orders), ZERO)
    return min(part, counted)


def _least(strategy_id: str, orders: list[Order]) -> Decimal:
    _, others = _parts(strategy_id, orders[0])
    return max(ZERO, sum((each.cum_qty for each in orders), ZERO) - others)


def _parts(strategy_id: str, order: Order) -> tuple[Decimal, Decimal]:
    """Return a strategy's part in a line, and that of all others."""
    parts = order.terms.contributions
    own = sum((each.quantity for each in parts if each.strategy_id == strategy_id), ZERO)
    return own, sum((each.quantity for each in parts), ZERO) - own
