"""`tape topics list | describe | docs`: topics explained to people and programs, without asking anybody."""

import json
import shlex
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import yaml
from click.testing import CliRunner

from infra.cli.main import COMMANDS, load
from infra.errors import TapeError
from infra.sql import catalog
from infra.sql.analysis import analysed
from infra.sql.catalog import PSEUDO_COLUMNS, named
from infra.sql.engine import Engine, Shape
from infra.sql.rows import Rows
from infra.sql.statements import definition, insertion
from schemas.record import Envelope
from topics import asyncapi, describe, pages
from topics.codec import encode
from topics.describe import described, sql_names, table_name
from topics.examples import example, example_key, readable
from topics.queries import Query, queries
from topics.registry import TOPICS, Topic
from topics.wire import Incoming, identity_headers, sealed

[COMMAND] = [command for command in COMMANDS if command.name == "topics"]
EVERY_TOPIC = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
SOON_MS = 4_102_444_800_000
"""An instant (2100) that is in the last day of every test run."""


def tape(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(load(COMMAND), [*arguments], env={"COLUMNS": "240"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_the_list_says_who_owns_a_topic_how_it_is_keyed_and_partitioned_and_who_reads_it() -> None:
    [head, *rows] = tape("list").splitlines()
    [plans] = [row for row in rows if row.startswith("plans.v1")]

    assert head.split() == ["topic", "key", "partitioned", "by", "policy", "producer", "consumers"]
    assert plans.split() == ["plans.v1", "plan_id", "account_id", "compact", "planner", "executor,projector"]
    assert [row.split()[0] for row in rows] == [topic.name for topic in TOPICS]
    assert [row["topic"] for row in json.loads(tape("list", "--json"))] == [topic.name for topic in TOPICS]


def test_a_description_says_everything_about_a_topic_on_one_page() -> None:
    text = tape("describe", "plans")
    said = described(next(topic for topic in TOPICS if topic.name == "plans.v1"))
    words = " ".join(text.split())

    assert text.startswith("plans.v1: What will be sent and what will not")
    assert "compact: the last record of each key stays" in words
    for fields in (said.fields, *(each.fields for each in said.types)):
        assert [field for field in fields if f"{field.name} {field.type} {field.doc}" not in words] == []
    assert [each.name for each in said.types if f"{each.name}: {each.doc}" not in words and each.fields] == []
    assert (
        "Side FIX Side (54). BUY SELL" in words or "Action What the account does in one symbol. BUY SELL HOLD" in words
    )
    assert '"symbol": "IBM"' in text
    assert "tape sql" in text


@pytest.mark.parametrize("name", ["order-intents.v1", "order-intents", "order_intents", "ORDER_INTENTS"])
def test_a_topic_goes_by_its_full_and_its_short_names(name: str) -> None:
    assert tape("describe", name).startswith("order-intents.v1: ")


def test_a_topic_that_is_none_is_refused_with_what_comes_near() -> None:
    with pytest.raises(TapeError, match="no topic is called fils") as refused:
        tape("describe", "fils")

    assert "did you mean fills" in str(refused.value)


@EVERY_TOPIC
def test_a_description_as_json_has_it_all(topic: Topic) -> None:
    said = json.loads(tape("describe", topic.name, "--json"))

    assert (said["topic"], said["producer"], said["policy"]) == (topic.name, topic.producer, topic.policy.value)
    assert [field["name"] for field in said["fields"]] == list(said["example"])
    assert said["example"] == readable(example(topic))
    assert said["queries"]


def test_docs_prints_the_pages_or_the_asyncapi_document() -> None:
    assert tape("docs") == tape("docs", "--format", "markdown") == "\n".join(pages.pages().values())
    assert yaml.safe_load(tape("docs", "--format", "asyncapi")) == asyncapi.document()
    assert yaml.safe_load(tape("docs", "--format", "asyncapi", "--whole")) == asyncapi.document(is_whole=True)


def test_docs_writes_both_and_says_what_changed(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(pages, "FOLDER", tmp_path / "docs")
    monkeypatch.setattr(asyncapi, "FILE", tmp_path / "asyncapi.yaml")

    first, again = tape("docs", "--write"), tape("docs", "--write")

    assert "topics/docs/fills.v1.md\n" in first
    assert "topics/asyncapi.yaml changed" in first
    assert again.splitlines() == ["0 page(s) changed", "topics/asyncapi.yaml is as it was"]
    assert tape("docs", "--write", "--format", "asyncapi").splitlines() == ["topics/asyncapi.yaml is as it was"]


@pytest.mark.parametrize("arguments", [("--whole",), ("--whole", "--write", "--format", "asyncapi")])
def test_a_document_with_every_schema_written_out_is_only_printed(arguments: tuple[str, ...]) -> None:
    assert "expected --whole with --format asyncapi" in tape("docs", *arguments, code=2)


# --- the example questions --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A DuckDB as `tape sql` has it, with the example of every topic in its table."""
    with Engine.started() as engine:
        for topic in TOPICS:
            table = named(topic.name)
            engine.define(definition(table, PSEUDO_COLUMNS))
            assert (
                engine.load(insertion(table, PSEUDO_COLUMNS), [Rows(table, PSEUDO_COLUMNS).row(incoming(topic))]) == 0
            )
        yield engine


def incoming(topic: Topic) -> Incoming:
    """Return a topic's example as a record read from Kafka."""
    fields = example(topic)
    envelope = Envelope(**{name: fields.pop(name) for name in Envelope.model_fields})
    value = encode(topic, envelope, topic.record.model_validate(fields))
    ids = (envelope.event_id, envelope.correlation_id, envelope.causation_id)
    headers = identity_headers(ids, topic.record.__name__, "DEMO-1", topic.producer)
    out = sealed(topic.name, 0, example_key(topic).encode(), value, headers)
    return Incoming(topic.name, 0, 0, SOON_MS, out.key, out.value, out.headers)


ASKED = [(topic, query) for topic in TOPICS for query in queries(topic)]


@pytest.mark.parametrize(("topic", "query"), ASKED, ids=[f"{topic.name}: {query.says}" for topic, query in ASKED])
def test_an_example_question_is_answered_by_the_topics_example(engine: Engine, topic: Topic, query: Query) -> None:
    answer = bytearray()

    count = engine.query(query.sql, Shape("json"), answer.extend, is_single=True)

    [reading] = analysed(query.sql, lambda _: None, UUID).readings
    assert reading.table.topic == topic.name
    assert count == rows_expected(topic, query)


def rows_expected(topic: Topic, query: Query) -> int:
    """One, the topic's example, but where a list of it is opened: books that agree have no differences to show."""
    opened = example(topic).get(query.says.removeprefix("what is in "))
    return len(opened) if isinstance(opened, list) else 1


@pytest.mark.parametrize(("topic", "query"), ASKED, ids=[f"{topic.name}: {query.says}" for topic, query in ASKED])
def test_an_example_question_can_be_pasted_into_a_shell(topic: Topic, query: Query) -> None:
    assert shlex.split(query.command) == ["tape", "sql", query.sql]
    assert not set(query.sql) & set("$`!\\")


@EVERY_TOPIC
def test_a_topic_is_called_in_examples_as_it_is_in_sql(topic: Topic) -> None:
    table = named(topic.name)

    assert table_name(topic) == table.name
    assert {name.strip('"') for name in sql_names(topic)} <= {*table.names, *table.latest_names}
    assert describe.LATEST == catalog.LATEST
