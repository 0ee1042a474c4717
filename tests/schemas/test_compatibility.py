"""Which schema may follow which: one row per rule."""

import json
from typing import Any

import pytest

from schemas.compatibility import Conflict, IncompatibleSchemaError, Refusal, check, conflicts
from topics.registry import TOPICS
from topics.schema_lock import registered

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}
UUID = {"type": "string", "logicalType": "uuid"}
INSTANT = {"type": "long", "logicalType": "timestamp-micros"}
SIDE = {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL", "UNRECOGNIZED"], "default": "UNRECOGNIZED"}
HOLDING = {"type": "record", "name": "Holding", "fields": [{"name": "quantity", "type": DECIMAL}]}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Fill", "namespace": "tradetape.v1", "fields": fields})


def said(old: str, new: str) -> list[tuple[str, Refusal]]:
    return [(conflict.path, conflict.refusal) for conflict in conflicts("fills.v1", [old], new)]


OLD = record(field("symbol", "string"), field("last_qty", DECIMAL))


@pytest.mark.parametrize(
    ("what", "added"),
    [
        ("a nullable field", field("exec_id", ["null", "string"], default=None)),
        ("a nullable decimal", field("fee", ["null", DECIMAL], default=None)),
        ("a text with a default", field("detail", "string", default="")),
        ("a list with a default", field("notes", {"type": "array", "items": "string"}, default=[])),
        ("an enum with a default", field("side", SIDE, default="UNRECOGNIZED")),
    ],
)
def test_a_field_with_a_default_that_readers_understand_may_be_added(what: str, added: dict[str, Any]) -> None:
    new = record(*json.loads(OLD)["fields"], added)

    assert conflicts("fills.v1", [OLD], new) == (), what


def test_a_new_doc_and_a_new_enum_symbol_are_allowed() -> None:
    more = {**SIDE, "symbols": ["BUY", "SELL", "SELL_SHORT", "UNRECOGNIZED"], "doc": "FIX Side (54)."}

    assert said(record(field("side", SIDE)), record(field("side", more))) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "refusal"),
    [
        (
            field("last_px", {**DECIMAL, "scale": 9}),
            field("last_px", {**DECIMAL, "scale": 6}),
            "last_px",
            "LOGICAL_TYPE",
        ),
        (field("cash", DECIMAL), field("cash", {**DECIMAL, "precision": 20}), "cash", "LOGICAL_TYPE"),
        (field("at", INSTANT), field("at", {**INSTANT, "logicalType": "timestamp-millis"}), "at", "LOGICAL_TYPE"),
        (field("at", INSTANT), field("at", "long"), "at", "LOGICAL_TYPE"),
        (field("run_id", "string"), field("run_id", UUID), "run_id", "LOGICAL_TYPE"),
        (
            field("last_px", ["null", DECIMAL]),
            field("last_px", ["null", {**DECIMAL, "scale": 2}]),
            "last_px",
            "LOGICAL_TYPE",
        ),
        (field("attempt", "int"), field("attempt", "string"), "attempt", "TYPE_CHANGED"),
        (field("attempt", "int"), field("attempt", "long"), "attempt", "TYPE_CHANGED"),
        (field("body", "string"), field("body", "bytes"), "body", "TYPE_CHANGED"),
        (field("exec_id", "string"), field("exec_id", ["null", "string"]), "exec_id", "TYPE_CHANGED"),
        (field("side", SIDE), field("side", {**SIDE, "symbols": ["BUY", "UNRECOGNIZED"]}), "side", "SYMBOL_REMOVED"),
        (field("side", "string", default=""), field("cost", "string", default=""), "side", "FIELD_REMOVED"),
    ],
)
def test_a_change_of_meaning_is_refused(old: dict[str, Any], new: dict[str, Any], path: str, refusal: str) -> None:
    assert said(record(old), record(new)) == [(path, Refusal(refusal))]


@pytest.mark.parametrize(
    ("added", "refusal"),
    [
        (field("fee", "string"), Refusal.NO_DEFAULT),
        (field("fee", DECIMAL, default="\u0000"), Refusal.DEFAULT_NOT_CONVERTED),
        (field("fee", "bytes", default="\u00ff"), Refusal.DEFAULT_NOT_CONVERTED),
        (field("run_id", UUID, default="00000000-0000-0000-0000-000000000000"), Refusal.DEFAULT_NOT_CONVERTED),
        (field("settled_at", INSTANT, default=0), Refusal.DEFAULT_NOT_CONVERTED),
    ],
)
def test_an_added_field_needs_a_default_that_readers_understand(added: dict[str, Any], refusal: Refusal) -> None:
    new = record(*json.loads(OLD)["fields"], added)

    assert said(OLD, new) == [(added["name"], refusal)]


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: inner,
        lambda inner: {"type": "array", "items": inner},
        lambda inner: {"type": "map", "values": inner},
        lambda inner: ["null", inner],
        lambda inner: {"type": "array", "items": ["null", {"type": "array", "items": inner}]},
    ],
)
def test_a_changed_decimal_scale_is_found_at_any_depth(around: Any) -> None:
    changed = {**HOLDING, "fields": [field("quantity", {**DECIMAL, "scale": 6})]}

    [(path, refusal)] = said(record(field("holdings", around(HOLDING))), record(field("holdings", around(changed))))

    assert refusal is Refusal.LOGICAL_TYPE
    assert path.startswith("holdings")
    assert path.endswith(".quantity")


def test_a_change_is_found_where_a_type_is_only_named() -> None:
    old = record(field("first", HOLDING), field("second", "tradetape.v1.Holding"))
    changed = {**HOLDING, "namespace": "tradetape.v1", "fields": [field("quantity", {**DECIMAL, "scale": 6})]}
    new = record(field("first", changed), field("second", "tradetape.v1.Holding"))

    old = old.replace('"name": "Holding"', '"name": "Holding", "namespace": "tradetape.v1"')

    assert [path for path, _ in said(old, new)] == ["first.quantity", "second.quantity"]


def test_a_type_that_contains_itself_is_compared_once() -> None:
    node = {"type": "record", "name": "Node", "fields": [field("value", DECIMAL), field("next", ["null", "Node"])]}
    changed = {**node, "fields": [field("value", {**DECIMAL, "scale": 6}), field("next", ["null", "Node"])]}

    assert said(record(field("head", node)), record(field("head", changed))) == [("head.value", Refusal.LOGICAL_TYPE)]


def test_what_our_rules_let_pass_is_still_judged_by_avro() -> None:
    closed = {key: value for key, value in SIDE.items() if key != "default"}
    more = {**closed, "symbols": ["BUY", "SELL", "SELL_SHORT", "UNRECOGNIZED"]}

    [conflict] = conflicts("fills.v1", [record(field("side", closed))], record(field("side", more)))

    assert (conflict.path, conflict.refusal) == ("side", Refusal.UNREADABLE_BY_OLD)
    assert "SELL_SHORT" in conflict.old


def test_every_registered_version_is_asked_not_only_the_last() -> None:
    first = record(field("symbol", "string"), field("venue", "string", default=""))
    second = record(field("symbol", "string"))

    assert conflicts("fills.v1", [second], second) == ()

    [conflict] = conflicts("fills.v1", [first, second], second)

    assert (conflict.version, conflict.refusal) == (1, Refusal.FIELD_REMOVED)


def test_a_refusal_names_topic_field_and_both_values() -> None:
    new = record(field("symbol", "string"), field("last_qty", {**DECIMAL, "scale": 6}))

    with pytest.raises(IncompatibleSchemaError) as refused:
        check("fills.v1", [OLD], new)

    assert str(refused.value) == (
        "fills.v1: last_qty: LOGICAL_TYPE: version 1 has logicalType decimal, precision 38, scale 9, "
        "the new schema has logicalType decimal, precision 38, scale 6"
    )
    assert refused.value.conflicts == (
        Conflict(
            topic="fills.v1",
            version=1,
            path="last_qty",
            refusal=Refusal.LOGICAL_TYPE,
            old="logicalType decimal, precision 38, scale 9",
            new="logicalType decimal, precision 38, scale 6",
        ),
    )


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
def test_the_registered_history_of_a_topic_is_compatible_with_itself(topic: str) -> None:
    history = [each.text for each in registered() if each.topic == topic]

    for count in range(1, len(history) + 1):
        check(topic, history[: count - 1], history[count - 1])
    check(topic, history, history[-1])
