"""Records as rows on their way to DuckDB: one JSON object each, numbers as text so that no digit is lost.

Decoding is the agents' own (`topics.codec`): a record is readable here exactly when they can read it. One that is not
becomes a row too, its fields null and the reason in `_error`; one of an old schema has the newest schema's fields.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from infra.sql.catalog import Table
from infra.sql.types import BLOB
from topics.codec import Event, UndecodableError, current_id, decode, schema_id_of
from topics.schema_lock import registered
from topics.wire import Incoming

TIMESTAMP_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999, where Python's calendar ends


@dataclass
class Tally:
    """What was noticed while reading one topic."""

    records: int = 0
    unreadable: int = 0
    old: int = 0


@dataclass
class Rows:
    """Makes the rows of one table; `wanted` are the pseudo-columns somebody asks for.

    `is_for_people` spells zero 0.000000000 where the faster way says 0E-9; to DuckDB both are the same.
    """

    table: Table
    wanted: Collection[str] = ()
    is_for_people: bool = False
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._has_bytes = BLOB in self.table.columns.values()

    def row(self, incoming: Incoming) -> str:
        """Return the row of a record, readable or not."""
        schema_id = _schema_id(incoming)
        fields, error = self.fields(incoming)
        self.tally.records += 1
        self.tally.unreadable += error is not None
        self.tally.old += error is None and schema_id not in (None, current_id(self.table.topic))
        around = json.dumps(self._around(incoming, schema_id, error), ensure_ascii=False)
        return f'{around[:-1]}, "fields": {fields}}}'

    def fields(self, incoming: Incoming) -> tuple[str, str | None]:
        """Return a record's fields as a JSON object, null for a tombstone and for what cannot be read, and why not."""
        if incoming.value is None:
            return "null", None
        try:
            return self._fields(decode(incoming)), None
        except UndecodableError as unreadable:
            return "null", f"{unreadable.unreadable}: {unreadable.error}"

    def _fields(self, event: Event) -> str:
        if self._has_bytes or self.is_for_people:
            fields = {**event.envelope.model_dump(), **event.record.model_dump()}
            return json.dumps(fields, default=_plain, ensure_ascii=False)
        envelope, record = event.envelope.model_dump_json(), event.record.model_dump_json()
        return f"{envelope[:-1]},{record[1:]}"

    def _around(self, incoming: Incoming, schema_id: int | None, error: str | None) -> dict[str, Any]:
        around: dict[str, Any] = {
            "_partition": incoming.partition,
            "_offset": incoming.offset,
            "_timestamp": incoming.timestamp_ms if 0 <= incoming.timestamp_ms <= TIMESTAMP_MS_MAX else None,
            "_key": None if incoming.key is None else incoming.key.decode(errors="replace"),
            "_schema_id": schema_id,
            "_schema_version": None if schema_id is None else _versions().get(schema_id),
            "_tombstone": incoming.value is None,
            "_error": error,
        }
        if "_headers" in self.wanted:
            around["_headers"] = _headers(incoming)
        if "_value" in self.wanted:
            around["_value"] = None if incoming.value is None else incoming.value.hex()
        return around


def headers_text(incoming: Incoming) -> str:
    """Return a record's headers as a JSON object; of a repeated one the first value."""
    return json.dumps(_headers(incoming), ensure_ascii=False)


def _headers(incoming: Incoming) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in reversed(incoming.headers)}


def _schema_id(incoming: Incoming) -> int | None:
    if incoming.value is None:
        return None
    try:
        return schema_id_of(incoming.value)
    except UndecodableError:
        return None


@cache
def _versions() -> dict[int, int]:
    return {each.id: each.version for each in registered()}


def _plain(value: object) -> str:
    match value:
        case bytes():
            return value.hex()
        case Decimal():
            return f"{value:f}"
        case datetime() | date():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
