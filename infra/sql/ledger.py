"""PostgreSQL's tables beside the topics: the relations a question names as `ledger.<name>`, copied in, read-only.

They are copied because DuckDB has no way out (and its own PostgreSQL extension would have to be downloaded). Numbers
travel as text and stay exact; a numeric without a scale gets the largest scale that occurs in it.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from infra.errors import TapeError
from infra.sql.engine import Engine
from infra.sql.statements import from_json
from infra.sql.types import quoted

if TYPE_CHECKING:
    from infra.postgres.connection import Connection

SCHEMA = "ledger"
_BATCH = 2000
_DIGITS = 38

_RELATIONS = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position),
    array_agg(data_type::text ORDER BY ordinal_position), array_agg(udt_name::text ORDER BY ordinal_position),
    array_agg(numeric_precision::integer ORDER BY ordinal_position),
    array_agg(numeric_scale::integer ORDER BY ordinal_position)
FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name
"""
_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMPTZ",
    "timestamp without time zone": "TIMESTAMP",
    "uuid": "UUID",
    "jsonb": "JSON",
    "json": "JSON",
}
_ARRAYS = {"_text": "VARCHAR[]", "_varchar": "VARCHAR[]", "_uuid": "UUID[]", "_int8": "BIGINT[]", "_int4": "INTEGER[]"}


@dataclass(frozen=True)
class _Relation:
    name: str
    columns: dict[str, str]
    """DuckDB's types by name; a numeric without a scale has None in PostgreSQL and is measured."""


@dataclass(frozen=True)
class Ledger:
    """The database to copy from; at most `rows_max` rows of a relation, None for any number."""

    database_url: str
    rows_max: int | None

    def copy(self, names: Collection[str], engine: Engine) -> None:
        """Make a table of each relation named; raises TapeError when PostgreSQL is away or has no such relation."""
        with self._connection() as connection:
            relations = {row[0]: row[1:] for row in connection.execute(_RELATIONS)}
            engine.define([f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"])
            for name in sorted(names):
                if name not in relations:
                    known = ", ".join(sorted(relations)) or "none"
                    raise TapeError(f"PostgreSQL has no table {name}", next_command=f"{SCHEMA}.<name> of {known}")
                relation = _Relation(name, dict(_columns(connection, name, *relations[name])))
                self._copy(relation, connection, engine)

    def _copy(self, relation: _Relation, connection: "Connection", engine: Engine) -> None:
        declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in relation.columns.items())
        target = f"{SCHEMA}.{quoted(relation.name)}"
        engine.define([f"CREATE OR REPLACE TABLE {target} ({declared})"])
        fields = ", ".join(f"row.{quoted(name)}" for name in relation.columns)
        statement = f"INSERT INTO {target} SELECT {fields} FROM ({from_json(relation.columns)})"  # noqa: S608 - names from PostgreSQL's own catalog, quoted
        for batch in self._batches(relation, connection):
            engine.load(statement, batch)

    def _batches(self, relation: _Relation, connection: "Connection") -> Iterator[list[str]]:
        from psycopg import sql  # noqa: PLC0415 - as slow to import as the connection

        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(relation.name))
        with connection.transaction(), connection.cursor(name="tape_sql") as cursor:
            cursor.execute(query)
            rows = (_row(relation, row) for row in cursor)
            count = 0
            while batch := list(islice(rows, _BATCH)):
                count += len(batch)
                if self.rows_max is not None and count > self.rows_max:
                    raise TapeError(
                        f"{SCHEMA}.{relation.name} has more than {self.rows_max} rows", next_command="--all copies them"
                    )
                yield batch

    @contextmanager
    def _connection(self) -> "Iterator[Connection]":
        import psycopg  # noqa: PLC0415

        from infra.postgres.connection import connect  # noqa: PLC0415

        try:
            with connect(self.database_url) as connection:
                connection.execute("SET default_transaction_read_only = on")
                yield connection
        except psycopg.OperationalError as error:
            raise TapeError(f"PostgreSQL does not answer: {error}", next_command="tape status") from error


def _columns(
    connection: "Connection",
    relation: str,
    names: list[str],
    kinds: list[str],
    elements: list[str],
    precisions: list[int | None],
    scales: list[int | None],
) -> Iterator[tuple[str, str]]:
    for name, kind, element, precision, scale in zip(names, kinds, elements, precisions, scales, strict=True):
        if kind == "numeric":
            known = precision is not None and precision <= _DIGITS and scale is not None
            digits = scale if known else _largest_scale(connection, relation, name)
            yield name, f"DECIMAL({precision if known else _DIGITS},{digits})"
        elif kind == "ARRAY":
            yield name, _ARRAYS.get(element, "VARCHAR")
        else:
            yield name, _TYPES.get(kind, "VARCHAR")


def _largest_scale(connection: "Connection", relation: str, column: str) -> int:
    from psycopg import sql  # noqa: PLC0415

    query = sql.SQL("SELECT coalesce(max(scale({})), 0) FROM {}")
    row = connection.execute(query.format(sql.Identifier(column), sql.Identifier(relation))).fetchone()
    return 0 if row is None else int(row[0])


def _row(relation: _Relation, values: tuple[Any, ...]) -> str:
    return json.dumps(
        {name: _plain(value, kind) for (name, kind), value in zip(relation.columns.items(), values, strict=True)}
    )


def _plain(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list):
        return [_plain(each, "") for each in value] if kind.endswith("[]") else str(value)
    if isinstance(value, bytes):
        return value.hex()
    return value if kind == "JSON" else str(value)
