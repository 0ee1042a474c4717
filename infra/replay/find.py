"""From any name of a thing to all records of its correlation id: by the projector's index, else by reading the log.

The index is `log_index` in PostgreSQL. What it has not come to yet is read from the log, so an index that is behind
costs time and hides nothing. Without PostgreSQL every committed record is looked at twice, up to the ends of the
partitions at the start: once for the run that the name belongs to, once for its records.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier

from infra.errors import TapeError
from infra.kafka.log import high_watermarks, partitions_of, read, read_places
from infra.postgres.connection import Connection, connect
from infra.postgres.rows.log import PROJECTOR
from infra.postgres.tracking import tracked
from infra.replay.history import decision_path
from topics.registry import BY_NAME
from topics.wire import Incoming, Partition, Place, header_or_none

#: Columns that name one thing, in the order they are tried; all but the first lead through the event's own row.
NAMES_UUID = (
    ("log_index", "correlation_id"),
    ("log_index", "event_id"),
    ("plans", "plan_id"),
    ("fills", "fill_id"),
    ("ledger_entries", "entry_id"),
)
NAMES_TEXT = (
    ("order_intents", "client_order_id"),
    ("fills", "exec_id"),
    ("fills", "broker_order_id"),
    ("order_events", "client_order_id"),
    ("account_activities", "activity_id"),
)
_CORRELATION = SQL(
    "SELECT i.correlation_id FROM {table} AS named JOIN log_index AS i USING (event_id)"
    " WHERE named.{column} = %s ORDER BY i.occurred_at LIMIT 1"
)
_BEGUN = "SELECT DISTINCT correlation_id FROM log_index WHERE correlation_id BETWEEN %s AND %s"
#: What PostgreSQL has refused, or nobody could read, is not in the index: those places belong to every answer.
_PLACES = """
SELECT topic, partition, "offset" FROM log_index WHERE correlation_id = %(id)s
UNION
SELECT origin_topic, origin_partition, origin_offset FROM dead_letters WHERE agent = %(projector)s
"""

#: Fewer digits name nothing.
DIGITS_MIN = 4
_LEAST, _MOST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"

#: Fields of a record key that name one thing; a strategy or a symbol names many.
_IDENTITIES = frozenset({"run_id", "plan_id", "client_order_id", "fill_id", "entry_id", "activity_id", "signal_id"})
WITH_BROKER_IDS = frozenset({"fills.v1"})


@dataclass(frozen=True)
class Found:
    """The records of one correlation id, how many records were read for it, and why without the index if so."""

    correlation_id: str
    records: tuple[Incoming, ...]
    read: int
    without_index: str = ""


def find(bootstrap_servers: str, database_url: str, name: str) -> Found | None:
    """Return the records of the run that `name` belongs to, or None when the log knows nothing of it.

    `name` is a correlation id or its first digits, an event id, plan id, fill id, client order id, or the broker's
    execution or order id. Raises TapeError where several correlation ids begin with the digits.
    """
    why = "no PostgreSQL is known"
    if database_url:
        try:
            with connect(database_url) as connection:
                return _found(bootstrap_servers, name, Index(connection))
        except psycopg.Error as error:
            why = f"PostgreSQL has no index: {str(error).strip().splitlines()[0]}"
    return _found(bootstrap_servers, name, None, why)


def _found(bootstrap_servers: str, name: str, index: "Index | None", why: str = "") -> Found | None:
    wanted = str(UUID(name)) if _is_uuid(name) else name
    counted = _Counted()
    partitions = partitions_of(bootstrap_servers, decision_path())
    start = {each: 0 if index is None else index.covered.get(each, 0) for each in partitions}
    ends = high_watermarks(bootstrap_servers, partitions)
    start = {each: offset for each, offset in start.items() if offset < ends[each]}

    def unindexed() -> Iterator[Incoming]:
        return counted.over(read(bootstrap_servers, start, {each: ends[each] for each in start}))

    known = None if index is None else index.correlation_id(wanted)
    correlation_id = known or _identified(unindexed(), wanted) or _begun(unindexed(), wanted, index)
    if correlation_id is None:
        return None
    places = frozenset[Place]() if index is None else index.places(correlation_id)
    found = (*counted.over(read_places(bootstrap_servers, places)), *unindexed())
    ours = {each.place: each for each in found if header_or_none(each.headers, "correlation_id") == correlation_id}
    return Found(correlation_id, tuple(ours.values()), counted.count, why)


class Index:
    """The projector's index over one connection; `covered` is how far it has come."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # the position first: rows are committed with it, so what it covers is there when the rows are read
        self.covered: Mapping[Partition, int] = tracked(connection, PROJECTOR)

    def correlation_id(self, name: str) -> str | None:
        """Return the correlation id of what is called so, or None."""
        for table, column in (*NAMES_UUID, *NAMES_TEXT) if _is_uuid(name) else NAMES_TEXT:
            query = _CORRELATION.format(table=Identifier(table), column=Identifier(column))
            row = self._connection.execute(query, [name]).fetchone()
            if row is not None:
                return str(row[0])
        return None

    def begun(self, least: str, most: str) -> set[str]:
        """Return the correlation ids between two, these included."""
        return {str(found) for (found,) in self._connection.execute(_BEGUN, [least, most])}

    def places(self, correlation_id: str) -> frozenset[Place]:
        """Return where records of a correlation id lie, and may lie."""
        rows = self._connection.execute(_PLACES, {"id": correlation_id, "projector": PROJECTOR})
        return frozenset(Place(str(topic), int(number), int(offset)) for topic, number, offset in rows)


def _identified(records: Iterable[Incoming], name: str) -> str | None:
    """Return the correlation id of the record that fits the name best, the earliest of these."""
    best: tuple[int, int, str] | None = None
    for record in records:
        rank, correlation_id = _rank(record, name), header_or_none(record.headers, "correlation_id")
        if rank is not None and correlation_id is not None:
            found = (rank, record.timestamp_ms, correlation_id)
            best = found if best is None else min(best, found)
    return None if best is None else best[2]


def _begun(records: Iterable[Incoming], name: str, index: Index | None) -> str | None:
    """Return the one correlation id that begins with these digits; raises TapeError where there are several."""
    digits = name.lower()
    least, most = digits + _LEAST[len(digits) :], digits + _MOST[len(digits) :]
    if len(digits) < DIGITS_MIN or not (_is_uuid(least) and str(UUID(least)) == least):
        return None
    found = set() if index is None else index.begun(least, most)
    for record in records:
        correlation_id = header_or_none(record.headers, "correlation_id")
        if correlation_id is not None and correlation_id.startswith(digits):
            found.add(correlation_id)
    if len(found) > 1:
        raise TapeError(f"{name} begins the ids of {len(found)} runs: {', '.join(sorted(found))}")
    return next(iter(found), None)


def _rank(record: Incoming, name: str) -> int | None:
    """Say how well a record fits a name: 0 it is the run, 1 the event, 2 its key, 3 what the broker calls it."""
    if header_or_none(record.headers, "correlation_id") == name:
        return 0
    if header_or_none(record.headers, "event_id") == name:
        return 1
    text = name.encode()
    key = BY_NAME[record.topic].key
    if len(key) == 1 and key[0] in _IDENTITIES and record.key == text:
        return 2
    return 3 if record.topic in WITH_BROKER_IDS and text in (record.value or b"") else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class _Counted:
    """Counts what passes."""

    def __init__(self) -> None:
        self.count = 0

    def over(self, records: Iterable[Incoming]) -> Iterator[Incoming]:
        for record in records:
            self.count += 1
            yield record
