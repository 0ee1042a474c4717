"""A bound can only save time: whatever is asked, the rows are those that reading everything gives."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from hypothesis import HealthCheck, given, settings

from infra.kafka.log import read
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection
from infra.sql import positions
from infra.sql.engine import Shape
from infra.sql.index import CorrelationIndex
from infra.sql.session import Session, Wishes
from schemas.execution import LineOutcome
from schemas.market import Bar
from tests.infra.postgres.stories import decoded, example
from tests.infra.sql.bus import NOON, PARTITIONS, RUNS, Bus, until
from tests.infra.sql.questions import MORNING, SHAPES, instant

OUTCOMES, BARS = 45, 60


@pytest.fixture(scope="module")
def log(bus: Bus) -> Bus:
    """Lend a bus with outcomes, indexed by half, and bars whose producers stamp them in any order."""
    _stamped_by_producer(bus, Bar.topic)
    chance = random.Random(7)
    for number in range(BARS):
        at = MORNING + timedelta(minutes=chance.randrange(240), milliseconds=chance.choice((0, 0, 1, 999)))
        bar = example(Bar, text=f"S{number % 5}")
        bus.say(bar, partition=number % PARTITIONS, timestamp_ms=int(at.timestamp() * 1000), run=RUNS[number % 5])
    for number in range(OUTCOMES):
        if number == OUTCOMES // 2:
            bus.flush()
            _projected(bus)
        bus.say(example(LineOutcome, text=f"S{number % 5}"), partition=number % PARTITIONS, run=RUNS[number // 9])
    bus.raw(LineOutcome.topic, 0, b"poison", b"no frame")
    bus.flush()
    return bus


def _stamped_by_producer(bus: Bus, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bus.servers})
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()

    def is_altered() -> bool:
        [found] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return str(found.result()["message.timestamp.type"].value) == "CreateTime"

    until(is_altered)


def _projected(bus: Bus) -> None:
    """Let the projector index what the outcomes' partitions hold so far."""
    migrate(bus.stack.database_url)
    partitions = [(LineOutcome.topic, number) for number in range(PARTITIONS)]
    projection = Projection(bus.stack.database_url)
    projection.positions(partitions)
    projection.apply([decoded(record) for record in read(bus.servers, dict.fromkeys(partitions, 0))])
    projection.close()


Ask = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def narrow(log: Bus) -> Iterator[Ask]:
    with Session(Wishes(log.servers, log.stack.database_url)) as session:
        yield lambda sql: _asked(session, sql)


@pytest.fixture(scope="module")
def whole(log: Bus) -> Iterator[Ask]:
    with Session(Wishes(log.servers, log.stack.database_url, has_pushdown=False)) as session:
        yield lambda sql: _asked(session, sql)


def _asked(session: Session, sql: str) -> list[Any]:
    chunks: list[bytes] = []
    session.run(sql, Shape("jsonl"), chunks.append)
    return [json.loads(line) for line in b"".join(chunks).splitlines()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=SHAPES)
def test_any_where_gives_the_rows_that_reading_everything_gives(narrow: Ask, whole: Ask, sql: str) -> None:
    ordered = f"select * from ({sql}) order by all"
    assert narrow(ordered) == whole(ordered)


# --- what is saved ----------------------------------------------------------------------------------------------------


def _reads(bus: Bus, sql: str, **wishes: Any) -> int:
    with Session(Wishes(bus.servers, **wishes)) as session:
        return session.plan(sql).count


def test_a_time_is_found_by_kafkas_own_index(log: Bus) -> None:
    assert _reads(log, f"select * from bars where _timestamp > '{instant(1000)}'") == 0
    assert _reads(log, f"select * from bars where _timestamp > '{instant(-1000)}'") == BARS
    assert _reads(log, "select * from line_outcomes where _timestamp > now() + interval 1 hour") == 0


def test_an_upper_bound_is_not_trusted_where_producers_stamp(log: Bus) -> None:
    assert _reads(log, f"select * from bars where _timestamp < '{instant(-1000)}'") == BARS


def test_an_upper_bound_saves_reading_where_the_broker_stamps(log: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = _reads(log, "select * from line_outcomes")
    assert _reads(log, "select * from line_outcomes where _timestamp < now() - interval 1 hour") == 0 < everything
    monkeypatch.setattr(positions, "SLACK_MS", 2 * 60 * 60 * 1000)
    assert _reads(log, "select * from line_outcomes where _timestamp < now() - interval 1 hour") == everything


def test_a_correlation_id_is_read_by_the_index_and_what_it_has_not_come_to_yet_from_the_log(log: Bus) -> None:
    sql = f"select * from line_outcomes where correlation_id = '{RUNS[0]}'"
    everything = _reads(log, "select * from line_outcomes")
    found = CorrelationIndex(log.stack.database_url).find(LineOutcome.topic, [RUNS[0]])
    assert not isinstance(found, str)
    indexed = sum(len(offsets) for offsets in found.offsets.values())
    tail = sum(log.end(LineOutcome.topic, number) - found.next_offsets[number] for number in range(PARTITIONS))
    assert _reads(log, sql, database_url=log.stack.database_url) == indexed + tail < everything


def test_without_postgresql_a_correlation_id_is_scanned_for_and_the_answer_says_so(log: Bus) -> None:
    sql = f"select * from line_outcomes where correlation_id = '{RUNS[0]}'"
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    with Session(Wishes(log.servers, nowhere)) as session:
        plan = session.plan(sql)
    assert plan.count == _reads(log, "select * from line_outcomes")
    [note] = plan.notes
    assert note.startswith("line-outcomes.v1: no index of correlation ids (PostgreSQL: ")


def test_an_index_that_is_ahead_of_the_log_is_of_another_log(log: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = f"select * from bars where correlation_id = '{RUNS[0]}'"
    ahead = positions.Indexed({}, dict.fromkeys(range(PARTITIONS), 10_000))
    monkeypatch.setattr(CorrelationIndex, "find", lambda *_: ahead)
    assert _reads(log, sql, database_url=log.stack.database_url) == BARS


def test_the_latest_by_key_are_bounded_from_below_only(log: Bus) -> None:
    assert NOON < MORNING
    with Session(Wishes(log.servers)) as session:
        below = session.plan("select * from plans_latest where _offset < 2 and _timestamp < '1999-01-01'")
        above = session.plan("select * from plans_latest where _offset >= 1 and _partition = 0")
    assert below.parts[0].region == below.parts[0].extent.whole
    assert set(above.parts[0].region.ranges) <= {0}
