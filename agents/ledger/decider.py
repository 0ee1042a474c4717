"""Book every fact once, and put the books beside the broker's account for every run.

Where the contract leaves room:

- A fill is known by its order and cumulative quantity, which identify it as its id does. A fill that skips a quantity
  is our own contradiction and ends the process.
- Books with fills of ended orders still to come are PENDING also when all totals agree: a cross moves no total.
- While nothing at all is booked and the broker holds no position, different cash is PENDING: the first deposit is on
  its way. The activity that makes the books equal makes them READY; one that does not leaves them PENDING, for the
  opening may take several. The next run's comparison says BLOCKED with the numbers.
- A newer snapshot takes the place of a pending one: its run was superseded.
- An activity that moved no cash, or whose amount cannot be read, is not booked; if it moved anything, books differ.
"""

from dataclasses import dataclass
from decimal import Decimal

from immutables import Map

from agents.decider import Message
from agents.ledger.books import ZERO, Account, Verdict, after_books, after_entry, compared, strategy_books
from agents.ledger.entries import activity_entry, fill_entry
from schemas.account import AccountActivity, AccountSnapshot, SnapshotStatus
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
            entry = None if activity.activity_id in account.activities else activity_entry(activity)
            return [] if entry is None else _booked(account, entry)
        case AccountSnapshot() as snapshot:
            account = _of(state, snapshot.account_id)
            return [] if snapshot.run_id in account.runs else [_books(account, snapshot)]
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
    allocated = account.allocated.get((fill.order.plan_id, fill.order.symbol)) or Map[str, Decimal]()
    return fill_entry(fill, allocated)


def _booked(account: Account, entry: LedgerEntry) -> list[Record]:
    pending, current = account.pending, after_entry(account, entry)
    if pending is None:
        return [entry]
    verdict = compared(current, pending.content.snapshot)
    is_awaited = entry.fill_id is not None or verdict.status is BooksStatus.READY
    if verdict.status is BooksStatus.PENDING or not is_awaited:
        return [entry]
    strategies = tuple(each.strategy_id for each in pending.content.strategies)
    content = BooksContent(snapshot=pending.content.snapshot, strategies=strategy_books(current, strategies))
    return [entry, _said(pending.account_id, pending, verdict, content)]


def _books(account: Account, snapshot: AccountSnapshot) -> Books:
    strategies = (each.strategy_id for each in snapshot.content.portfolio.terms.strategies)
    content = BooksContent(snapshot=snapshot.content, strategies=strategy_books(account, strategies))
    if snapshot.status is SnapshotStatus.FAILED:
        verdict = Verdict(BooksStatus.BLOCKED, f"the account could not be read: {snapshot.detail}")
    else:
        verdict = compared(account, snapshot.content)
    return _said(snapshot.account_id, snapshot, verdict, content)


def _said(account_id: str, of: Books | AccountSnapshot, verdict: Verdict, content: BooksContent) -> Books:
    return Books(
        account_id=account_id,
        run_id=of.run_id,
        status=verdict.status,
        detail=verdict.detail,
        differences=verdict.differences,
        content=content,
    )
