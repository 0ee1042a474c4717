"""Hashes over what the tables say: equal hashes mean equal rows, whatever order they were written in.

A row's columns are either business (what happened) or place (where in the log it was written, and the ids and times
that follow from that). Two logs that tell the same story in another order agree on the first and not on the second;
a projection and its rebuild from the same log agree on both.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql
from psycopg.pq import TransactionStatus

from infra.postgres.connection import Connection
from infra.postgres.rows.ledger import LEDGER_ENTRIES, LEDGER_POSTINGS
from infra.postgres.table import PLACE

BOOKKEEPING = ("schema_migrations", "tracking")
"""Tables that say nothing about the log's content; never hashed."""

LOG_TABLES = ("log_index", "dead_letters")
"""Tables in which everything is place."""

LEDGER_TABLES = (LEDGER_ENTRIES.table.name, LEDGER_POSTINGS.table.name)

_OUTPUT = {"TimeZone": "UTC", "DateStyle": "ISO", "bytea_output": "hex"}
"""Settings of a session that change how values look as text."""

_COLUMNS = """
SELECT relname, array_agg(attname::text ORDER BY attname::text COLLATE "C")
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = to_regnamespace(current_schema()) AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
GROUP BY relname ORDER BY relname COLLATE "C"
"""


@dataclass(frozen=True)
class TableHash:
    """How many rows, and the sha256 over them in hex."""

    rows: int
    sha256: str


def ledger_hash(connection: Connection) -> str:
    """Return the sha256 over all ledger entries and postings, business columns only."""
    with snapshot(connection):
        columns = dict(hashed_columns(connection))
        parts = [f"{name}:{hashed(connection, name, columns[name]).sha256}" for name in LEDGER_TABLES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def table_hashes(connection: Connection, *, with_places: bool = False) -> dict[str, str]:
    """Return the sha256 of every table as of one instant, over business columns only unless `with_places`."""
    with snapshot(connection):
        columns = hashed_columns(connection, with_places=with_places)
        return {name: hashed(connection, name, listed).sha256 for name, listed in columns.items()}


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let everything inside be read as of one instant, and written out the same way on every server."""
    is_idle = connection.info.transaction_status is TransactionStatus.IDLE
    with connection.transaction():
        if is_idle:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for setting, value in _OUTPUT.items():
            connection.execute("SELECT set_config(%s, %s, true)", [setting, value])
        yield


def hashed_columns(connection: Connection, *, with_places: bool = False) -> dict[str, list[str]]:
    """Return the columns that count, for every table of the connection's schema."""
    kept = {name: list(columns) for name, columns in connection.execute(_COLUMNS) if name not in BOOKKEEPING}
    if with_places:
        return kept
    return {
        name: [column for column in columns if column not in PLACE]
        for name, columns in kept.items()
        if name not in LOG_TABLES
    }


def hashed(connection: Connection, table: str, columns: Sequence[str]) -> TableHash:
    """Return the hash of one table, over its rows as text in the order of their bytes."""
    row = sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    query = sql.SQL('COPY (SELECT {row} COLLATE "C" AS line FROM {table} ORDER BY line) TO STDOUT')
    digest, rows = hashlib.sha256(), 0
    with connection.cursor() as cursor, cursor.copy(query.format(row=row, table=sql.Identifier(table))) as copy:
        for line in copy:
            digest.update(line)
            rows += 1
    return TableHash(rows, digest.hexdigest())
