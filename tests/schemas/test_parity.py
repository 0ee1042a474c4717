"""The .avsc files are the contract and the models say the same: names, order, types, scales, nullability and docs."""

import inspect
import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from pydantic import AwareDatetime

from schemas.contract import FOLDER, NAMESPACE, named_types, topic_schema
from schemas.quantities import PRECISION, Scale
from schemas.record import Envelope, Value
from topics.registry import TOPICS

UNRECOGNIZED = "UNRECOGNIZED"
PLAIN: dict[Any, Any] = {
    str: "string",
    int: "long",
    bool: "boolean",
    bytes: "bytes",
    UUID: {"type": "string", "logicalType": "uuid"},
    AwareDatetime: {"type": "long", "logicalType": "timestamp-micros"},
    date: {"type": "int", "logicalType": "date"},
}


def avro_type(annotation: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """Return the Avro type that a field with this annotation must have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return avro_type(arguments[0], (*metadata, *annotation.__metadata__))
    if origin in (Union, UnionType):
        [inner] = [each for each in arguments if each is not NoneType]
        return ["null", avro_type(inner, metadata)]
    if origin is tuple:
        return {"type": "array", "items": avro_type(arguments[0])}
    if annotation is Decimal:
        [scale] = [each.digits for each in metadata if isinstance(each, Scale)]
        return {"type": "bytes", "logicalType": "decimal", "precision": PRECISION, "scale": scale}
    return PLAIN.get(annotation, f"{NAMESPACE}.{annotation.__name__}")


def types_within(annotation: Any) -> Iterator[type]:
    for argument in get_args(annotation):
        yield from types_within(argument)
    if inspect.isclass(annotation) and issubclass(annotation, (Value, StrEnum)):
        yield annotation


def spoken_of() -> dict[str, type]:
    """Return every model and enum that the topics' records speak of, by name."""
    found: dict[str, type] = {}
    waiting: list[type] = [Envelope, *(topic.record for topic in TOPICS)]
    while waiting:
        each = waiting.pop()
        if each.__name__ not in found:
            found[each.__name__] = each
            waiting.extend(part for hint in get_type_hints(each).values() for part in types_within(hint))
    return found


TYPES = spoken_of()
MODELS = {name: each for name, each in TYPES.items() if issubclass(each, Value)}
ENUMS = {name: each for name, each in TYPES.items() if issubclass(each, StrEnum)}


def schema_of(name: str) -> dict[str, Any]:
    return named_types()[f"{NAMESPACE}.{name}"]


def test_every_model_and_enum_has_a_schema_and_every_schema_a_model() -> None:
    assert sorted(f"{NAMESPACE}.{name}" for name in TYPES) == sorted(named_types())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_fields_of_its_schema_in_the_same_order(name: str) -> None:
    assert list(MODELS[name].model_fields) == [field["name"] for field in schema_of(name)["fields"]]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_types_of_its_schema(name: str) -> None:
    hints = get_type_hints(MODELS[name], include_extras=True)

    expected = {field["name"]: field["type"] for field in schema_of(name)["fields"]}

    assert {field: avro_type(hints[field]) for field in MODELS[name].model_fields} == expected


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_explains_its_fields_with_the_docs_of_its_schema(name: str) -> None:
    described = {field: info.description for field, info in MODELS[name].model_fields.items()}

    assert described == {field["name"]: field["doc"] for field in schema_of(name)["fields"]}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_no_default_because_a_record_says_everything(name: str) -> None:
    assert [field for field, info in MODELS[name].model_fields.items() if not info.is_required()] == []


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_type_is_explained_alike_in_model_and_schema(name: str) -> None:
    assert inspect.getdoc(TYPES[name]) == schema_of(name)["doc"]


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_an_enum_has_the_symbols_of_its_schema_and_one_for_what_it_does_not_know(name: str) -> None:
    schema = schema_of(name)

    assert schema["symbols"] == [*(member.value for member in ENUMS[name]), UNRECOGNIZED]
    assert schema["default"] == UNRECOGNIZED
    assert [member.name for member in ENUMS[name]] == [member.value for member in ENUMS[name]]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.avsc")), ids=lambda path: path.stem)
def test_a_file_is_named_after_its_type(path: Path) -> None:
    name = json.loads(path.read_text(encoding="utf-8"))["name"]

    assert path.stem == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_schema_of_a_topic_opens_with_the_envelope_and_is_self_contained(topic: Any) -> None:
    schema = topic_schema(topic.record.__name__)
    names = [field["name"] for field in schema["fields"]]

    assert names == [*Envelope.model_fields, *topic.record.model_fields]
    assert defined_before_used(schema, set()) == set()


def defined_before_used(schema: Any, defined: set[str]) -> set[str]:
    """Return the names that are used before they are written out; adds to `defined` in reading order."""
    if isinstance(schema, str):
        return {schema} - defined if schema.startswith(NAMESPACE) else set()
    if isinstance(schema, list):
        return set().union(*(defined_before_used(branch, defined) for branch in schema))
    if schema["type"] in ("record", "enum"):
        defined.add(f"{schema['namespace']}.{schema['name']}")
    parts = [field["type"] for field in schema.get("fields", ())] + [schema[key] for key in ("items",) if key in schema]
    return set().union(*(defined_before_used(part, defined) for part in parts))
