"""Taking over a partition: from the agent's own events to its state and the place where its inputs go on.

The fold refuses a gap: a missing decision, a missing record of a decision or a broken chain stops the worker, because
a state with a hole in it would decide differently from what the log says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.decider import Decider
from agents.decision import evolved
from infra.errors import TapeError
from schemas.record import Record
from topics.codec import Event, UndecodableError, decode
from topics.wire import GENESIS, Incoming, Partition, Place, chain_hash, header, header_or_none, parse_positions

#: What the cause of an unasked fact begins with; any other cause is a place in the log.
OUTSIDE = "outside:"


@dataclass(frozen=True)
class Decision:
    """One decision as it lies in the log: its records in order of ordinal, and what they say about where it stands.

    `prev` and `hash` are the links of the chain, `inputs` the next position of every input partition after it, `cause`
    the record that caused it, as topic/partition/offset, or the name of the outside.
    """

    seq: int
    records: tuple[Incoming, ...]
    prev: str
    hash: str
    inputs: dict[Partition, int]
    cause: str


class LogDamagedError(TapeError):
    """The log of an agent-partition has a gap, a fork or an altered record."""


@dataclass(frozen=True)
class Recovered:
    """Where an agent-partition stands."""

    state: Any
    seq: int = 0
    prev: str = GENESIS
    positions: dict[Partition, int] = field(default_factory=dict)
    published: tuple[Event, ...] = ()


def own(records: Iterable[Incoming], agent: str) -> Iterator[Incoming]:
    """Yield the records the agent itself has published; a topic may hold others' too (dead letters, stray bytes)."""
    for record in records:
        if header_or_none(record.headers, "agent") == agent and header_or_none(record.headers, "seq") is not None:
            yield record


def decisions(records: Iterable[Incoming]) -> Iterator[Decision]:
    """Yield an agent-partition's decisions in order.

    Raises LogDamagedError at the first gap, fork, broken link, or position that goes back.
    """
    by_seq: dict[int, list[Incoming]] = {}
    for record in records:
        by_seq.setdefault(_number(record, "seq"), []).append(record)
    prev = GENESIS
    before: dict[Partition, int] = {}
    for expected, seq in enumerate(sorted(by_seq), start=1):
        decision = _whole(by_seq[seq])
        if seq != expected:
            raise _damaged(decision.records[0], "seq", str(expected), str(seq), "a decision is missing")
        if decision.prev != prev:
            raise _damaged(decision.records[0], "prev", prev, decision.prev, "the chain is broken")
        _check_forward(decision, before)
        prev = decision.hash
        before |= decision.inputs
        yield decision


def recovered(decider: Decider[Any] | None, found: Sequence[Decision], keep_published: bool = False) -> Recovered:
    """Return the state after the decisions: a fold for a decider, the decoded records for a performer."""
    events = tuple(_decoded(record) for decision in found for record in decision.records)
    records: tuple[Record, ...] = tuple(event.record for event in events)
    state = None if decider is None else evolved(decider, decider.initial_state(), records)
    published = events if keep_published else ()
    if not found:
        return Recovered(state, published=published)
    last = found[-1]
    return Recovered(state, last.seq, last.hash, last.inputs, published)


def _whole(records: list[Incoming]) -> Decision:
    records.sort(key=lambda record: _number(record, "ordinal"))
    first = records[0]
    count = _number(first, "count")
    ordinals = [_number(record, "ordinal") for record in records]
    if ordinals != list(range(count)):
        raise _damaged(first, "ordinals", str(list(range(count))), str(ordinals), "a record is missing or doubled")
    try:
        return Decision(
            seq=_number(first, "seq"),
            records=tuple(records),
            prev=header(first.headers, "prev"),
            hash=chain_hash(header(record.headers, "sha256") for record in records),
            inputs=parse_positions(header(first.headers, "inputs")),
            cause=header(first.headers, "cause"),
        )
    except (KeyError, ValueError) as error:
        raise _lost(first, error) from error


def _check_forward(decision: Decision, before: Mapping[Partition, int]) -> None:
    """Refuse an input decided twice; such a log would replay without a difference."""
    judged = dict(decision.inputs)
    if not decision.cause.startswith(OUTSIDE):
        cause = _place(decision)
        judged[cause.topic, cause.partition] = cause.offset
    for where, offset in judged.items():
        if offset < before.get(where, 0):
            place = f"{where[0]}/{where[1]}"
            why = "an input was judged twice"
            raise _damaged(decision.records[0], f"position of {place}", f"{before[where]} or more", str(offset), why)


def _place(decision: Decision) -> Place:
    try:
        return Place.parse(decision.cause)
    except ValueError as error:
        raise _lost(decision.records[0], error, f"header cause {decision.cause}: ") from error


def _number(record: Incoming, name: str) -> int:
    try:
        return int(header(record.headers, name))
    except (KeyError, ValueError) as error:
        raise _lost(record, error, f"header {name}: ") from error


def _lost(record: Incoming, error: Exception, which: str = "") -> LogDamagedError:
    return LogDamagedError(
        f"an own event does not say where it stands: {which}{error}",
        where=str(record.place),
        next_command="tape replay --all",
    )


def _decoded(record: Incoming) -> Event:
    try:
        return decode(record)
    except UndecodableError as error:
        raise LogDamagedError(
            what=f"an own event cannot be read ({error.unreadable}): {error.error}",
            where=str(record.place),
            next_command="tape replay --all",
        ) from error


def _damaged(record: Incoming, what: str, expected: str, found: str, why: str) -> LogDamagedError:
    agent, seq = header(record.headers, "agent"), header(record.headers, "seq")
    return LogDamagedError(
        what=f"{why}: {what} expected {expected}, was {found}",
        where=f"{record.place} (agent {agent}, seq {seq})",
        next_command="tape replay --all",
    )
