"""Book every fact once, and put the books beside the broker's account for every run.

Where the contract leaves room:

- A fill is known by its order and cumulative quantity, which identify it as its id does. A fill that skips a quantity
  is our own contradiction and ends the process.
- A snapshot brings the account's recent activities by value: what is new among them is booked before anything is
  compared, and the activity's own record says nothing later. An execution of an order whose fills are booked is ours,
  whatever its activity says.
- Books with fills of ended orders still to come are PENDING also when all totals agree: a cross moves no total.
- While nothing at all is booked and the broker holds no position, different cash is PENDING: the first deposit is on
  its way. The activity that makes the books equal makes them READY; one that does not leaves them PENDING, for the
  opening may take several. The next run's comparison says BLOCKED with the numbers.
- Activities and snapshots come by two topics. Books that equal the snapshot without the last few activities, which it
  does not know, are READY: those happened after it, and the books say what the snapshot shows.
- A newer snapshot takes the place of a pending one: its run was superseded. What the older one waited for, the newer
  one waits for too: no books are READY while an order that a snapshot has named is not booked in full.
- Only books that are READY are moved about: rounding, then modes, then capital, then the books that state it all. A
  follow-up run trades one decision; it moves neither modes nor capital.
- A late fill goes to the books as they are kept when it arrives, not as they were kept when it was ordered.
- An activity that moves nothing, or nothing that can be read, is not booked; if it moved anything, books differ.
"""

from dataclasses import dataclass
from decimal import Decimal

from immutables import Map

from agents.decider import Message
from agents.ledger.activities import activity_entry
from agents.ledger.books import ZERO, Account, after_books, after_entry, kept_as
from agents.ledger.comparison import Verdict, compared
from agents.ledger.entries import fill_entry
from agents.ledger.funding import withheld
from agents.ledger.statement import strategy_books
from agents.ledger.transfers import Place, mode_switches, roundings, transfers
from schemas.account import AccountActivity, AccountSnapshot, Activity, SnapshotContent, SnapshotStatus
from schemas.ledger import Books, BooksContent, BooksStatus, LedgerEntry
from schemas.order import Fill
from schemas.record import Record


@dataclass(frozen=True)
class State:
    """The books of every account."""

    accounts: Map[str, Account]


def initial_state() -> State:
    """Return the state before the first entry."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the entry of a fact, and the comparison that it completes; or the comparison with a snapshot."""
    match message.record:
        case Fill() as fill:
            account = _of(state, fill.account_id)
            return [] if _is_booked(account, fill) else _booked(account, _fill_entry(account, fill))
        case AccountActivity() as activity:
            account = _of(state, activity.account_id)
            entry = _activity_entry(account, activity.account_id, activity)
            return [] if entry is None else _booked(account, entry)
        case AccountSnapshot() as snapshot:
            account = _of(state, snapshot.account_id)
            return [] if snapshot.run_id in account.runs else _taken(account, snapshot)
        case other:
            raise TypeError(f"the ledger reads Fill, AccountActivity and AccountSnapshot, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the ledger's own records."""
    match record:
        case LedgerEntry(account_id=account_id) as entry:
            return State(state.accounts.set(account_id, after_entry(_of(state, account_id), entry)))
        case Books(account_id=account_id) as books:
            return State(state.accounts.set(account_id, after_books(_of(state, account_id), books)))
        case other:
            raise TypeError(f"the ledger publishes LedgerEntry and Books, was {type(other).__name__}")


def _of(state: State, account_id: str) -> Account:
    return state.accounts.get(account_id) or Account()


def _is_booked(account: Account, fill: Fill) -> bool:
    booked = account.booked.get(fill.client_order_id, ZERO)
    if fill.cum_qty > booked and fill.cum_qty - fill.last_qty != booked:
        raise ValueError(
            f"fill {fill.fill_id} of order {fill.client_order_id}: expected one after {booked},"
            f" was {fill.last_qty} up to {fill.cum_qty}"
        )
    return fill.cum_qty <= booked


def _fill_entry(account: Account, fill: Fill) -> LedgerEntry:
    order = fill.order
    allocated = account.allocated.get((order.plan_id, order.book, order.symbol)) or Map[str, Decimal]()
    return fill_entry(fill, allocated, lambda owner: kept_as(account, owner, order.book))


def _activity_entry(account: Account, account_id: str, activity: Activity | AccountActivity) -> LedgerEntry | None:
    if activity.activity_id in account.activities or activity.client_order_id in account.booked:
        return None
    return activity_entry(account_id, activity)


def _booked(account: Account, entry: LedgerEntry) -> list[Record]:
    """Return an entry, and the comparison that waited for it."""
    pending, current = account.pending, after_entry(account, entry)
    if pending is None:
        return [entry]
    verdict = compared(current, pending.content.snapshot)
    is_awaited = entry.fill_id is not None or verdict.status is BooksStatus.READY
    if verdict.status is BooksStatus.PENDING or not is_awaited:
        return [entry]
    return [entry, *_concluded((pending.account_id, pending.run_id), pending.content.snapshot, verdict)]


def _taken(account: Account, snapshot: AccountSnapshot) -> list[Record]:
    """Return what a snapshot brings: activities that were not booked yet, and the comparison with it."""
    place = (snapshot.account_id, snapshot.run_id)
    if snapshot.status is SnapshotStatus.FAILED:
        verdict = Verdict(BooksStatus.BLOCKED, f"the account could not be read: {snapshot.detail}", account)
        return _concluded(place, snapshot.content, verdict)
    entries: list[Record] = []
    for activity in snapshot.content.activities:
        entry = _activity_entry(account, snapshot.account_id, activity)
        if entry is not None:
            entries.append(entry)
            account = after_entry(account, entry)
    return [*entries, *_concluded(place, snapshot.content, compared(account, snapshot.content))]


def _concluded(place: Place, snapshot: SnapshotContent, verdict: Verdict) -> list[Record]:
    """Return the books that a verdict comes to, and before them what they are moved by."""
    moved: list[Record] = []
    account, is_whole = verdict.shown, snapshot.portfolio.scope is None
    if verdict.status is BooksStatus.READY:
        for step in (roundings, mode_switches, transfers) if is_whole else (roundings,):
            entries = tuple(step(account, place, snapshot))
            for entry in entries:
                account = after_entry(account, entry)
            moved.extend(entries)
    strategies = strategy_books(account, snapshot)
    kept = withheld(snapshot, strategies) if verdict.status is BooksStatus.READY and is_whole else ""
    books = Books(
        account_id=place[0],
        run_id=place[1],
        status=verdict.status,
        detail=verdict.detail or kept,
        differences=verdict.differences,
        content=BooksContent(snapshot=snapshot, strategies=strategies),
    )
    return [*moved, books]
