"""From one record read to the records it causes: the same code live and in replay.

`Judge.drafts` is the decision (pure, and compared in replay); `stamped` adds where it stands and seals it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import localcontext
from functools import cache
from pathlib import Path
from typing import Any

import agents
import schemas
import topics
from agents.decider import Decider, Message
from agents.declaration import Agent
from schemas.dead_letter import DeadLetter
from schemas.identity import event_id
from schemas.quantities import CONTEXT
from schemas.record import Envelope, Record
from topics.codec import Event, UndecodableError, cause_of_unreadable, decode, decode_value, encode
from topics.registry import BY_NAME, BY_RECORD, Topic
from topics.wire import Incoming, Outgoing, Standing, header_block, identity_headers, sealed, standing_headers


@dataclass(frozen=True)
class Draft:
    """One record of a decision before it is stamped."""

    topic: Topic
    envelope: Envelope
    record: Record

    def value(self, schema_id: int | None = None) -> bytes:
        """Return its framed bytes, in the newest schema or in the one it was recorded with."""
        return encode(self.topic, self.envelope, self.record, schema_id)


def read(incoming: Incoming, agent: str) -> Event | Draft:
    """Return the record of a message, or the dead letter it becomes when it cannot be read."""
    try:
        return decode(incoming)
    except UndecodableError as error:
        return dead_letter(incoming, agent, cause_of_unreadable(incoming), error)


def dead_letter(incoming: Incoming, agent: str, cause: Envelope, error: UndecodableError) -> Draft:
    """Return the dead letter of a record, with its bytes unchanged and the reason."""
    letter = DeadLetter(
        origin_topic=incoming.topic,
        origin_partition=incoming.partition,
        origin_offset=incoming.offset,
        agent=agent,
        unreadable=error.unreadable,
        error=error.error,
        raw_key=incoming.key,
        raw_value=incoming.value,
        raw_headers=header_block(incoming.headers),
    )
    return _draft(agent, cause, 0, letter)


def drafts(agent: Agent, decider: Decider[Any], state: Any, event: Event, view: Any = None) -> tuple[Draft, ...]:
    """Return what the agent decides about a record it can read, given its state and its view."""
    envelope = event.envelope
    message = Message(event.record, envelope.event_id, envelope.correlation_id, envelope.occurred_at, view)
    with localcontext(CONTEXT):
        records = decider.decide(state, message)
        return tuple(_draft(agent.name, envelope, ordinal, record) for ordinal, record in enumerate(records))


def evolved(decider: Decider[Any], state: Any, records: Sequence[Record]) -> Any:
    """Return the state after the agent's own records; dead letters are no state."""
    with localcontext(CONTEXT):
        for record in records:
            if not isinstance(record, DeadLetter):
                state = decider.evolve(state, record)
    return state


def stamped(decided: Sequence[Draft], partition: int, standing: Standing) -> tuple[Outgoing, ...]:
    """Return the records of a decision with their headers: who, where it stands, and the seal."""
    return tuple(_stamp(draft, partition, standing, ordinal, len(decided)) for ordinal, draft in enumerate(decided))


def as_recorded(outgoing: Sequence[Outgoing]) -> tuple[Event, ...]:
    """Return the events as a reader decodes them: live state folds these, not the objects that were encoded."""
    return tuple(decode_value(BY_NAME[each.topic], each.value) for each in outgoing)


@cache
def agent_version(name: str) -> str:
    """Return the agent's version: a hash over the sources its decisions follow from."""
    digest = hashlib.sha256()
    own, common = Path(agents.__file__).parent / name, Path(agents.__file__).parent
    words, wiring = Path(schemas.__file__).parent, Path(topics.__file__).parent
    root = common.parent
    files = {
        *own.rglob("*.py"),
        *common.glob("*.py"),
        *words.rglob("*.py"),
        *words.rglob("*.avsc"),
        *wiring.glob("*.py"),
    }
    for path in sorted(files):
        within = path.relative_to(root).as_posix()
        digest.update(f"{within}\0".encode() + path.read_bytes())  # dst-ok: a header, no decision reads it
    return digest.hexdigest()[:12]


def _draft(agent: str, cause: Envelope, ordinal: int, record: Record) -> Draft:
    """Return a record with its identity: it belongs to the run it speaks of, else to what its cause belongs to.

    The end of an older run's order is what lets the next run go on: what is said of that one is the next run's.
    """
    envelope = Envelope.model_construct(  # of values that are validated: ids of our own, and another envelope's
        event_id=event_id(cause.event_id, agent, ordinal),
        correlation_id=vars(record).get("run_id") or cause.correlation_id,  # getattr of what is not there is slow
        causation_id=cause.event_id,
        occurred_at=cause.occurred_at,
    )
    return Draft(BY_RECORD[type(record)], envelope, record)


def _stamp(draft: Draft, partition: int, standing: Standing, ordinal: int, count: int) -> Outgoing:
    envelope = draft.envelope
    ids = (envelope.event_id, envelope.correlation_id, envelope.causation_id)
    account = str(getattr(draft.record, "account_id", ""))
    headers = (
        *identity_headers(ids, type(draft.record).__name__, account, standing.agent),
        *standing_headers(standing, ordinal, count),
    )
    key = draft.topic.key_of(draft.record).encode()
    return sealed(draft.topic.name, partition, key, draft.value(), headers)
