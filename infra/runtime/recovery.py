"""Taking over a partition: from the agent's own events to its state and the place where its inputs go on.

The fold refuses a gap: a missing decision, a missing record of a decision or a broken chain stops the worker, because
a state with a hole in it would decide differently from what the log says. It goes through the records once and keeps
the state, not the records; where it may begin later than at the first decision is said in `recall`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.declaration import Agent
from infra.errors import TapeError
from infra.runtime.folding import folded, initial
from schemas.record import Envelope
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
    """Where an agent-partition stands.

    `last` is the envelope of the last record folded. `covered` are positions of its own topics: its last decision and
    all later ones lie at or behind them.
    """

    state: Any
    seq: int = 0
    prev: str = GENESIS
    positions: dict[Partition, int] = field(default_factory=dict)
    last: Envelope | None = None
    covered: dict[Partition, int] = field(default_factory=dict)


def own(records: Iterable[Incoming], agent: str) -> Iterator[Incoming]:
    """Yield the records the agent itself has published; a topic may hold others' too (dead letters, stray bytes)."""
    for record in records:
        if header_or_none(record.headers, "agent") == agent and header_or_none(record.headers, "seq") is not None:
            yield record


def decisions(records: Iterable[Incoming], first: int = 1) -> Iterator[Decision]:
    """Yield an agent-partition's decisions in order, each as soon as all before it are whole.

    `records` are those of the decision `first` and of all later ones. Raises LogDamagedError at the first gap, fork,
    broken link, or position that goes back.
    """
    chain = _Chain(first)
    for record in records:
        chain.add(record)
        while (decision := chain.take()) is not None:
            yield decision
    chain.finish()


def recovered(
    agent: Agent,
    found: Iterable[Decision],
    after: Recovered | None = None,
    on_decision: Callable[[Recovered], None] = lambda _: None,
) -> Recovered:
    """Return where the agent-partition stands after the decisions.

    The fold begins with `after`; `on_decision` is told where the agent-partition stands after each decision.
    """
    now = after or Recovered(initial(agent))
    for decision in found:
        events = tuple(_decoded(record) for record in decision.records)
        state = folded(agent, now.state, events)
        covered = now.covered | _firsts(decision)
        now = Recovered(state, decision.seq, decision.hash, decision.inputs, events[-1].envelope, covered)
        on_decision(now)
    return now


class _Chain:
    """Takes own records in any order and gives decisions out in theirs."""

    def __init__(self, first: int) -> None:
        self._open: dict[int, list[Incoming]] = {}
        self._next = first
        self._prev = GENESIS if first == 1 else None
        self._before: dict[Partition, int] = {}

    def add(self, record: Incoming) -> None:
        seq = number_of(record, "seq")
        if seq < self._next:
            ordinals = list(range(number_of(record, "count")))
            found = sorted([*ordinals, number_of(record, "ordinal")])
            raise _damaged(record, "ordinals", str(ordinals), str(found), "a record is missing or doubled")
        self._open.setdefault(seq, []).append(record)

    def take(self) -> Decision | None:
        """Return the next decision, or None while records of it are missing."""
        group = self._open.get(self._next)
        if group is None or len(group) < number_of(group[0], "count"):
            return None
        decision = _whole(self._open.pop(self._next))
        if self._prev is not None and decision.prev != self._prev:
            raise _damaged(decision.records[0], "prev", self._prev, decision.prev, "the chain is broken")
        _check_forward(decision, self._before)
        self._next += 1
        self._prev = decision.hash
        self._before |= decision.inputs
        return decision

    def finish(self) -> None:
        """Refuse what is left over."""
        for seq in sorted(self._open):
            decision = _whole(self._open[seq])
            raise _damaged(decision.records[0], "seq", str(self._next), str(seq), "a decision is missing")


def _firsts(decision: Decision) -> dict[Partition, int]:
    """Return where a decision begins in each topic it has a record in; within a topic its records are in order."""
    return {(each.topic, each.partition): each.offset for each in reversed(decision.records)}


def _whole(records: list[Incoming]) -> Decision:
    records.sort(key=lambda record: number_of(record, "ordinal"))
    first = records[0]
    count = number_of(first, "count")
    ordinals = [number_of(record, "ordinal") for record in records]
    if ordinals != list(range(count)):
        raise _damaged(first, "ordinals", str(list(range(count))), str(ordinals), "a record is missing or doubled")
    try:
        return Decision(
            seq=number_of(first, "seq"),
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


def number_of(record: Incoming, name: str) -> int:
    """Return the number in one of a record's headers; raises LogDamagedError where there is none."""
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
