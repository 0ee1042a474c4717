"""From weights to shares: what every owner has of a symbol, what it wants to have, and at which price."""

from decimal import Decimal
from typing import NamedTuple

from agents.planner.pricing import Priced, priced
from schemas.ledger import BooksContent
from schemas.market import Quote
from schemas.portfolio import PortfolioContent
from schemas.run import RunTerms

ZERO = Decimal(0)


class Wish(NamedTuple):
    """What one owner has of a symbol, wants to have, and the difference, signed shares; `weight` is of all equity."""

    strategy_id: str
    weight: Decimal
    current: Decimal
    target: Decimal
    wanted: Decimal


class Sized(NamedTuple):
    """One symbol before any rule: what the account holds, who wants what, and the quote it is judged by."""

    symbol: str
    weight: Decimal
    held: Decimal
    wishes: tuple[Wish, ...]
    priority: int
    quote: Quote | None
    priced: Priced | None

    @property
    def delta(self) -> Decimal:
        """The net of all wishes, signed shares."""
        return sum((wish.wanted for wish in self.wishes), ZERO)


def sized(content: BooksContent) -> tuple[Sized, ...]:
    """Return every symbol wanted or held by anybody, sorted; wishes are sorted by strategy id.

    A target is weight times equity over the midpoint, rounded towards zero to the quantity step. Who does not speak,
    or could not judge the symbol, and everybody where there is no price or no equity, wants what it has.
    """
    snapshot = content.snapshot
    terms = snapshot.portfolio.terms
    speaking = _speaking(terms, snapshot.portfolio.silent_strategies)
    held = {each.symbol: each.quantity for each in snapshot.positions}
    quotes = {each.symbol: each for each in snapshot.quotes}
    weights = {each.symbol: each.weight for each in snapshot.portfolio.targets}
    kept = _kept(snapshot.portfolio)
    parts = _parts(content)
    sizes = []
    for symbol in sorted({**parts, **held, **weights}):
        quote = quotes.get(symbol)
        market = priced(quote, snapshot.taken_at, terms.limits.quote_age_max_s)
        price = market.price if market and snapshot.equity > 0 else None
        step = terms.limits.quantity_step
        judging = speaking.keys() - kept.get(symbol, set())
        wishes = tuple(
            _wish(owner, part, snapshot.equity, price if owner in judging else None, step)
            for owner, part in sorted(parts.get(symbol, {}).items())
        )
        weight, priority = weights.get(symbol, ZERO), _priority(speaking, wishes)
        sizes.append(Sized(symbol, weight, held.get(symbol, ZERO), wishes, priority, quote, market))
    return tuple(sizes)


def _kept(portfolio: PortfolioContent) -> dict[str, set[str]]:
    """Return by symbol who could not judge it."""
    kept: dict[str, set[str]] = {}
    for each in portfolio.kept:
        kept.setdefault(each.symbol, set()).add(each.strategy_id)
    return kept


def _parts(content: BooksContent) -> dict[str, dict[str, tuple[Decimal, Decimal]]]:
    """Return weight and current quantity by symbol and owner, of all that are not zero."""
    parts: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
    for book in content.strategies:
        for holding in book.holdings:
            if holding.quantity:
                parts.setdefault(holding.symbol, {})[book.strategy_id] = (ZERO, holding.quantity)
    for target in content.snapshot.portfolio.targets:
        owners = parts.setdefault(target.symbol, {})
        for each in target.contributions:
            if each.weight:
                owners[each.strategy_id] = (each.weight, owners.get(each.strategy_id, (ZERO, ZERO))[1])
    return parts


def _wish(owner: str, part: tuple[Decimal, Decimal], equity: Decimal, price: Decimal | None, step: Decimal) -> Wish:
    weight, current = part
    # whole steps by exact integer division, which rounds towards zero; a rounded quotient could be a step too many
    target = current if price is None else weight * equity // (price * step) * step
    return Wish(owner, weight, current, target, target - current)


def _speaking(terms: RunTerms, silent: tuple[str, ...]) -> dict[str, int]:
    """Return the priority of each strategy whose wish counts in this run."""
    return {each.strategy_id: each.priority for each in terms.strategies if each.strategy_id not in silent}


def _priority(speaking: dict[str, int], wishes: tuple[Wish, ...]) -> int:
    """Return the lowest priority number of those that want the symbol, else of those that hold it, else 0."""
    wanting = [speaking[wish.strategy_id] for wish in wishes if wish.weight and wish.strategy_id in speaking]
    holding = [speaking[wish.strategy_id] for wish in wishes if wish.strategy_id in speaking]
    return min(wanting or holding, default=0)
