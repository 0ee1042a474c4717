"""What happened: counted from the log, put beside the broker, and summed per strategy. Exact, in Decimal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from infra.replay.history import History
from infra.verify.broker import AtBroker
from schemas.execution import LineOutcome
from schemas.ledger import CASH, STREET, SYSTEM, EntryKind, LedgerEntry
from schemas.order import Fill, IntentAction, OrderIntent, Venue
from schemas.plan import Plan
from schemas.quantities import plain
from schemas.record import Record
from schemas.run import Run
from schemas.signal import Signal
from topics.codec import UndecodableError, decode

R = TypeVar("R", bound=Record)
ZERO = Decimal(0)


@dataclass
class Reckoning:
    """Everything the demo reports, from the log and from what the broker says."""

    history: History
    broker: AtBroker
    marks: Mapping[str, Decimal]
    unreadable: int = field(default=0, init=False)

    def records(self, kind: type[R]) -> Iterator[R]:
        """Yield every record of one type."""
        for (topic, _), found in sorted(self.history.by_partition.items()):
            for incoming in found if topic == kind.topic else ():
                try:
                    record = decode(incoming).record
                except UndecodableError:
                    self.unreadable += 1
                    continue
                if isinstance(record, kind):
                    yield record

    @property
    def client_order_ids(self) -> list[str]:
        """Return the names of all orders at the broker, sorted."""
        return sorted(row["client_order_id"] for row in self.broker.orders)

    @cached_property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return every ledger entry."""
        return tuple(self.records(LedgerEntry))

    @cached_property
    def outcomes(self) -> Counter[str]:
        """Return outcome, and rule where one acted -> count."""
        lines = self.records(LineOutcome)
        return Counter(f"{line.outcome}({line.rule})" if line.rule else str(line.outcome) for line in lines)

    @cached_property
    def books(self) -> dict[str, dict[str, Decimal]]:
        """Return owner -> commodity -> amount, without the street."""
        books: dict[str, dict[str, Decimal]] = {}
        for entry in self.entries:
            for posting in entry.postings:
                if posting.owner != STREET:
                    book = books.setdefault(posting.owner, {})
                    book[posting.commodity] = book.get(posting.commodity, ZERO) + posting.amount
        return books

    @cached_property
    def deposits(self) -> Decimal:
        """Return what came into the account from outside."""
        kinds = (EntryKind.DEPOSIT,)
        return _sum(
            posting.amount
            for entry in self.entries
            if entry.kind in kinds
            for posting in entry.postings
            if posting.owner == SYSTEM and posting.commodity == CASH
        )

    def unbalanced(self) -> int:
        """Return how many entries do not sum to zero in every commodity."""
        return sum(1 for entry in self.entries if any(_per_commodity(entry).values()))

    @cached_property
    def transfers(self) -> dict[str, Decimal]:
        """Return owner -> what it was given of the account's own cash, less what it gave back."""
        given: dict[str, Decimal] = {}
        for entry in self.entries:
            for posting in entry.postings if entry.kind is EntryKind.TRANSFER else ():
                given[posting.owner] = given.get(posting.owner, ZERO) + posting.amount
        return given

    def strategy_pnl(self) -> dict[str, Decimal]:
        """Return owner -> cash flows plus holdings at the marks; neither deposits nor transfers are profit."""
        given = self.transfers
        pnl = {owner: self._value(book) - given.get(owner, ZERO) for owner, book in sorted(self.books.items())}
        pnl[SYSTEM] = pnl.get(SYSTEM, ZERO) - self.deposits
        return pnl

    def account_pnl(self) -> Decimal:
        """Return what the broker's account has gained: its cash and positions at the same marks, less deposits."""
        held = _sum(quantity * self.marks[symbol] for symbol, quantity in self.broker.positions.items())
        return self.broker.cash + held - self.deposits

    def quantity_differences(self) -> dict[str, Decimal]:
        """Return symbol -> books minus broker, where it is not zero."""
        symbols = {symbol for book in self.books.values() for symbol in book if symbol != CASH}
        owned = {s: _sum(book.get(s, ZERO) for book in self.books.values()) for s in symbols}
        every = symbols | set(self.broker.positions)
        compared = {s: owned.get(s, ZERO) - self.broker.positions.get(s, ZERO) for s in sorted(every)}
        return {symbol: difference for symbol, difference in compared.items() if difference}

    def cash_difference(self) -> Decimal:
        """Return books minus broker."""
        return _sum(book.get(CASH, ZERO) for book in self.books.values()) - self.broker.cash

    def symbols(self) -> int:
        """Return how many symbols the books or the broker hold or have held."""
        return len({s for book in self.books.values() for s in book if s != CASH} | set(self.broker.positions))

    def as_json(self) -> dict[str, Any]:
        """Return counts and sums with the keys of `tape demo --json`."""
        pnl = self.strategy_pnl()
        account = self.account_pnl()
        ids = self.client_order_ids
        intents = tuple(self.records(OrderIntent))
        fills = tuple(self.records(Fill))
        return {
            "runs": _count(self.records(Run)),
            "signals": _count(self.records(Signal)),
            "plans": _count(self.records(Plan)),
            "plan_lines": dict(sorted(self.outcomes.items())),
            "orders": sum(1 for intent in intents if intent.action is IntentAction.SUBMIT),
            "crosses": sum(1 for intent in intents if intent.action is IntentAction.CROSS),
            "fills": sum(1 for fill in fills if fill.order.venue is Venue.BROKER),
            "ledger": {"entries": len(self.entries), "unbalanced": self.unbalanced()},
            "reconciliation": {
                "symbols": self.symbols(),
                "quantity_differences": len(self.quantity_differences()),
                "cash_difference": plain(self.cash_difference()),
            },
            "pnl": {
                "account": plain(account),
                "strategies": {owner: plain(value) for owner, value in pnl.items()},
                "difference": plain(account - _sum(pnl.values())),
            },
            "broker": {
                "orders": len(ids),
                "duplicate_client_order_ids": len(ids) - len(set(ids)),
            },
        }

    def _value(self, book: Mapping[str, Decimal]) -> Decimal:
        held = (amount * self.marks[symbol] for symbol, amount in book.items() if symbol != CASH and amount)
        return book.get(CASH, ZERO) + _sum(held)


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, ZERO)


def _count(records: Iterable[object]) -> int:
    return sum(1 for _ in records)


def _per_commodity(entry: LedgerEntry) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for posting in entry.postings:
        sums[posting.commodity] = sums.get(posting.commodity, ZERO) + posting.amount
    return sums
