"""Every record type of the registry has its rows, and PostgreSQL gives back what went in."""

from dataclasses import replace
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from psycopg import sql

from infra.postgres.connection import Connection
from infra.postgres.projection import Projection
from infra.postgres.rows.registry import PROJECTIONS, rows_of
from infra.postgres.table import Row, Said
from infra.postgres.text import storable_text
from schemas.ledger import Posting
from schemas.record import Value
from tests.infra.postgres.stories import Log, example
from topics.registry import Topic, read_by

TOPICS = read_by("projector")
TEXT = "BRK.B\0'\u241b"

_UNDOCUMENTED = """
SELECT relname || coalesce('.' || attname, '') FROM pg_class
LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE relnamespace = to_regnamespace(current_schema()) AND relkind IN ('r', 'v')
AND (col_description(pg_class.oid, attnum) IS NULL OR obj_description(pg_class.oid, 'pg_class') IS NULL)
"""


def test_every_record_type_the_projector_reads_has_a_projection_and_no_other_has() -> None:
    assert set(PROJECTIONS) == {topic.record for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_what_a_record_says_comes_back_from_its_rows(
    projection: Projection, connection: Connection, topic: Topic
) -> None:
    log = Log()
    incoming, event = log.say(example(topic.record, text=TEXT))
    assert event is not None
    projection.positions([(topic.name, incoming.partition)])

    projection.apply(log.read)

    rows = rows_of(Said(incoming, event.envelope, event.record))
    assert rows[0].table.name == "log_index"
    for row in rows:
        assert _found(connection, row) == [_kept(row.values[column]) for column in row.table.columns]


def _found(connection: Connection, row: Row) -> list[Any]:
    columns = sql.SQL(", ").join(map(sql.Identifier, row.table.columns))
    query = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(row.table.name))
    [values] = connection.execute(query).fetchall()
    return list(values)


def _kept(value: object) -> object:
    match value:
        case str():
            return storable_text(value.value if isinstance(value, Enum) else value)
        case tuple():
            return [_kept(each) for each in value]
        case Value():
            return {name: _kept(each) for name, each in dict(value).items()}
        case _:
            return value


def test_examples_would_show_a_column_that_rounds() -> None:
    assert example(Posting).amount == Decimal("0.500000000000001")


def test_every_table_view_and_column_says_what_it_is(connection: Connection) -> None:
    assert connection.execute(_UNDOCUMENTED).fetchall() == []


def test_headers_that_anybody_may_write_do_not_break_the_index(projection: Projection, connection: Connection) -> None:
    log = Log()
    incoming, event = log.say(example(TOPICS[1].record))
    hostile = {"seq": b"9" * 30, "ordinal": b"-1", "agent": b"\xff\x00"}
    headers = tuple((name, hostile.get(name, value)) for name, value in incoming.headers)
    projection.positions([(incoming.topic, 0)])

    projection.apply([(replace(incoming, headers=headers, timestamp_ms=-1), event)])

    [found] = connection.execute("SELECT seq, ordinal, agent, recorded_at IS NULL FROM log_index").fetchall()
    assert found == (None, None, "\ufffd\u241b\u2400", True)
