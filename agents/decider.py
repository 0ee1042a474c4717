"""What a decider is: three pure functions, and the message they are given.

A module with `initial_state`, `decide` and `evolve` is a decider. It reads no clock, draws no randomness, does no I/O,
uses no float and no order of sets or hashed maps: time, quotes, configuration and ids arrive in the message. State is
the fold of the records it has itself published; what it does not publish it does not remember.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from schemas.record import Record

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Message:
    """What a decider is asked about: a record, its identity, and what the agent's view showed at the recorded bound.

    `view` is None for agents that read no view.
    """

    record: Record
    event_id: UUID
    correlation_id: UUID
    occurred_at: datetime
    view: Any = None


class Decider(Protocol[State]):
    """Decide, and remember only what was decided."""

    def initial_state(self) -> State:
        """Return the state before the first decision."""
        ...

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        """Return the records to publish because of the message, in order; empty = nothing to say."""
        ...

    def evolve(self, state: State, record: Record) -> State:
        """Return the state after one of the agent's own records."""
        ...


def fold(decider: Decider[State], records: Iterable[Record], state: State | None = None) -> State:
    """Return the state after `records`, from `state` or from the beginning."""
    current = decider.initial_state() if state is None else state
    for record in records:
        current = decider.evolve(current, record)
    return current
