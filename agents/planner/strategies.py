"""The strategies of a run with the limits of their own, and each wish as a reduction and an increase."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.planner.sizing import Sized
from agents.planner.units import money_units, part_of, quantity_units, reserved, weight_units
from schemas.ledger import BooksContent, StrategyBook
from schemas.plan import Rule
from schemas.run import BindingRule, CashPolicy, Limits, Mode, RunTerms, StrategyTerms

Counted = Mapping[str, Mapping[int, int]]
"""What counts of a strategy's reductions, by number of the line; of a strategy that is not in it, all of them do."""


class OwnLimits(NamedTuple):
    """The limits of one strategy, in units of money; None = no limit.

    `cash` is what it may spend before its own sells, `exposure` what it wants to hold together. With `is_cover_free` it
    buys its shorts back with their collateral, which is no part of `cash`.
    """

    strategy_id: str
    position_max: int | None
    weight_total: int
    cash: int | None
    trade_max: int | None
    trade_left: int
    exposure: int
    is_cover_free: bool

    @property
    def is_only_total(self) -> bool:
        """Whether the sum of its positions is the only limit it has."""
        return self.position_max is None and self.trade_max is None and self.cash is None


@dataclass(slots=True)
class Part:
    """One symbol of one strategy: what of its wish reduces its own position and what increases it, unsigned units.

    `counted` is what of the reduction counts as made for the limits on its increases.
    """

    line: int
    place: int
    symbol: str
    sign: int
    mid: int
    meets: int
    held: int
    wanted: int
    reduction: int
    increase: int
    counted: int
    rule: Rule | None = None
    limit: int = 0

    @property
    def kept(self) -> int:
        """What it holds once what counts of the reduction is done."""
        return self.held - self.counted

    @property
    def allowed(self) -> int:
        """What is left of the wish, signed."""
        return self.sign * (self.reduction + self.increase)


@dataclass(slots=True)
class Strategy:
    """One strategy with its limits and its parts; the limits act on these."""

    own: OwnLimits
    step: int
    is_scaled: bool
    unchanged: int = 0
    parts: list[Part] = field(default_factory=list)


def own_limits(sizes: Sequence[Sized], content: BooksContent, available: int) -> list[OwnLimits]:
    """Return the limits of every strategy of the run; `available` is what the account may spend."""
    run = content.snapshot.portfolio.terms
    books = {each.strategy_id: each for each in content.strategies}
    exposures = _wanted_exposures(sizes)
    cash = _Cash(sizes, run, available)
    found = []
    for terms in run.strategies:
        book = books.get(terms.strategy_id)
        capital = _capital(terms, content, book)
        total, most = terms.weight_total_max, terms.trade_value_max
        found.append(
            OwnLimits(
                strategy_id=terms.strategy_id,
                position_max=None if terms.position_weight_max is None else part_of(capital, terms.position_weight_max),
                weight_total=part_of(capital, run.limits.weight_total_max if total is None else total),
                cash=cash.of(terms, capital),
                trade_max=None if most is None else money_units(most),
                trade_left=0 if most is None else money_units(most) - (money_units(book.traded_value) if book else 0),
                exposure=exposures.get(terms.strategy_id, 0),
                is_cover_free=cash.is_cover_free,
            )
        )
    return found


def limited_strategies(
    sizes: Sequence[Sized], limits: Iterable[OwnLimits], run: Limits, counted: Counted
) -> dict[str, Strategy]:
    """Return the strategies that a limit of their own could bind, with their parts."""
    step, is_scaled = quantity_units(run.quantity_step), run.binding is BindingRule.SCALE
    strategies = {
        own.strategy_id: Strategy(own, step, is_scaled)
        for own in limits
        if own.strategy_id in counted or not own.is_only_total or own.exposure > own.weight_total
    }
    if strategies:
        _add_parts(sizes, strategies, counted)
    return strategies


def _capital(terms: StrategyTerms, content: BooksContent, book: StrategyBook | None) -> int:
    """Return what a strategy steers in units of money: its book's capital, or its allocation of equity."""
    if terms.mode is Mode.NETTED:
        return part_of(money_units(content.snapshot.equity), terms.allocation)
    return 0 if book is None or book.capital is None else money_units(book.capital)


def _wanted_exposures(sizes: Iterable[Sized]) -> dict[str, int]:
    """Return by owner the sum of what it wants to have, in units of money at the midpoint; no price counts nothing."""
    sums: defaultdict[str, int] = defaultdict(int)
    for line in sizes:
        mid = line.market.mid
        for name, quantity in zip(line.owners, line.target if line.rule is None else line.current, strict=True):
            sums[name] += abs(quantity) * mid
    return sums


class _Cash:
    """What each strategy may spend before its own sells, by the run's cash policy."""

    def __init__(self, sizes: Sequence[Sized], run: RunTerms, available: int) -> None:
        self._policy = run.rules.cash_policy
        self._available = available
        self._everybody = sum(weight_units(each.allocation) for each in run.strategies)
        self._reserve = run.limits.cash_reserve
        self.is_cover_free = self._policy is CashPolicy.RESERVE and not run.limits.is_leverage_allowed
        is_known = self._policy is CashPolicy.RESERVE
        self._values, self._unpriced = _held(sizes, self.is_cover_free) if is_known else ({}, frozenset())

    def of(self, terms: StrategyTerms, capital: int) -> int | None:
        """Return the money of one strategy, in units of money; None = all of the account's."""
        match self._policy:
            case CashPolicy.POOL:
                return None
            case CashPolicy.PROPORTIONAL:
                share = weight_units(terms.allocation)
                return self._available * share // self._everybody if self._everybody else 0
            case CashPolicy.RESERVE:
                unspent = capital - reserved(capital, self._reserve) - self._values.get(terms.strategy_id, 0)
                return min(unspent, 0) if terms.strategy_id in self._unpriced else unspent


def _held(sizes: Sequence[Sized], is_collateral_kept: bool) -> tuple[Mapping[str, int], frozenset[str]]:
    """Return by owner what its shares are worth, and who holds something without a price.

    Shorts are negative; where their collateral is kept, what buys them back is added.
    """
    values: defaultdict[str, int] = defaultdict(int)
    unpriced = set()
    for line in sizes:
        mid = line.market.mid
        for name, quantity in zip(line.owners, line.current, strict=True):
            values[name] += quantity * mid
            if quantity < 0 and is_collateral_kept:
                values[name] -= quantity * line.market.buy
            if quantity and not mid:
                unpriced.add(name)
    return values, frozenset(unpriced)


def _add_parts(sizes: Sequence[Sized], strategies: Mapping[str, Strategy], counted: Counted) -> None:
    for number, line in enumerate(sizes):
        for place, name in enumerate(line.owners):
            strategy = strategies.get(name)
            if strategy is None:
                continue
            wanted = line.wanted[place] if line.rule is None else 0
            if wanted:
                strategy.parts.append(_part(line, number, place, wanted, counted.get(name)))
            else:
                strategy.unchanged += abs(line.current[place]) * line.market.mid


def _part(line: Sized, number: int, place: int, wanted: int, counted: Mapping[int, int] | None) -> Part:
    current, market = line.current[place], line.market
    reduction = min(abs(wanted), abs(current)) if wanted * current < 0 else 0
    return Part(
        line=number,
        place=place,
        symbol=line.symbol,
        sign=1 if wanted > 0 else -1,
        mid=market.mid,
        meets=market.buy if wanted > 0 else market.sell,
        held=abs(current),
        wanted=abs(wanted),
        reduction=reduction,
        increase=abs(wanted) - reduction,
        counted=reduction if counted is None else counted.get(number, 0),
    )
