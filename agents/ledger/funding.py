"""What the books of a run's strategies are a part of, and which of them have been funded.

A book outside the run keeps its capital, so the run's books share what is left of the equity: together they are never
given more than there is.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from immutables import Map

from agents.ledger.entries import plain
from schemas.account import SnapshotContent
from schemas.ledger import Books, StrategyBook
from schemas.run import Mode, StrategyTerms

MONEY_UNIT = Decimal(1).scaleb(-15)

ZERO = Decimal(0)


def shared_equity(snapshot: SnapshotContent, books: Iterable[StrategyBook]) -> Decimal | None:
    """Return the equity less what the books outside the run are worth; None while one of those has no price.

    A book that is worth less than nothing leaves the others no more for it.
    """
    worth = [each.capital for each in _outside(snapshot, books)]
    known = [max(each, ZERO) for each in worth if each is not None]
    return snapshot.equity - sum(known, ZERO) if len(known) == len(worth) else None


def withheld(snapshot: SnapshotContent, books: Iterable[StrategyBook]) -> str:
    """Return why the books of the run are given nothing, for a person; empty when they may be, or there are none."""
    if not any(each.mode is Mode.BOOK for each in snapshot.portfolio.terms.strategies):
        return ""
    outside = _outside(snapshot, books)
    shared = shared_equity(snapshot, outside)
    if shared is not None and shared > 0:
        return ""
    worth = ", ".join(
        f"{each.strategy_id} {'has no price' if each.capital is None else plain(each.capital)}" for each in outside
    )
    said = f", books outside the run: {worth}" if outside else ""
    return f"no capital is given: equity {plain(snapshot.equity)}{said}"


def target_of(shared: Decimal, terms: StrategyTerms) -> Decimal:
    """Return a strategy's part of the equity that is shared; rounded down, so that the parts never exceed it."""
    return (shared * terms.allocation).quantize(MONEY_UNIT, rounding=ROUND_DOWN)


def funded_after(funded: Map[str, bool], books: Books) -> Map[str, bool]:
    """Return who is funded after books that are READY, whether or not anything had to be moved for it.

    A follow-up run funds nobody. A strategy that has no book of its own, or neither a part of the equity nor anything
    left, is funded anew when it comes back.
    """
    snapshot, strategies = books.content.snapshot, books.content.strategies
    if snapshot.portfolio.scope is not None:
        return funded
    shared = shared_equity(snapshot, strategies)
    kept = {each.strategy_id: each for each in strategies if each.mode is Mode.BOOK}
    for terms in snapshot.portfolio.terms.strategies:
        own = kept.get(terms.strategy_id)
        if own is None:
            funded = _without(funded, terms.strategy_id)
        elif own.capital is None or shared is None or shared <= 0:
            continue
        elif target_of(shared, terms):
            funded = funded.set(terms.strategy_id, True)
        elif not own.capital:
            funded = _without(funded, terms.strategy_id)
    return funded


def _outside(snapshot: SnapshotContent, books: Iterable[StrategyBook]) -> list[StrategyBook]:
    present = {each.strategy_id for each in snapshot.portfolio.terms.strategies}
    return [each for each in books if each.mode is Mode.BOOK and each.strategy_id not in present]


def _without(funded: Map[str, bool], owner: str) -> Map[str, bool]:
    return funded.delete(owner) if owner in funded else funded
