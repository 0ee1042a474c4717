"""The projection is what the log says; where it is not, the rebuild shows the table and the rows."""

import json
from collections.abc import Iterable

import pytest

from infra.errors import TapeError
from infra.postgres.connection import Connection
from infra.postgres.hashes import ledger_hash, table_hashes
from infra.postgres.projection import Projection
from infra.postgres.rebuild import SCHEMA, rebuild_and_compare
from schemas.identity import derived
from tests.infra.postgres.stories import ACCOUNT, Log, deposit, example, trade
from topics.registry import read_by
from topics.wire import Incoming


@pytest.fixture
def log(projection: Projection) -> Log:
    """Return a log with every record type and some that cannot be read, already projected."""
    log = Log()
    log.say(deposit("100000"))
    for topic in read_by("projector"):
        log.say(example(topic.record, text=ACCOUNT))
    for number in range(5):
        log.say(trade("momentum", "AAPL", "2", "10", number))
    log.append("fills.v1", 0, None, b"rubbish", ())
    projection.positions(log.ends)
    projection.apply(log.read)
    return log


def _schemas(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchall()
    return [name for (name,) in rows]


def test_a_rebuild_from_the_log_is_identical(log: Log, database_url: str, connection: Connection) -> None:
    found = rebuild_and_compare(database_url, log.incoming)

    assert found.is_identical
    assert (found.records, found.beyond) == (len(log.read), 0)
    assert all(table.live.rows > 0 for table in found.tables), "every table takes part"
    assert _schemas(connection) == []


def test_the_order_in_which_partitions_are_read_does_not_matter(log: Log, database_url: str) -> None:
    by_partition = sorted(log.incoming(), key=lambda each: (each.topic, each.partition, each.offset))

    assert rebuild_and_compare(database_url, lambda: by_partition).is_identical


def test_a_live_row_that_was_altered_is_shown_with_what_the_log_says(
    log: Log, database_url: str, connection: Connection
) -> None:
    entry_id = derived("entry", ACCOUNT, 3)
    changed = "UPDATE ledger_postings SET amount = 2000000.000000000000001 WHERE entry_id = %s AND commodity = 'AAPL'"
    connection.execute(f"{changed} AND owner = 'momentum'", [entry_id])

    found = rebuild_and_compare(database_url, log.incoming)

    assert not found.is_identical
    [table] = [table for table in found.tables if not table.is_identical]
    assert table.table == "ledger_postings"
    [live], [rebuilt] = table.only_live, table.only_rebuilt
    assert '"amount":2000000.000000000000001' in live
    assert '"amount":2.000000000000000' in rebuilt
    assert json.loads(live)["entry_id"] == json.loads(rebuilt)["entry_id"] == str(entry_id)


@pytest.mark.parametrize("table", ["log_index", "dead_letters", "orders", "quotes"])
def test_a_live_row_that_is_missing_is_shown(log: Log, database_url: str, connection: Connection, table: str) -> None:
    deleted = connection.execute(f"DELETE FROM {table}").rowcount

    found = rebuild_and_compare(database_url, log.incoming)

    [different] = [each for each in found.tables if not each.is_identical]
    assert (different.table, different.live.rows, different.rebuilt.rows) == (table, 0, deleted)
    assert len(different.only_rebuilt) == min(deleted, 3)


def test_a_record_missing_in_the_log_is_shown(log: Log, database_url: str) -> None:
    without_one = [each for each in log.incoming() if (each.topic, each.offset) != ("ledger-entries.v1", 3)]

    found = rebuild_and_compare(database_url, lambda: without_one)

    different = {table.table for table in found.tables if not table.is_identical}
    assert different == {"ledger_entries", "ledger_postings", "log_index"}


def test_a_rebuild_compares_up_to_where_the_live_projection_stands(
    log: Log, projection: Projection, database_url: str
) -> None:
    ahead = [log.say(trade("momentum", "AAPL", "2", "10", number)) for number in (7, 8)]
    assert rebuild_and_compare(database_url, log.incoming).beyond == 2

    def goes_on_meanwhile() -> Iterable[Incoming]:
        projection.apply(ahead)
        return log.incoming()

    found = rebuild_and_compare(database_url, goes_on_meanwhile)

    assert (found.is_identical, found.beyond) == (True, 2)


def test_live_tables_are_not_touched(log: Log, database_url: str, connection: Connection) -> None:
    before = table_hashes(connection, with_places=True)
    written = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'public'"
    count = connection.execute(written).fetchone()

    rebuild_and_compare(database_url, log.incoming)

    assert table_hashes(connection, with_places=True) == before
    connection.execute("SELECT pg_stat_clear_snapshot()")
    assert connection.execute(written).fetchone() == count


def test_what_a_killed_rebuild_left_behind_is_no_hindrance(log: Log, database_url: str, connection: Connection) -> None:
    connection.execute(f"CREATE SCHEMA {SCHEMA} CREATE TABLE fills (n integer)")

    assert rebuild_and_compare(database_url, log.incoming).is_identical
    assert _schemas(connection) == []


def test_two_rebuilds_at_once_are_refused(log: Log, database_url: str) -> None:
    def another() -> Iterable[Incoming]:
        with pytest.raises(TapeError, match="another rebuild is running"):
            rebuild_and_compare(database_url, log.incoming)
        return log.incoming()

    assert rebuild_and_compare(database_url, another).is_identical


def test_a_reader_that_fails_leaves_no_schema_behind(log: Log, database_url: str, connection: Connection) -> None:
    def fails() -> Iterable[Incoming]:
        yield from log.incoming()[:3]
        raise TapeError("the log does not answer")

    with pytest.raises(TapeError, match="the log does not answer"):
        rebuild_and_compare(database_url, fails)

    assert _schemas(connection) == []


def test_the_ledger_hash_depends_on_what_is_booked_and_not_on_where_it_lies(
    database_url: str, connection: Connection
) -> None:
    told = [trade("momentum", "AAPL", "2", "10", 1), trade("rsi", "MSFT", "1", "30", 2), deposit("5")]
    hashes = []
    for number, records in enumerate((told, told[::-1], told[:2])):
        log = Log()
        for each in range(number):
            log.skip_offset("ledger-entries.v1", each)
        for record in records:
            log.say(record, event_id=derived(number, len(log.read)))
        connection.execute("TRUNCATE ledger_entries, ledger_postings, tracking, log_index")
        projection = Projection(database_url)
        projection.positions(log.ends)
        projection.apply(log.read)
        projection.close()
        hashes.append((ledger_hash(connection), table_hashes(connection)["ledger_entries"]))

    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[2][0]
    assert hashes[0][1] != hashes[2][1]
