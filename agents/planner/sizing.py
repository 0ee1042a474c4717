"""From weights to shares: what every owner of a line has, wants to have, and at which price."""

from collections.abc import Container, Mapping
from decimal import Decimal
from itertools import compress
from math import gcd
from operator import itemgetter, sub
from typing import NamedTuple

from agents.planner.holdings import Book, books_of, speaking
from agents.planner.pricing import Market, Markets
from agents.planner.units import WHOLE, ZERO, quantities_units, quantity_units, weights_units
from schemas.ledger import BooksContent
from schemas.order import NET
from schemas.plan import Rule
from schemas.portfolio import PortfolioContent

NOBODY: frozenset[str] = frozenset()
UNRANKED = 2**63
"""Behind every priority number an Avro int or long can hold."""


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
    owners: list[str]
    weights: list[Decimal]
    holdings: list[Decimal]
    current: list[int]
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

    def of(self, symbol: str) -> Container[str]:
        """Return who may change what it holds of a symbol; of a flagged one, who said what it wants."""
        kept = self.kept.get(symbol, NOBODY)
        return self.priorities if not kept else self.priorities.keys() - (kept - self.flagged.get(symbol, NOBODY))


def sized(content: BooksContent, markets: Markets) -> list[Sized]:
    """Return a line for every symbol wanted or held in each book, sorted by symbol and book.

    A target is weight times capital over the midpoint, rounded towards zero to the quantity step. Who does not speak,
    or could not judge the symbol, and everybody where there is no price or no equity, wants what it has. Without
    capital a book may still leave a symbol.
    """
    snapshot = content.snapshot
    limits = snapshot.portfolio.terms.limits
    voices = _voices(content)
    step = quantity_units(limits.quantity_step)
    is_priced = snapshot.equity > 0
    lines = [
        _sized(book, symbol, markets.of(symbol), voices, step if is_priced else 0)
        for book in books_of(content)
        for symbol in book.symbols()
    ]
    lines.sort(key=itemgetter(0, 1))
    return lines


def _sized(book: Book, symbol: str, market: Market, voices: Voices, step: int) -> Sized:
    owners, weights, holdings = book.part(symbol)
    is_held = any(holdings)
    current = quantities_units(holdings) if is_held else [0] * len(holdings)
    is_listed = voices.scope is None or symbol in voices.scope
    judging = voices.of(symbol)
    if not (is_listed and market.mid and step):
        target = current
    elif book.capital is None or book.capital <= 0:
        target = [
            0 if name in judging and not weight else held
            for name, weight, held in zip(owners, weights, current, strict=True)
        ]
    else:
        capital, worth = _in_lowest_terms(book.capital, market.mid * step * WHOLE)
        # whole steps towards zero by exact integer division: a rounded quotient could be a step too many
        target = [
            (weight * capital // worth if weight >= 0 else -(-weight * capital // worth)) * step
            if name in judging
            else held
            for name, weight, held in zip(owners, weights_units(weights), current, strict=True)
        ]
    rule, threshold = _stop(book, symbol, market, voices, weights)
    return Sized(
        symbol=symbol,
        book=book.name,
        market=market,
        capital=book.capital,
        weight=book.targets.get(symbol, ZERO),
        priority=_priority(voices.priorities, owners, weights),
        owners=owners,
        weights=weights,
        holdings=holdings,
        current=current,
        target=target,
        wanted=list(map(sub, target, current)) if is_held else target,
        account=voices.account.get(symbol, ZERO),
        rule=rule,
        threshold=threshold,
        is_listed=is_listed,
    )


def _in_lowest_terms(above: int, below: int) -> tuple[int, int]:
    """Return a fraction with its common factor taken out: shorter integers divide in half the time."""
    common = gcd(above, below)
    return above // common, below // common


def _stop(
    book: Book, symbol: str, market: Market, voices: Voices, weights: list[Decimal]
) -> tuple[Rule | None, Decimal | None]:
    """Return the first rule that stops the line whatever it wants, and its threshold."""
    if book.name == NET and symbol in voices.flagged:
        return Rule.CONFLICT_FLAGGED, None
    if market.rule is not None:
        return market.rule, market.threshold
    is_without_capital = book.capital is None or book.capital <= 0
    if is_without_capital and book.name in voices.priorities and any(weights):
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


def _priority(priorities: Mapping[str, int], owners: list[str], weights: list[Decimal]) -> int:
    """Return the lowest priority number of those that want the symbol, else of those that hold it, else 0."""
    ranks = [priorities.get(name, UNRANKED) for name in owners]
    wanting = min(compress(ranks, weights), default=UNRANKED)
    first = wanting if wanting != UNRANKED else min(ranks, default=UNRANKED)
    return 0 if first == UNRANKED else first
