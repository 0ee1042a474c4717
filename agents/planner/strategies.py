"""The strategies that limits of their own could bind: their figures, and each wish as a reduction and an increase."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.planner.sizing import Sized
from agents.planner.units import money_units, part_of, quantity_units, reserved, weight_units
from schemas.ledger import BooksContent, StrategyBook
from schemas.order import NET
from schemas.plan import Rule
from schemas.run import BindingRule, CashPolicy, Mode, RunTerms, StrategyTerms


@dataclass(slots=True)
class Part:
    """One symbol of one strategy: what of its wish reduces its own position and what increases it, unsigned units."""

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
    rule: Rule | None = None
    limit: int = 0

    @property
    def kept(self) -> int:
        """What it holds once the reduction is done."""
        return self.held - self.reduction

    @property
    def allowed(self) -> int:
        """What is left of the wish, signed."""
        return self.sign * (self.reduction + self.increase)


@dataclass(slots=True)
class Strategy:
    """One strategy with its figures, in units of money, and its parts; the limits act on these."""

    terms: StrategyTerms
    capital: int
    weight_total: int
    cash: int | None
    trade_left: int | None
    step: int
    is_scaled: bool
    unchanged: int = 0
    parts: list[Part] = field(default_factory=list)


def limited_strategies(sizes: Sequence[Sized], content: BooksContent, available: int) -> dict[str, Strategy]:
    """Return the strategies that a limit of their own could bind; `available` is what the account may spend."""
    strategies = _strategies(sizes, content, available)
    if strategies:
        _add_parts(sizes, strategies)
    return strategies


def own_capital(terms: StrategyTerms, content: BooksContent) -> int:
    """Return what a strategy steers in units of money: its book's capital, or its allocation of equity."""
    if terms.mode is Mode.NETTED:
        return part_of(money_units(content.snapshot.equity), terms.allocation)
    capitals = [each.capital for each in content.strategies if each.strategy_id == terms.strategy_id]
    return money_units(capitals[0]) if capitals and capitals[0] is not None else 0


def weight_total(terms: StrategyTerms, run: RunTerms, capital: int) -> int:
    """Return the greatest sum of a strategy's positions, in units of money."""
    own = terms.weight_total_max
    return part_of(capital, run.limits.weight_total_max if own is None else own)


def _strategies(sizes: Sequence[Sized], content: BooksContent, available: int) -> dict[str, Strategy]:
    """Return the strategies that a limit of their own could bind."""
    run = content.snapshot.portfolio.terms
    wanted = _wanted_exposures(sizes)
    books = {each.strategy_id: each for each in content.strategies}
    found = {}
    for terms in run.strategies:
        capital = own_capital(terms, content)
        total = weight_total(terms, run, capital)
        cash = _cash(terms, content, capital, available, sizes)
        is_limited = not (terms.position_weight_max is None and terms.trade_value_max is None and cash is None)
        if is_limited or wanted.get(terms.strategy_id, 0) > total:
            found[terms.strategy_id] = Strategy(
                terms=terms,
                capital=capital,
                weight_total=total,
                cash=cash,
                trade_left=_trade_left(terms, books.get(terms.strategy_id)),
                step=quantity_units(run.limits.quantity_step),
                is_scaled=run.limits.binding is BindingRule.SCALE,
            )
    return found


def _wanted_exposures(sizes: Iterable[Sized]) -> dict[str, int]:
    """Return by owner the sum of what it wants to have, in units of money at the midpoint; no price counts nothing."""
    sums: defaultdict[str, int] = defaultdict(int)
    for line in sizes:
        mid = line.market.mid
        for name, quantity in zip(line.owners, line.target if line.rule is None else line.current, strict=True):
            sums[name] += abs(quantity) * mid
    return sums


def _cash(
    terms: StrategyTerms, content: BooksContent, capital: int, available: int, sizes: Sequence[Sized]
) -> int | None:
    """Return what a strategy may spend before its own sells, in units of money; None = all of the account's."""
    run = content.snapshot.portfolio.terms
    match run.rules.cash_policy:
        case CashPolicy.POOL:
            return None
        case CashPolicy.PROPORTIONAL:
            everybody = sum(weight_units(each.allocation) for each in run.strategies)
            return available * weight_units(terms.allocation) // everybody if everybody else 0
        case CashPolicy.RESERVE:
            value, is_priced = _value_held(terms.strategy_id, sizes)
            unspent = capital - reserved(capital, run.limits.cash_reserve) - value
            return unspent if is_priced else min(unspent, 0)


def _value_held(name: str, sizes: Sequence[Sized]) -> tuple[int, bool]:
    """Return what a strategy's shares are worth, shorts negative, and whether all of them have a price."""
    held = [
        (line.current[line.owners.index(name)], line.market.mid)
        for line in sizes
        if line.book in (NET, name) and name in line.owners
    ]
    return sum(quantity * mid for quantity, mid in held), all(mid for quantity, mid in held if quantity)


def _trade_left(terms: StrategyTerms, book: StrategyBook | None) -> int | None:
    if terms.trade_value_max is None:
        return None
    return money_units(terms.trade_value_max) - (money_units(book.traded_value) if book else 0)


def _add_parts(sizes: Sequence[Sized], strategies: Mapping[str, Strategy]) -> None:
    for number, line in enumerate(sizes):
        for place, name in enumerate(line.owners):
            strategy = strategies.get(name)
            if strategy is None:
                continue
            wanted = line.wanted[place] if line.rule is None else 0
            if wanted:
                strategy.parts.append(_part(line, number, place, wanted))
            else:
                strategy.unchanged += abs(line.current[place]) * line.market.mid


def _part(line: Sized, number: int, place: int, wanted: int) -> Part:
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
    )
