"""The books of an account as the fold of its entries: who owns what, in which mode, and what the split remembers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from immutables import Map

from agents.copies import replace
from agents.ledger.funding import funded_after
from agents.ledger.rounding import Rounding, after_rounding
from schemas.account import SnapshotContent
from schemas.ledger import (
    CASH,
    MANUAL,
    STREET,
    SYSTEM,
    BookDifference,
    Books,
    BooksStatus,
    EntryKind,
    LedgerEntry,
    Posting,
)
from schemas.run import Mode

ZERO = Decimal(0)

MODELESS = (SYSTEM, MANUAL, STREET)
"""Owners that are no strategies: their books have no mode."""

Amounts = Map[str, Decimal]
"""What one owner has, by commodity; zeros are left out."""

Line = tuple[UUID, str, str]
"""A plan line: plan, book, symbol. Its fills are split as one."""


@dataclass(frozen=True)
class Account:
    """What an account's books say.

    `holders` by owner and mode ("" for none); `booked` the executed quantity of each order; `allocated` what each
    strategy got of a plan line's broker orders, unsigned; `activities` the broker's activities that are booked;
    `transferred` what each strategy was given in total for a book of its own, `funded` who has such a book and its
    part of the equity, also where that took no transfer; `traded` the dollars traded at the broker by UTC day, and of
    a day by owner; `roundings` what is left of the last few of the broker's; `runs` those whose snapshot was compared;
    `pending` the comparison that waits for more entries. Since the books last equalled the account: `owed` the executed
    quantity of each order that a snapshot has named before it was booked in full; `fills` counts the executions at the
    broker; `rounded` is what it has rounded of them; `happened` has the activities, in order.
    """

    holders: Map[tuple[str, str], Amounts] = field(default_factory=Map)
    booked: Map[str, Decimal] = field(default_factory=Map)
    allocated: Map[Line, Amounts] = field(default_factory=Map)
    activities: Map[str, bool] = field(default_factory=Map)
    transferred: Map[str, Decimal] = field(default_factory=Map)
    traded: Map[date, Amounts] = field(default_factory=Map)
    funded: Map[str, bool] = field(default_factory=Map)
    roundings: tuple[Rounding, ...] = ()
    owed: Map[str, Decimal] = field(default_factory=Map)
    fills: int = 0
    rounded: Decimal = ZERO
    happened: tuple[LedgerEntry, ...] = ()
    runs: Map[UUID, bool] = field(default_factory=Map)
    pending: Books | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever booked."""
        return not self.activities and not self.booked

    def mode_of(self, owner: str) -> Mode | None:
        """Return how an owner's books are kept; None for one that has nothing, and for one that is no strategy."""
        return next((mode for mode in Mode if (owner, mode.value) in self.holders), None)

    def of(self, owner: str) -> Amounts:
        """Return what an owner has, by commodity."""
        mode = self.mode_of(owner)
        return self.holders.get((owner, "" if mode is None else mode.value)) or Amounts()

    def owners(self) -> Iterator[str]:
        """Yield everybody who has something, in order; an owner has something in one mode only."""
        return (owner for owner, _ in sorted(self.holders))

    def totals(self) -> dict[str, Decimal]:
        """Return what all owners have together, by commodity."""
        sums: dict[str, Decimal] = {}
        for _, amounts in sorted(self.holders.items()):
            for commodity, amount in sorted(amounts.items()):
                sums[commodity] = sums.get(commodity, ZERO) + amount
        return sums


def kept_as(account: Account, owner: str, book: str) -> Mode | None:
    """Return the mode an owner's part of a fill is booked in: as its books are kept, else as the order's book says."""
    if owner in MODELESS:
        return None
    return account.mode_of(owner) or (Mode.BOOK if owner == book else Mode.NETTED)


def after_entry(account: Account, entry: LedgerEntry) -> Account:
    """Return the books after an entry."""
    changed = replace(account, holders=_after_postings(account.holders, entry.postings, 1))
    if entry.activity_id is not None:
        changed = replace(
            changed,
            activities=changed.activities.set(entry.activity_id, True),
            happened=(*changed.happened, entry),
        )
    match entry.kind:
        case EntryKind.FILL:
            changed = replace(
                changed, allocated=_allocated(account, entry), traded=_traded(account, entry), fills=account.fills + 1
            )
        case EntryKind.MANUAL_FILL:
            changed = replace(changed, fills=account.fills + 1)
        case EntryKind.TRANSFER:
            changed = replace(changed, transferred=_transferred(account, entry))
        case EntryKind.ROUNDING:
            amount = sum((each.amount for each in entry.postings if each.owner == SYSTEM), ZERO)
            changed = replace(changed, rounded=account.rounded + amount)
        case _:
            pass
    if entry.client_order_id is not None and entry.cum_qty is not None:
        changed = replace(changed, booked=changed.booked.set(entry.client_order_id, entry.cum_qty))
    return changed


def without(account: Account, entry: LedgerEntry) -> Account:
    """Return the books as if an activity had not happened yet."""
    return replace(
        account,
        holders=_after_postings(account.holders, entry.postings, -1),
        happened=tuple(each for each in account.happened if each.entry_id != entry.entry_id),
        fills=account.fills - (entry.kind is EntryKind.MANUAL_FILL),
    )


def unknown_to(account: Account, snapshot: SnapshotContent) -> tuple[LedgerEntry, ...]:
    """Return the activities since the books last equalled the account that may have happened after a snapshot.

    A snapshot knows all executions from its first activity on; their ids begin with their time (Alpaca), so one that
    sorts before that happened long before. The id of any other activity may begin with the day it is dated by, long
    before the broker has posted it, so that says nothing.
    """
    known = sorted(each.activity_id for each in snapshot.activities)
    return tuple(
        each
        for each in account.happened
        if (name := str(each.activity_id)) not in known
        and (each.kind is not EntryKind.MANUAL_FILL or not known or name > known[0])
    )


def without_later(account: Account, snapshot: SnapshotContent) -> Iterator[Account]:
    """Yield the books, then without the last activity, the last two, ...: those that the snapshot does not know.

    Activities and snapshots reach the ledger by two topics, so one that happened later may be booked earlier.
    """
    yield account
    for entry in reversed(unknown_to(account, snapshot)):
        account = without(account, entry)
        yield account


def differences(account: Account, snapshot: SnapshotContent) -> tuple[BookDifference, ...]:
    """Return where the books and a snapshot disagree, sorted by item."""
    own = account.totals()
    broker: Mapping[str, Decimal] = {CASH: snapshot.cash} | {each.symbol: each.quantity for each in snapshot.positions}
    return tuple(
        BookDifference(item=item, ledger=own.get(item, ZERO), broker=broker.get(item, ZERO))
        for item in sorted({*own, *broker})
        if own.get(item, ZERO) != broker.get(item, ZERO)
    )


def after_books(account: Account, books: Books) -> Account:
    """Return the books after a comparison; a newer one takes the place of one that was pending, and of what it owed."""
    compared = replace(
        account,
        runs=account.runs.set(books.run_id, True),
        pending=books if books.status is BooksStatus.PENDING else None,
        owed=owed_with(account, books.content.snapshot),
    )
    return _after_ready(compared, books) if books.status is BooksStatus.READY else compared


def owed_with(account: Account, snapshot: SnapshotContent) -> Map[str, Decimal]:
    """Return what is still to be booked: of the orders a snapshot names, and of those that earlier ones have named."""
    owed = dict(account.owed)
    for each in snapshot.ended_orders:
        owed[each.client_order_id] = max(each.cum_qty, owed.get(each.client_order_id, ZERO))
    return Map({name: cum_qty for name, cum_qty in owed.items() if account.booked.get(name, ZERO) < cum_qty})


def _after_ready(account: Account, books: Books) -> Account:
    """Return the books after they equalled the account; what they were set beside without is still to be compared."""
    snapshot = books.content.snapshot
    shown = next((each for each in without_later(account, snapshot) if not differences(each, snapshot)), account)
    later = tuple(each for each in account.happened if each not in shown.happened)
    return replace(
        account,
        funded=funded_after(account.funded, books),
        roundings=after_rounding(account.roundings, account.rounded, shown.fills),
        rounded=ZERO,
        fills=account.fills - shown.fills,
        happened=later,
    )


def _after_postings(
    holders: Map[tuple[str, str], Amounts], postings: tuple[Posting, ...], sign: int
) -> Map[tuple[str, str], Amounts]:
    for each in postings:
        if each.owner == STREET:
            continue
        holder = (each.owner, "" if each.mode is None else each.mode.value)
        amounts = holders.get(holder) or Amounts()
        amount = amounts.get(each.commodity, ZERO) + sign * each.amount
        if amount:
            amounts = amounts.set(each.commodity, amount)
        elif each.commodity in amounts:
            amounts = amounts.delete(each.commodity)
        if amounts:
            holders = holders.set(holder, amounts)
        elif holder in holders:
            holders = holders.delete(holder)
    return holders


def _allocated(account: Account, entry: LedgerEntry) -> Map[Line, Amounts]:
    """Only the broker's fills are split; a cross gives each side what it wished."""
    if entry.plan_id is None or entry.book is None or entry.symbol is None:
        raise ValueError(f"entry {entry.entry_id}: a fill without its plan line")
    line = (entry.plan_id, entry.book, entry.symbol)
    given = account.allocated.get(line) or Amounts()
    for posting in entry.postings:
        if posting.owner != STREET and posting.commodity == entry.symbol:
            given = given.set(posting.owner, given.get(posting.owner, ZERO) + abs(posting.amount))
    return account.allocated.set(line, given)


def _traded(account: Account, entry: LedgerEntry) -> Map[date, Amounts]:
    if entry.transact_time is None:
        raise ValueError(f"entry {entry.entry_id}: a fill without its time")
    day = entry.transact_time.date()
    traded = account.traded.get(day) or Amounts()
    for posting in entry.postings:
        if posting.owner != STREET and posting.commodity == CASH:
            traded = traded.set(posting.owner, traded.get(posting.owner, ZERO) + abs(posting.amount))
    return account.traded.set(day, traded)


def _transferred(account: Account, entry: LedgerEntry) -> Map[str, Decimal]:
    """Follow what was given to a book, on balance."""
    transferred = account.transferred
    for owner in sorted({each.owner for each in entry.postings} - {SYSTEM}):
        moved = (each.amount for each in entry.postings if each.owner == owner and each.commodity == CASH)
        given = transferred.get(owner, ZERO) + sum(moved, ZERO)
        if given:
            transferred = transferred.set(owner, given)
        elif owner in transferred:
            transferred = transferred.delete(owner)
    return transferred
