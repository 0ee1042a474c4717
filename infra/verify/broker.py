"""I3, I5, I7, I8 beside the broker: its orders, executions, positions and cash against what the log says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.replay.seen import Seen
from infra.verify.claim import Claim
from schemas.ledger import CASH, STREET, LedgerEntry
from schemas.order import ExecType, Fill, OrderEvent
from schemas.record import Record
from schemas.resolution import OrderResolution, ResolutionStatus
from topics.wire import Partition

ZERO = Decimal(0)


@dataclass(frozen=True)
class AtBroker:
    """One account as the broker states it: rows as Alpaca's API has them, numbers exact."""

    account_id: str
    orders: Sequence[Mapping[str, Any]]
    fills: Sequence[Mapping[str, Any]]
    positions: Mapping[str, Decimal]
    cash: Decimal


def ids_by_name(orders: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the broker's ids of orders by their client order ids."""
    ids: dict[str, set[str]] = {}
    for row in orders:
        ids.setdefault(str(row["client_order_id"]), set()).add(str(row["id"]))
    return ids


class BesideBroker(Claim):
    """A claim that needs what the broker says."""

    def __init__(self, broker: AtBroker) -> None:
        super().__init__()
        self._broker = broker

    def _is_of(self, account_id: str) -> bool:
        return account_id == self._broker.account_id


class OneBrokerOrderPerIntent(BesideBroker):
    """The broker has at most one order of each name, each that the log has confirmed, and none that it never sent."""

    name = "I3 one broker order per intent"
    says = "the broker has one order per client order id, every confirmed order of the log, and none it did not send"
    of = (OrderEvent,)

    def __init__(self, broker: AtBroker) -> None:
        super().__init__(broker)
        self._ids = ids_by_name(broker.orders)
        self._confirmed: dict[str, tuple[str, Seen]] = {}
        self._kept: dict[str, Seen] = {}
        self._sent: set[str] = set()

    def add(self, record: Record, seen: Seen) -> None:
        """Note the broker's id of an order, once it is known, and whether it was ever sent."""
        if not isinstance(record, OrderEvent) or not self._is_of(record.account_id):
            return
        name = record.client_order_id
        if record.broker_order_id is not None:
            self._confirmed[name] = (record.broker_order_id, seen)
        if record.exec_type is ExecType.SUBMITTING:
            self._sent.add(name)
            self._kept.pop(name, None)
        elif name not in self._sent and name in self._ids:
            self._kept[name] = seen

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - what is confirmed stays
        """Compare names and ids."""
        for name, ids in self._ids.items():
            self.checked += 1
            if len(ids) > 1:
                self.broken(f"order {name} is at the broker {len(ids)} times: {', '.join(sorted(ids))}", "broker")
        for name, (broker_order_id, seen) in self._confirmed.items():
            if self._ids.get(name) != {broker_order_id}:
                at = ", ".join(sorted(self._ids.get(name, ()))) or "nothing"
                self.broken(f"order {name}: the log says {broker_order_id}, the broker has {at}", seen.record.place)
        for name, seen in self._kept.items():
            at = ", ".join(sorted(self._ids[name]))
            self.broken(f"order {name} was never sent, the broker has {at}", seen.record.place)


class SameExecutions(BesideBroker):
    """The broker's executions of our orders and the log's fills are the same set.

    Of an order that a person has resolved, whose word is an average, the sum is compared.
    """

    name = "I5 same executions as the broker"
    says = "executions of our orders at the broker and fills on the log are the same set: order, quantity, price"
    of = (Fill, OrderEvent, OrderResolution)

    def __init__(self, broker: AtBroker) -> None:
        super().__init__(broker)
        self._resolved: dict[str, Decimal] = {}
        self._said: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
        self._ours: set[str] = set()
        self._named = ids_by_name(broker.orders)

    def add(self, record: Record, seen: Seen) -> None:  # noqa: ARG002 - compared as sets
        """Note a fill, and which of the broker's orders are ours."""
        match record:
            case Fill() if self._is_of(record.account_id) and record.broker_order_id is not None:
                self._said[record.broker_order_id, record.cum_qty] = (record.last_qty, record.last_px)
            case OrderEvent() if self._is_of(record.account_id) and record.broker_order_id is not None:
                self._ours.add(record.broker_order_id)
            case OrderEvent(exec_type=ExecType.SUBMITTING) if self._is_of(record.account_id):
                self._ours.update(self._named.get(record.client_order_id, ()))
            case OrderResolution(status=ResolutionStatus.ACCEPTED) if self._is_of(record.account_id):
                self._resolved[record.client_order_id] = record.executed_qty
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - asked when nothing is under way
        """Compare the sets."""
        apart = {order_id for name in self._resolved for order_id in self._named.get(name, ())}
        self._compare_resolved()
        found = {
            (str(row["order_id"]), Decimal(row["cum_qty"])): (Decimal(row["qty"]), Decimal(row["price"]))
            for row in self._broker.fills
            if str(row["order_id"]) in self._ours - apart
        }
        for key in sorted({*found, *(each for each in self._said if each[0] not in apart)}):
            self.checked += 1
            if found.get(key) != self._said.get(key):
                at, log = (_execution(each.get(key)) for each in (found, self._said))
                self.broken(f"order {key[0]} up to {key[1]:f}: the broker says {at}, the log {log}", "broker")

    def _compare_resolved(self) -> None:
        for name, said in sorted(self._resolved.items()):
            self.checked += 1
            ids = self._named.get(name, set())
            rows = (row for row in self._broker.fills if str(row["order_id"]) in ids)
            executed = sum((Decimal(row["qty"]) for row in rows), ZERO)
            if executed != said:
                self.broken(f"order {name} was resolved with {said:f} executed, the broker says {executed:f}", "broker")


class SamePositions(BesideBroker):
    """The books of all owners together are what the broker holds, in shares and in dollars."""

    name = "I7, I8 same positions and cash as the broker"
    says = "the books of all owners sum to the broker's positions and cash"
    of = (LedgerEntry,)

    def __init__(self, broker: AtBroker) -> None:
        super().__init__(broker)
        self._books: dict[str, Decimal] = {}

    def add(self, record: Record, seen: Seen) -> None:  # noqa: ARG002 - summed
        """Add an entry to the books."""
        if isinstance(record, LedgerEntry) and self._is_of(record.account_id):
            for posting in record.postings:
                if posting.owner != STREET:
                    before = self._books.get(posting.commodity, ZERO)
                    self._books[posting.commodity] = before + posting.amount

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - asked when nothing is under way
        """Compare the sums."""
        held = {**self._broker.positions, CASH: self._broker.cash}
        for item in sorted({*held, *self._books}):
            self.checked += 1
            books, broker = self._books.get(item, ZERO), held.get(item, ZERO)
            if books != broker:
                self.broken(f"{item}: the books have {books:f}, the broker {broker:f}", "broker")


def _execution(said: tuple[Decimal, Decimal] | None) -> str:
    return "nothing" if said is None else f"{said[0]:f} at {said[1]:f}"


CLAIMS = (OneBrokerOrderPerIntent, SameExecutions, SamePositions)
