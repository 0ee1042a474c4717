"""Who has what, and who may say what: the books of a run, each with its capital, and the wishes that belong to it.

A book is `net` (all netted strategies together, and every owner without a book of its own: system, manual, a strategy
of an earlier run) or a strategy in mode BOOK. An owner speaks when it is one of the run's strategies and not silent; a
strategy with a book of its own speaks only when the portfolio carries its targets. Who does not speak keeps what it
has.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress, repeat, starmap
from typing import NamedTuple, TypeVar

from agents.planner.units import ZERO, money_units, quantities_units, weights_units
from schemas.ledger import BooksContent
from schemas.order import NET
from schemas.portfolio import Contribution
from schemas.run import Mode

Amounts = Mapping[str, Decimal]
NOTHING: Amounts = {}
UNRANKED = 2**63
"""The rank of who does not speak: behind every priority number an Avro int or long can hold."""

Number = TypeVar("Number")


class Part(NamedTuple):
    """One symbol of a book and who has a part in it, sorted by owner: one entry each in every column.

    What it wants is a weight, what it has are signed shares; `wanted` and `current` are the same in integer units.
    """

    symbol: str
    owners: Sequence[str]
    ranks: Sequence[int]
    speaks: Sequence[bool]
    weights: Sequence[Decimal]
    holdings: Sequence[Decimal]
    wanted: Sequence[int]
    current: Sequence[int]


@dataclass(frozen=True, slots=True)
class Book:
    """One book: its capital in units of 1e-15 dollars (None = not known), its target weights, and its owners' parts.

    Wishes and holdings are by owner and symbol; `unowned` symbols have a line although nobody has a part in them.
    """

    name: str
    capital: int | None
    targets: Amounts
    wishes: Mapping[str, Amounts]
    holdings: Mapping[str, Amounts]
    unowned: Iterable[str] = ()

    def parts(self, priorities: Mapping[str, int]) -> Iterator[Part]:
        """Yield a part for every symbol that anybody wants or holds, sorted; who neither wants nor holds has none.

        Made column by column, an owner each: 10,000 numbers one by one would take three times as long.
        """
        owners = sorted({*self.wishes, *self.holdings})
        ranks = [priorities.get(name, UNRANKED) for name in owners]
        symbols = sorted({*self.targets, *self.unowned}.union(*self.holdings.values()))
        wishes = [self.wishes.get(name, NOTHING) for name in owners]
        holdings = [self.holdings.get(name, NOTHING) for name in owners]
        rows = zip(
            symbols,
            repeat(owners),
            repeat(ranks),
            repeat([rank < UNRANKED for rank in ranks]),
            _across([_column(each, symbols, ZERO) for each in wishes]),
            _across([_column(each, symbols, ZERO) for each in holdings]),
            _across([_column(_in_units(each, weights_units), symbols, 0) for each in wishes]),
            _across([_column(_in_units(each, quantities_units), symbols, 0) for each in holdings]),
            strict=False,  # who they are is the same for every symbol
        )
        parts = starmap(Part, rows)
        return (part if all(part.wanted) or all(part.current) else _without_strangers(part) for part in parts)


def _in_units(amounts: Amounts, units: Callable[[Iterable[Decimal]], list[int]]) -> dict[str, int]:
    """Return amounts in integer units; where half of them are equal to others, each number is converted once."""
    distinct = set(amounts.values())
    if 2 * len(distinct) > len(amounts):
        return dict(zip(amounts, units(amounts.values()), strict=True))
    known = dict(zip(distinct, units(distinct), strict=True))
    return {symbol: known[amount] for symbol, amount in amounts.items()}


def _column(amounts: Mapping[str, Number], symbols: Sequence[str], nothing: Number) -> Iterable[Number]:
    """Return an owner's amounts in the order of the symbols, most often the one they are in."""
    return amounts.values() if list(amounts) == symbols else map(amounts.get, symbols, repeat(nothing))


def _across(columns: Sequence[Iterable[Number]]) -> Iterable[tuple[Number, ...]]:
    """Return columns as rows; without a column every row is empty."""
    return zip(*columns, strict=True) if columns else repeat(())


def _without_strangers(part: Part) -> Part:
    """Return a part without those who neither want nor hold the symbol."""
    places = [bool(wanted or held) for wanted, held in zip(part.wanted, part.current, strict=True)]
    return Part(
        symbol=part.symbol,
        owners=list(compress(part.owners, places)),
        ranks=list(compress(part.ranks, places)),
        speaks=list(compress(part.speaks, places)),
        weights=list(compress(part.weights, places)),
        holdings=list(compress(part.holdings, places)),
        wanted=list(compress(part.wanted, places)),
        current=list(compress(part.current, places)),
    )


def books_of(content: BooksContent) -> list[Book]:
    """Return the books of a run, net first; the capital of net is the account's equity."""
    own = _own_books(content)
    holdings: dict[str, dict[str, Amounts]] = {NET: {}, **{name: {} for name in sorted(own)}}
    symbols: set[str] = set()
    for book in content.strategies:
        held = {each.symbol: each.quantity for each in book.holdings if each.quantity}
        holdings[book.strategy_id if book.strategy_id in own else NET][book.strategy_id] = held
        symbols.update(held)
    capitals = {each.strategy_id: each.capital for each in content.strategies}
    own_targets = {
        each.strategy_id: {target.symbol: target.weight for target in each.targets}
        for each in content.snapshot.portfolio.book_targets
    }
    return [
        _net_book(content, holdings.pop(NET), symbols),
        *(
            _own_book(name, capitals.get(name), own_targets.get(name, NOTHING), owned)
            for name, owned in sorted(holdings.items())
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
    return Book(name, None if capital is None else money_units(capital), targets, {name: targets}, holdings)


def _net_book(content: BooksContent, holdings: Mapping[str, Amounts], owned: Container[str]) -> Book:
    """Return the book of all that is netted; of a flagged symbol, with the wishes as they were before the rule.

    What the account holds and nobody has `owned` is a line of it: books that differ name it.
    """
    portfolio = content.snapshot.portfolio
    wanted = {each.symbol: (each.weight, each.contributions) for each in portfolio.targets}
    for each in portfolio.conflicts:
        if each.is_open:
            wanted[each.symbol] = (sum((wish.weight for wish in each.wishes), ZERO), each.wishes)
    return Book(
        name=NET,
        capital=money_units(content.snapshot.equity),
        targets={symbol: weight for symbol, (weight, _) in wanted.items()},
        wishes=_by_owner(wanted),
        holdings=holdings,
        unowned=[each.symbol for each in content.snapshot.positions if each.symbol not in owned],
    )


def _by_owner(wanted: Mapping[str, tuple[Decimal, Sequence[Contribution]]]) -> dict[str, dict[str, Decimal]]:
    """Return the weights by owner and symbol; who is named twice wants the sum."""
    weights: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for symbol, (_, contributions) in wanted.items():
        for each in contributions:
            own = weights[each.strategy_id]
            own[symbol] = own[symbol] + each.weight if symbol in own else each.weight
    return weights
