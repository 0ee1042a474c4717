"""What is said about topics: examples that are valid, descriptions that are complete, pages that are up to date."""

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import named_types
from schemas.record import Envelope
from topics import describe, examples, pages
from topics.codec import Event, decode_value, encode
from topics.describe import described, facts, spelled
from topics.examples import RUN, WIDTH, example, example_key, pretty, readable
from topics.registry import BY_NAME, TOPICS, Topic
from topics.schema_lock import Registered, SchemaLockError, registered

EVERY_TOPIC = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=40,
)


def as_event(topic: Topic) -> Event:
    fields = example(topic)
    envelope = Envelope(**{name: fields.pop(name) for name in Envelope.model_fields})
    return Event(topic.name, envelope, topic.record.model_validate(fields))


# --- examples ---------------------------------------------------------------------------------------------------------


@EVERY_TOPIC
def test_an_example_is_a_record_that_agents_could_read(topic: Topic) -> None:
    event = as_event(topic)

    assert decode_value(topic, encode(topic, event.envelope, event.record)) == event


@EVERY_TOPIC
def test_an_example_has_the_key_it_is_shown_with(topic: Topic) -> None:
    assert example_key(topic) == topic.key_of(as_event(topic).record)


def test_the_examples_are_of_one_run_whose_records_speak_of_each_other() -> None:
    told = {topic.name: example(topic) for topic in TOPICS if topic.partitioned_by == "account_id"}

    assert {fields["correlation_id"] for fields in told.values()} == {RUN}
    assert {fields["run_id"] for fields in told.values() if "run_id" in fields} == {RUN}
    assert told["order-intents.v1"]["order"] == told["fills.v1"]["order"] == told["order-events.v1"]["order"]
    assert told["fills.v1"]["client_order_id"] == told["order-intents.v1"]["client_order_id"]
    assert told["ledger-entries.v1"]["fill_id"] == told["fills.v1"]["fill_id"]


def test_the_postings_of_the_example_balance() -> None:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for posting in example(BY_NAME["ledger-entries.v1"])["postings"]:
        sums[posting["commodity"]] += posting["amount"]

    assert dict(sums) == {"IBM": 0, "USD": 0}


def test_the_story_tells_of_no_field_that_there_is_not() -> None:
    records = {each["name"]: {field["name"] for field in each.get("fields", ())} for each in named_types().values()}
    anywhere = {field for fields in records.values() for field in fields}
    qualified = {f"{record}.{field}" for record, fields in records.items() for field in fields}

    assert sorted(set(examples._STORY) - anywhere - qualified) == []


NESTED = {
    "type": "record",
    "name": "New",
    "namespace": "tradetape.v1",
    "doc": "New.",
    "fields": [{"name": "novelty", "type": {"type": "int", "logicalType": "date"}, "doc": "When."}],
}


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        ("string", "brand_new"),
        ("long", 1),
        ("boolean", False),
        (["null", "string"], None),
        ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}, "100"),
        ({"type": "long", "logicalType": "timestamp-micros"}, "2013-02-28T20:55:00Z"),
        ({"type": "array", "items": "string"}, ["brand_new"]),
        ({"type": "map", "values": "long"}, {"brand_new": 1}),
        ({"type": "enum", "name": "E", "namespace": "tradetape.v1", "symbols": ["A", "B"]}, "A"),
        ({"type": "array", "items": NESTED}, [{"novelty": "2013-02-28"}]),
    ],
    ids=str,
)
def test_a_field_nobody_has_thought_of_has_an_example(monkeypatch: Any, kind: Any, plain: Any) -> None:
    topic = BY_NAME["bars.v1"]
    schema = {**NESTED, "name": "Bar", "fields": [{"name": "brand_new", "type": kind, "doc": "New."}]}
    newest = Registered(topic.name, 2, 99, "", json.dumps(schema))
    monkeypatch.setattr(examples, "newest_schema", lambda _: newest)

    assert readable(example(topic)) == {"brand_new": plain}


@given(JSON)
def test_an_example_printed_for_people_is_still_json(value: Any) -> None:
    assert json.loads(pretty(value)) == value


@EVERY_TOPIC
def test_an_example_fits_into_a_page_where_its_texts_allow_it(topic: Topic) -> None:
    lines = pretty(readable(example(topic))).splitlines()

    assert [line for line in lines if len(line) > WIDTH and ", " in line.partition(": ")[2].strip('",')] == [
        line for line in lines if len(line) > WIDTH
    ]
    assert lines[1].startswith('  "event_id": ')


# --- descriptions -----------------------------------------------------------------------------------------------------


@EVERY_TOPIC
def test_a_description_has_every_field_and_explains_every_type(topic: Topic) -> None:
    said = described(topic)
    explained = {each.name: each for each in said.types}
    fields = [*said.fields, *(field for each in said.types for field in each.fields)]

    assert [field.name for field in said.fields] == [*Envelope.model_fields, *topic.record.model_fields]
    assert {word for field in fields for word in field.type.split() if word[0].isupper()} == set(explained)
    assert all(field.doc.endswith(".") for field in fields)
    assert all(bool(each.fields) != bool(each.symbols) for each in said.types)


def test_a_description_is_of_the_newest_schema(monkeypatch: Any) -> None:
    topic = BY_NAME["fills.v1"]
    [*_, now] = [each for each in registered() if each.topic == topic.name]
    text = json.loads(now.text)
    later = Registered(topic.name, now.version + 1, 99, "", json.dumps({**text, "doc": "Newer."}))
    monkeypatch.setattr(describe, "registered", lambda: (*registered(), later))

    said = described(topic)

    assert (said.schema_version, said.schema_id, said.doc) == (now.version + 1, 99, "Newer.")


def test_a_topic_without_a_registered_schema_says_what_to_do(monkeypatch: Any) -> None:
    monkeypatch.setattr(describe, "registered", tuple)

    with pytest.raises(SchemaLockError, match=r"fills\.v1 has no registered schema: tape schemas lock"):
        described(BY_NAME["fills.v1"])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("string", "string"),
        ("tradetape.v1.Rule", "Rule"),
        (["null", "tradetape.v1.Rule"], "Rule or null"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 6}, "decimal(38,6)"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 12}, "decimal(12,0)"),
        ({"type": "string", "logicalType": "uuid"}, "uuid"),
        ({"type": "array", "items": ["null", "long"]}, "list of long or null"),
        ({"type": "map", "values": "bytes"}, "map of bytes"),
        ({"type": "enum", "name": "Side", "symbols": ["BUY"]}, "Side"),
        ({"type": "long"}, "long"),
    ],
    ids=str,
)
def test_a_type_is_spelled_for_a_reader(schema: Any, expected: str) -> None:
    assert spelled(schema) == expected


def test_the_rules_of_a_topic_are_said_in_words() -> None:
    plans, letters = (facts(described(BY_NAME[name])) for name in ("plans.v1", "dead-letters.v1"))
    outcomes = facts(described(BY_NAME["line-outcomes.v1"]))

    assert plans["key"] == "plan_id, as text"
    assert plans["partition"].startswith("account_id: murmur2")
    assert plans["policy"].startswith("compact")
    assert plans["in SQL"] == 'plans, "plans.v1", plans_latest, plans_latest_by_account'
    assert letters["in SQL"] == 'dead_letters, "dead-letters.v1", dead_letters_latest'
    assert outcomes["key"] == "plan_id + book + symbol, as text joined by '+'"
    assert outcomes["policy"].startswith("keep")
    assert letters["partition"].startswith("origin_partition modulo the partition count")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_committed_pages_are_up_to_date() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in pages.FOLDER.iterdir()}

    assert found == pages.pages(), "run tape topics docs --write"


def test_every_link_of_the_pages_leads_to_what_is_there() -> None:
    made = pages.pages()
    broken = [
        (page, target, anchor)
        for page, text in made.items()
        for target, anchor in re.findall(r"\]\(([\w.\-/]*)#?(\w*)\)", text)
        if not (pages.FOLDER / target).exists() or (anchor and not has_anchor(made[target or page], anchor))
    ]

    assert broken == []


def has_anchor(page: str, anchor: str) -> bool:
    headings = {line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")}
    return anchor in headings or f'<a id="{anchor}"></a>' in page


def test_a_link_to_nowhere_is_found() -> None:
    assert has_anchor("# T\n\n## Side\n", "side")
    assert not has_anchor("# T\n\n## Side\n", "sides")


def test_writing_the_pages_twice_changes_nothing_and_a_page_of_no_topic_goes(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(pages, "FOLDER", tmp_path / "docs")
    assert pages.write() == sorted(pages.pages())
    (tmp_path / "docs" / "gone.v1.md").touch()
    (tmp_path / "docs" / "fills.v1.md").write_text("edited", encoding="utf-8")

    assert pages.write() == ["fills.v1.md", "gone.v1.md"]
    assert pages.write() == []
    assert sorted(path.name for path in (tmp_path / "docs").iterdir()) == sorted(pages.pages())
