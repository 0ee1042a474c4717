"""Questions to real topics: every record is a row, values are exact, and bounds only save time."""

import json
from decimal import Decimal
from typing import Any

import pytest

from infra.errors import TapeError
from infra.sql.engine import Shape
from infra.sql.session import Session, Wishes
from schemas.execution import Execution
from schemas.order import Fill
from schemas.plan import Plan
from schemas.signal import Signal
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import PARTITIONS, RUNS, Bus

Row = dict[str, Any]


def asked(bus: Bus, sql: str, **wishes: Any) -> list[Row]:
    chunks: list[bytes] = []
    with Session(Wishes(bus.servers, **wishes)) as session:
        session.run(sql, Shape("jsonl"), chunks.append)
    return [json.loads(line) for line in b"".join(chunks).splitlines()]


@pytest.fixture(scope="module")
def trades(bus: Bus) -> Bus:
    """Lend a bus with fills in every partition, holes between them, and records that cannot be read."""
    for number in range(60):
        fill = example(Fill, text=f"A{number % 7}", last_qty=Decimal(number + 1), last_px=Decimal("10.000001"))
        bus.say(fill, run=RUNS[number % 5], partition=number % PARTITIONS)
        if number % 20 == 19:
            bus.flush()
            bus.aborted(Fill.topic, number % PARTITIONS, 4)
    bus.raw(Fill.topic, 1, b"poison", b"no frame at all", (("event_type", b"Fill"),))
    bus.raw(Fill.topic, 1, b"unknown", b"\x00\x00\x0f\x42\x40body")
    bus.raw(Fill.topic, 2, b"gone", None)
    bus.flush()
    return bus


def test_records_are_rows_with_exact_values(trades: Bus) -> None:
    [row] = asked(trades, "select sum(last_qty) qty, sum(last_qty * last_px) value, count(*) n from fills")
    assert row == {"qty": "1830.000000000", "value": "18300.001830000000000", "n": 63}


def test_a_topic_goes_by_its_short_and_by_its_full_name(trades: Bus) -> None:
    found = asked(trades, 'select (select count(*) from fills) a, (select count(*) from "fills.v1") b')
    assert found == [{"a": 63, "b": 63}]
    assert asked(trades, 'select count(*) n from order_intents union all select count(*) from "order-intents"') == [
        {"n": 0},
        {"n": 0},
    ]


def test_nested_records_stay_typed(trades: Bus) -> None:
    [row] = asked(
        trades,
        'select typeof("order") kind, "order".contributions[1].quantity q from fills where last_qty = 1',
    )
    assert row["q"] == "0.500000001"
    assert "STRUCT" in row["kind"]


def test_pseudo_columns_are_there_when_they_are_named_and_not_otherwise(trades: Bus) -> None:
    [plain] = asked(trades, "select * from fills where last_qty = 1")
    [named] = asked(trades, "select *, _headers['event_type'] as said from fills where last_qty = 1 and _offset >= 0")
    [meta] = asked(trades, "select * from fills where last_qty = 1", has_meta=True)
    assert not [name for name in plain if name.startswith("_")]
    assert [name for name in named if name.startswith("_")] == ["_offset", "_headers"]
    assert named["said"] == "Fill"
    assert (meta["_topic"], meta["_partition"], meta["_tombstone"]) == ("fills.v1", 0, False)
    assert meta["_key"] == plain["fill_id"]


def test_a_record_that_cannot_be_read_is_a_row_that_says_why(trades: Bus) -> None:
    rows = asked(trades, "select _key, _error, fill_id, _tombstone from fills where fill_id is null order by _key")
    assert [(row["_key"], row["_tombstone"], row["fill_id"]) for row in rows] == [
        ("gone", True, None),
        ("poison", False, None),
        ("unknown", False, None),
    ]
    assert [str(row["_error"]).partition(":")[0] for row in rows] == ["None", "BAD_FRAME", "UNKNOWN_SCHEMA"]


def test_what_was_aborted_is_no_row(trades: Bus) -> None:
    assert asked(trades, "select count(*) n from fills where _value = 'never'::blob") == [{"n": 0}]


def test_bounds_become_offsets(trades: Bus) -> None:
    with Session(Wishes(trades.servers)) as session:
        [part] = session.plan("select * from fills where _partition = 1 and _offset between 3 and 6").parts
        assert part.region.ranges == {1: ((3, 7),)}
        assert str(part).startswith("fills: 1 of 3 partitions, 4 of 78 offsets: 1: 3..6")


def test_only_what_is_asked_for_is_read(trades: Bus) -> None:
    sql = "select _partition, _offset from fills where _partition = 1 and _offset in (2, 5) order by all"
    assert asked(trades, sql, records_max=2) == [{"_partition": 1, "_offset": 2}, {"_partition": 1, "_offset": 5}]
    with pytest.raises(TapeError, match="2 records to be read, more than the 1"):
        asked(trades, sql, records_max=1)


def test_a_limit_on_what_is_read_is_lifted_by_name(trades: Bus) -> None:
    with pytest.raises(TapeError, match="--all"):
        asked(trades, "select count(*) n from fills", records_max=10)
    assert asked(trades, "select count(*) n from fills", records_max=None) == [{"n": 63}]


def test_a_table_that_is_none_is_answered_with_what_comes_near(bus: Bus) -> None:
    with pytest.raises(TapeError, match="did you mean signals"):
        asked(bus, "select * from signalz")


def test_words_of_duckdb_reach_the_person(bus: Bus) -> None:
    with pytest.raises(TapeError, match="qty"):
        asked(bus, "select qty from fills")


def test_the_latest_record_of_each_key_without_those_that_were_deleted(bus: Bus) -> None:
    for number in range(6):
        bus.say(example(Plan, text=f"plan {number}"), key=b"k%d" % (number % 3), partition=0)
    bus.raw(Plan.topic, 0, b"k0", None)
    bus.flush()
    rows = asked(bus, "select _key, _offset from plans_latest order by 1")
    assert [row["_key"] for row in rows] == ["k1", "k2"]
    [low] = [row["_offset"] for row in rows if row["_key"] == "k2"]
    assert asked(bus, f"select _key from plans_latest where _offset >= {low}") == [{"_key": "k2"}]
    assert asked(bus, f"select count(*) n from plans_latest where _offset < {low - 2}") == [{"n": 0}]


def test_the_latest_of_what_is_kept_is_by_key_and_account(bus: Bus) -> None:
    said = [("A1", "core", "old"), ("A2", "core", "theirs"), ("A1", "dip", "only"), ("A1", "core", "new")]
    for account, strategy, detail in said:
        step = example(Execution).model_copy(update={"account_id": account, "detail": detail})
        bus.say(step, partition=0, key=strategy.encode())
    bus.flush()
    latest = asked(bus, "select account_id a, _key k, detail d from executions_latest where detail <> '' order by all")
    assert [tuple(row.values()) for row in latest] == [
        ("A1", "core", "new"),
        ("A1", "dip", "only"),
        ("A2", "core", "theirs"),
    ]


def test_the_latest_of_each_account_is_one_short_question(bus: Bus) -> None:
    for account, detail in (("P1", "first"), ("P2", "other"), ("P1", "last")):
        bus.say(
            example(Plan).model_copy(update={"account_id": account, "detail": detail}), partition=1, key=detail.encode()
        )
    bus.raw(Plan.topic, 1, b"poison", b"no frame")
    bus.flush()
    rows = asked(bus, "select account_id, detail from plans_latest_by_account where _partition = 1 order by 1")
    assert [tuple(row.values()) for row in rows] == [("P1", "last"), ("P2", "other")]


def test_a_question_of_several_topics_and_statements(trades: Bus) -> None:
    trades.say(example(Signal), run=RUNS[1])
    trades.flush()
    sql = """
        select count(*) n from signals; -- one
        with mine as (select correlation_id from signals)
        select count(*) n from fills join mine using (correlation_id)
    """
    assert asked(trades, sql) == [{"n": 1}, {"n": 12}]
