"""Avro bytes straight from the models, to compare with what was recorded: one closure per field, made once per schema.

`topics.codec.encode` writes what goes to the log; this writes the same bytes in a sixth of the time, and only for a
comparison. Where the two would ever disagree, replay asks the codec before it says that anything differs; that they
agree on any record is a property test. Nothing here is asked to be lenient: a value of another type than the schema
says raises, and the codec is asked.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from schemas.quantities import CONTEXT
from schemas.record import Envelope, Record
from topics.codec import current_id
from topics.schema_lock import registered

Write = Callable[[Any], bytes]
Fields = tuple[tuple[str, Write], ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)

#: Values whose bytes are kept, of each kind: the same prices, quantities and ids come again and again; 200 bytes each.
_CACHED = 8192

#: A larger record is not worth its memory: 8192 of these are 32 MB.
_KEPT_BYTES_MAX = 4096


def encoded(topic: str, envelope: Envelope, record: Record) -> bytes:
    """Return the framed bytes of a record in the newest schema of its topic."""
    head, fields = _writer_of(topic)
    values = {**envelope.__dict__, **record.__dict__}
    return b"".join([head, *[write(values[name]) for name, write in fields]])


@cache
def _writer_of(topic: str) -> tuple[bytes, Fields]:
    used = current_id(topic)
    schema = json.loads(next(each.text for each in registered() if each.id == used))
    named: dict[str, Write] = {}
    fields = tuple((field["name"], _write(field["type"], named, schema)) for field in schema["fields"])
    return b"\x00" + used.to_bytes(4, "big"), fields


def _write(schema: Any, named: dict[str, Write], within: Any) -> Write:
    """Return what writes a value of the schema; `named` are the types met so far, `within` the record around."""
    if isinstance(schema, list):
        (of_value,) = (each for each in schema if each != "null")
        return _optional(schema.index("null"), _write(of_value, named, within))
    if isinstance(schema, str):
        space = within.get("namespace", "")
        return _PLAIN.get(schema) or named.get(schema) or named[f"{space}.{schema}"]
    if "logicalType" in schema:
        return _decimal(schema["scale"]) if schema["logicalType"] == "decimal" else _LOGICAL[schema["logicalType"]]
    if schema["type"] == "array":
        return _array(_write(schema["items"], named, within))
    of_named = _NAMED.get(schema["type"])
    return _write(schema["type"], named, within) if of_named is None else of_named(schema, named)


def _record(schema: dict[str, Any], named: dict[str, Write]) -> Write:
    fields: list[tuple[str, Write]] = []

    def write(value: Any) -> bytes:
        kept = _KEPT.get(id(value))
        if kept is not None and kept[0] is value:
            return kept[1]
        values = value.__dict__
        return _keep(value, b"".join([each(values[name]) for name, each in fields]))

    _known(schema, named, write)
    fields += [(field["name"], _write(field["type"], named, schema)) for field in schema["fields"]]
    return write


#: Records inside of records by identity, with their bytes: a run's terms travel, as one frozen object, through all of
#: its decisions. The object is kept beside its bytes, so that no other can have its identity.
_KEPT: dict[int, tuple[Any, bytes]] = {}


def _keep(value: Any, written: bytes) -> bytes:
    if len(written) <= _KEPT_BYTES_MAX:
        if len(_KEPT) >= _CACHED:
            _KEPT.clear()
        _KEPT[id(value)] = (value, written)
    return written


def _enum(schema: dict[str, Any], named: dict[str, Write]) -> Write:
    places = {symbol: _long(number) for number, symbol in enumerate(schema["symbols"])}
    return _known(schema, named, places.__getitem__)


_NAMED = {"record": _record, "enum": _enum}


def _known(schema: dict[str, Any], named: dict[str, Write], write: Write) -> Write:
    """Remember a named type by its short and its full name."""
    name, space = schema["name"], schema.get("namespace", "")
    named[name] = named[f"{space}.{name}".lstrip(".")] = write
    return write


def _optional(null: int, write: Write) -> Write:
    absent, present = (b"\x00", b"\x02") if null == 0 else (b"\x02", b"\x00")

    def optional(value: Any) -> bytes:
        return absent if value is None else present + write(value)

    return optional


def _array(write: Write) -> Write:
    def array(values: Any) -> bytes:
        return b"".join([_long(len(values)), *map(write, values), b"\x00"]) if values else b"\x00"

    return array


def _decimal(scale: int) -> Write:
    @lru_cache(maxsize=_CACHED, typed=True)  # 1.0 and True are equal to Decimal(1), and are none
    def written(value: Decimal) -> bytes:
        number = int(value.scaleb(scale, CONTEXT))
        if Decimal(number).scaleb(-scale, CONTEXT) != value:
            raise ValueError(f"expected at most {scale} decimals, was {value}")
        size = (number.bit_length() + 8) // 8  # as fastavro has it: one byte more than needed for -128 and its like
        return _long(size) + number.to_bytes(size, "big", signed=True)

    return written


@lru_cache(maxsize=_CACHED)
def _long(value: int) -> bytes:
    rest = value << 1 if value >= 0 else ~(value << 1)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


@lru_cache(maxsize=_CACHED)
def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


@lru_cache(maxsize=_CACHED)
def _uuid(value: UUID) -> bytes:
    return _bytes(str(value).encode())


@lru_cache(maxsize=_CACHED)
def _timestamp(value: datetime) -> bytes:
    return _long((value - _EPOCH) // _MICROSECOND)


_PLAIN: dict[str, Write] = {
    "string": _text,
    "bytes": _bytes,
    "int": _long,
    "long": _long,
    "boolean": lambda value: b"\x01" if value else b"\x00",
}

_LOGICAL: dict[str, Write] = {
    "uuid": _uuid,
    "timestamp-micros": _timestamp,
    "date": lambda value: _long(value.toordinal() - _FIRST_DAY),
}
