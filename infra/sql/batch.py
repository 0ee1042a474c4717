"""Many records of one schema decoded together: field by field over all of them, not record by record.

Nothing is decided here that the reference decoder (`topics.codec`) would decide otherwise: a row that breaks a rule of
Avro, of the schema or of the model is refused, and the reference decoder says what is wrong with it or reads it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from infra.sql.columns import Mask, Struct
from infra.sql.fields import Reader
from infra.sql.fitting import record_reader
from infra.sql.lanes import Bodies, MisfitError
from infra.sql.limits import UnsupportedError
from schemas.record import Envelope
from topics.codec import current_id
from topics.registry import BY_NAME
from topics.schema_lock import registered

#: A record that misfits ends the round for all; whoever needs more rounds is faster with the reference decoder.
_ROUNDS_MAX = 4


@dataclass(frozen=True)
class Decoded:
    """The fields of those records that could be read, and which of the given ones these are."""

    fields: Struct
    is_read: Mask


def obstacle(topic: str) -> str:
    """Return why records of a topic's newest schema cannot be decoded together; empty when they can."""
    found = _reader(topic)
    return found if isinstance(found, str) else ""


def decoded(topic: str, values: Sequence[bytes]) -> Decoded | None:
    """Return the records of framed values in a topic's newest schema; None when too few of them can be read so."""
    reader = _reader(topic)
    if isinstance(reader, str):
        return None
    is_read = np.ones(len(values), np.bool_)
    for _ in range(_ROUNDS_MAX):
        taken = [value for value, is_taken in zip(values, is_read, strict=True) if is_taken]
        bodies = Bodies(taken)
        fields = _read(reader, bodies)
        if fields is not None and not bodies.refused.any():
            return Decoded(fields, is_read)
        is_read[np.flatnonzero(is_read)[bodies.refused]] = False
        if not is_read.any():
            return None
    return None


def _read(reader: Reader, bodies: Bodies) -> Struct | None:
    lanes = bodies.lanes()
    try:
        fields = reader.read(lanes)
        lanes.check_done()
    except MisfitError:
        return None
    return fields if isinstance(fields, Struct) else None


@cache
def _reader(topic: str) -> Reader | str:
    text = next(each.text for each in registered() if each.id == current_id(topic))
    try:
        return record_reader(json.loads(text), (Envelope, BY_NAME[topic].record), {})
    except UnsupportedError as error:
        return str(error)
