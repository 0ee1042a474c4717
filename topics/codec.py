"""Bytes and records: Confluent's wire format (0x00, 4-byte schema id, Avro) on fastavro, strict on the way in.

The ids come from the committed lock, so reading a log needs no registry. Decoding checks, in order: a value is there,
the frame, the schema id is known, it belongs to this topic, the record's hash, the body, its exact length, the ranges.
"""

# JSON, Avro's own schemas and fastavro have no types that strict mode could follow.
# pyright: standard

import io
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import fastavro
from fastavro.read import LOGICAL_READERS
from pydantic import ValidationError

from schemas.dead_letter import Unreadable
from schemas.identity import place_id
from schemas.quantities import CONTEXT
from schemas.record import Envelope, Record
from topics.registry import BY_NAME, Topic
from topics.schema_lock import Registered, registered
from topics.wire import Incoming, header_or_none, record_hash

_FRAME = struct.Struct(">bI")
_ENVELOPE_FIELDS = tuple(Envelope.model_fields)


def _exact_decimal(unscaled: bytes, writer: Any, _reader: Any = None) -> Decimal:
    number = int.from_bytes(unscaled, "big", signed=True)
    if abs(number) >= 10 ** writer["precision"]:
        raise ValueError(f"expected a decimal of at most {writer['precision']} digits, was {number}")
    return Decimal(number).scaleb(-writer.get("scale", 0), CONTEXT)


# fastavro's own reader silently rounds a decimal of more digits than the schema allows to those digits.
LOGICAL_READERS["bytes-decimal"] = _exact_decimal


class UndecodableError(Exception):
    """A record cannot be read: which check it failed, and the two values that disagree."""

    def __init__(self, unreadable: Unreadable, error: str) -> None:
        super().__init__(error)
        self.unreadable = unreadable
        self.error = error


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded record with its envelope."""

    topic: str
    envelope: Envelope
    record: Record


@dataclass(frozen=True)
class _Writer:
    """A schema a record may have been written with."""

    topic: str
    schema: Any


@cache
def _writers() -> dict[int, _Writer]:
    return {each.id: _Writer(each.topic, fastavro.parse_schema(json.loads(each.text))) for each in registered()}


@cache
def _current() -> dict[str, Registered]:
    newest: dict[str, Registered] = {}
    for each in registered():
        if each.topic not in newest or each.version > newest[each.topic].version:
            newest[each.topic] = each
    return newest


def current_id(topic: str) -> int:
    """Return the id of the newest schema of a topic; raises KeyError for a topic that has none."""
    return _current()[topic].id


def encode(topic: Topic, envelope: Envelope, record: Record, schema_id: int | None = None) -> bytes:
    """Return the framed bytes of a record, written with the newest schema of its topic or with `schema_id`."""
    used = current_id(topic.name) if schema_id is None else schema_id
    body = io.BytesIO()
    body.write(_FRAME.pack(0, used))
    fields = {**envelope.model_dump(), **record.model_dump()}
    # a list is a tuple here, which fastavro would take for a branch of a union and its value
    fastavro.schemaless_writer(body, _writers()[used].schema, fields, disable_tuple_notation=True)
    return body.getvalue()


def decode(incoming: Incoming, *, is_sealed: bool = False) -> Event:
    """Return the record of a message; raises UndecodableError naming the first check it fails.

    `is_sealed` says that its hash was found right before, and need not be taken again.
    """
    topic = BY_NAME[incoming.topic]
    value, schema_id = _framed(incoming.value)
    writer = _writer_for(topic.name, schema_id)
    if not is_sealed:
        _check_hash(incoming)
    return _event(topic, _body(topic, value, writer, schema_id))


def is_sealed(incoming: Incoming) -> bool:
    """Say whether a record is what its own hash says."""
    said = header_or_none(incoming.headers, "sha256")
    return said == record_hash(incoming.key, incoming.value, incoming.headers)


def decode_value(topic: Topic, value: bytes) -> Event:
    """Return the record of framed bytes we have just written; no hash is asked for."""
    framed, schema_id = _framed(value)
    return _event(topic, _body(topic, framed, _writer_for(topic.name, schema_id), schema_id))


def schema_id_of(value: bytes) -> int:
    """Return the schema id a framed value names; raises UndecodableError when it has no frame."""
    return _framed(value)[1]


def cause_of_unreadable(incoming: Incoming) -> Envelope:
    """Return the envelope that stands in for one that cannot be read: identity from its place, time from Kafka."""
    place = place_id(incoming.topic, incoming.partition, incoming.offset)
    at = datetime.fromtimestamp(max(incoming.timestamp_ms, 0) / 1000, UTC)
    return Envelope(event_id=place, correlation_id=place, causation_id=place, occurred_at=at)


def _framed(value: bytes | None) -> tuple[bytes, int]:
    if value is None:
        raise UndecodableError(Unreadable.NO_VALUE, "expected a value, was a tombstone")
    if len(value) < _FRAME.size or value[0] != 0:
        raise UndecodableError(Unreadable.BAD_FRAME, f"expected 00 and a schema id, was {value[:5].hex() or 'nothing'}")
    return value, int(_FRAME.unpack_from(value)[1])


def _writer_for(topic: str, schema_id: int) -> _Writer:
    writer = _writers().get(schema_id)
    if writer is None:
        raise UndecodableError(
            Unreadable.UNKNOWN_SCHEMA, f"schema id {schema_id} is not in the lock of {len(_writers())}"
        )
    if writer.topic != topic:
        raise UndecodableError(Unreadable.WRONG_TOPIC, f"schema id {schema_id} is of {writer.topic}, not of {topic}")
    return writer


def _check_hash(incoming: Incoming) -> None:
    said = header_or_none(incoming.headers, "sha256")
    found = record_hash(incoming.key, incoming.value, incoming.headers)
    if said != found:
        raise UndecodableError(Unreadable.BAD_HASH, f"header sha256 says {said or 'nothing'}, the record has {found}")


def _body(topic: Topic, value: bytes, writer: _Writer, schema_id: int) -> dict[str, Any]:
    stream = io.BytesIO(value)
    stream.seek(_FRAME.size)
    newest = current_id(topic.name)
    reader = None if newest == schema_id else _writers()[newest].schema
    try:
        fields = fastavro.schemaless_reader(stream, writer.schema, reader)
    except Exception as error:  # fastavro raises whatever the bytes lead it to: EOF, Unicode, Index, Overflow, ...
        raise UndecodableError(Unreadable.BAD_BODY, f"{type(error).__name__}: {error}") from error
    if stream.tell() != len(value):
        raise UndecodableError(Unreadable.TRAILING_BYTES, f"expected {stream.tell()} bytes, was {len(value)}")
    if not isinstance(fields, dict):
        raise UndecodableError(Unreadable.BAD_BODY, f"expected a record, was {type(fields).__name__}")
    return fields


def _event(topic: Topic, fields: dict[str, Any]) -> Event:
    try:
        envelope = Envelope(**{name: fields.pop(name) for name in _ENVELOPE_FIELDS})
        return Event(topic.name, envelope, topic.record.model_validate(fields))
    except (ValidationError, KeyError) as error:
        raise UndecodableError(Unreadable.INVALID_VALUE, str(error)) from error
