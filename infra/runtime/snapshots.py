"""A state written down as records of the snapshot topic, and found again among whatever lies there.

A snapshot is a cache: it is used only when it is whole, sealed, of the very code that would fold the log now, and hangs
on the log's own chain (`recall` looks at that). Anything else is passed over, and the log is folded instead.
"""

import hashlib
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agents.decision import agent_version
from infra.runtime import folding, state_form, state_parts
from infra.runtime.recovery import Recovered
from schemas.identity import derived
from schemas.record import Envelope
from schemas.snapshot import AgentSnapshot, TopicPosition
from topics.codec import UndecodableError, decode, encode
from topics.registry import BY_RECORD
from topics.wire import Incoming, Outgoing, Partition, header_or_none, identity_headers, sealed

log = logging.getLogger("tape.snapshots")

TOPIC = BY_RECORD[AgentSnapshot]

#: One part of a state: small enough that two fill a segment of the topic (8 MiB) sixteen times over, and no batch of
#: the producer (1 MB) is ever too large.
CHUNK_BYTES = 512 * 1024

#: zlib's fastest: 4 times smaller at 100 MB/s; the slowest makes it 5 times smaller at 10.
LEVEL = 1

LATEST = 0
"""The slot of the snapshot that the next one replaces; any other slot is the seq of one that stays."""


@dataclass(frozen=True)
class Snapshot:
    """A whole snapshot: where the agent-partition stood, and the text of its state then."""

    seq: int
    prev: str
    inputs: Mapping[Partition, int]
    covered: Mapping[Partition, int]
    last: Envelope
    text: str

    def after(self, state: object) -> Recovered:
        """Return where the agent-partition stands with the state that the text has become."""
        return Recovered(state, self.seq, self.prev, dict(self.inputs), self.last, dict(self.covered))


@cache
def form_of(agent: str) -> str:
    """Return the hash of all that a state follows from: the agent's sources, and how states are folded and written.

    The sources and not only the classes of the state: other code may fold the same events to another state of the same
    form. So a release folds each agent's log once, and writes its snapshots anew.
    """
    digest = hashlib.sha256(agent_version(agent).encode())
    for page in (folding.__file__, state_form.__file__, state_parts.__file__):
        digest.update(Path(page).read_bytes())
    return digest.hexdigest()[:16]


def written(agent: str, partition: int, standing: Recovered, text: str, slot: int = LATEST) -> tuple[Outgoing, ...]:
    """Return the records of a snapshot; raises ValueError for a standing without a decision."""
    last = standing.last
    if last is None:
        raise ValueError(f"{agent}-{partition}: expected a decision to stand behind, was none")
    state = text.encode()
    packed = zlib.compress(state, LEVEL)
    parts = [packed[at : at + CHUNK_BYTES] for at in range(0, len(packed), CHUNK_BYTES)]
    form, sha256 = form_of(agent), hashlib.sha256(state).hexdigest()
    records = (
        AgentSnapshot(
            agent=agent,
            partition_number=partition,
            slot=slot,
            chunk=number,
            chunks=len(parts),
            form=form,
            seq=standing.seq,
            prev=standing.prev,
            inputs=_as_values(standing.positions),
            covered=_as_values(standing.covered),
            state_sha256=sha256,
            state=part,
        )
        for number, part in enumerate(parts)
    )
    return tuple(_outgoing(record, last) for record in records)


def whole(records: Iterable[Incoming], agent: str, partition: int) -> list[Snapshot]:
    """Return the snapshots of an agent-partition that are whole and of today's form, the newest first."""
    sets: dict[AgentSnapshot, dict[int, bytes]] = {}
    lasts: dict[AgentSnapshot, Envelope] = {}
    for envelope, record in _readable(records, agent):
        if record.partition_number == partition and record.form == form_of(agent):
            same = record.model_copy(update={"chunk": 0, "state": b""})
            sets.setdefault(same, {})[record.chunk] = record.state
            lasts[same] = envelope
    found = (_joined(same, parts, lasts[same]) for same, parts in sets.items() if set(parts) == set(range(same.chunks)))
    return sorted((each for each in found if each is not None), key=lambda each: each.seq, reverse=True)


def _readable(records: Iterable[Incoming], agent: str) -> Iterator[tuple[Envelope, AgentSnapshot]]:
    for incoming in records:
        if incoming.value is None or header_or_none(incoming.headers, "agent") != agent:
            continue
        try:
            event = decode(incoming)
        except UndecodableError as error:
            log.warning("%s: a snapshot cannot be read and is passed over: %s", incoming.place, error.error)
            continue
        if isinstance(event.record, AgentSnapshot) and event.record.agent == agent:
            yield event.envelope, event.record


def _joined(same: AgentSnapshot, parts: Mapping[int, bytes], envelope: Envelope) -> Snapshot | None:
    where = f"{same.agent}-{same.partition_number}, seq {same.seq}"
    try:
        state = zlib.decompress(b"".join(parts[number] for number in range(same.chunks)))
        text = state.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        log.warning("the snapshot of %s cannot be read and is passed over: %s", where, error)
        return None
    found = hashlib.sha256(state).hexdigest()
    if found != same.state_sha256:
        log.warning("the snapshot of %s is passed over: says sha256 %s, has %s", where, same.state_sha256, found)
        return None
    last = envelope.model_copy(update={"event_id": envelope.causation_id})
    return Snapshot(same.seq, same.prev, _as_positions(same.inputs), _as_positions(same.covered), last, text)


def _outgoing(record: AgentSnapshot, last: Envelope) -> Outgoing:
    name = ("agent-snapshot", record.agent, record.partition_number, record.slot, record.form, record.seq, record.chunk)
    envelope = Envelope(
        event_id=derived(*name),
        correlation_id=last.correlation_id,
        causation_id=last.event_id,
        occurred_at=last.occurred_at,
    )
    ids = (envelope.event_id, envelope.correlation_id, envelope.causation_id)
    headers = identity_headers(ids, type(record).__name__, "", record.agent)
    key = TOPIC.key_of(record).encode()
    return sealed(TOPIC.name, record.partition_number, key, encode(TOPIC, envelope, record), headers)


def _as_values(positions: Mapping[Partition, int]) -> tuple[TopicPosition, ...]:
    return tuple(
        TopicPosition(topic=topic, partition=partition, next_offset=offset)
        for (topic, partition), offset in sorted(positions.items())
    )


def _as_positions(values: Iterable[TopicPosition]) -> dict[Partition, int]:
    return {(each.topic, each.partition): each.next_offset for each in values}
