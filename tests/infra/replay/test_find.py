"""From any name to a run's records: by the index, past the index where it is behind, and without it."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.kafka.log import read_places
from infra.postgres.connection import connect
from infra.postgres.migrate import migrate
from infra.replay import find as module
from infra.replay.find import Found, find
from schemas.identity import derived
from topics.registry import BY_NAME
from topics.wire import Place

_NUMBERS = itertools.count()
RUN, OTHER = derived("run", "this"), derived("run", "another")
EXEC_ID = "20130301-fill-7"


@pytest.fixture(scope="session")
def database_url(stack: Stack) -> str:
    name = f"find_{os.getpid()}"
    with connect(stack.database_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(stack.database_url, dbname=name)
    migrate(url)
    return url


@dataclass
class Told:
    """Three topics of this test's own, standing for intents, plans and fills, and an index over them."""

    servers: str
    database_url: str
    topics: dict[str, str]
    next: dict[str, int] = field(default_factory=dict)

    def write(self, topic: str, run: UUID, key: str, value: bytes = b"value", *, is_indexed: bool = True) -> Place:
        name = self.topics[topic]
        event = derived("event", next(_NUMBERS))
        headers = [("event_id", str(event).encode()), ("correlation_id", str(run).encode())]
        producer = Producer({"bootstrap.servers": self.servers})
        producer.produce(name, value, key, partition=0, headers=headers)
        producer.flush()
        offset = self.next.get(name, 0)
        self.next[name] = offset + 1
        if is_indexed:
            self.index(name, offset, event, run)
        return Place(name, 0, offset)

    def index(self, topic: str, offset: int, event: UUID, run: UUID) -> None:
        row = (topic, 0, offset, event, run, event, "Said", "2013-03-01T21:00:00Z")
        with connect(self.database_url) as connection:
            connection.execute(
                'INSERT INTO log_index (topic, partition, "offset", event_id, correlation_id, causation_id,'
                " event_type, occurred_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                row,
            )
            connection.execute(
                "INSERT INTO tracking VALUES ('projector', %(topic)s, 0, %(next)s) ON CONFLICT"
                " (projection, topic, partition) DO UPDATE SET next_offset = %(next)s",
                {"topic": topic, "next": offset + 1},
            )

    def find(self, name: object, *, database_url: str | None = None) -> Found:
        found = find(self.servers, self.database_url if database_url is None else database_url, str(name))
        assert found is not None
        return found

    def run(self) -> list[Place]:
        """Write a run between the records of another one."""
        self.write("plans.v1", OTHER, "other-plan")
        places = [
            self.write("plans.v1", RUN, str(derived("plan", RUN))),
            self.write("order-intents.v1", RUN, "core-AAPL-1"),
            self.write("fills.v1", RUN, str(derived("fill", 1)), b"\x00" + EXEC_ID.encode()),
        ]
        self.write("plans.v1", OTHER, "another-plan")
        return places


@pytest.fixture
def told(stack: Stack, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    stands_for = {name: f"find-{next(_NUMBERS)}-{name}" for name in ("order-intents.v1", "plans.v1", "fills.v1")}
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in stands_for.values()]).values():
        made.result()
    monkeypatch.setattr(module, "decision_path", lambda: tuple(stands_for.values()))
    monkeypatch.setattr(module, "BY_NAME", {name: BY_NAME[real] for real, name in stands_for.items()})
    monkeypatch.setattr(module, "WITH_BROKER_IDS", frozenset({stands_for["fills.v1"]}))
    yield Told(stack.bootstrap_servers, database_url, stands_for)
    with connect(database_url) as connection:
        connection.execute("TRUNCATE log_index, tracking, dead_letters")


def places(found: Found) -> set[Place]:
    return {record.place for record in found.records}


def test_by_the_index_only_the_runs_own_records_are_read(told: Told) -> None:
    written = told.run()
    found = told.find(RUN)
    assert places(found) == set(written)
    assert (found.read, found.without_index) == (len(written), "")


def test_what_the_index_has_not_come_to_is_read_from_the_log(told: Told) -> None:
    written = told.run()
    late = told.write("fills.v1", RUN, "late", is_indexed=False)
    found = told.find(RUN)
    assert places(found) == {*written, late}
    assert found.read == len(written) + 1


def test_a_name_that_only_the_unindexed_end_knows_leads_to_the_whole_run(told: Told) -> None:
    written = told.run()
    late = told.write("order-intents.v1", RUN, "core-IBM-2", is_indexed=False)
    assert places(told.find("core-IBM-2")) == {*written, late}


@pytest.mark.parametrize("name", [RUN, str(RUN).upper(), derived("plan", RUN), "core-AAPL-1", EXEC_ID], ids=str)
def test_without_postgresql_every_name_is_found_by_reading(told: Told, name: object) -> None:
    written = told.run()
    found = told.find(name, database_url="postgresql://127.0.0.1:1/nobody?connect_timeout=1")
    assert (found.correlation_id, places(found)) == (str(RUN), set(written))
    assert "PostgreSQL has no index" in found.without_index


def test_an_event_of_a_run_leads_to_the_run(told: Told) -> None:
    written = told.run()
    event = next(dict(record.headers)["event_id"].decode() for record in told.find(RUN).records)
    for database_url in (told.database_url, ""):
        assert places(told.find(event, database_url=database_url)) == set(written)


def test_a_database_without_the_tables_is_no_index(told: Told, stack: Stack) -> None:
    written = told.run()
    found = told.find(RUN, database_url=make_conninfo(stack.database_url, dbname="postgres"))
    assert places(found) == set(written)
    assert "tracking" in found.without_index


def test_a_record_that_postgresql_refused_is_found_too(told: Told) -> None:
    written = told.run()
    refused = told.write("fills.v1", RUN, "refused")
    with connect(told.database_url) as connection:
        connection.execute('DELETE FROM log_index WHERE topic = %s AND "offset" = %s', [refused.topic, refused.offset])
        connection.execute(
            "INSERT INTO dead_letters VALUES (%s, 0, %s, 'projector', 'INVALID_VALUE', 'refused', NULL, NULL, '', 0, 0,"
            " %s, '2013-03-01T21:00:00Z')",
            [refused.topic, refused.offset, derived("letter")],
        )
    assert places(told.find(RUN)) == {*written, refused}


@pytest.mark.parametrize("has_index", [True, False])
def test_the_first_digits_of_a_run_will_do(told: Told, has_index: bool) -> None:
    written = told.run()
    database_url = told.database_url if has_index else ""
    for digits in (str(RUN)[:4], str(RUN)[:8].upper(), str(RUN)[:11]):
        found = told.find(digits, database_url=database_url)
        assert (found.correlation_id, places(found)) == (str(RUN), set(written))
    assert find(told.servers, database_url, str(RUN)[:3]) is None
    assert find(told.servers, database_url, str(RUN)[:8] + "0") is None


def test_digits_of_several_runs_name_them_wherever_they_lie(told: Told) -> None:
    alike = UUID(str(RUN)[:8] + str(OTHER)[8:])
    told.run()
    told.write("plans.v1", alike, "alike", is_indexed=False)
    with pytest.raises(TapeError) as raised:
        told.find(str(RUN)[:8])
    assert str(RUN) in raised.value.what
    assert str(alike) in raised.value.what


@pytest.mark.parametrize("has_index", [True, False])
def test_a_name_that_nothing_has_is_not_found(told: Told, has_index: bool) -> None:
    told.run()
    assert find(told.servers, told.database_url if has_index else "", "core-AAPL-2") is None


def test_places_far_apart_and_close_together_are_read_alike(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.kafka.log.SPAN_GAP_MAX", 2)
    written = [told.write("plans.v1", RUN, str(number), is_indexed=False) for number in range(12)]
    wanted = [written[0], written[1], written[7], written[11], Place(written[0].topic, 0, 3)]
    found = list(read_places(told.servers, wanted))
    assert [record.place for record in found] == sorted(wanted, key=lambda place: place.offset)


def test_queries_name_tables_and_columns_that_exist(told: Told) -> None:
    with connect(told.database_url) as connection:
        for table, column in (*module.NAMES_UUID, *module.NAMES_TEXT):
            query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            try:
                connection.execute(query)
            except psycopg.Error as error:
                pytest.fail(f"{table}.{column}: {error}")
