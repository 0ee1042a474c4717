"""A strategy is never beyond a limit of its own: neither by what it may trade, nor by what of it is really traded."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.planner.planning import plan_of
from schemas.ledger import Books
from schemas.plan import LineContribution, Plan, PlanLine, PlanStatus, Rule
from schemas.quantities import CONTEXT
from schemas.run import CashPolicy, Mode, StrategyTerms
from tests.agents.planner.any_books import any_books, books_of_sellers

EXAMPLES = 250
ZERO = Decimal(0)
STOPPED = (
    Rule.CONFLICT_FLAGGED,
    Rule.HALTED,
    Rule.NO_PRICE,
    Rule.QUOTE_STALE,
    Rule.CAPITAL_NOT_POSITIVE,
)


def allowed(line: PlanLine, part: LineContribution) -> Decimal:
    """What its own limits allow it to trade, where the line may trade at all."""
    return ZERO if line.rule in STOPPED else part.allowed


def traded(_: PlanLine, part: LineContribution) -> Decimal:
    """What is really crossed or ordered for it."""
    return part.crossed + part.ordered


@dataclass
class Reckoning:
    """What one strategy has and trades, in dollars: held at the midpoint, bought and sold at the worse side."""

    held: Decimal = ZERO
    kept: Decimal = ZERO
    added: Decimal = ZERO
    bought: Decimal = ZERO
    covered: Decimal = ZERO
    sold: Decimal = ZERO
    shorted: Decimal = ZERO
    largest: Decimal = ZERO
    collateral: Decimal = ZERO
    is_priced: bool = True

    def hold(self, quantity: Decimal, price: Decimal | None, offer: Decimal) -> None:
        self.held += quantity * (price or 0)
        self.collateral += max(-quantity, ZERO) * offer
        self.is_priced = self.is_priced and (price is not None or not quantity)

    def trade(self, line: PlanLine, held: Decimal, quantity: Decimal) -> None:
        price, sides = line.price or ZERO, (line.bid or ZERO, line.ask or ZERO)
        reduction = min(abs(quantity), abs(held)) if quantity * held < 0 else ZERO
        increase = abs(quantity) - reduction
        self.kept += (abs(held) - reduction) * price
        self.added += increase * price
        if increase:
            self.largest = max(self.largest, (abs(held) - reduction + increase) * price)
        if quantity > 0:
            self.covered += reduction * max(sides)
            self.bought += increase * max(sides)
        else:
            self.sold += reduction * min(sides)
            self.shorted += increase * min(sides)


def reckoned(made: Plan, name: str, quantity: Callable[[PlanLine, LineContribution], Decimal]) -> Reckoning:
    found, content = Reckoning(), made.books
    mids = {
        each.symbol: ((each.bid + each.ask) / 2).quantize(Decimal("0.000001"))
        for each in content.snapshot.quotes
        if each.bid > 0 and each.ask > 0
    }
    offers = {each.symbol: max(each.bid, each.ask) for each in content.snapshot.quotes if each.symbol in mids}
    for book in content.strategies:
        for holding in book.holdings if book.strategy_id == name else ():
            found.hold(holding.quantity, mids.get(holding.symbol), offers.get(holding.symbol, ZERO))
            if all(line.symbol != holding.symbol for line in made.lines):
                found.kept += abs(holding.quantity) * mids.get(holding.symbol, ZERO)
    for line in made.lines:
        for part in line.contributions:
            if part.strategy_id == name:
                found.trade(line, part.current_quantity, quantity(line, part))
    return found


def capital_of(terms: StrategyTerms, made: Plan) -> Decimal:
    if terms.mode is Mode.NETTED:
        return made.books.snapshot.equity * terms.allocation
    capitals = {each.strategy_id: each.capital for each in made.books.strategies}
    return capitals.get(terms.strategy_id) or ZERO


def money_of(terms: StrategyTerms, made: Plan, found: Reckoning) -> Decimal | None:
    """What it may spend before its own sales, by the cash policy of the run."""
    run = made.books.snapshot.portfolio.terms
    if run.rules.cash_policy is CashPolicy.POOL:
        return None
    if run.rules.cash_policy is CashPolicy.PROPORTIONAL:
        return made.cash_available * terms.allocation / sum(each.allocation for each in run.strategies)
    capital = capital_of(terms, made)
    unspent = capital - max(capital, ZERO) * run.limits.cash_reserve - found.held
    if not run.limits.is_leverage_allowed:
        unspent += found.covered - found.collateral  # a cover is paid from the collateral
    return unspent if found.is_priced else min(unspent, ZERO)


def check(made: Plan, terms: StrategyTerms, quantity: Callable[[PlanLine, LineContribution], Decimal]) -> None:
    found, capital = reckoned(made, terms.strategy_id, quantity), capital_of(terms, made)
    total, money = terms.weight_total_max, money_of(terms, made, found)
    most = made.books.snapshot.portfolio.terms.limits.weight_total_max if total is None else total
    if found.added:
        assert found.kept + found.added <= most * capital
        assert terms.position_weight_max is None or found.largest <= terms.position_weight_max * capital
    if terms.trade_value_max is not None:
        spent = {each.strategy_id: each.traded_value for each in made.books.strategies}[terms.strategy_id]
        value = found.bought + found.covered + found.sold + found.shorted
        assert value <= max(terms.trade_value_max - spent, ZERO)
    if money is not None and found.bought:
        # not exact by what a quotient with 50 digits is short of: a proportion need not end
        assert found.bought + found.covered <= money + found.sold + Decimal("1E-25")


@pytest.mark.parametrize("asked", [any_books(), books_of_sellers()], ids=["any", "sellers"])
def test_no_increase_goes_beyond_a_limit_of_its_own_strategy(asked: st.SearchStrategy[Books]) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @for_all(asked)
    def holds(books: Books) -> None:
        with localcontext(CONTEXT):
            made = plan_of(books)
            assert made.rule is not Rule.PLAN_INVALID, made.detail
            for terms in books.content.snapshot.portfolio.terms.strategies if made.status is PlanStatus.READY else ():
                check(made, terms, allowed)
                check(made, terms, traded)

    holds()
