"""The books of an account as the fold of its entries: who owns what, in which mode, and what the split remembers."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from immutables import Map

from schemas.account import SnapshotContent
from schemas.ledger import CASH, MANUAL, STREET, SYSTEM, Books, BooksStatus, EntryKind, LedgerEntry, Posting
from schemas.run import Mode

ZERO = Decimal(0)

MODELESS = (SYSTEM, MANUAL, STREET)
"""Owners that are no strategies: their books have no mode."""

ROUNDINGS_MAX = 20
"""How many roundings are remembered: about as many runs as pass before the broker posts a fee it has taken."""

Amounts = Map[str, Decimal]
"""What one owner has, by commodity; zeros are left out."""

Line = tuple[UUID, str, str]
"""A plan line: plan, book, symbol. Its fills are split as one."""


@dataclass(frozen=True)
class Account:
    """What an account's books say.

    `holders` by owner and mode ("" for none); `booked` the executed quantity of each order; `allocated` what each
    strategy got of a plan line's broker orders, unsigned; `activities` the broker's activities that are booked;
    `transferred` what each strategy with its own book was given in total, absent while it is not funded; `traded` the
    dollars traded at the broker by UTC day and owner; `roundings` what the broker has rounded of how
    many executions, the last few; `runs` those whose snapshot was compared; `pending` the comparison that waits for
    more entries. Since the books last equalled the account: `fills` counts the executions at
    the broker, `happened` has the activities, in order.
    """

    holders: Map[tuple[str, str], Amounts] = field(default_factory=Map)
    booked: Map[str, Decimal] = field(default_factory=Map)
    allocated: Map[Line, Amounts] = field(default_factory=Map)
    activities: Map[str, bool] = field(default_factory=Map)
    transferred: Map[str, Decimal] = field(default_factory=Map)
    traded: Map[tuple[date, str], Decimal] = field(default_factory=Map)
    roundings: tuple[tuple[Decimal, int], ...] = ()
    fills: int = 0
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
        case EntryKind.TRANSFER | EntryKind.MODE_SWITCH:
            changed = replace(changed, transferred=_transferred(changed, entry))
        case EntryKind.ROUNDING:
            amount = sum((each.amount for each in entry.postings if each.owner == SYSTEM), ZERO)
            changed = replace(changed, roundings=(*account.roundings, (amount, account.fills))[-ROUNDINGS_MAX:])
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
    )


def unknown_to(account: Account, snapshot: SnapshotContent) -> tuple[LedgerEntry, ...]:
    """Return the activities since the books last equalled the account that may have happened after a snapshot.

    A snapshot knows all activities from its first one on; their ids begin with their time (Alpaca), so one that sorts
    before that happened long before.
    """
    known = sorted(each.activity_id for each in snapshot.activities)
    ids = ((str(each.activity_id), each) for each in account.happened)
    return tuple(each for name, each in ids if name not in known and (not known or name > known[0]))


def after_books(account: Account, books: Books) -> Account:
    """Return the books after a comparison; a newer one takes the place of one that was pending."""
    compared = replace(
        account,
        runs=account.runs.set(books.run_id, True),
        pending=books if books.status is BooksStatus.PENDING else None,
    )
    if books.status is not BooksStatus.READY:
        return compared
    later = unknown_to(account, books.content.snapshot)
    return replace(compared, happened=later, fills=sum(1 for each in later if each.kind is EntryKind.MANUAL_FILL))


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


def _traded(account: Account, entry: LedgerEntry) -> Map[tuple[date, str], Decimal]:
    if entry.transact_time is None:
        raise ValueError(f"entry {entry.entry_id}: a fill without its time")
    traded = account.traded
    for posting in entry.postings:
        if posting.owner != STREET and posting.commodity == CASH:
            key = (entry.transact_time.date(), posting.owner)
            traded = traded.set(key, traded.get(key, ZERO) + abs(posting.amount))
    return traded


def _transferred(account: Account, entry: LedgerEntry) -> Map[str, Decimal]:
    """Follow what was given to a book; an owner that leaves the mode, or was given nothing on balance, is unfunded."""
    transferred = account.transferred
    for owner in sorted({each.owner for each in entry.postings} - {SYSTEM}):
        moved = (each.amount for each in entry.postings if each.owner == owner and each.commodity == CASH)
        given = transferred.get(owner, ZERO) + sum(moved, ZERO)
        if given or (entry.kind is EntryKind.TRANSFER and account.mode_of(owner) is Mode.BOOK):
            transferred = transferred.set(owner, given)
        elif owner in transferred:
            transferred = transferred.delete(owner)
    return transferred
