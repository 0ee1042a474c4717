"""What a run moves in the books before it is planned: what the broker rounded, books to their mode, capital to a book.

A strategy with a book of its own is funded once with its allocation of the equity that the run's books share, and
after that by the run's drift rule. Its funds come from the system and go back to it when it gives up its book; what it
has earned or lost stays with it. Lots move, shares do not: the account holds after it what it held before.
"""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from agents.ledger.books import MODELESS, Account
from agents.ledger.comparison import compared
from agents.ledger.entries import internal_entry, plain
from agents.ledger.funding import shared_equity, target_of
from agents.ledger.statement import midpoints, strategy_books, worth
from schemas.account import SnapshotContent
from schemas.ledger import CASH, STREET, SYSTEM, EntryKind, LedgerEntry, Posting
from schemas.run import DriftRule, Mode, RunRules, StrategyTerms

Place = tuple[str, UUID]
"""Account and run."""

Holder = tuple[str, Mode | None]
"""An owner, and how its books are kept."""


def roundings(account: Account, place: Place, snapshot: SnapshotContent) -> Iterator[LedgerEntry]:
    """Yield what the broker has rounded since the books last equalled the account; it is the system's."""
    amount = compared(account, snapshot).rounding
    if amount:
        detail = f"{account.fills} executions, cash at the broker {plain(snapshot.cash)}"
        yield internal_entry(EntryKind.ROUNDING, place, SYSTEM, detail, _cash((SYSTEM, None), (STREET, None), amount))


def mode_switches(account: Account, place: Place, snapshot: SnapshotContent) -> Iterator[LedgerEntry]:
    """Yield, for each strategy whose books are not kept as the run says, the move of all that it has."""
    for terms in _strategies(snapshot):
        owner, kept, asked = terms.strategy_id, account.mode_of(terms.strategy_id), terms.mode
        if kept is None or kept is asked:
            continue
        postings = (
            Posting(owner=owner, mode=mode, commodity=commodity, amount=sign * amount)
            for commodity, amount in sorted(account.of(owner).items())
            for mode, sign in ((kept, -1), (asked, 1))
        )
        yield internal_entry(EntryKind.MODE_SWITCH, place, owner, f"{kept.value} to {asked.value}", postings)


def transfers(account: Account, place: Place, snapshot: SnapshotContent) -> Iterator[LedgerEntry]:
    """Yield what each strategy is given or gives back, after all books are kept as the run says.

    Nothing is given while the equity that is shared is not positive or not known, nor to a book with a holding that has
    no price.
    """
    prices, rules = midpoints(snapshot), snapshot.portfolio.terms.rules
    shared = shared_equity(snapshot, strategy_books(account, snapshot))
    for terms in _strategies(snapshot):
        owner, given = terms.strategy_id, account.transferred.get(terms.strategy_id)
        if terms.mode is not Mode.BOOK:
            if given:
                yield _transfer(place, terms, -given, f"gives back {plain(given)}")
            continue
        value = worth(account.of(owner), prices)
        if value is None or shared is None or shared <= 0 or value == (target := target_of(shared, terms)):
            continue
        if owner not in account.funded:
            yield _transfer(place, terms, target - value, f"first funding: {plain(value)} to {plain(target)}")
        elif _is_due(rules, value, target):
            detail = f"{rules.drift_rule.value}: {plain(value)} to {plain(target)}"
            yield _transfer(place, terms, target - value, detail)


def _strategies(snapshot: SnapshotContent) -> Iterator[StrategyTerms]:
    return (each for each in snapshot.portfolio.terms.strategies if each.strategy_id not in MODELESS)


def _is_due(rules: RunRules, value: Decimal, target: Decimal) -> bool:
    match rules.drift_rule:
        case DriftRule.LET_RUN:
            return False
        case DriftRule.PERIODIC:
            return True
        case DriftRule.THRESHOLD:
            return abs(value - target) > rules.drift_threshold * target


def _transfer(place: Place, terms: StrategyTerms, amount: Decimal, detail: str) -> LedgerEntry:
    owner = terms.strategy_id
    return internal_entry(EntryKind.TRANSFER, place, owner, detail, _cash((owner, terms.mode), (SYSTEM, None), amount))


def _cash(receiver: Holder, giver: Holder, amount: Decimal) -> tuple[Posting, ...]:
    return tuple(
        Posting(owner=owner, mode=mode, commodity=CASH, amount=sign * amount)
        for (owner, mode), sign in ((receiver, 1), (giver, -1))
    )
