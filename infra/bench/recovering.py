"""How long taking over a partition takes by how much its agent has said: from zero, and from its last snapshot.

The agent is the scheduler. Of a hundred requests one makes a run, which it remembers with all its terms; the others are
one that asks under the id of another run, again and again: each time it is refused, which is published and need not be
remembered. So its memory grows with its log, a hundred times slower. The snapshot is as old as it may become before the
next one is due.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from agents.decider import Decider
from agents.decision import Draft, drafts, evolved, stamped
from infra.clock import seconds
from infra.demo.configuration import request
from infra.embedded.progress import Progress
from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.kafka import admin
from infra.kafka.log import high_watermarks
from infra.replay.encoding import encoded
from infra.runtime.recall import SnapshotSettings, recall
from infra.runtime.recovery import Recovered
from infra.runtime.snapshots import written
from infra.runtime.state_form import form_of_states
from infra.worker import declared
from schemas.identity import derived, event_id
from schemas.record import Envelope
from schemas.run import RunRequest
from topics.codec import Event
from topics.registry import written_by
from topics.wire import Outgoing, Standing, chain_hash

EVENTS = (1_000, 10_000, 100_000, 1_000_000)
AGENT = "scheduler"
RUN_EVERY = 100
WAITING_MAX = 20_000
_START = datetime(2013, 2, 28, 20, 55, tzinfo=UTC)
_INPUT = (RunRequest.topic, 0)


@dataclass(frozen=True)
class Took:
    """What one length of the log took; a log without a snapshot yet has only one way."""

    events: int
    from_zero_s: float
    with_snapshot_s: float | None = None
    state_bytes: int = 0
    snapshot_bytes: int = 0
    snapshot_made_s: float = 0.0


class Recovering:
    """One measurement on a Kafka of its own, which is deleted afterwards."""

    def __init__(self, home: Path, events: Sequence[int], say: Callable[[Progress], None]) -> None:
        self._stack = Stack(home)
        self._events = sorted(events)
        self._say = say
        self._settings = SnapshotSettings()

    def run(self) -> list[Took]:
        """Write the agent's own events up to each length, and measure there."""
        shutil.rmtree(self._stack.home, ignore_errors=True)
        self._stack.up({"kafka"}, self._say)
        try:
            admin.apply(self._stack.bootstrap_servers, partitions=1)
            author = Author(self._stack.bootstrap_servers)
            return [self._measured(author, count) for count in self._events]
        finally:
            self._stack.down()
            shutil.rmtree(self._stack.home, ignore_errors=True)

    def _measured(self, author: "Author", events: int) -> Took:
        self._say(Progress(f"{events:,} events: writing them"))
        author.write_until(events - self._settings.every)
        standing = author.standing() if events > self._settings.every else None
        author.write_until(events)
        self._say(Progress(f"{events:,} events: recovering from them"))
        if standing is None:
            return Took(events, self._took(folded_from=0))
        started = seconds()
        text = form_of_states(author.decider).to_text(standing.state)
        records = written(AGENT, 0, standing, text)
        made_s = round(seconds() - started, 3)
        author.produce(records)
        size = sum(len(each.value) for each in records)
        from_zero_s, resumed_s = self._took(folded_from=0), self._took(folded_from=standing.seq)
        return Took(events, from_zero_s, resumed_s, len(text), size, made_s)

    def _took(self, folded_from: int) -> float:
        settings = replace(self._settings, from_zero=folded_from == 0)
        started = seconds()
        found = recall(self._stack.bootstrap_servers, declared(AGENT), 0, settings)
        took_s = seconds() - started
        if found.folded_from != folded_from:
            raise TapeError(f"expected a recovery from seq {folded_from}, was from {found.folded_from}")
        return round(took_s, 3)


class Author:
    """Writes the decisions that an agent would have made, with everything recovery looks at."""

    def __init__(self, bootstrap_servers: str) -> None:
        decider = declared(AGENT).decider
        if decider is None:
            raise TypeError(f"{AGENT} has no decider")
        self.decider: Decider[Any] = decider
        self._agent = declared(AGENT)
        self._servers = bootstrap_servers
        self._now = Recovered(decider.initial_state())
        self._last: tuple[Draft, ...] = ()
        self._producer = Producer(
            {"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "enable.idempotence": True, "log_level": 2}
        )

    def write_until(self, count: int) -> None:
        """Go on until so many decisions lie in the log."""
        while self._now.seq < count:
            self.produce(self._decided(self._now.seq), is_flushed=False)
        self.produce(())

    def standing(self) -> Recovered:
        """Return where the agent stands, with the last decision again as the first that is not covered."""
        outputs = [(topic.name, 0) for topic in written_by(AGENT)]
        ends = high_watermarks(self._servers, outputs)
        return replace(self._now, covered={each: max(0, end - 1) for each, end in ends.items()})

    def produce(self, records: Sequence[Outgoing], is_flushed: bool = True) -> None:
        """Hand records over, and wait for the broker to have all so far."""
        for each in records:
            self._producer.produce(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
        self._producer.poll(0)
        if is_flushed or len(self._producer) > WAITING_MAX:
            self._producer.flush()

    def _decided(self, number: int) -> tuple[Outgoing, ...]:
        at = _START + timedelta(seconds=number // RUN_EVERY)
        identity = derived("bench-request", number)
        envelope = Envelope(event_id=identity, correlation_id=identity, causation_id=identity, occurred_at=at)
        if number % RUN_EVERY < 2:  # the run, then the first of those that are all the same but for their ids
            asked = request(at, (), f"run-{number}")
            asked = asked if number % RUN_EVERY == 0 else asked.model_copy(update={"run_id": derived(number)})
            self._last = drafts(self._agent, self.decider, self._now.state, Event(asked.topic, envelope, asked))
        decided = tuple(
            _Again(each.topic, _answer(envelope, each, n), each.record) for n, each in enumerate(self._last)
        )
        inputs = {_INPUT: number + 1}
        standing = Standing(AGENT, "bench", number + 1, self._now.prev, f"{_INPUT[0]}/0/{number}", inputs)
        outgoing = stamped(decided, 0, standing)
        state = evolved(self.decider, self._now.state, [each.record for each in decided])
        prev = chain_hash(each.sha256 for each in outgoing)
        self._now = Recovered(state, number + 1, prev, inputs, decided[-1].envelope)
        return outgoing


class _Again(Draft):
    """A draft written by the faster encoder, which gives the same bytes."""

    def value(self, schema_id: int | None = None) -> bytes:  # noqa: ARG002
        """Return its framed bytes in the newest schema; no other is asked for here."""
        return encoded(self.topic.name, self.envelope, self.record)


def _answer(cause: Envelope, draft: Draft, ordinal: int) -> Envelope:
    identity = event_id(cause.event_id, AGENT, ordinal)
    return draft.envelope.model_copy(update={"event_id": identity, "causation_id": cause.event_id})


def table(found: Sequence[Took]) -> str:
    """Return the measurements for a person."""
    head = f"{'events':>9}  {'from zero s':>11}  {'with snapshot s':>15}  {'state bytes':>11}  {'snapshot bytes':>14}"
    return "\n".join([head, *map(_row, found)])


def _row(took: Took) -> str:
    resumed = "none yet" if took.with_snapshot_s is None else f"{took.with_snapshot_s:.2f}"
    return (
        f"{took.events:>9,}  {took.from_zero_s:>11.2f}  {resumed:>15}  "
        f"{took.state_bytes:>11,}  {took.snapshot_bytes:>14,}"
    )
