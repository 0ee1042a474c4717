"""What a topic's records look like, read from the schema they are written with: fields, types, scales, docs."""

# Avro's own schemas have no types that strict mode could follow.
# pyright: standard

import json
from dataclasses import dataclass
from typing import Any

from topics.registry import Policy, Topic
from topics.schema_lock import Registered, SchemaLockError, registered

LATEST = "_latest"
"""Ends the name of the table of a topic's last records by key."""
LATEST_BY_ACCOUNT = f"{LATEST}_by_account"
"""Ends the name of the table of a topic's last records by account."""


@dataclass(frozen=True)
class Field:
    """One field: `type` as a reader says it (decimal(38,6), list of PlanLine, Rule or null)."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class NamedType:
    """A record or an enum that fields speak of; a record has `fields`, an enum `symbols`."""

    name: str
    doc: str
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """All that is to be said about a topic; `types` are in the order of their first use."""

    topic: Topic
    schema_id: int
    schema_version: int
    doc: str
    fields: tuple[Field, ...]
    types: tuple[NamedType, ...]


def described(topic: Topic) -> Description:
    """Return what the newest registered schema of a topic says; raises SchemaLockError when it has none."""
    newest = newest_schema(topic)
    schema = json.loads(newest.text)
    return Description(
        topic=topic,
        schema_id=newest.id,
        schema_version=newest.version,
        doc=schema["doc"],
        fields=_fields(schema),
        types=tuple(_named(each) for each in _written_out(schema)[1:]),
    )


def newest_schema(topic: Topic) -> Registered:
    """Return the schema that records of a topic are written with now; raises SchemaLockError when it has none."""
    versions = [each for each in registered() if each.topic == topic.name]
    if not versions:
        raise SchemaLockError(f"{topic.name} has no registered schema: tape schemas lock")
    return versions[-1]  # registered in the order of versions


def key_rule(topic: Topic) -> str:
    """Return what the key of a record is, in words."""
    return f"{' + '.join(topic.key)}, as text" + (" joined by '+'" if len(topic.key) > 1 else "")


def partition_rule(topic: Topic) -> str:
    """Return which partition a record lies in, in words."""
    if topic.partitioned_by == "origin_partition":
        return "origin_partition modulo the partition count: where the unreadable record was found"
    if topic.partitioned_by == "partition_number":
        return "partition_number modulo the partition count: beside what it was made from"
    return f"{topic.partitioned_by}: murmur2 of its UTF-8, as Kafka's Java clients, modulo the partition count"


def policy_rule(topic: Topic) -> str:
    """Return how long records are kept, in words."""
    if topic.is_cache:
        return "compact: the last record of each key stays; a cache, made again from the log when it is lost"
    if topic.policy is Policy.COMPACT:
        return "compact: the last record of each key stays; a key is written once"
    return "keep: every record, for ever"


def table_name(topic: Topic) -> str:
    """Return a topic's short name, as SQL takes it without quotes; `"fills.v1"` in double quotes is its name too."""
    return topic.name.rpartition(".")[0].replace("-", "_")


def sql_names(topic: Topic) -> tuple[str, ...]:
    """Return the names a topic has in SQL."""
    table = table_name(topic)
    by_account = (f"{table}{LATEST_BY_ACCOUNT}",) if "account_id" in topic.record.model_fields else ()
    return (table, f'"{topic.name}"', f"{table}{LATEST}", *by_account)


def facts(said: Description) -> dict[str, str]:
    """Return what a topic's rules are and who has to do with it, in words, by what they are about."""
    topic = said.topic
    return {
        "key": key_rule(topic),
        "partition": partition_rule(topic),
        "policy": policy_rule(topic),
        "written by": topic.producer,
        "read by": ", ".join(topic.consumers),
        "schema": f"{topic.record.__name__}, version {said.schema_version}, id {said.schema_id}",
        "in SQL": ", ".join(sql_names(topic)),
    }


def spelled(schema: Any) -> str:
    """Return an Avro type as a reader says it."""
    match schema:
        case str():
            return schema.rpartition(".")[2]
        case list():
            inner = " or ".join(spelled(branch) for branch in schema if branch != "null")
            return f"{inner} or null" if "null" in schema else inner
        case {"type": "array"}:
            return f"list of {spelled(schema['items'])}"
        case {"type": "map"}:
            return f"map of {spelled(schema['values'])}"
        case {"logicalType": "decimal"}:
            return f"decimal({schema['precision']},{schema.get('scale', 0)})"
        case _:
            return str(schema.get("logicalType") or schema.get("name") or schema["type"])


def _fields(schema: dict[str, Any]) -> tuple[Field, ...]:
    return tuple(Field(field["name"], spelled(field["type"]), field["doc"]) for field in schema.get("fields", ()))


def _named(schema: dict[str, Any]) -> NamedType:
    return NamedType(schema["name"], schema["doc"], _fields(schema), tuple(schema.get("symbols", ())))


def _written_out(schema: Any) -> list[dict[str, Any]]:
    """Return every named type written out in a schema, each before those it speaks of."""
    if isinstance(schema, list):
        return [each for branch in schema for each in _written_out(branch)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema["type"] in ("record", "enum") else []
    parts = [field["type"] for field in schema.get("fields", ())]
    parts += [schema[key] for key in ("items", "values") if key in schema]
    return own + [each for part in parts for each in _written_out(part)]
