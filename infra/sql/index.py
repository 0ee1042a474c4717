"""Where the records of a correlation id lie: the projector's `log_index` in PostgreSQL, if it is there.

The index may be behind: what it has not come to yet is read from the log. A record that PostgreSQL itself refused is
not in the index but among the projector's own dead letters, so those places belong to every answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

_PLACES = """
SELECT partition, "offset" FROM log_index WHERE topic = %(topic)s AND correlation_id = ANY(%(ids)s)
UNION
SELECT origin_partition, origin_offset FROM dead_letters WHERE origin_topic = %(topic)s AND agent = 'projector'
"""
_BEGUN = """
SELECT DISTINCT correlation_id FROM log_index
WHERE topic = %(topic)s AND correlation_id BETWEEN %(least)s AND %(most)s
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
        found = self._asked(_PLACES, {"topic": topic, "ids": list(ids)})
        if isinstance(found, str):
            return found
        places, covered = found
        offsets: dict[int, list[int]] = {}
        for partition, offset in places:
            offsets.setdefault(int(partition), []).append(int(offset))
        return Indexed({number: tuple(each) for number, each in offsets.items()}, covered)

    def begun(self, topic: str, least: UUID, most: UUID) -> tuple[list[UUID], Mapping[int, int]] | str:
        """Return a topic's correlation ids between two and how far the index has come, or why it is not known."""
        found = self._asked(_BEGUN, {"topic": topic, "least": least, "most": most})
        return found if isinstance(found, str) else ([run for (run,) in found[0]], found[1])

    def _asked(self, query: str, parameters: Mapping[str, Any]) -> tuple[list[Any], dict[int, int]] | str:
        """Return the rows and the next offset of each partition that the index has come to, or why there are none."""
        import psycopg  # noqa: PLC0415 - only a question about a correlation id needs it

        from infra.postgres.connection import connect  # noqa: PLC0415

        if not self.database_url:
            return "no PostgreSQL is known"
        try:
            with connect(self.database_url) as connection:
                # the position first: rows are committed with it, so what it covers is there when the rows are read
                covered = connection.execute(_COVERED, parameters).fetchall()
                return connection.execute(query, parameters).fetchall(), dict(covered)
        except psycopg.Error as error:
            return f"PostgreSQL: {str(error).strip().splitlines()[0]}"
