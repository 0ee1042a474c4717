"""Records as rows: whatever a schema can say comes out of DuckDB as it went in."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.errors import TapeError
from infra.sql import rows as rows_module
from infra.sql.catalog import PSEUDO_COLUMNS, Table, find, is_latest, named, tables
from infra.sql.engine import Engine, Shape
from infra.sql.render import plain
from infra.sql.rows import Rows
from infra.sql.statements import definition, emptying, insertion
from infra.sql.types import column_types
from schemas.order import Fill
from schemas.record import Record
from tests.infra.postgres.stories import Log, example
from tests.topics.conftest import model_values
from topics import codec
from topics.registry import BY_NAME, Topic
from topics.schema_lock import Registered, registered
from topics.wire import sealed

REGISTERED = [topic for topic in BY_NAME.values() if find(topic.name) is not None]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.started() as engine:
        for table in tables():
            engine.define(definition(table, set(PSEUDO_COLUMNS)))
        yield engine


def stored(engine: Engine, table: Table, *lines: str) -> list[dict[str, Any]]:
    """Return what DuckDB has of some rows."""
    engine.define([emptying(table)])
    assert engine.load(insertion(table, set(PSEUDO_COLUMNS)), lines) == 0
    chunks: list[bytes] = []
    engine.query(f'select * from "{table.topic}"', Shape("jsonl"), chunks.append)
    return [json.loads(line) for line in b"".join(chunks).splitlines()]


def normal(value: Any) -> Any:
    """Return a value with numbers by value and bytes in hexadecimal, at any depth."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {name: normal(each) for name, each in value.items()}
    return [normal(each) for each in value] if isinstance(value, tuple) else plain(value)


@pytest.mark.parametrize("topic", REGISTERED, ids=lambda topic: topic.name)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_record_comes_out_as_it_went_in(engine: Engine, topic: Topic, data: st.DataObject) -> None:
    record: Record = data.draw(model_values(topic.record))
    try:
        incoming, event = Log().say(record)
    except UnicodeEncodeError:
        return  # half of a surrogate pair is no text in any format
    assert event is not None
    for is_for_people in (False, True):
        rows = Rows(named(topic.name), set(PSEUDO_COLUMNS), is_for_people=is_for_people)
        [found] = stored(engine, rows.table, rows.row(incoming))
        expected = {**event.envelope.model_dump(), **event.record.model_dump()}
        assert {name: found[name] for name in expected} == normal(expected)
        assert found["_key"] == (incoming.key or b"").decode(errors="replace")


def test_poison_is_a_row_with_its_error_its_headers_and_its_bytes(engine: Engine) -> None:
    log, rows = Log(), Rows(named("fills"), set(PSEUDO_COLUMNS))
    altered = replace(log.say(example(Fill))[0], key=b"another")
    poison = log.append(Fill.topic, 0, b"\xff", b"\x00\x01", (("a", b"1"), ("a", b"2")))[0]
    first, second = stored(engine, rows.table, rows.row(altered), rows.row(poison))
    assert first["_error"].startswith("BAD_HASH: ")
    assert (first["_schema_id"], first["_schema_version"]) == (codec.current_id(Fill.topic), 1)
    assert (second["_error"], second["_key"], second["_value"]) == (
        "BAD_FRAME: expected 00 and a schema id, was 0001",
        "\N{REPLACEMENT CHARACTER}",
        "0001",
    )
    assert second["_headers"] == {"a": "1"}
    assert {second[name] for name in rows.table.columns} == {None}
    assert (rows.tally.records, rows.tally.unreadable, rows.tally.old) == (2, 2, 0)


def test_a_record_of_an_old_schema_is_a_row_and_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = next(each for each in registered() if each.topic == Fill.topic)
    schema = json.loads(newest.text)
    schema["fields"].append({"name": "venue_note", "type": "string"})
    old = Registered(Fill.topic, 0, 9_001, "", json.dumps(schema))
    monkeypatch.setattr(codec, "registered", lambda: (*registered(), old))
    monkeypatch.setattr(rows_module, "registered", lambda: (*registered(), old))
    caches = (codec._writers, codec._current, rows_module._versions)
    try:
        for each in caches:
            each.cache_clear()
        log, rows = Log(), Rows(named("fills"), set(PSEUDO_COLUMNS))
        incoming, _ = log.say(example(Fill, last_qty=Decimal(7)))
        value = struct.pack(">bI", 0, old.id) + (incoming.value or b"")[5:] + b"\x08dark"
        again = sealed(Fill.topic, 0, incoming.key or b"", value, incoming.headers[:-1])
        changed = replace(incoming, value=again.value, headers=again.headers)
        [row] = stored(engine, rows.table, rows.row(changed))
    finally:
        monkeypatch.undo()
        for each in caches:
            each.cache_clear()
    assert (row["_schema_id"], row["_schema_version"], row["_error"]) == (9_001, 0, None)
    assert row["last_qty"] == "7.000000000"
    assert rows.tally.old == 1


def test_a_value_that_duckdb_refuses_is_a_row_that_says_so(engine: Engine) -> None:
    rows = Rows(named("fills"), set(PSEUDO_COLUMNS))
    good, bad = (rows.row(Log().say(example(Fill))[0]) for _ in range(2))
    engine.define([emptying(rows.table)])
    bad = bad.replace('"last_qty":"', '"last_qty":"no number ')
    assert engine.load(insertion(rows.table, set(PSEUDO_COLUMNS)), [good, bad, good]) == 1
    chunks: list[bytes] = []
    engine.query("select last_qty, _error from fills", Shape("jsonl"), chunks.append)
    found = [json.loads(line) for line in b"".join(chunks).splitlines()]
    assert [row["last_qty"] for row in found] == ["0.500000001", None, "0.500000001"]
    assert found[1]["_error"].startswith("DuckDB refuses it: ")


def test_types_of_avro_that_our_schemas_do_not_use_yet() -> None:
    fields = {
        "fixed": {"type": "fixed", "name": "Four", "size": 4},
        "map": {"type": "map", "values": "long"},
        "union": ["null", "string", "long"],
        "wide": {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 2},
        "deep": {"type": "array", "items": {"type": "array", "items": "bytes"}},
        "again": "Four",
        "flag": {"type": "boolean"},
    }
    schema = {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields.items()]}
    assert column_types(schema) == {
        "fixed": "VARCHAR",
        "map": "MAP(VARCHAR, BIGINT)",
        "union": "JSON",
        "wide": "VARCHAR",
        "deep": "VARCHAR[][]",
        "again": "VARCHAR",
        "flag": "BOOLEAN",
    }


def test_a_table_goes_by_any_of_its_names_in_any_case() -> None:
    assert {find(name) for name in ("order_intents", "ORDER_INTENTS", "order-intents", "order-intents.v1")} == {
        named("order_intents")
    }
    assert is_latest("plans_latest")
    assert is_latest("fills_latest")
    assert is_latest("fills_latest_by_account")
    assert find("bars_latest_by_account") is None
    with pytest.raises(TapeError, match="bars has no account_id"):
        named("bars_latest_by_account")


def test_no_field_of_a_record_is_hidden_by_a_pseudo_column() -> None:
    assert not [name for table in tables() for name in table.columns if name in PSEUDO_COLUMNS]
