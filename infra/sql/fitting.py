"""The reader of a schema and its model: both must say the same, and ask nothing that many values cannot be asked."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from infra.sql.fields import (
    DAYS,
    INSTANTS,
    INT,
    LONG,
    ArrayReader,
    BooleanReader,
    BytesReader,
    DecimalReader,
    EnumReader,
    OptionalReader,
    Reader,
    RecordReader,
    UuidReader,
    WholeReader,
)
from infra.sql.limits import Asked, UnsupportedError, asked, asked_of

Named = dict[str, tuple[Any, Reader]]
"""Named types met so far, by short and full name: which Python type each is, and its reader."""


def record_reader(schema: Any, models: tuple[type[BaseModel], ...], named: Named) -> Reader:
    """Return the reader of a record whose fields are those of some models; raises UnsupportedError."""
    rules = {name: rule for model in models for name, rule in asked_of(model).items()}
    if set(rules) != {field["name"] for field in schema["fields"]}:
        raise UnsupportedError(f"{schema['name']} and its model have other fields")
    space = schema.get("namespace", "")
    found = RecordReader(
        {each["name"]: _reader(each["type"], rules[each["name"]], named, space) for each in schema["fields"]}
    )
    return _known(schema, models[-1], found, named, space)


def _known(schema: Any, kind: Any, reader: Reader, named: Named, space: str) -> Reader:
    """Remember a named type for where only its name stands."""
    named[schema["name"]] = named[f"{space}.{schema['name']}"] = (kind, reader)
    return reader


def _reader(schema: Any, rule: Asked, named: Named, space: str) -> Reader:
    if isinstance(schema, list):
        others = [each for each in schema if each != "null"]
        if len(others) != 1 or len(schema) != 2 or not rule.is_optional:
            raise UnsupportedError(f"a union of {len(schema)} types")
        return OptionalReader(schema.index("null"), _reader(others[0], Asked(rule.kind, rule.limits), named, space))
    if rule.is_optional:
        raise UnsupportedError(f"a model that allows null where Avro has {schema}")
    if isinstance(schema, str):
        return _of_name(schema, rule, named, space)
    if "logicalType" in schema:
        return _logical(schema, rule)
    return _complex(schema, rule, named, space)


def _of_name(schema: str, rule: Asked, named: Named, space: str) -> Reader:
    match schema, rule.kind:
        case ("int", kind) if kind is int:
            return WholeReader("i", INT, rule.limits)
        case ("long", kind) if kind is int:
            return WholeReader("l", LONG, rule.limits)
        case ("boolean", kind) if kind is bool:
            return BooleanReader()
        case ("string", kind) if kind is str:
            return BytesReader("u", rule.limits)
        case ("bytes", kind) if kind is bytes:
            return BytesReader("z", rule.limits)
        case _:
            kind, reader = named.get(schema) or named.get(f"{space}.{schema}") or (None, None)
            if reader is None or kind is not rule.kind:
                raise UnsupportedError(f"Avro's {schema} as {rule.kind}")
            return reader


def _logical(schema: Any, rule: Asked) -> Reader:
    match schema["logicalType"], rule.kind:
        case ("uuid", kind) if kind is UUID:
            return UuidReader()
        case ("decimal", kind) if kind is Decimal and schema["type"] == "bytes" and schema["precision"] <= 38:
            return DecimalReader(schema["precision"], schema.get("scale", 0), rule.limits)
        case ("timestamp-micros", kind) if kind in (AwareDatetime, datetime):
            return WholeReader("tsu:UTC", INSTANTS, rule.limits)
        case ("date", kind) if kind is date:
            return WholeReader("tdD", DAYS, rule.limits)
        case (logical, kind):
            raise UnsupportedError(f"Avro's {logical} as {kind}")


def _complex(schema: Any, rule: Asked, named: Named, space: str) -> Reader:
    match schema["type"]:
        case "record" if isinstance(rule.kind, type) and issubclass(rule.kind, BaseModel):
            return record_reader({"namespace": space, **schema}, (rule.kind,), named)
        case "enum" if isinstance(rule.kind, type) and issubclass(rule.kind, Enum):
            return _enum(schema, rule.kind, named, space)
        case "array" if get_origin(rule.kind) is tuple and get_args(rule.kind)[1:] == (...,):
            return ArrayReader(_reader(schema["items"], asked(get_args(rule.kind)[0]), named, space))
        case str(kind) if kind not in ("record", "enum", "array", "map", "fixed"):
            return _reader(kind, rule, named, space)
        case dict() | list():
            return _reader(schema["type"], rule, named, space)
        case kind:
            raise UnsupportedError(f"Avro's {kind} as {rule.kind}")


def _enum(schema: Any, kind: type[Enum], named: Named, space: str) -> Reader:
    symbols, values = tuple(schema["symbols"]), {each.value for each in kind}
    reader = EnumReader(symbols, tuple(each in values for each in symbols))
    return _known(schema, kind, reader, named, schema.get("namespace", space))
