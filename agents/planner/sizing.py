"""From weights to shares: what every owner of a line has, wants to have, and at which price."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import compress
from math import gcd
from operator import itemgetter, sub
from typing import NamedTuple

from agents.planner.holdings import UNRANKED, Book, Part, books_of, speaking
from agents.planner.pricing import Market, Markets
from agents.planner.units import WHOLE, ZERO, quantity_units
from schemas.ledger import BooksContent
from schemas.order import NET
from schemas.plan import Rule
from schemas.portfolio import PortfolioContent

NOBODY: frozenset[str] = frozenset()


class Sized(NamedTuple):
    """One line before its limits: one entry per owner in each column, sorted by owner; quantities in units of 1e-9.

    `rule` is what stops the line whatever it wants. A line that is not listed stands for a holding outside the run's
    scope: it counts against limits and is kept as it is.
    """

    symbol: str
    book: str
    market: Market
    capital: int | None
    weight: Decimal
    priority: int
    owners: Sequence[str]
    weights: Sequence[Decimal]
    holdings: Sequence[Decimal]
    current: Sequence[int]
    target: list[int]
    wanted: list[int]
    account: Decimal
    rule: Rule | None
    threshold: Decimal | None
    is_listed: bool


class Voices(NamedTuple):
    """Whose wishes count and where: priorities of those that speak, who could not judge a symbol, who disagrees on it.

    Beside it what the account holds, and the symbols the run is about.
    """

    priorities: Mapping[str, int]
    account: Mapping[str, Decimal]
    kept: Mapping[str, frozenset[str]]
    flagged: Mapping[str, frozenset[str]]
    scope: frozenset[str] | None

    def judging(self, part: Part) -> Sequence[bool]:
        """Return by owner who may change what it holds of a symbol; of a flagged one, who said what it wants."""
        kept = self.kept.get(part.symbol)
        if kept is None:
            return part.speaks
        blind = kept - self.flagged.get(part.symbol, NOBODY)
        return [speaks and name not in blind for name, speaks in zip(part.owners, part.speaks, strict=True)]


class Measure(NamedTuple):
    """How a weight becomes shares: it is weight times `capital` over midpoint times `worth` steps; 0 = no steps."""

    step: int
    capital: int
    worth: int


def sized(content: BooksContent, markets: Markets) -> list[Sized]:
    """Return a line for every symbol wanted or held in each book, sorted by symbol and book.

    A target is weight times capital over the midpoint, rounded towards zero to the quantity step. Who does not speak,
    or could not judge the symbol, and everybody where there is no price or no equity, wants what it has. Without
    capital a book may still leave a symbol.
    """
    snapshot = content.snapshot
    limits = snapshot.portfolio.terms.limits
    voices = _voices(content)
    step = quantity_units(limits.quantity_step) if snapshot.equity > 0 else 0
    lines = [
        _sized(book, part, markets.of(part.symbol), voices, measure)
        for book in books_of(content)
        for measure in [_measure(book.capital, step)]
        for part in book.parts(voices.priorities)
    ]
    lines.sort(key=itemgetter(0, 1))
    return lines


def _sized(book: Book, part: Part, market: Market, voices: Voices, measure: Measure) -> Sized:
    symbol, owners, ranks, _, weights, holdings, wanted, current = part
    is_listed = voices.scope is None or symbol in voices.scope
    if not (is_listed and market.mid and measure.step):
        target = list(current)
    elif measure.capital <= 0:
        target = [
            0 if is_judging and not weight else held
            for is_judging, weight, held in zip(voices.judging(part), wanted, current, strict=True)
        ]
    else:
        step, capital, worth = measure.step, measure.capital, market.mid * measure.worth
        # whole steps towards zero by exact integer division: a rounded quotient could be a step too many
        target = [
            (weight * capital // worth if weight >= 0 else -(-weight * capital // worth)) * step if is_judging else held
            for is_judging, weight, held in zip(voices.judging(part), wanted, current, strict=True)
        ]
    rule, threshold = _stop(book, part, market, voices)
    return Sized(
        symbol=symbol,
        book=book.name,
        market=market,
        capital=book.capital,
        weight=book.targets.get(symbol, ZERO),
        priority=_priority(ranks, wanted),
        owners=owners,
        weights=weights,
        holdings=holdings,
        current=current,
        target=target,
        wanted=list(map(sub, target, current)) if any(current) else target,
        account=voices.account.get(symbol, ZERO),
        rule=rule,
        threshold=threshold,
        is_listed=is_listed,
    )


def _measure(capital: int | None, step: int) -> Measure:
    """Return the measure of a book in lowest terms: shorter integers divide in half the time."""
    worth = step * WHOLE
    common = gcd(capital or 0, worth) or 1
    return Measure(step, (capital or 0) // common, worth // common)


def _stop(book: Book, part: Part, market: Market, voices: Voices) -> tuple[Rule | None, Decimal | None]:
    """Return the first rule that stops the line whatever it wants, and its threshold."""
    if book.name == NET and part.symbol in voices.flagged:
        return Rule.CONFLICT_FLAGGED, None
    if not any(voices.judging(part)):
        return Rule.KEPT, None
    if market.rule is not None:
        return market.rule, market.threshold
    is_without_capital = book.capital is None or book.capital <= 0
    if is_without_capital and book.name in voices.priorities and any(part.wanted):
        return Rule.CAPITAL_NOT_POSITIVE, None if book.capital is None else ZERO
    return None, None


def _voices(content: BooksContent) -> Voices:
    portfolio = content.snapshot.portfolio
    return Voices(
        priorities=speaking(content),
        account={each.symbol: each.quantity for each in content.snapshot.positions},
        kept=_kept(portfolio),
        flagged={
            each.symbol: frozenset(wish.strategy_id for wish in each.wishes)
            for each in portfolio.conflicts
            if each.is_open
        },
        scope=None if portfolio.scope is None else frozenset(portfolio.scope),
    )


def _kept(portfolio: PortfolioContent) -> dict[str, frozenset[str]]:
    """Return by symbol who could not judge it."""
    kept: dict[str, frozenset[str]] = {}
    for each in portfolio.kept:
        kept[each.symbol] = kept.get(each.symbol, NOBODY) | {each.strategy_id}
    return kept


def _priority(ranks: Sequence[int], wanted: Sequence[int]) -> int:
    """Return the lowest priority number of those that want the symbol, else of those that hold it, else 0."""
    wanting = min(compress(ranks, wanted), default=UNRANKED)
    first = wanting if wanting != UNRANKED else min(ranks, default=UNRANKED)
    return 0 if first == UNRANKED else first
