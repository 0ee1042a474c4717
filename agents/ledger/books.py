"""The books of an account as the fold of its entries, and how they compare with what the broker says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from immutables import Map

from schemas.account import OrderProgress, SnapshotContent
from schemas.ledger import (
    CASH,
    STREET,
    SYSTEM,
    BookDifference,
    Books,
    BooksStatus,
    EntryKind,
    Holding,
    LedgerEntry,
    StrategyBook,
)

ZERO = Decimal(0)


@dataclass(frozen=True)
class Account:
    """What an account's books say.

    `balances` by owner and commodity; `booked` the executed quantity of each order; `allocated` what each strategy got
    of a plan line's broker orders, unsigned; `activities` the broker's activities that are booked; `runs` those whose
    snapshot was compared; `pending` the comparison that waits for more entries.
    """

    balances: Map[tuple[str, str], Decimal] = field(default_factory=Map)
    booked: Map[str, Decimal] = field(default_factory=Map)
    allocated: Map[tuple[UUID, str], Map[str, Decimal]] = field(default_factory=Map)
    activities: Map[str, bool] = field(default_factory=Map)
    runs: Map[UUID, bool] = field(default_factory=Map)
    pending: Books | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever booked."""
        return not self.balances


@dataclass(frozen=True)
class Verdict:
    """What a comparison comes to."""

    status: BooksStatus
    detail: str
    differences: tuple[BookDifference, ...] = ()


def after_entry(account: Account, entry: LedgerEntry) -> Account:
    """Return the books after an entry."""
    balances = account.balances
    for posting in entry.postings:
        if posting.owner != STREET:
            key = (posting.owner, posting.commodity)
            balances = balances.set(key, balances.get(key, ZERO) + posting.amount)
    booked, activities = account.booked, account.activities
    if entry.client_order_id is not None and entry.cum_qty is not None:
        booked = booked.set(entry.client_order_id, entry.cum_qty)
    if entry.activity_id is not None:
        activities = activities.set(entry.activity_id, True)
    return replace(
        account, balances=balances, booked=booked, activities=activities, allocated=_allocated(account, entry)
    )


def after_books(account: Account, books: Books) -> Account:
    """Return the books after a comparison; a newer one takes the place of one that was pending."""
    pending = books if books.status is BooksStatus.PENDING else None
    return replace(account, runs=account.runs.set(books.run_id, True), pending=pending)


def compared(account: Account, snapshot: SnapshotContent) -> Verdict:
    """Return how the books compare with a snapshot: exactly equal, different, or too early to say."""
    differences = _differences(account, snapshot)
    missing = _missing(account, snapshot.ended_orders)
    if missing:
        return Verdict(BooksStatus.PENDING, f"fills are still to be booked: {missing}", differences)
    if not differences:
        return Verdict(BooksStatus.READY, "")
    if account.is_empty and not snapshot.positions:
        return Verdict(BooksStatus.PENDING, "nothing is booked yet: the first deposit is missing", differences)
    items = ", ".join(f"{each.item} {each.ledger:f} here, {each.broker:f} there" for each in differences)
    return Verdict(BooksStatus.BLOCKED, f"books and broker differ: {items}", differences)


def strategy_books(account: Account, strategies: Iterable[str]) -> tuple[StrategyBook, ...]:
    """Return the books of the strategies, of everybody else who owns something, and of the system, sorted."""
    cash: dict[str, Decimal] = {}
    holdings: dict[str, list[Holding]] = {}
    for (owner, commodity), amount in sorted(account.balances.items()):
        if commodity == CASH:
            cash[owner] = amount
        elif amount:
            holdings.setdefault(owner, []).append(Holding(symbol=commodity, quantity=amount))
    owning = {owner for owner, amount in cash.items() if amount} | holdings.keys()
    return tuple(
        StrategyBook(strategy_id=owner, cash=cash.get(owner, ZERO), holdings=tuple(holdings.get(owner, ())))
        for owner in sorted({*strategies, *owning, SYSTEM})
    )


def _allocated(account: Account, entry: LedgerEntry) -> Map[tuple[UUID, str], Map[str, Decimal]]:
    """Only the broker's fills are split; a cross gives each side what it wished."""
    if entry.kind is not EntryKind.FILL or entry.plan_id is None or entry.symbol is None:
        return account.allocated
    line = (entry.plan_id, entry.symbol)
    given = account.allocated.get(line) or Map[str, Decimal]()
    for posting in entry.postings:
        if posting.owner != STREET and posting.commodity == entry.symbol:
            given = given.set(posting.owner, given.get(posting.owner, ZERO) + abs(posting.amount))
    return account.allocated.set(line, given)


def _differences(account: Account, snapshot: SnapshotContent) -> tuple[BookDifference, ...]:
    own: dict[str, Decimal] = {}
    for (_, commodity), amount in sorted(account.balances.items()):
        own[commodity] = own.get(commodity, ZERO) + amount
    broker: Mapping[str, Decimal] = {CASH: snapshot.cash} | {each.symbol: each.quantity for each in snapshot.positions}
    return tuple(
        BookDifference(item=item, ledger=own.get(item, ZERO), broker=broker.get(item, ZERO))
        for item in sorted({*own, *broker})
        if own.get(item, ZERO) != broker.get(item, ZERO)
    )


def _missing(account: Account, ended: Iterable[OrderProgress]) -> str:
    """Return which ended orders have executed more than is booked; crosses count, although they move no total."""
    late = (
        f"{each.client_order_id} {account.booked.get(each.client_order_id, ZERO):f} of {each.cum_qty:f}"
        for each in ended
        if account.booked.get(each.client_order_id, ZERO) < each.cum_qty
    )
    return ", ".join(late)
