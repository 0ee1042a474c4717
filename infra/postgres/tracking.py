"""Positions in PostgreSQL: how far a projection has come in each partition. Every function runs in a transaction."""

import json
from collections.abc import Iterable

from infra.postgres.connection import Connection
from topics.wire import Partition, Positions

_BEGIN = """
INSERT INTO tracking (projection, topic, partition, next_offset)
SELECT %s, topic, partition, 0 FROM json_to_recordset(%s::json) AS wanted (topic text, partition integer)
ON CONFLICT DO NOTHING
"""

_LOCK = """
SELECT topic, partition, next_offset
FROM tracking JOIN json_to_recordset(%s::json) AS wanted (topic text, partition integer) USING (topic, partition)
WHERE projection = %s
ORDER BY topic, partition
FOR UPDATE OF tracking
"""

_MOVE = """
UPDATE tracking SET next_offset = moved.next_offset
FROM json_to_recordset(%s::json) AS moved (topic text, partition integer, next_offset bigint)
WHERE projection = %s AND tracking.topic = moved.topic AND tracking.partition = moved.partition
"""


def begin(connection: Connection, projection: str, partitions: Iterable[Partition]) -> None:
    """Let partitions that were never read start at 0."""
    connection.execute(_BEGIN, [projection, _named(partitions)])


def locked(connection: Connection, projection: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """Return the positions, and keep everybody else from moving them until the transaction ends.

    Rows are locked in one order, so that two owners of several partitions cannot wait for each other.
    """
    rows = connection.execute(_LOCK, [_named(partitions), projection])
    return {(str(topic), int(partition)): int(next_offset) for topic, partition, next_offset in rows}


def move(connection: Connection, projection: str, positions: Positions) -> None:
    """Set the positions, which the caller has locked and compared."""
    moved = [
        {"topic": topic, "partition": partition, "next_offset": next_offset}
        for (topic, partition), next_offset in positions.items()
    ]
    connection.execute(_MOVE, [json.dumps(moved), projection])


def tracked(connection: Connection, projection: str) -> dict[Partition, int]:
    """Return every position of a projection, for a reader: nothing is locked or taken over."""
    rows = connection.execute("SELECT topic, partition, next_offset FROM tracking WHERE projection = %s", [projection])
    return {(str(topic), int(partition)): int(next_offset) for topic, partition, next_offset in rows}


def _named(partitions: Iterable[Partition]) -> str:
    return json.dumps([{"topic": topic, "partition": partition} for topic, partition in partitions])
