"""Rows and positions move together; a record counts once whoever gives it however often."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest

from infra.errors import TapeError
from infra.postgres.connection import Connection
from infra.postgres.projection import Projection, ProjectionFencedError
from infra.postgres.tracking import tracked
from schemas.identity import derived
from schemas.ledger import EntryKind
from schemas.order import ExecType, Fill, OrderEvent, OrdStatus
from tests.infra.postgres.stories import ACCOUNT, Log, entry, example, trade

ENTRIES = ("ledger-entries.v1", 0)


def _count(connection: Connection, table: str) -> int:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)


def _trades(number: int) -> Log:
    log = Log()
    for each in range(number):
        log.say(trade("momentum", "AAPL", "3", "10.5", each))
    return log


def test_rows_and_position_of_a_batch_are_written_together(projection: Projection, connection: Connection) -> None:
    log = _trades(3)
    assert projection.positions([ENTRIES]) == {ENTRIES: 0}

    projection.apply(log.read)

    assert tracked(connection, "projector") == {ENTRIES: 3}
    assert _count(connection, "ledger_entries") == 3
    assert _count(connection, "ledger_postings") == 12
    assert _count(connection, "log_index") == 3


@contextmanager
def _hidden(connection: Connection, table: str) -> Iterator[None]:
    """Take a table away for a while, so that writing to it fails."""
    connection.execute(f"ALTER TABLE {table} RENAME TO hidden")
    yield
    connection.execute(f"ALTER TABLE hidden RENAME TO {table}")


def test_a_batch_that_fails_leaves_neither_rows_nor_position(projection: Projection, connection: Connection) -> None:
    log = _trades(3)
    projection.positions([ENTRIES])

    with _hidden(connection, "ledger_postings"), pytest.raises(psycopg.errors.UndefinedTable):
        projection.apply(log.read)

    assert tracked(connection, "projector") == {ENTRIES: 0}
    assert _count(connection, "ledger_entries") == 0
    assert _count(connection, "log_index") == 0


def test_a_batch_delivered_again_changes_nothing(projection: Projection, connection: Connection) -> None:
    log = _trades(4)
    projection.positions([ENTRIES])
    projection.apply(log.read[:3])

    projection.apply(log.read[1:])
    projection.apply(log.read[:2])

    assert tracked(connection, "projector") == {ENTRIES: 4}
    assert _count(connection, "log_index") == 4
    assert connection.execute("SELECT quantity FROM positions").fetchall() == [(12,)]


def test_a_record_said_twice_in_the_log_is_booked_once(projection: Projection, connection: Connection) -> None:
    log = Log()
    log.say(trade("momentum", "AAPL", "3", "10.5"), event_id=derived("once"))
    log.say(trade("momentum", "AAPL", "3", "10.5"), event_id=derived("once"))
    projection.positions([ENTRIES])

    projection.apply(log.read)

    assert _count(connection, "log_index") == 2
    assert _count(connection, "ledger_entries") == 1
    assert connection.execute("SELECT quantity FROM positions").fetchall() == [(3,)]


def test_a_second_entry_under_a_taken_id_adds_not_even_the_postings_the_first_did_not_have(
    projection: Projection, connection: Connection
) -> None:
    log = Log()
    first = trade("momentum", "AAPL", "3", "10.5")
    longer = (*((each.owner, each.commodity, each.amount) for each in first.postings), ("extra", "USD", Decimal(1)))
    log.say(first)
    log.say(entry(EntryKind.FILL, longer, first.entry_id))
    projection.positions([ENTRIES])

    for each in log.read:
        projection.apply([each])

    assert _count(connection, "ledger_postings") == len(first.postings)


def test_offsets_that_no_record_takes_are_no_gap(projection: Projection, connection: Connection) -> None:
    log = _trades(1)
    log.skip_offset(ENTRIES[0])
    log.say(trade("momentum", "AAPL", "3", "10.5", 1))
    projection.positions([ENTRIES])

    for each in log.read:
        projection.apply([each])

    assert tracked(connection, "projector") == {ENTRIES: 3}
    assert _count(connection, "ledger_entries") == 2


def test_an_owner_that_was_replaced_is_fenced_and_told_both_offsets(
    projection: Projection, connection: Connection, database_url: str
) -> None:
    log = _trades(5)
    projection.positions([ENTRIES])
    projection.apply(log.read[:1])
    successor = Projection(database_url)
    successor.positions([ENTRIES])
    successor.apply(log.read[1:4])
    successor.close()

    with pytest.raises(ProjectionFencedError, match="expected next offset 1, found 4") as fenced:
        projection.apply(log.read[1:])

    assert (fenced.value.partition, fenced.value.expected, fenced.value.found) == (ENTRIES, 1, 4)
    assert tracked(connection, "projector") == {ENTRIES: 4}
    assert connection.execute("SELECT quantity FROM positions").fetchall() == [(12,)]


def test_a_partition_nobody_took_over_is_refused(projection: Projection) -> None:
    with pytest.raises(RuntimeError, match=r"ledger-entries\.v1/0/0: nobody took the partition over"):
        projection.apply(_trades(1).read)


def test_a_later_batch_instead_of_the_one_that_failed_is_refused(
    projection: Projection, connection: Connection
) -> None:
    log = _trades(4)
    projection.positions([ENTRIES])
    with _hidden(connection, "ledger_postings"), pytest.raises(psycopg.errors.UndefinedTable):
        projection.apply(log.read[:2])

    with pytest.raises(RuntimeError, match="expected the batch that failed, from offset 0"):
        projection.apply(log.read[2:])
    projection.apply(log.read[:2])
    projection.apply(log.read[2:])

    assert _count(connection, "ledger_entries") == 4


def test_a_second_projection_has_positions_of_its_own_and_takes_no_order_back_in_time(
    projection: Projection, connection: Connection, database_url: str
) -> None:
    log = Log()
    for status in (OrdStatus.NEW, OrdStatus.FILLED):
        log.say(example(OrderEvent, client_order_id="a", ord_status=status))
    projection.positions(log.ends)
    projection.apply(log.read)
    other = Projection(database_url, name="other")

    assert other.positions(log.ends) == dict.fromkeys(log.ends, 0)
    other.apply(log.read[:1])
    other.close()

    assert connection.execute("SELECT ord_status FROM orders").fetchall() == [("FILLED",)]
    assert tracked(connection, "projector") == log.ends


def test_bytes_that_cannot_be_read_become_a_dead_letter_and_the_position_moves_on(
    projection: Projection, connection: Connection
) -> None:
    log = Log()
    log.append(*ENTRIES, b"key", b"\x00\x00\x00\xff\xffrubbish", (("agent", b"ledger"), ("odd", b"\x00\xff")))
    log.append(*ENTRIES, None, None, ())
    log.say(trade("momentum", "AAPL", "3", "10.5"))
    projection.positions([ENTRIES])

    projection.apply(log.read)

    letters = 'SELECT origin_offset, agent, unreadable, raw_key, raw_value FROM dead_letters ORDER BY "offset"'
    assert connection.execute(letters).fetchall() == [
        (0, "projector", "UNKNOWN_SCHEMA", b"key", b"\x00\x00\x00\xff\xffrubbish"),
        (1, "projector", "NO_VALUE", None, None),
    ]
    assert tracked(connection, "projector") == {ENTRIES: 3}
    assert _count(connection, "ledger_entries") == 1


def test_a_record_postgresql_refuses_becomes_a_dead_letter_and_its_neighbours_are_written(
    projection: Projection, connection: Connection
) -> None:
    log = Log()
    too_long_for_an_index = "".join(str(derived(number)) for number in range(400))
    log.say(example(OrderEvent, client_order_id="first"))
    log.say(example(OrderEvent, client_order_id=too_long_for_an_index))
    log.say(example(OrderEvent, client_order_id="last"))
    projection.positions([("order-events.v1", 0)])

    projection.apply(log.read)

    orders = connection.execute("SELECT client_order_id FROM orders ORDER BY 1").fetchall()
    assert orders == [("first",), ("last",)]
    letters = connection.execute("SELECT origin_offset, unreadable, error, raw_value FROM dead_letters").fetchall()
    [(offset, unreadable, error, value)] = letters
    assert (offset, unreadable, value) == (1, "INVALID_VALUE", log.read[1][0].value)
    assert error.startswith("PostgreSQL refuses it: index row")
    assert _count(connection, "order_events") == 2
    assert tracked(connection, "projector") == {("order-events.v1", 0): 3}


@pytest.mark.parametrize("size", [1, 2, 10], ids=["one by one", "in pairs", "at once"])
def test_an_order_stands_where_its_last_event_left_it(
    projection: Projection, connection: Connection, size: int
) -> None:
    log = Log()
    for order in ("a", "b"):
        for kind, status in (
            (ExecType.SUBMITTING, OrdStatus.PENDING_NEW),
            (ExecType.ACCEPTED, OrdStatus.NEW),
            (ExecType.TRADE, OrdStatus.FILLED),
        ):
            log.say(example(OrderEvent, client_order_id=order, exec_type=kind, ord_status=status))
    log.say(example(OrderEvent, client_order_id="b", exec_type=ExecType.UNKNOWN, ord_status=OrdStatus.UNKNOWN))
    projection.positions([("order-events.v1", 0)])

    for start in range(0, len(log.read), size):
        projection.apply(log.read[start : start + size])

    found = connection.execute('SELECT client_order_id, ord_status, "offset" FROM orders ORDER BY 1').fetchall()
    assert found == [("a", "FILLED", 2), ("b", "UNKNOWN", 6)]


HOSTILE = {
    "quotes": """'; DROP TABLE fills; -- "',$1 %s {0}""",
    "backslashes": "\\u0000 \\\\ \\N \\.",
    "NUL": "a\0b",
    "escape": "a\u241bb",
    "escape and NUL": "\u241b\0\u2400",
    "line ends and beyond the BMP": "a\r\n\t\u2028\U0001f600\ufeff",
    "empty": "",
}


def _original(text: str) -> str:
    """Undo the escape of U+0000."""
    return text.replace("\u241b\u241b", "\ue000").replace("\u241b\u2400", "\0").replace("\ue000", "\u241b")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_kept_and_can_be_read_back(projection: Projection, connection: Connection, text: str) -> None:
    log = Log()
    log.say(example(Fill, text=text, account_id=ACCOUNT))
    projection.positions([("fills.v1", 0)])

    projection.apply(log.read)

    [(exec_id, symbol)] = connection.execute("SELECT exec_id, symbol FROM fills").fetchall()
    assert (_original(exec_id), _original(symbol)) == (text, text)


def test_texts_that_differ_only_where_postgresql_cannot_hold_them_stay_apart(
    projection: Projection, connection: Connection
) -> None:
    log = Log()
    ids = ["a\0", "a\u2400", "a\u241b", "a\u241b\u2400", "a\u241b\u241b", "a\0\0"]
    for each in ids:
        log.say(example(OrderEvent, client_order_id=each))
    projection.positions([("order-events.v1", 0)])

    projection.apply(log.read)

    assert _count(connection, "orders") == len(ids)


def test_a_projection_of_tables_that_are_not_migrated_says_which_command_to_run(empty_database_url: str) -> None:
    projection = Projection(empty_database_url)

    with pytest.raises(TapeError, match="migrations are not applied") as refused:
        projection.positions([ENTRIES])

    projection.close()
    assert "tape ledger migrate" in str(refused.value)
