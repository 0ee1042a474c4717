"""One account of a world: its brokerage, everybody outside who speaks of it, and all that was said about it."""

from collections import Counter
from typing import TypeVar

from schemas.gate import HaltStatus, TradingHalt
from schemas.order import Fill, IntentAction, OrderEvent, OrderIntent, Refusal
from schemas.record import Record
from schemas.run import Run, RunRequest, RunStatus
from tests.simulation.broker import Clock, Exchange
from tests.simulation.chance import Chance
from tests.simulation.operator import Operator
from tests.simulation.outside import Outside, Tell
from topics.codec import Event

RecordT = TypeVar("RecordT", bound=Record)


class Desk:
    """What claims look at; `log` is the account's part of the log, in order."""

    def __init__(self, account_id: str, chance: Chance, clock: Clock, tell: Tell) -> None:
        self.account_id = account_id
        self.chance = chance
        self.clock = clock
        self.log: list[Event] = []
        self.counts: Counter[str] = Counter()
        self.exchange = Exchange(chance, clock, lambda: len(self.log))
        self.outside = Outside(account_id, chance, clock, tell)
        self.operator = Operator(account_id, chance, clock, tell, self.outside.pool)
        self._by_kind: dict[type[Record], list[Record]] = {}

    def said(self, kind: type[RecordT]) -> list[RecordT]:
        """Return all records of one kind, in the order of the log."""
        return self._by_kind.get(kind, [])  # type: ignore[return-value]

    def take_in(self, event: Event) -> None:
        """Note what was said, and let it make somebody say or do something."""
        self.log.append(event)
        self._by_kind.setdefault(type(event.record), []).append(event.record)
        self._count(event.record)
        self.outside.react(event.record)
        self.operator.react(event.record)

    def begin(self) -> None:
        """Set the limits that its orders are held to."""
        self.operator.begin()

    def ask(self, request: RunRequest) -> None:
        """Ask for a run, sometimes twice; meanwhile money may move, and somebody may trade by hand."""
        for _ in range(2 if self.chance.happens(0.05) else 1):
            self.outside.tell(request, request.run_id)
        for happening in (self.exchange.cash_moves, self.exchange.by_hand):
            if not self.exchange.is_calm and self.chance.happens(self.chance.profile.outside):
                self.outside.pool.append(happening)
        if not self.exchange.is_calm:
            self.operator.run_begins()

    def next_message(self) -> list[str]:
        """Return what is heard next of the stream: a message, perhaps twice or out of turn, or nothing: it is lost."""
        stream, profile = self.exchange.stream, self.chance.profile
        is_calm = self.exchange.is_calm
        is_late = not is_calm and len(stream) > 1 and self.chance.happens(profile.lost)
        body = stream.pop(1 if is_late else 0)
        if is_calm or not self.chance.happens(profile.lost):
            return [body, body] if self.chance.happens(profile.twice) else [body]
        self.counts["lost messages"] += 1
        return []

    def _count(self, record: Record) -> None:
        match record:
            case Run(status=RunStatus.REQUESTED, terms=terms) if terms.strategies:
                self.counts["runs"] += 1
            case OrderIntent(action=IntentAction.CROSS):
                self.counts["crosses"] += 1
            case OrderEvent(refusal=Refusal() as refusal):
                self.counts[f"refused {refusal}"] += 1
            case TradingHalt(status=HaltStatus.IN_FORCE, cause=cause):
                self.counts[f"halts {cause}"] += 1
            case Fill(broker_order_id=str()):
                self.counts["executions"] += 1
            case _:
                pass
