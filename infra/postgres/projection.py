"""The projection: batches of records become rows, and the positions behind them move in the same transaction.

What makes every record count once: rows and positions are committed together, a position moves only from where this
owner knows it to be, and every row has an identity under which it is written once. A record before its position is a
redelivery and is skipped. A position may jump upward: transaction markers take offsets in the log.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import psycopg

from infra.errors import TapeError
from infra.postgres import tracking
from infra.postgres.connection import Connection, connect
from infra.postgres.migrate import require_migrated
from infra.postgres.rows.log import PROJECTOR, kept_apart, unreadable_row
from infra.postgres.rows.registry import rows_of
from infra.postgres.table import Row, Said, Table, json_of
from schemas.dead_letter import Unreadable
from topics.codec import Event
from topics.wire import Incoming, Partition

log = logging.getLogger("tape.postgres")

Read = tuple[Incoming, Event | None]
"""A record as read, and as decoded; None when it cannot be decoded."""

#: Classes of errors that a single record can be guilty of: a value out of range, a broken constraint, a text too long
#: for an index.
_REFUSALS = ("22", "23", "54")


class ProjectionFencedError(TapeError):
    """The position is not where this owner left it: another one has taken the partition over."""

    def __init__(self, partition: Partition, expected: int, found: int | None) -> None:
        super().__init__(
            f"another projector has taken over: expected next offset {expected}, found {found}",
            where=f"{partition[0]}/{partition[1]}",
            next_command="tape status",
        )
        self.partition = partition
        self.expected = expected
        self.found = found


class Projection:
    """Writes records to PostgreSQL. Safe to call from several threads; they take turns.

    `name` is its name in `tracking`, `schema` the schema of its tables (default: the database's own).
    """

    def __init__(
        self, database_url: str, *, name: str = PROJECTOR, schema: str | None = None, is_durable: bool = True
    ) -> None:
        self._name = name
        self._connect: Callable[[], Connection] = lambda: connect(database_url, schema=schema, is_durable=is_durable)
        self._connection: Connection | None = None
        self._guard = threading.Lock()
        self._positions: dict[Partition, int] = {}
        self._in_doubt: dict[Partition, int] = {}
        self._owed: dict[Partition, int] = {}

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Take partitions over: return the next offset of each, 0 for one that was never read.

        Raises TapeError when the tables are not those of this version, psycopg.OperationalError when PostgreSQL is
        away.
        """
        wanted = tuple(partitions)
        with self._guard:
            connection = self._connected()
            with connection.transaction():
                tracking.begin(connection, self._name, wanted)
                found = tracking.locked(connection, self._name, wanted)
            self._positions.update(found)
            _forget(found, self._in_doubt, self._owed)
            return found

    def apply(self, batch: Sequence[Read]) -> None:
        """Write the rows of a batch and the positions behind it, all or nothing; repeating a batch is harmless.

        Raises ProjectionFencedError when another owner has moved a position, and psycopg.OperationalError when
        PostgreSQL is away: then the same batch must be given again, and a later one instead of it is refused with
        RuntimeError, because a position that jumped over it would lose it. A record that PostgreSQL refuses, because
        of a value it cannot hold, becomes a dead letter.
        """
        with self._guard:
            self._check_owed(batch)
            try:
                self._write(batch)
            except BaseException:
                for (topic, partition), offset in _firsts(batch).items():
                    self._owed.setdefault((topic, partition), offset)
                raise
            _forget(_firsts(batch), self._in_doubt, self._owed)

    def close(self) -> None:
        """End the connection. Idempotent; the next call opens a new one."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            require_migrated(self._connection)
        return self._connection

    def _check_owed(self, batch: Sequence[Read]) -> None:
        for partition, offset in _firsts(batch).items():
            if partition not in self._positions:
                raise RuntimeError(f"{_where(partition, offset)}: nobody took the partition over with positions()")
            if offset > self._owed.get(partition, offset):
                owed = self._owed[partition]
                raise RuntimeError(f"{_where(partition, offset)}: expected the batch that failed, from offset {owed}")

    def _write(self, batch: Sequence[Read]) -> None:
        try:
            self._commit(batch, _insert_together)
        except psycopg.Error as error:
            if not _is_refusal(error):
                raise
            log.warning("PostgreSQL refuses a record of the batch, writing them one by one: %s", error)
            self._commit(batch, _insert_apart)

    def _commit(self, batch: Sequence[Read], insert: Callable[[Connection, Sequence[Read]], None]) -> None:
        connection = self._connected()
        partitions = tuple(_firsts(batch))
        with connection.transaction():
            self._settle(partitions, tracking.locked(connection, self._name, partitions))
            fresh = [read for read in batch if read[0].offset >= self._positions[_partition(read)]]
            moved = {_partition(read): read[0].offset + 1 for read in fresh}
            with connection.pipeline():
                tracking.move(connection, self._name, moved)
                insert(connection, fresh)
            self._in_doubt.update(moved)  # from here on, losing the connection leaves open whether this was committed
        self._positions.update(moved)

    def _settle(self, partitions: Iterable[Partition], found: Mapping[Partition, int]) -> None:
        """Compare the positions with those this owner knows.

        A position in which this owner's own commit would have ended, had its answer not been lost, is its own.
        """
        for partition in partitions:
            actual, expected = found.get(partition), self._positions[partition]
            if actual is not None and actual == self._in_doubt.get(partition):
                self._positions[partition] = actual
            elif actual != expected:
                raise ProjectionFencedError(partition, expected, actual)


def _insert_together(connection: Connection, batch: Sequence[Read]) -> None:
    by_table: dict[Table, list[Row]] = {}
    for incoming, event in batch:
        for row in _rows(incoming, event):
            by_table.setdefault(row.table, []).append(row)
    for table, rows in by_table.items():  # in order of first use: a record's own row comes before those of its parts
        connection.execute(table.statement, [json_of(rows)])


def _insert_apart(connection: Connection, batch: Sequence[Read]) -> None:
    for incoming, event in batch:
        try:
            with connection.transaction():
                _insert_together(connection, [(incoming, event)])
        except psycopg.Error as error:
            if not _is_refusal(error):
                raise
            why = f"PostgreSQL refuses it: {error.diag.message_primary}"
            letter = kept_apart(incoming, Unreadable.INVALID_VALUE, why)
            connection.execute(letter.table.statement, [json_of([letter])])


def _rows(incoming: Incoming, event: Event | None) -> list[Row]:
    if event is None:
        return [unreadable_row(incoming)]
    return rows_of(Said(incoming, event.envelope, event.record))


def _is_refusal(error: psycopg.Error) -> bool:
    return error.sqlstate is not None and error.sqlstate[:2] in _REFUSALS


def _partition(read: Read) -> Partition:
    return read[0].topic, read[0].partition


def _firsts(batch: Sequence[Read]) -> dict[Partition, int]:
    """Return the first offset of each partition in the batch."""
    firsts: dict[Partition, int] = {}
    for read in batch:
        firsts.setdefault(_partition(read), read[0].offset)
    return firsts


def _forget(partitions: Iterable[Partition], *known: dict[Partition, int]) -> None:
    for partition in partitions:
        for each in known:
            each.pop(partition, None)


def _where(partition: Partition, offset: int) -> str:
    return f"{partition[0]}/{partition[1]}/{offset}"
