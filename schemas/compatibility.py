"""May a topic's new schema follow the ones that were ever registered? FULL_TRANSITIVE, and what that leaves open.

Every registered version must be readable with the new schema, and the new one with every registered version. Apache
Avro's checker, like the registry, compares the bytes and not what they mean: it calls a changed decimal scale
compatible, and a removed field too, when that has a default. Both would change or lose money in a replay. So our own
rules come first, name the field at any depth, and refuse what Avro lets pass: a changed logical type, a removed field
or symbol, string for bytes, and a default that readers do not convert. Avro's checker then judges what they let pass.
"""

# JSON, Avro's own schemas and fastavro have no types that strict mode could follow.
# pyright: standard

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

Schema = Any
_LOGICAL = ("logicalType", "precision", "scale")
_NAMED = ("record", "enum", "fixed")
_NOT_CONVERTED = ("record", "fixed")


class Refusal(StrEnum):
    """Why a new schema may not follow an old one."""

    FIELD_REMOVED = "FIELD_REMOVED"
    SYMBOL_REMOVED = "SYMBOL_REMOVED"
    TYPE_CHANGED = "TYPE_CHANGED"
    LOGICAL_TYPE = "LOGICAL_TYPE"
    NO_DEFAULT = "NO_DEFAULT"
    DEFAULT_NOT_CONVERTED = "DEFAULT_NOT_CONVERTED"
    UNREADABLE_BY_NEW = "UNREADABLE_BY_NEW"
    UNREADABLE_BY_OLD = "UNREADABLE_BY_OLD"


@dataclass(frozen=True)
class Conflict:
    """One thing that forbids a new schema: where it is and the two values that disagree."""

    topic: str
    version: int
    path: str
    refusal: Refusal
    old: str
    new: str

    def __str__(self) -> str:
        where = f"{self.topic}: {self.path or 'the record'}: {self.refusal}"
        return f"{where}: version {self.version} has {self.old}, the new schema has {self.new}"


class IncompatibleSchemaError(Exception):
    """A new schema may not follow the registered ones; one line per conflict."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__("\n".join(str(conflict) for conflict in conflicts))
        self.conflicts = tuple(conflicts)


def check(topic: str, history: Sequence[str], new: str) -> None:
    """Raise IncompatibleSchemaError when schema text `new` may not follow `history` (version 1 first)."""
    found = conflicts(topic, history, new)
    if found:
        raise IncompatibleSchemaError(found)


def conflicts(topic: str, history: Sequence[str], new: str) -> tuple[Conflict, ...]:
    """Return what forbids schema text `new` after every one of `history` (version 1 first); empty when nothing does."""
    return tuple(
        Conflict(topic, version, *difference)
        for version, old in enumerate(history, start=1)
        for difference in tuple(_own_rules(json.loads(old), json.loads(new))) or _avro_rules(old, new)
    )


_Difference = tuple[str, Refusal, str, str]


def _avro_rules(old: str, new: str) -> Iterator[_Difference]:
    yield from _unreadable(Refusal.UNREADABLE_BY_NEW, reader=new, writer=old)
    yield from _unreadable(Refusal.UNREADABLE_BY_OLD, reader=old, writer=new)


def _unreadable(refusal: Refusal, *, reader: str, writer: str) -> Iterator[_Difference]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    checked = checker.get_compatibility(parse(reader), parse(writer))
    if checked.compatibility is not SchemaCompatibilityType.compatible:
        path = ", ".join(_path_of(reader, location) for location in sorted(checked.locations))
        message = "; ".join(sorted(checked.messages))
        refused = "what Avro refuses"
        old, new = (refused, message) if refusal is Refusal.UNREADABLE_BY_NEW else (message, refused)
        yield path, refusal, old, new


def _path_of(schema: str, location: str) -> str:
    """Return Avro's place, such as /fields/3/type/items, as the names of the fields on the way there."""
    node, names = json.loads(schema), []
    for step in filter(None, location.split("/")):
        node = node[int(step)] if isinstance(node, list) else node.get(step) if isinstance(node, dict) else None
        if isinstance(node, dict) and "name" in node and node.get("type") not in _NAMED:
            names.append(str(node["name"]))
    return ".".join(names) or location


def _own_rules(old: Schema, new: Schema) -> Iterator[_Difference]:
    return _Comparison(_named_types(old), _named_types(new)).of(old, new, "", frozenset())


@dataclass(frozen=True)
class _Comparison:
    """The walk through two schemas side by side; each knows its named types by full name."""

    olds: Mapping[str, Schema]
    news: Mapping[str, Schema]

    def of(self, old: Schema, new: Schema, path: str, seen: frozenset[str]) -> Iterator[_Difference]:
        """Compare the types both sides may have at one place; `seen` ends the walk through a type inside itself."""
        before, now = _branches(old, self.olds), _branches(new, self.news)
        if before.keys() != now.keys():
            yield path, Refusal.TYPE_CHANGED, " or ".join(before), " or ".join(now)
        for kind, was in before.items():
            if kind in now and kind not in seen:
                yield from _logical(was, now[kind], path)
                yield from self._inside(was, now[kind], path, seen | {kind} if kind in self.olds else seen)

    def _inside(self, was: Schema, now: Schema, path: str, seen: frozenset[str]) -> Iterator[_Difference]:
        match was:
            case {"type": "record"}:
                yield from self._fields(was, now, path, seen)
            case {"type": "enum"}:
                yield from _symbols(was, now, path)
            case {"type": "array"}:
                yield from self.of(was["items"], now["items"], f"{path}[]", seen)
            case {"type": "map"}:
                yield from self.of(was["values"], now["values"], f"{path}{{}}", seen)
            case _:
                pass

    def _fields(self, was: Schema, now: Schema, path: str, seen: frozenset[str]) -> Iterator[_Difference]:
        olds, news = _by_name(was["fields"]), _by_name(now["fields"])
        for name, field in olds.items():
            here = f"{path}.{name}" if path else name
            if name in news:
                yield from self.of(field["type"], news[name]["type"], here, seen)
            else:
                yield here, Refusal.FIELD_REMOVED, f"field {name}", "no such field"
        for name, field in news.items():
            if name not in olds:
                yield from self._default(field, f"{path}.{name}" if path else name)

    def _default(self, field: Mapping[str, Any], path: str) -> Iterator[_Difference]:
        """Refuse a field without a default, and one whose default fastavro would hand out as it stands in the JSON."""
        if "default" not in field:
            yield path, Refusal.NO_DEFAULT, "no such field", "a field without a default"
            return
        first = next(iter(_branches(field["type"], self.news).values()))
        if first == "bytes" or (
            isinstance(first, dict) and ("logicalType" in first or first["type"] in _NOT_CONVERTED)
        ):
            found = f"default {json.dumps(field['default'])} of {_kind(first)}"
            yield path, Refusal.DEFAULT_NOT_CONVERTED, "no such field", found


def _named_types(schema: Schema) -> dict[str, Schema]:
    """Return every record, enum and fixed written out anywhere in the schema."""
    named: dict[str, Schema] = {}
    if isinstance(schema, dict):
        if "name" in schema and schema.get("type") in _NAMED:
            named[_full_name(schema)] = schema
        for value in schema.values():
            named |= _named_types(value)
    elif isinstance(schema, list):
        for value in schema:
            named |= _named_types(value)
    return named


def _branches(schema: Schema, named: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the types a value may have, by what tells them apart: one, or those of a union."""
    types = schema if isinstance(schema, list) else [schema]
    return {_kind(each): each for each in (named.get(name, name) if isinstance(name, str) else name for name in types)}


def _full_name(schema: Mapping[str, Any]) -> str:
    return f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else str(schema["name"])


def _kind(schema: Schema) -> str:
    if not isinstance(schema, dict):
        return str(schema)
    return _full_name(schema) if "name" in schema else str(schema["type"])


def _by_name(fields: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {field["name"]: field for field in fields}


def _symbols(was: Mapping[str, Any], now: Mapping[str, Any], path: str) -> Iterator[_Difference]:
    for symbol in was["symbols"]:
        if symbol not in now["symbols"]:
            yield path, Refusal.SYMBOL_REMOVED, f"symbol {symbol}", f"only {', '.join(now['symbols'])}"


def _logical(was: Schema, now: Schema, path: str) -> Iterator[_Difference]:
    old, new = _logical_type(was), _logical_type(now)
    if old != new:
        yield path, Refusal.LOGICAL_TYPE, old, new


def _logical_type(schema: Schema) -> str:
    found = {name: schema[name] for name in _LOGICAL if name in schema} if isinstance(schema, dict) else {}
    return ", ".join(f"{name} {value}" for name, value in found.items()) or "no logical type"
