"""Whether log and broker can be compared: not while something is on its way from one to the other."""

from collections.abc import Mapping

from infra.replay.seen import Seen
from infra.verify.broker import AtBroker
from infra.verify.claim import Claim
from schemas.ledger import LedgerEntry
from schemas.order import TERMINAL, Fill, OrderEvent, Venue
from schemas.record import Record
from topics.wire import Partition


class UnderWay(Claim):
    """Orders without an end, and executions that nobody has booked: they are named, and held against nobody."""

    name = "under way"
    says = "what is on its way between the log and the broker"
    of = (OrderEvent, Fill, LedgerEntry)

    def __init__(self, account_id: str) -> None:
        super().__init__()
        self._account_id = account_id
        self._orders: dict[str, bool] = {}
        self._fills: set[object] = set()
        self._booked: set[object] = set()

    def add(self, record: Record, seen: Seen) -> None:  # noqa: ARG002 - counted
        """Follow the orders of the account, and what of them is booked."""
        if getattr(record, "account_id", None) != self._account_id:
            return
        match record:
            case OrderEvent() if record.order.venue is Venue.BROKER:
                self._orders[record.client_order_id] = record.ord_status not in TERMINAL
            case Fill():
                self._fills.add(record.fill_id)
            case LedgerEntry() if record.fill_id is not None:
                self._booked.add(record.fill_id)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Nothing is compared."""

    @property
    def orders(self) -> tuple[str, ...]:
        """The orders without an end, sorted."""
        return tuple(sorted(name for name, is_live in self._orders.items() if is_live))

    def why_not(self, before: AtBroker, after: AtBroker) -> str:
        """Return why the broker cannot be compared with the log that was read between two readings; empty if it can."""
        if self.orders:
            return _count(len(self.orders), "order") + f" under way: {', '.join(self.orders)}"
        if unbooked := len(self._fills - self._booked):
            return _count(unbooked, "execution") + " not booked yet"
        return "" if before == after else "the account has changed while the log was read"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
