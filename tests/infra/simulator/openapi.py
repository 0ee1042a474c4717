"""Alpaca's official OpenAPI files, where they are at hand, and what they say about a value."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


class Specification:
    """An OpenAPI 3.1 file; checks values against the keywords of JSON Schema that these files use."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())

    def schema(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._document["components"]["schemas"][name]
        return found

    def problems(self, value: object, name: str) -> list[str]:
        """Return what is wrong with a value that should be of the named schema."""
        return list(self._problems(value, self.schema(name), name))

    def answer_problems(self, method: str, path: str, status: int, value: object) -> list[str]:
        """Return what is wrong with an answer; one without a schema must be empty."""
        answer = self._document["paths"][path][method.lower()]["responses"][str(status)]
        content = answer.get("content", {}).get("application/json", {}).get("schema")
        place = f"{method} {path}"
        if content is None:
            return [] if value is None else [f"{place}: expected no body, was {value!r}"]
        return list(self._problems(value, content, place))

    def _of_object(self, value: dict[str, object], schema: dict[str, Any], place: str) -> Iterator[str]:
        yield from (f"{place}.{name}: missing" for name in schema.get("required", []) if name not in value)
        properties = schema.get("properties", {})
        for name, part in value.items():
            inner = properties.get(name, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from self._problems(part, inner, f"{place}.{name}")

    def _of_choices(self, value: object, schema: dict[str, Any], place: str) -> Iterator[str]:
        """Yield the problems of the choice that fits best, where none fits."""
        choices = schema.get("anyOf", schema.get("oneOf", []))
        found = [list(self._problems(value, choice, place)) for choice in choices]
        if found and all(found):
            yield from min(found, key=len)

    def body_problems(self, method: str, path: str, value: object) -> list[str]:
        """Return what is wrong with the body of a request."""
        body = self._document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        return list(self._problems(value, body, f"{method} {path}"))

    def _problems(self, value: object, schema: dict[str, Any], place: str) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._problems(value, self.schema(schema["$ref"].rpartition("/")[2]), place)
        expected = schema.get("type", [])
        expected = [expected] if isinstance(expected, str) else expected
        if expected and not any(_is(value, kind) for kind in expected):
            yield f"{place}: expected {expected}, was {value!r}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        yield from self._of_choices(value, schema, place)
        for part in schema.get("allOf", []):
            yield from self._problems(value, part, place)
        if isinstance(value, str):
            yield from _text_problems(value, schema, place)
        if isinstance(value, dict):
            yield from self._of_object(value, schema, place)
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                yield from self._problems(item, schema["items"], f"{place}[{index}]")


KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _is(value: object, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _text_problems(value: str, schema: dict[str, Any], place: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{place}: length of {value!r}"
    read: dict[str, Callable[[str], object]] = {
        "uuid": UUID,
        "date-time": datetime.fromisoformat,
        "date": date.fromisoformat,
    }
    try:
        read.get(schema.get("format", ""), str)(value)
    except ValueError:
        yield f"{place}: {value!r} is no {schema['format']}"


def specification(name: str) -> Specification:
    """Return an official file; skips the test where there is none."""
    given = os.environ.get("TAPE_SHARED_DATA")
    folder = Path(given) if given else CHECKOUT.parent / "shared" / "data"
    path = folder / "alpaca" / name
    if not path.is_file():
        pytest.skip(f"no {path}: set TAPE_SHARED_DATA to the folder that holds alpaca/{name}")
    return Specification(path)
