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
from schemas.order import OrderContribution, Side, Venue


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
    tallies: dict[str, _Tally] = {}
    for order in orders:
        for part in order.terms.contributions:
            if part.strategy_id == strategy_id:
                symbol = order.terms.symbol
                if symbol not in tallies:
                    tallies[symbol] = _Tally(part.position, order.terms.reference_price)
                tallies[symbol].add(order, part)
    return {symbol: tallies[symbol].owned for symbol in sorted(tallies)}


@dataclass
class _Line:
    """One strategy's part in a line, what the line's orders may execute, and what they have."""

    part: Decimal
    others: Decimal
    counted: Decimal = ZERO
    executed: Decimal = ZERO


class _Tally:
    """Adds up, order by order, what one strategy may come to own of one symbol."""

    def __init__(self, before: Decimal, price_before: Decimal) -> None:
        self._before = before
        self._price_before = price_before
        self._price = ZERO
        self._crossed = ZERO
        self._lines: dict[tuple[str, Side], _Line] = {}

    def add(self, order: Order, part: OrderContribution) -> None:
        """Take in an order, or one side of a cross; a cross that was not filled has moved nothing."""
        terms = order.terms
        self._price = max(self._price, order.worst_price)
        if terms.venue is Venue.INTERNAL:
            moved = part.quantity if part.side is Side.BUY else -part.quantity
            self._crossed += moved if order.cum_qty or order.is_live else ZERO
            return
        key = (terms.book, terms.side)
        if key not in self._lines:
            others = sum((each.quantity for each in terms.contributions), ZERO) - part.quantity
            self._lines[key] = _Line(part.quantity, others)
        line = self._lines[key]
        line.counted += terms.order_qty if order.is_live else order.cum_qty
        line.executed += order.cum_qty

    @property
    def owned(self) -> Owned:
        """What it comes to."""
        least = most = self._before + self._crossed
        for key in sorted(self._lines):
            line, sign = self._lines[key], 1 if key[1] is Side.BUY else -1
            least += sign * max(ZERO, line.executed - line.others)
            most += sign * min(line.part, line.counted)
        return Owned(self._before, least, most, self._price_before, self._price)
