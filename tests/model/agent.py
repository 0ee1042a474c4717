"""A toy agent: a stateful decider, the envelope of its events, the fold, and the judging of one input.

It pairs orders of two topics, absorbs an event id it has seen, reminds on a tick only while an order waits, and makes
poison a dead letter (a numbered decision like any other). Its state is that of the product's agents: a fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cache
from itertools import groupby
from typing import NamedTuple
from zlib import crc32

RESULTS, SHARED = 0, 1  # the output topics; other agents write into SHARED too, as all do into the dead letters

Positions = tuple[int, int]
Cause = tuple[int, int, str]  # topic, offset, event id


class Fault(StrEnum):
    """One mistake planted into the protocol, or none."""

    NONE = auto()
    NO_FENCING = auto()  # every worker has a transactional id of its own
    FOLD_BEFORE_FENCE = auto()
    READ_UNCOMMITTED = auto()
    READ_TO_LAST_STABLE = auto()  # takes the last stable offset, not the high watermark, for the end of its own events
    ONE_EVENT_A_TRANSACTION = auto()
    NO_INPUTS = auto()
    INPUTS_OF_CAUSE_ONLY = auto()
    GROUP_OFFSETS = auto()  # seeks committed group offsets instead of `inputs`
    UNPUBLISHED_MEMORY = auto()  # a silent input changes the state
    ABORT_AND_CONTINUE = auto()  # after an error in a transaction, so that its EndTxn may come late


class Record(NamedTuple):
    """An input: `order`, `tick` or `poison`."""

    kind: str
    event_id: str


Inputs = tuple[tuple[Record, ...], tuple[Record, ...]]


class Body(NamedTuple):
    topic: int
    name: str
    side: int
    event_id: str


@dataclass(frozen=True, eq=False)
class Event:
    """A published event; made by `event` only, so that equal ones are identical and worlds hash quickly."""

    body: Body
    seq: int
    ordinal: int
    count: int
    prev: str
    cause: Cause
    inputs: Positions


@cache
def event(body: Body, seq: int, ordinal: int, count: int, prev: str, cause: Cause, inputs: Positions) -> Event:
    """The one `Event` of these values."""
    return Event(body, seq, ordinal, count, prev, cause, inputs)


class Memory(NamedTuple):
    """The decider's state; `unpublished` grows only under the fault of that name."""

    seen: tuple[str, ...] = ()
    waiting: tuple[tuple[int, str], ...] = ()
    unpublished: int = 0


def decide(memory: Memory, topic: int, record: Record) -> tuple[Body, ...]:
    """The bodies of one decision; none where the input falls silent."""
    if record.kind == "poison":
        return (Body(SHARED, "dead-letter", topic, record.event_id),)
    if record.event_id in memory.seen:
        return ()
    if record.kind == "tick":
        is_due = bool(memory.waiting or memory.unpublished)
        return (Body(RESULTS, "reminded", topic, record.event_id),) if is_due else ()
    partner = next((other for side, other in memory.waiting if side != topic), None)
    if partner is None:
        return (Body(RESULTS, "received", topic, record.event_id),)
    return (Body(RESULTS, "paired", topic, record.event_id), Body(SHARED, "released", 1 - topic, partner))


def evolve(memory: Memory, body: Body) -> Memory:
    """The state after one published event."""
    place = (body.side, body.event_id)
    seen = tuple(sorted({*memory.seen, body.event_id}))
    match body.name:
        case "received":
            return memory._replace(seen=seen, waiting=(*memory.waiting, place))
        case "paired" | "reminded":
            return memory._replace(seen=seen)
        case "released":
            return memory._replace(waiting=tuple(each for each in memory.waiting if each != place))
        case _:
            return memory


class Head(NamedTuple):
    """Where an agent stands after its last decision."""

    memory: Memory = Memory()
    seq: int = 0
    prev: str = "-"
    inputs: Positions = (0, 0)


def follow(head: Head, decision: Sequence[Event]) -> Head:
    """The head after one more decision."""
    memory = head.memory
    for each in decision:
        memory = evolve(memory, each.body)
    return Head(memory, decision[0].seq, f"{crc32(repr(decision).encode()):08x}", decision[0].inputs)


def decisions_of(events: Sequence[Event]) -> list[tuple[Event, ...]]:
    """Events grouped by seq, in order."""
    ordered = sorted(events, key=lambda each: (each.seq, each.ordinal))
    return [tuple(decision) for _, decision in groupby(ordered, lambda each: each.seq)]


@cache
def fold(events: tuple[Event, ...]) -> Head:
    """The head after these own events, in whatever order they were read."""
    head = Head()
    for decision in decisions_of(events):
        head = follow(head, decision)
    return head


def stamp(head: Head, cause: Cause, record: Record, inputs: Positions) -> tuple[Event, ...]:
    """The events that follow `head` for one input; empty if it stays silent."""
    bodies = decide(head.memory, cause[0], record)
    return tuple(event(body, head.seq + 1, n, len(bodies), head.prev, cause, inputs) for n, body in enumerate(bodies))


@cache
def judge(
    fault: Fault, inputs: Inputs, head: Head, positions: Positions, topic: int
) -> tuple[Head, Positions, tuple[Event, ...]]:
    """Judge the next input of one topic: the head and the positions after it, and its events."""
    offset = positions[topic]
    record = inputs[topic][offset]
    after = advance(positions, topic, offset)
    recorded = after
    if fault is Fault.NO_INPUTS:
        recorded = (0, 0)
    elif fault is Fault.INPUTS_OF_CAUSE_ONLY:
        recorded = advance(head.inputs, topic, offset)
    decision = stamp(head, (topic, offset, record.event_id), record, recorded)
    if decision:
        return follow(head, decision), after, decision
    if fault is Fault.UNPUBLISHED_MEMORY and record.kind == "tick":
        head = head._replace(memory=head.memory._replace(unpublished=1))
    return head, after, ()


def advance(positions: Positions, topic: int, offset: int) -> Positions:
    return (offset + 1, positions[1]) if topic == 0 else (positions[0], offset + 1)
