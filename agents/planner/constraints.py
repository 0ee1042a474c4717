"""The rules of a plan, in the order of `Rule`: what blocks it whole, what stops a line, and how far the money goes.

A rule that acts names itself, its threshold and what would have been ordered without it. Thresholds are in the unit of
their rule: dollars (MIN_TRADE_VALUE, CAPITAL, EQUITY_NOT_POSITIVE), a sum of weights (WEIGHT_TOTAL_MAX), seconds
(QUOTE_STALE), shares (SHORT_NOT_ALLOWED, NO_DIFFERENCE).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from agents.planner.crossing import Netting, netted
from agents.planner.pricing import Priced
from agents.planner.sizing import ZERO, Sized
from schemas.ledger import Books, BooksStatus
from schemas.plan import LineStatus, Rule
from schemas.quantities import floor_to_step
from schemas.run import Limits

REASONS_MAX = 6  # spelled out in a plan's detail: the ledger's words and five differences, or six differences
NOTHING_CROSSED = Netting(ZERO, {}, {})


class Block(NamedTuple):
    """Why no line of a plan may be sent."""

    rule: Rule
    threshold: Decimal | None
    detail: str


@dataclass(frozen=True, slots=True)
class Ruled:
    """One symbol after the rules: what is ordered of what was intended, unsigned shares, and the rule that acted."""

    sized: Sized
    netting: Netting
    is_buy: bool
    intended: Decimal
    quantity: Decimal
    status: LineStatus
    rule: Rule | None = None
    threshold: Decimal | None = None

    @property
    def notional(self) -> Decimal:
        """Dollars at the price the order would meet."""
        return ZERO if self.quantity == 0 else self.quantity * self.order_price

    @property
    def order_price(self) -> Decimal:
        """The worse side of the quote for this order; 0 without a quote."""
        market = self.sized.priced
        if market is None:
            return ZERO
        return market.buy_price if self.is_buy else market.sell_price

    def stopped(self, status: LineStatus, rule: Rule, threshold: Decimal | None) -> "Ruled":
        """Return the line with nothing to order; a cross stands."""
        return replace(self, quantity=ZERO, status=status, rule=rule, threshold=threshold)


def plan_block(books: Books, sizes: Sequence[Sized]) -> Block | None:
    """Return what blocks the whole plan: books that differ, equity that is not positive, weights above the maximum."""
    snapshot = books.content.snapshot
    maximum = snapshot.portfolio.terms.limits.weight_total_max
    total = sum((abs(each.weight) for each in sizes), ZERO)
    differences = _told(books) if books.status is BooksStatus.BLOCKED else _differences(sizes)
    if differences:
        return Block(Rule.BOOKS_DIFFER, None, "; ".join(differences[:REASONS_MAX]))
    if snapshot.equity <= 0:
        return Block(Rule.EQUITY_NOT_POSITIVE, ZERO, f"expected equity above 0, was {snapshot.equity:f}")
    if total > maximum:
        detail = f"expected weights of at most {maximum:f} together, was {total:f}"
        return Block(Rule.WEIGHT_TOTAL_MAX, maximum, detail)
    return None


def blocked(size: Sized, block: Block, limits: Limits) -> Ruled:
    """Return a line of a blocked plan: sized as it would have been, nothing ordered, nothing crossed."""
    return _unruled(size, NOTHING_CROSSED, limits).stopped(LineStatus.BLOCKED, block.rule, block.threshold)


def ruled(size: Sized, limits: Limits) -> Ruled:
    """Return a line after every rule that looks at it alone."""
    market = size.priced
    if market is None:
        return _unruled(size, NOTHING_CROSSED, limits).stopped(LineStatus.BLOCKED, Rule.NO_PRICE, None)
    if market.is_stale:
        age = Decimal(limits.quote_age_max_s)
        return _unruled(size, NOTHING_CROSSED, limits).stopped(LineStatus.BLOCKED, Rule.QUOTE_STALE, age)
    line = _unruled(size, netted(size.wishes, limits.quantity_step, market.is_open), limits)
    return _ruled(line, market, limits)


def within_capital(lines: Iterable[Ruled], available: Decimal, limits: Limits) -> dict[str, Ruled]:
    """Return the lines by symbol, buys held to `available` dollars plus what the sells bring.

    Buys are served by priority, then symbol. One that does not fit is reduced to the steps that can be paid, and
    blocked when those are none or worth less than the smallest trade; the threshold is the money it found.
    """
    by_symbol = {line.sized.symbol: line for line in lines}
    left = available + sum((line.notional for line in by_symbol.values() if not line.is_buy), ZERO)
    buys = [line for line in by_symbol.values() if line.is_buy and line.quantity]
    for line in sorted(buys, key=lambda each: (each.sized.priority, each.sized.symbol)):
        fitted = line if line.notional <= left else _reduced(line, left, limits)
        by_symbol[line.sized.symbol] = fitted
        left -= fitted.notional
    return by_symbol


def _unruled(size: Sized, netting: Netting, limits: Limits) -> Ruled:
    delta = size.delta
    intended = floor_to_step(abs(delta), limits.quantity_step)
    return Ruled(size, netting, delta > 0, intended, intended, LineStatus.PLANNED)


def _ruled(line: Ruled, market: Priced, limits: Limits) -> Ruled:
    if line.intended == 0:
        if line.netting.quantity:
            return line
        threshold = ZERO if line.sized.delta == 0 else limits.quantity_step
        return line.stopped(LineStatus.SUPPRESSED, Rule.NO_DIFFERENCE, threshold)
    if not line.is_buy and line.sized.held < line.intended:
        return line.stopped(LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED, ZERO)
    if line.intended * market.price < limits.trade_value_min:
        return line.stopped(LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE, limits.trade_value_min)
    return line


def _reduced(line: Ruled, left: Decimal, limits: Limits) -> Ruled:
    step, market = limits.quantity_step, line.sized.priced
    # whole steps by exact integer division: a rounded quotient could cost more than is there
    quantity = left // (line.order_price * step) * step
    if market is None or quantity <= 0 or quantity * market.price < limits.trade_value_min:
        return line.stopped(LineStatus.BLOCKED, Rule.CAPITAL, left)
    return replace(line, quantity=quantity, rule=Rule.CAPITAL, threshold=left)


def _differences(sizes: Sequence[Sized]) -> list[str]:
    owned = ((size, sum((wish.current for wish in size.wishes), ZERO)) for size in sizes)
    return [f"{size.symbol}: books {own}, broker {size.held}" for size, own in owned if own != size.held]


def _told(books: Books) -> list[str]:
    items = (f"{each.item}: books {each.ledger}, broker {each.broker}" for each in books.differences)
    return [books.detail or "the books are blocked", *items]
