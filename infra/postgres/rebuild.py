"""Is the projection what the log says? Project the log again from its start, beside the live tables, and compare.

The live tables are only read, in one snapshot, together with the positions they stand at; the rebuild stops at the
same positions. So it may run while the projector writes. Where hashes differ, some of the rows that do are named.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from psycopg import sql

from infra.errors import TapeError
from infra.postgres.connection import Connection, connect
from infra.postgres.hashes import TableHash, hashed, hashed_columns, snapshot
from infra.postgres.migrate import migrate, require_migrated
from infra.postgres.projection import Projection, Read
from infra.postgres.rows.log import PROJECTOR
from infra.postgres.tracking import tracked
from topics.codec import UndecodableError, decode
from topics.wire import Incoming, Positions

log = logging.getLogger("tape.postgres")

SCHEMA = "tape_rebuild"
BATCH_SIZE = 500
NAMED_ROWS_MAX = 3
_LOCK = 7_265_470_002  # any number, as long as nobody else in this database locks it


@dataclass(frozen=True)
class TableComparison:
    """One table, live and rebuilt; `only_live` and `only_rebuilt` name a few rows that differ, as JSON."""

    table: str
    live: TableHash
    rebuilt: TableHash
    only_live: tuple[str, ...] = ()
    only_rebuilt: tuple[str, ...] = ()

    @property
    def is_identical(self) -> bool:
        """Whether the rows are the same."""
        return self.live == self.rebuilt


@dataclass(frozen=True)
class Comparison:
    """What a rebuild found.

    `records` were projected again; `beyond` more are in the log, which the live projection had not reached.
    """

    tables: tuple[TableComparison, ...]
    records: int
    beyond: int

    @property
    def is_identical(self) -> bool:
        """Whether every table is what the log says."""
        return all(table.is_identical for table in self.tables)


def rebuild_and_compare(
    database_url: str, read_all: Callable[[], Iterable[Incoming]], *, projection: str = PROJECTOR
) -> Comparison:
    """Project the whole log into a schema of its own, compare every table with the live one, and drop it again.

    `read_all` gives the committed records of all topics from the beginning, in order within each partition; it is
    called after the live positions were read. Raises TapeError when another rebuild of this database is running.
    """
    with connect(database_url) as live, _own_schema(database_url):
        require_migrated(live)
        with snapshot(live):
            positions = tracked(live, projection)
            records, beyond = _project(database_url, read_all(), positions)
            with connect(database_url, schema=SCHEMA) as rebuilt, snapshot(rebuilt):
                tables = tuple(_compared(live, rebuilt))
    return Comparison(tables, records, beyond)


@contextmanager
def _own_schema(database_url: str) -> Iterator[None]:
    """Keep an empty schema for one rebuild at a time; what a killed one left behind goes first."""
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA))
    with connect(database_url) as connection:
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            raise TapeError("another rebuild is running", where=f"schema {SCHEMA}", next_command="try again later")
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        try:
            migrate(database_url, schema=SCHEMA)
            yield
        finally:
            connection.execute(drop)


def _project(database_url: str, records: Iterable[Incoming], until: Positions) -> tuple[int, int]:
    """Write the records before the positions, and return how many they were and how many lie beyond."""
    rebuilt = Projection(database_url, schema=SCHEMA, is_durable=False)
    done = beyond = 0
    try:
        rebuilt.positions(until)
        source = iter(records)
        while batch := list(islice(source, BATCH_SIZE)):
            within = [each for each in batch if each.offset < until.get((each.topic, each.partition), 0)]
            rebuilt.apply([_read(each) for each in within])
            done += len(within)
            beyond += len(batch) - len(within)
    finally:
        rebuilt.close()
    return done, beyond


def _read(incoming: Incoming) -> Read:
    try:
        return incoming, decode(incoming)
    except UndecodableError:
        return incoming, None


def _compared(live: Connection, rebuilt: Connection) -> Iterator[TableComparison]:
    for table, columns in hashed_columns(rebuilt, with_places=True).items():
        found = TableComparison(table, hashed(live, table, columns), hashed(rebuilt, table, columns))
        if found.is_identical:
            yield found
        else:
            only = _different_rows(_lines(live, table, columns), _lines(rebuilt, table, columns))
            yield TableComparison(table, found.live, found.rebuilt, *only)


def _lines(connection: Connection, table: str, columns: Iterable[str]) -> Iterator[str]:
    """Yield the rows as JSON, in the order of their characters."""
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL(
        'SELECT to_json(each)::text COLLATE "C" AS line FROM (SELECT {columns} FROM {table}) AS each ORDER BY line'
    )
    with connection.cursor(name="lines") as cursor:
        for (line,) in cursor.execute(query.format(columns=listed, table=sql.Identifier(table))):
            yield str(line)


def _different_rows(live: Iterator[str], rebuilt: Iterator[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Walk through two sorted lists side by side and return the first few that are in one of them only."""
    only_live: list[str] = []
    only_rebuilt: list[str] = []
    left, right = next(live, None), next(rebuilt, None)
    while (left, right) != (None, None) and len(only_live) + len(only_rebuilt) < 2 * NAMED_ROWS_MAX:
        if left == right:
            left, right = next(live, None), next(rebuilt, None)
        elif right is None or (left is not None and left < right):
            only_live.append(str(left))
            left = next(live, None)
        else:
            only_rebuilt.append(str(right))
            right = next(rebuilt, None)
    return tuple(only_live[:NAMED_ROWS_MAX]), tuple(only_rebuilt[:NAMED_ROWS_MAX])
