"""I14: an order that a person has ended was ended by a word that somebody gave, with a reason."""

from collections.abc import Mapping

from infra.replay.seen import Seen
from infra.verify.claim import Claim
from schemas.order import ExecType, OrderEvent
from schemas.record import Record
from schemas.resolution import OrderResolution, OrderResolutionRequest, ResolutionStatus
from topics.wire import Partition


class ResolvedByAWord(Claim):
    """Every order that was RESTATED was resolved by an accepted word, and every such word was asked for, once."""

    name = "I14 resolved by a word"
    says = "every order that a person has ended was asked for by name, with a reason, and ended once for it"
    of = (OrderResolutionRequest, OrderResolution, OrderEvent)

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[tuple[str, str], str] = {}
        self._answered: set[tuple[str, str]] = set()
        self._accepted: dict[tuple[str, str], list[Seen]] = {}
        self._restated: dict[tuple[str, str], list[Seen]] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Note who asked, what was answered, and which orders ended so."""
        match record:
            case OrderResolutionRequest():
                self._asked[record.account_id, record.request_id] = record.client_order_id
            case OrderResolution():
                self.checked += 1
                self._answer(record, seen)
            case OrderEvent(exec_type=ExecType.RESTATED):
                self._restated.setdefault((record.account_id, record.client_order_id), []).append(seen)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - a decision is atomic
        """Compare words and ends."""
        for key in sorted({*self._accepted, *self._restated}):
            words, ends = self._accepted.get(key, []), self._restated.get(key, [])
            if len(words) != len(ends):
                what = f"order {key[1]} was resolved by {len(words)} words and ended by {len(ends)}"
                self.broken(what, (words or ends)[-1].record.place)

    def _answer(self, said: OrderResolution, seen: Seen) -> None:
        request, order = (said.account_id, said.request_id), (said.account_id, said.client_order_id)
        if self._asked.get(request) != said.client_order_id or not said.reason:
            self.broken(f"order {said.client_order_id} was resolved, nobody asked for it", seen.record.place)
        if request in self._answered:
            self.broken(f"request {said.request_id} was answered twice", seen.record.place)
        self._answered.add(request)
        if said.status is ResolutionStatus.ACCEPTED:
            self._accepted.setdefault(order, []).append(seen)


CLAIMS = (ResolvedByAWord,)
