"""Where the records of a correlation id lie: the projector's `log_index` in PostgreSQL, if it is there.

The index may be behind: what it has not come to yet is read from the log. A record that PostgreSQL itself refused is
not in the index but among the projector's own dead letters, so those places belong to every answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

_PLACES = """
SELECT partition, "offset" FROM log_index WHERE topic = %(topic)s AND correlation_id = ANY(%(ids)s)
UNION
SELECT origin_partition, origin_offset FROM dead_letters WHERE origin_topic = %(topic)s AND agent = 'projector'
"""
_COVERED = "SELECT partition, next_offset FROM tracking WHERE projection = 'projector' AND topic = %(topic)s"


@dataclass(frozen=True)
class Indexed:
    """Offsets by partition, and the next offset of each partition that the index has come to."""

    offsets: Mapping[int, tuple[int, ...]]
    next_offsets: Mapping[int, int]


@dataclass(frozen=True)
class CorrelationIndex:
    """Asks PostgreSQL; an empty URL stands for none."""

    database_url: str

    def find(self, topic: str, ids: Iterable[UUID]) -> Indexed | str:
        """Return where the records of the correlation ids can lie, or why it is not known."""
        import psycopg  # noqa: PLC0415 - only a question about a correlation id needs it

        from infra.postgres.connection import connect  # noqa: PLC0415

        if not self.database_url:
            return "no PostgreSQL is known"
        parameters = {"topic": topic, "ids": list(ids)}
        try:
            with connect(self.database_url) as connection:
                # the position first: rows are committed with it, so what it covers is there when the rows are read
                covered = connection.execute(_COVERED, parameters).fetchall()
                places = connection.execute(_PLACES, parameters).fetchall()
        except psycopg.Error as error:
            return f"PostgreSQL: {str(error).strip().splitlines()[0]}"
        offsets: dict[int, list[int]] = {}
        for partition, offset in places:
            offsets.setdefault(int(partition), []).append(int(offset))
        return Indexed({number: tuple(each) for number, each in offsets.items()}, dict(covered))
