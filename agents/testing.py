"""Given, when, then: the whole test language of a decider.

given(planner).when(books).then(plan)
given(executor, *earlier).when(order_event).said
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import localcontext
from typing import Any
from uuid import UUID

from agents.decider import Decider, Message, fold
from agents.declaration import Fact, Memory
from schemas.identity import derived
from schemas.quantities import CONTEXT
from schemas.record import Envelope, Record
from topics.codec import decode_value, encode
from topics.registry import BY_RECORD

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Story:
    """A decider with a past; `said` is what it published last."""

    decider: Decider[Any]
    state: Any
    said: tuple[Record, ...] = ()

    def when(self, record: Record, *, event_id: UUID | None = None, at: datetime = NOON, view: Any = None) -> "Story":
        """Let a record arrive; what is decided is folded as a reader would decode it."""
        identity = event_id or derived("test", record.model_dump_json())
        message = Message(through_the_wire(record), identity, derived("test", "run"), at, view)
        with localcontext(CONTEXT):
            said = tuple(through_the_wire(each) for each in self.decider.decide(self.state, message))
            return Story(self.decider, fold(self.decider, said, self.state), said)

    def then(self, *expected: Record) -> "Story":
        """Expect exactly these records."""
        if self.said != expected:
            raise AssertionError(f"expected {_lines(expected)}\nwas {_lines(self.said)}")
        return self


def given(decider: Decider[Any], *records: Record) -> Story:
    """Start a story with the records the agent has published before."""
    with localcontext(CONTEXT):
        return Story(decider, fold(decider, records))


def remembered(memory: Memory[Any], published: Iterable[Fact]) -> Any:
    """Return what a performer remembers that has published these facts."""
    state = memory.initial_state()
    with localcontext(CONTEXT):
        for each in published:
            state = memory.evolve(state, each)
    return state


def through_the_wire(record: Record) -> Record:
    """Return the record as it comes back from Avro."""
    topic = BY_RECORD[type(record)]
    nobody = derived("test")
    envelope = Envelope(event_id=nobody, correlation_id=nobody, causation_id=nobody, occurred_at=NOON)
    return decode_value(topic, encode(topic, envelope, record)).record


def _lines(records: Sequence[Record]) -> str:
    return "\n  ".join(["", *(repr(record) for record in records)]) or "nothing"
