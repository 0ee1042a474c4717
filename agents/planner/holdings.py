"""Who has what, and who may say what: the books of a run, each with its capital, and the wishes that belong to it.

A book is `net` (all netted strategies together, and every owner without a book of its own: system, manual, a strategy
of an earlier run) or a strategy in mode BOOK. An owner speaks when it is one of the run's strategies and not silent; a
strategy with a book of its own speaks only when the portfolio carries its targets. Who does not speak keeps what it
has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from agents.planner.units import ZERO, money_units
from schemas.ledger import BooksContent
from schemas.order import NET
from schemas.portfolio import Contribution, PortfolioContent
from schemas.run import Mode

Amounts = Mapping[str, Decimal]
NOTHING: Amounts = {}


class Part(NamedTuple):
    """Who has a part in one symbol of a book, sorted: what each wants, a weight, and has, signed shares."""

    owners: list[str]
    weights: list[Decimal]
    holdings: list[Decimal]


@dataclass(frozen=True, slots=True)
class Book:
    """One book: its capital in units of 1e-15 dollars (None = not known), its target weights, and its owners' parts."""

    name: str
    capital: int | None
    targets: Amounts
    wishes: Mapping[str, Amounts]
    holdings: Mapping[str, Amounts]
    owners: list[str] = field(init=False)
    held: list[Amounts] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the holders once: most symbols of a book concern all of them."""
        object.__setattr__(self, "owners", sorted(self.holdings))
        object.__setattr__(self, "held", [self.holdings[name] for name in self.owners])

    def symbols(self) -> list[str]:
        """Return the symbols that anybody wants or holds, sorted."""
        return sorted(set(self.wishes).union(*self.holdings.values()))

    def part(self, symbol: str) -> Part:
        """Return who has a part in a symbol; who neither wants nor holds it has none."""
        wanted = self.wishes.get(symbol, NOTHING)
        owners, held = self.owners, self.held
        if not wanted.keys() <= self.holdings.keys():
            owners = sorted({*owners, *wanted})
            held = [self.holdings.get(name, NOTHING) for name in owners]
        weights = [wanted.get(name, ZERO) for name in owners]
        holdings = [each.get(symbol, ZERO) for each in held]
        if all(weights) or all(holdings):
            return Part(owners, weights, holdings)
        rows = [row for row in zip(owners, weights, holdings, strict=True) if row[1] or row[2]]
        return Part([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def books_of(content: BooksContent) -> list[Book]:
    """Return the books of a run, net first; the capital of net is the account's equity."""
    own = _own_books(content)
    holdings: dict[str, dict[str, Amounts]] = {NET: {}, **{name: {} for name in sorted(own)}}
    for book in content.strategies:
        owned = {each.symbol: each.quantity for each in book.holdings if each.quantity}
        holdings[book.strategy_id if book.strategy_id in own else NET][book.strategy_id] = owned
    targets, wishes = _net_wishes(content.snapshot.portfolio)
    net = Book(NET, money_units(content.snapshot.equity), targets, _with_unowned(wishes, content), holdings.pop(NET))
    capitals = {each.strategy_id: each.capital for each in content.strategies}
    own_targets = {
        each.strategy_id: {target.symbol: target.weight for target in each.targets}
        for each in content.snapshot.portfolio.book_targets
    }
    return [
        net,
        *(
            _own_book(name, capitals.get(name), own_targets.get(name, NOTHING), held)
            for name, held in sorted(holdings.items())
        ),
    ]


def speaking(content: BooksContent) -> dict[str, int]:
    """Return the priority of each strategy whose wish counts in this run."""
    portfolio = content.snapshot.portfolio
    with_book = {each.strategy_id for each in portfolio.book_targets}
    return {
        each.strategy_id: each.priority
        for each in portfolio.terms.strategies
        if each.strategy_id not in portfolio.silent_strategies
        and (each.mode is Mode.NETTED or each.strategy_id in with_book)
    }


def _own_books(content: BooksContent) -> frozenset[str]:
    """Return who keeps a book of its own: by the run's terms, else as its books are kept."""
    modes = {each.strategy_id: each.mode for each in content.strategies}
    modes |= {each.strategy_id: each.mode for each in content.snapshot.portfolio.terms.strategies}
    return frozenset(name for name, mode in modes.items() if mode is Mode.BOOK)


def _own_book(name: str, capital: Decimal | None, targets: Amounts, holdings: Mapping[str, Amounts]) -> Book:
    wishes = {symbol: {name: weight} for symbol, weight in targets.items()}
    return Book(name, None if capital is None else money_units(capital), targets, wishes, holdings)


def _net_wishes(portfolio: PortfolioContent) -> tuple[dict[str, Decimal], dict[str, Amounts]]:
    """Return the netted weights, whole and by owner; of a flagged symbol, those the strategies had before the rule."""
    parts = {each.symbol: (each.weight, each.contributions) for each in portfolio.targets}
    for each in portfolio.conflicts:
        if each.is_open:
            parts[each.symbol] = (sum((wish.weight for wish in each.wishes), ZERO), each.wishes)
    targets = {symbol: weight for symbol, (weight, _) in parts.items()}
    return targets, {symbol: _by_owner(contributions) for symbol, (_, contributions) in parts.items()}


def _by_owner(contributions: Iterable[Contribution]) -> Amounts:
    """Return the weights by owner; who is named twice wants the sum."""
    weights: dict[str, Decimal] = {}
    for each in contributions:
        name = each.strategy_id
        weights[name] = weights[name] + each.weight if name in weights else each.weight
    return weights


def _with_unowned(wishes: Mapping[str, Amounts], content: BooksContent) -> Mapping[str, Amounts]:
    """Give what the account holds and nobody owns a line of net: books that differ name it."""
    owned = {each.symbol for book in content.strategies for each in book.holdings}
    unowned = {each.symbol: NOTHING for each in content.snapshot.positions if each.symbol not in owned}
    return {**unowned, **wishes}
