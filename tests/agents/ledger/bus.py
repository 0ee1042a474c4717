"""The log in memory: agents that read what others write, one record at a time, and a performer at the outside.

What a decider says is folded as a reader would decode it; every record goes through the wire.
"""

import queue
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import localcontext
from typing import Any, TypeVar

from agents.broker import memory
from agents.broker.performer import BrokerPerformer
from agents.decider import Decider, Message
from agents.declaration import Fact
from agents.testing import remembered, through_the_wire
from schemas.identity import derived, event_id
from schemas.quantities import CONTEXT
from schemas.record import Envelope, Record
from topics.registry import BY_RECORD

RecordT = TypeVar("RecordT", bound=Record)


Queue = tuple[str, str]
"""A reader and a topic: within it order is kept, between two of them there is none."""

Choose = Callable[[Sequence[Queue]], Queue]


class Bus:
    """A log, the deciders that live on it, and the broker's hands.

    Records are delivered in the order of the log, unless `choose` picks the reader and topic that go next. `dies` may
    return the next performer, after the present one has acted and before what it reports was published.
    """

    def __init__(
        self, deciders: Mapping[str, Decider[Any]], performer: BrokerPerformer, choose: Choose | None = None
    ) -> None:
        self.deciders = dict(deciders)
        self.states = {name: each.initial_state() for name, each in self.deciders.items()}
        self.performer = performer
        self.log: list[tuple[Envelope, Record]] = []
        self.queues: dict[Queue, deque[int]] = {}
        self.unasked: queue.Queue[Fact] = queue.Queue()
        self._choose = choose
        self.dies: Callable[[], BrokerPerformer | None] = lambda: None
        performer.take_over(0, memory.initial_state(), self.unasked.put)

    def tell(self, record: Record, at: datetime) -> None:
        """Publish a record from outside and let everything happen that follows from it."""
        identity = derived("told", len(self.log))
        run = getattr(record, "run_id", identity)
        self._publish(
            Fact(record, Envelope(event_id=identity, correlation_id=run, causation_id=identity, occurred_at=at))
        )
        self.settle()

    def settle(self, unasked: int = 0) -> None:
        """Deliver until nothing is left, after waiting for a number of facts nobody asked for."""
        for _ in range(unasked):
            self._publish(self.unasked.get(timeout=10))
        while waiting := self._waiting():
            chosen = self._choose(waiting) if self._choose else min(waiting, key=lambda each: self.queues[each][0])
            self._deliver(chosen[0], *self.log[self.queues[chosen].popleft()])

    def _waiting(self) -> list[Queue]:
        while not self.unasked.empty():
            self._publish(self.unasked.get())
        return sorted(each for each, numbers in self.queues.items() if numbers)

    def _publish(self, fact: Fact) -> None:
        assert through_the_wire(fact.record) == fact.record
        topic = BY_RECORD[type(fact.record)]
        for name in topic.consumers:
            if name in self.deciders or name == "broker":
                self.queues.setdefault((name, topic.name), deque()).append(len(self.log))
        self.log.append((fact.envelope, fact.record))

    def crash(self, performer: BrokerPerformer) -> None:
        """Let all agents start again from what they have published."""
        for name, decider in self.deciders.items():
            own = [record for _, record in self.log if BY_RECORD[type(record)].producer == name]
            with localcontext(CONTEXT):
                state = decider.initial_state()
                for record in own:
                    state = decider.evolve(state, record)
            assert state == self.states[name]
        self._hand_over(performer)

    def said(self, kind: type[RecordT]) -> list[RecordT]:
        """Return all records of one kind, in order."""
        return [record for _, record in self.log if isinstance(record, kind)]

    def _hand_over(self, heir: BrokerPerformer) -> None:
        """Unasked facts that were said before are published all the same: they were on their way."""
        self.performer.release(0)
        self._waiting()
        self.performer = heir
        own = [Fact(record, envelope) for envelope, record in self.log if BY_RECORD[type(record)].producer == "broker"]
        heir.take_over(0, remembered(memory, own), self.unasked.put)

    def _deliver(self, name: str, envelope: Envelope, record: Record) -> None:
        message = Message(record, envelope.event_id, envelope.correlation_id, envelope.occurred_at)
        if name == "broker" and (heir := self.dies()) is not None:
            self.performer.perform(message)
            self._hand_over(heir)
        if name == "broker":
            for fact in self.performer.perform(message):
                self._publish(fact)
        else:
            self._decide(name, message)

    def _decide(self, name: str, message: Message) -> None:
        decider = self.deciders[name]
        with localcontext(CONTEXT):
            said = [through_the_wire(each) for each in decider.decide(self.states[name], message)]
            assert [through_the_wire(each) for each in decider.decide(self.states[name], message)] == said
            for ordinal, record in enumerate(said):
                self.states[name] = decider.evolve(self.states[name], record)
                envelope = Envelope(
                    event_id=event_id(message.event_id, name, ordinal),
                    correlation_id=getattr(record, "run_id", None) or message.correlation_id,
                    causation_id=message.event_id,
                    occurred_at=message.occurred_at,
                )
                self._publish(Fact(record, envelope))
