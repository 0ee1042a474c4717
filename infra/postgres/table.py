"""A table as the projection writes it: which fields of a record are its columns, and the one statement that inserts.

All new rows of a table travel as one JSON parameter; `json_populate_recordset` gives each value the type of its
column, so the SQL of the migration is the only place where types are said. Decimals travel as text and stay exact. A
row whose identity is already there is left as it is.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg import sql

from infra.postgres.text import may_be_unstorable, storable
from schemas.record import Envelope, Record, Value
from topics.wire import Incoming

RecordT_co = TypeVar("RecordT_co", bound=Record, covariant=True)

PLACE = ("partition", "offset", "event_id", "occurred_at")
"""Columns that say which record a row comes from: its place and identity in the log, no fact of the business."""


@dataclass(frozen=True, slots=True)
class Said(Generic[RecordT_co]):
    """A decoded record, and where it was read."""

    incoming: Incoming
    envelope: Envelope
    record: RecordT_co


@dataclass(frozen=True, eq=False)
class Table:
    """A table and the statement that inserts rows given as one JSON array."""

    name: str
    columns: tuple[str, ...]
    statement: bytes

    def row(self, *values: object) -> "Row":
        """Return a row of this table; values in the order of its columns."""
        return Row(self, dict(zip(self.columns, values, strict=True)))


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is to be inserted."""

    table: Table
    values: Mapping[str, object]


Rows = Iterable[Row]
Projected = Callable[[Said[Any]], Rows]


def table(name: str, columns: str) -> Table:
    """Return a table by its name and its columns."""
    listed = tuple(columns.split())
    return Table(name, listed, _statement(name, listed))


class Facts:
    """A table with one row for every record of a topic.

    `fields` are the record's, dotted where they lie deeper; a column is named after the last part.
    """

    def __init__(self, name: str, fields: str) -> None:
        self._read = attrgetter(*fields.split())
        columns = (*(field.rpartition(".")[2] for field in fields.split()), *PLACE)
        self.table = Table(name, columns, _statement(name, columns))

    def row(self, said: Said[Record]) -> Row:
        """Return the record's row."""
        where, envelope = said.incoming, said.envelope
        place = (where.partition, where.offset, envelope.event_id, envelope.occurred_at)
        return self.table.row(*self._read(said.record), *place)


class Parts:
    """A table with one row for every element of a list in a record.

    `key` are columns taken from the record's own row, the identity of that row first among them. The rows of a record
    are written only where that row stems from the same record: a second record under an identity that is there
    already adds nothing, not even the elements that the first did not have.
    """

    def __init__(self, name: str, whole: Facts, identity: str, key: str, fields: str) -> None:
        self._key = tuple(key.split())
        self._read = attrgetter(*fields.split())
        columns = (*self._key, "ordinal", *fields.split(), "partition", "offset")
        self.table = Table(name, columns, _statement(name, columns, _stems_from(whole.table.name, identity)))

    def rows(self, whole: Mapping[str, object], items: Iterable[object]) -> list[Row]:
        """Return the rows of a list; `ordinal` is the place in it, from 0."""
        key = [whole[column] for column in self._key]
        place = (whole["partition"], whole["offset"])
        read = self._read
        return [self.table.row(*key, ordinal, *read(item), *place) for ordinal, item in enumerate(items)]


def inside(row: Row, ordinal: str) -> Mapping[str, object]:
    """Return a row as the whole of its own parts: its place in the list is there as the column `ordinal`."""
    return {**row.values, ordinal: row.values["ordinal"]}


class Latest:
    """A table that keeps, of all records under one identity, the row of the last in its partition."""

    def __init__(self, name: str, identity: str, fields: str) -> None:
        self._facts = Facts(name, fields)
        columns = self._facts.table.columns
        self.table = Table(name, columns, _latest_statement(name, identity, columns))

    def row(self, said: Said[Record]) -> Row:
        """Return the record's row."""
        return Row(self.table, self._facts.row(said).values)


def json_of(rows: Sequence[Row]) -> str:
    """Return the rows as the JSON array their table's statement takes, with U+0000 escaped."""
    text = _encode([row.values for row in rows])
    return _encode(storable(json.loads(text))) if may_be_unstorable(text) else text


def _plain(value: object) -> object:
    match value:
        case Decimal() | UUID():
            return str(value)
        case date():
            return value.isoformat()
        case bytes():
            return "\\x" + value.hex()
        case Value():
            return dict(value)
        case _:
            raise TypeError(f"expected a value that a column can hold, was {type(value).__name__}")


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


_INSERT = sql.SQL(
    "INSERT INTO {table} ({columns}) SELECT {columns}"
    " FROM json_populate_recordset(NULL::{table}, %s::json) AS new WHERE {condition} ON CONFLICT DO NOTHING"
)
_STEMS_FROM = sql.SQL(
    "EXISTS (SELECT FROM {whole} AS whole WHERE whole.{identity} = new.{identity}"
    ' AND whole.partition = new.partition AND whole."offset" = new."offset")'
)
_INSERT_LATEST = sql.SQL(
    "INSERT INTO {table} ({columns}) SELECT DISTINCT ON ({identity}) {columns}"
    ' FROM json_populate_recordset(NULL::{table}, %s::json) ORDER BY {identity}, "offset" DESC'
    " ON CONFLICT ({identity}) DO UPDATE SET ({columns}) = ROW({excluded})"
    ' WHERE {table}."offset" < excluded."offset"'
)


_ALWAYS = sql.SQL("true")


def _listed(columns: Sequence[str], prefix: tuple[str, ...] = ()) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(*prefix, column) for column in columns)


def _statement(name: str, columns: Sequence[str], condition: sql.Composable = _ALWAYS) -> bytes:
    composed = _INSERT.format(table=sql.Identifier(name), columns=_listed(columns), condition=condition)
    return composed.as_bytes()


def _stems_from(whole: str, identity: str) -> sql.Composable:
    return _STEMS_FROM.format(whole=sql.Identifier(whole), identity=sql.Identifier(identity))


def _latest_statement(name: str, identity: str, columns: Sequence[str]) -> bytes:
    composed = _INSERT_LATEST.format(
        table=sql.Identifier(name),
        columns=_listed(columns),
        identity=sql.Identifier(identity),
        excluded=_listed(columns, ("excluded",)),
    )
    return composed.as_bytes()
