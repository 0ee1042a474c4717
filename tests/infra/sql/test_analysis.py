"""What a WHERE says about places: never less than the rows it is true for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings

from infra.errors import TapeError
from infra.sql.analysis import analysed, is_simple
from infra.sql.bounds import (
    ANYWHERE,
    AllOf,
    AnyOf,
    Bound,
    Correlated,
    InOffsets,
    InPartitions,
    InTime,
)
from tests.infra.sql.bus import RUNS
from tests.infra.sql.questions import MORNING, conditions

Place = tuple[int, int, int, UUID]


@pytest.fixture(scope="module")
def log() -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a table of places as a topic has them."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE bars (_partition BIGINT, _offset BIGINT, _timestamp TIMESTAMPTZ, correlation_id UUID,"
            " event_id UUID, _error VARCHAR)"
        )
        for number in range(90):
            at = MORNING + timedelta(minutes=number * 37 % 240, milliseconds=(0, 1, 999)[number % 3])
            row = [number % 3, number // 3, at, RUNS[number % 5]]
            connection.execute("INSERT INTO bars VALUES (?, ?, ?, ?, uuid(), NULL)", row)
        yield connection


def evaluated(log: duckdb.DuckDBPyConnection, expression: str) -> int | None:
    try:
        value = log.execute(f"SELECT {expression}").fetchone()
    except duckdb.Error:
        return None
    return None if value is None else value[0]


def no_run(digits: str) -> UUID:
    raise AssertionError(digits)


def bound(log: duckdb.DuckDBPyConnection, sql: str) -> Bound:
    [reading] = analysed(sql, lambda expression: evaluated(log, expression), no_run).readings
    return reading.bound


def holds(found: Bound, place: Place) -> bool:
    partition, offset, at, run = place
    match found:
        case InPartitions(numbers=numbers):
            return partition in numbers
        case InOffsets(low=low, high=high):
            return between(low, offset, high)
        case InTime(low_ms=low, high_ms=high):
            return between(low, at, high)
        case Correlated(ids=ids):
            return run in ids
        case AllOf() | AnyOf():
            several = all if isinstance(found, AllOf) else any
            return several(holds(part, place) for part in found.parts)
        case _:
            return True


def between(low: int | None, value: int, high: int | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


@settings(max_examples=400, deadline=None)
@given(condition=conditions())
def test_every_row_for_which_a_where_is_true_lies_within_its_bound(
    log: duckdb.DuckDBPyConnection, condition: str
) -> None:
    places = "SELECT _partition, _offset, epoch_ms(_timestamp), correlation_id FROM bars"
    rows: list[Any] = log.execute(f"{places} WHERE {condition}").fetchall()
    found = bound(log, f"SELECT * FROM bars WHERE {condition}")
    assert [row for row in rows if not holds(found, row)] == []


RUN = str(RUNS[0])


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("_offset > 5", InOffsets(low=6)),
        ("5 >= _offset", InOffsets(high=5)),
        ("_offset < 2 + 3", InOffsets(high=4)),
        ("_OFFSET = (7)", InOffsets(7, 7)),
        ("_offset BETWEEN 3 AND 5", AllOf((InOffsets(low=3), InOffsets(high=5)))),
        ("_partition IN (1, 2)", AnyOf((InPartitions(frozenset({1})), InPartitions(frozenset({2}))))),
        ("_timestamp >= '2013-02-01 09:30:00.0015'", InTime(low_ms=1_359_711_000_001)),
        ("_timestamp <= TIMESTAMP '2013-02-01 09:30:00.0015'", InTime(high_ms=1_359_711_000_002)),
        (f"correlation_id = '{RUN.upper()}'", Correlated(frozenset({RUNS[0]}))),
        ("symbol = 'A' AND _offset > 5 AND volume > 0", InOffsets(low=6)),
    ],
)
def test_what_bounds(log: duckdb.DuckDBPyConnection, where: str, found: Bound) -> None:
    assert bound(log, f"SELECT * FROM bars WHERE {where}") == found
    assert bound(log, f"EXPLAIN SELECT count(*) FROM bars b WHERE ({where}) GROUP BY ALL") == found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM bars WHERE NOT _offset > 5",
        "SELECT * FROM bars WHERE _offset > 5 OR symbol = 'A'",
        "SELECT * FROM bars WHERE _offset > 5.5",
        "SELECT * FROM bars WHERE _offset > random() * 10",
        "SELECT * FROM bars WHERE _offset > (SELECT 5)",
        "SELECT * FROM bars WHERE _offset BETWEEN SYMMETRIC 5 AND 3",
        "SELECT * FROM bars WHERE _timestamp > TIMESTAMPTZ '2030-01-01' - (now() - TIMESTAMPTZ '2020-01-01')",
        "SELECT * FROM bars WHERE correlation_id = 'no uuid'",
        "SELECT * FROM bars TABLESAMPLE reservoir(5 ROWS) WHERE _offset > 5",
        "SELECT * FROM bars WHERE _offset > 5 USING SAMPLE 5 ROWS",
        "SELECT * FROM bars POSITIONAL JOIN range(9) WHERE _offset > 5",
        "SELECT * FROM (SELECT * FROM bars) WHERE _offset > 5",
        "SELECT 1 - _offset AS _offset FROM bars WHERE _offset > 5",
        "SELECT * FROM bars a, bars b WHERE _offset > 5",
        "SELECT * FROM bars UNION ALL (SELECT * FROM bars WHERE _offset > 5)",
        "SELECT * FROM query_table('bars') WHERE _offset > 5",
        "SUMMARIZE bars",
        "FROM bars WHERE _offset > 5 NOT SQL AT ALL",
    ],
)
def test_what_is_not_understood_bounds_nothing(log: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert bound(log, sql) == ANYWHERE


@pytest.mark.parametrize(
    ("sql", "is_so"),
    [
        ("SELECT last_qty * 2 AS q FROM fills WHERE last_px > 1", True),
        ("FROM fills", True),
        ("SELECT count(*) FROM fills", False),
        ("SELECT * FROM fills ORDER BY 1", False),
        ("SELECT * FROM fills LIMIT 1", False),
        ("SELECT DISTINCT last_px FROM fills", False),
        ("SELECT *, row_number() OVER () FROM fills", False),
        ("SELECT * FROM fills, signals", False),
        ("SELECT * FROM fills WHERE last_px > (SELECT 1)", False),
        ("SELECT * FROM plans_latest", False),
        ("WITH a AS (FROM fills) FROM a", False),
        ("SELECT 1", False),
        ("SELECT * FROM fills; SELECT * FROM fills", False),
    ],
)
def test_only_a_filter_and_projection_of_one_topic_can_follow_it(sql: str, is_so: bool) -> None:
    assert is_simple(sql) is is_so


def test_names_that_are_no_tables_are_answered_with_the_way_to_write_them() -> None:
    with pytest.raises(TapeError, match=r'"bars\.v1"'):
        analysed("SELECT * FROM bars.v1", lambda _: None, no_run)
    with pytest.raises(TapeError, match="did you mean"):
        analysed("SELECT * FROM barz", lambda _: None, no_run)
    assert analysed("WITH barz AS (SELECT 1) SELECT * FROM barz", lambda _: None, no_run).readings == ()


def test_relations_of_the_ledger_are_no_topics() -> None:
    found = analysed(
        'SELECT * FROM ledger.fills JOIN Ledger."plans" USING (a) JOIN bars USING (b)', lambda _: None, no_run
    )
    assert [reading.table.name for reading in found.readings] == ["bars"]
    assert found.ledger == {"fills", "plans"}
