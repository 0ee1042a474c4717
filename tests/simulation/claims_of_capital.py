"""What must hold of capital: what a book is worth, what it was given, and that moving it moves nothing else."""

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from schemas.ledger import CASH, STREET, SYSTEM, Books, BooksStatus, EntryKind, LedgerEntry
from schemas.run import DriftRule, Mode, StrategyTerms
from tests.simulation.claims_of_books import balances, totals
from tests.simulation.desk import Desk

ZERO = Decimal(0)
MONEY_UNIT = Decimal(1).scaleb(-15)


def books_state_capital_and_trading(desk: Desk) -> Iterator[str]:
    """What a book is worth at the midpoints of its snapshot, and what its strategy has traded on that day."""
    traded: dict[tuple[str, date], Decimal] = {}
    for event in desk.log:
        record = event.record
        if isinstance(record, LedgerEntry) and record.kind is EntryKind.FILL and record.transact_time is not None:
            for (owner, of), amount in balances([record]).items():
                if of == CASH:
                    key = (owner, record.transact_time.date())
                    traded[key] = traded.get(key, ZERO) + abs(amount)
        if isinstance(record, Books) and record.status is BooksStatus.READY:
            snapshot = record.content.snapshot
            mids = {each.symbol: midpoint(each.bid, each.ask) for each in snapshot.quotes}
            for book in record.content.strategies:
                name = f"books of run {record.run_id}, {book.strategy_id}"
                done = traded.get((book.strategy_id, snapshot.taken_at.date()), ZERO)
                if book.traded_value != done:
                    yield f"{name}: traded {book.traded_value}, the entries say {done}"
                marks = [mids.get(each.symbol) for each in book.holdings]
                worth = sum(
                    (each.quantity * mark for each, mark in zip(book.holdings, marks, strict=True) if mark), book.cash
                )
                expected = None if book.mode is not Mode.BOOK or None in marks else worth
                if book.capital != expected:
                    yield f"{name}: capital is {book.capital}, its holdings are worth {expected}"


def midpoint(bid: Decimal, ask: Decimal) -> Decimal | None:
    """Return the midpoint at six decimals, half-even; None without two sides."""
    return None if not bid or not ask else ((bid + ask) / 2).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def transfers_move_nothing_but_ownership(desk: Desk) -> Iterator[str]:
    for entry in desk.said(LedgerEntry):
        owners = {each.owner for each in entry.postings}
        if entry.kind in (EntryKind.TRANSFER, EntryKind.MODE_SWITCH, EntryKind.CROSS) and STREET in owners:
            yield f"{entry.kind} entry {entry.entry_id} moves something in or out of the account"
        if entry.kind is EntryKind.MODE_SWITCH and (len(owners) != 1 or any(totals(balances([entry])).values())):
            yield f"MODE_SWITCH entry {entry.entry_id} moves something between {sorted(owners)}"
        if entry.kind is EntryKind.TRANSFER and (
            SYSTEM not in owners or {each.commodity for each in entry.postings} != {CASH}
        ):
            yield f"TRANSFER entry {entry.entry_id} is not cash between system and a strategy"


def books_are_given_what_their_run_says(desk: Desk) -> Iterator[str]:
    """A book is funded once, then by the drift rule; a strategy without one has given back all it was given.

    Books share the equity that books outside the run leave; a follow-up run gives nothing.
    """
    moved: dict[tuple[object, str], Decimal] = {}
    funded: set[str] = set()
    for event in desk.log:
        record = event.record
        if isinstance(record, LedgerEntry) and record.kind is EntryKind.TRANSFER:
            for (owner, _), amount in balances([record]).items():
                moved[record.run_id, owner] = moved.get((record.run_id, owner), ZERO) + amount
        if isinstance(record, Books) and record.status is BooksStatus.READY:
            for each in record.content.snapshot.portfolio.terms.strategies:
                owner = each.strategy_id
                given = sum((amount for (_, name), amount in moved.items() if name == owner), ZERO)
                if owner != SYSTEM:
                    now = moved.get((record.run_id, owner), ZERO)
                    yield from _not_given(record, each, (given, now), is_new=owner not in funded)
                funded = _funded(record, each, funded)


def _funded(books: Books, terms: StrategyTerms, funded: set[str]) -> set[str]:
    """Return who has been funded; who has neither a part of the equity nor anything left begins anew."""
    capital, target = _capital(books, terms.strategy_id), _target(books, terms)
    if terms.mode is not Mode.BOOK:
        return funded - {terms.strategy_id}
    if capital is None or target is None or (capital and not target):
        return funded
    return funded | {terms.strategy_id} if target else funded - {terms.strategy_id}


def _not_given(books: Books, terms: StrategyTerms, moved: tuple[Decimal, Decimal], *, is_new: bool) -> Iterator[str]:
    """Yield what is wrong with what a strategy was given: in total, and in this run."""
    name, (given, now) = f"run {books.run_id}, {terms.strategy_id}", moved
    if terms.mode is not Mode.BOOK:
        if given:
            yield f"{name} keeps {given} although it has no book"
        return
    capital, target = _capital(books, terms.strategy_id), _target(books, terms)
    if capital is None or target is None:
        if now:
            yield f"{name} is given {now}, its capital is {capital}, its part {target}"
        return
    rules = books.content.snapshot.portfolio.terms.rules
    is_due = {
        DriftRule.LET_RUN: False,
        DriftRule.PERIODIC: True,
        DriftRule.THRESHOLD: abs(capital - now - target) > rules.drift_threshold * target,
    }
    if capital != target if is_new or is_due[rules.drift_rule] else now:
        yield f"{name}: capital {capital} after {now}, its part of the equity is {target}, {rules.drift_rule}"


def _target(books: Books, terms: StrategyTerms) -> Decimal | None:
    """Return a strategy's part of the equity that is shared; None where nothing may be given."""
    snapshot = books.content.snapshot
    inside = {each.strategy_id for each in snapshot.portfolio.terms.strategies}
    outside = [each for each in books.content.strategies if each.mode is Mode.BOOK and each.strategy_id not in inside]
    if snapshot.portfolio.scope is not None or any(each.capital is None for each in outside):
        return None
    shared = snapshot.equity - sum((max(each.capital or ZERO, ZERO) for each in outside), ZERO)
    return (shared * terms.allocation).quantize(MONEY_UNIT, ROUND_DOWN) if shared > 0 else None


def _capital(books: Books, owner: str) -> Decimal | None:
    return next(each.capital for each in books.content.strategies if each.strategy_id == owner)


CLAIMS = (
    books_state_capital_and_trading,
    transfers_move_nothing_but_ownership,
    books_are_given_what_their_run_says,
)
