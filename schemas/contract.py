"""The Avro contract: the hand-kept .avsc files, and the self-contained schema each topic is written with.

A file holds one named type and speaks of others by their full name. The schema of a topic is its record with the
envelope's fields in front and every named type written out where it is first used.
"""

# JSON, Avro's own schemas and fastavro have no types that strict mode could follow.
# pyright: standard

import json
from functools import cache
from pathlib import Path
from typing import Any

NAMESPACE = "tradetape.v1"
FOLDER = Path(__file__).parent / "avro"


@cache
def named_types() -> dict[str, dict[str, Any]]:
    """Return every named type of the folder by its full name."""
    files = sorted(FOLDER.glob("*.avsc"))
    types = (json.loads(file.read_text(encoding="utf-8")) for file in files)  # dst-ok: the contract is part of the code
    return {f"{each['namespace']}.{each['name']}": each for each in types}


def written_out(name: str) -> dict[str, Any]:
    """Return the named type with every type it speaks of written out at its first use."""
    written: set[str] = set()
    schema = _expand(f"{NAMESPACE}.{name}", written)
    if not isinstance(schema, dict):
        raise TypeError(f"expected {name} to be a named type, was {schema!r}")
    return schema


def topic_schema(record_name: str) -> dict[str, Any]:
    """Return the self-contained schema that records of a topic are written with: envelope, then business fields."""
    record = written_out(record_name)
    envelope = written_out("Envelope")
    return {**record, "fields": [*envelope["fields"], *record["fields"]]}


def canonical(schema: dict[str, Any]) -> str:
    """Return the schema as one line of JSON, the same text for the same schema; logical types stay in."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=True)


def _expand(schema: Any, written: set[str]) -> Any:
    if isinstance(schema, str) and schema in named_types():
        if schema in written:
            return schema
        written.add(schema)
        return _expand(named_types()[schema], written)
    if isinstance(schema, list):
        return [_expand(branch, written) for branch in schema]
    if isinstance(schema, dict) and schema.get("type") == "record":
        fields = [{**field, "type": _expand(field["type"], written)} for field in schema["fields"]]
        return {**schema, "fields": fields}
    if isinstance(schema, dict) and schema.get("type") == "array":
        return {**schema, "items": _expand(schema["items"], written)}
    return schema
