"""`run('1a2b')`: a run by the first digits of its id, with the index, behind it and without it."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.errors import TapeError
from infra.kafka.log import read
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection
from infra.sql.engine import Shape
from infra.sql.session import Session, Wishes
from schemas.run import ClockReading, Run
from tests.infra.postgres.stories import decoded, example
from tests.infra.sql.bus import PARTITIONS, Bus

OLD = UUID("5f000000-1111-5111-8111-111111111111")
TWIN = UUID("5f001111-1111-5111-8111-111111111111")
NEW = UUID("6e222222-1111-5111-8111-111111111111")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(scope="module")
def log(bus: Bus) -> Bus:
    """Lend a bus with two runs that the index knows, one that it has not come to, and a reading of the clock each."""
    migrate(bus.stack.database_url)
    for number, run in enumerate((OLD, TWIN, NEW)):
        if run == NEW:
            bus.flush()
            _projected(bus)
        bus.say(example(Run, run_id=run), run=run, partition=number % PARTITIONS, key=str(run).encode())
        bus.say(example(ClockReading, run_id=run), run=run, partition=number % PARTITIONS)
    bus.flush()
    return bus


def _projected(bus: Bus) -> None:
    partitions = [(topic, number) for topic in (Run.topic, ClockReading.topic) for number in range(PARTITIONS)]
    projection = Projection(bus.stack.database_url)
    projection.positions(partitions)
    projection.apply([decoded(record) for record in read(bus.servers, dict.fromkeys(partitions, 0))])
    projection.close()


@pytest.fixture(params=["with the index", "without"])
def session(log: Bus, request: pytest.FixtureRequest) -> Iterator[Session]:
    url = log.stack.database_url if request.param == "with the index" else NOWHERE
    with Session(Wishes(log.servers, url)) as session:
        yield session


def asked(session: Session, sql: str) -> list[Any]:
    chunks: list[bytes] = []
    session.run(sql, Shape("jsonl"), chunks.append)
    return [json.loads(line) for line in b"".join(chunks).splitlines()]


@pytest.mark.parametrize(
    ("digits", "run"), [("5f000", OLD), ("5F001", TWIN), ("6e22", NEW), ("6e222222-11", NEW), (str(OLD), OLD)]
)
def test_a_run_is_named_by_the_first_digits_of_its_id(session: Session, digits: str, run: UUID) -> None:
    sql = f"select correlation_id::text id from clock_readings where correlation_id = run('{digits}')"
    assert asked(session, sql) == [{"id": str(run)}]


def test_it_is_an_id_wherever_an_id_may_stand(session: Session) -> None:
    sql = (
        "select run('6e22') = run_id as same, RUN('5f001')::text twin from clock_readings where run_id in (run('6e22'))"
    )
    assert asked(session, sql) == [{"same": True, "twin": str(TWIN)}]


def test_the_digits_of_several_runs_name_none(session: Session) -> None:
    with pytest.raises(TapeError, match=f"5f00 begins the ids of 2 runs: {OLD}, {TWIN}"):
        session.plan("select * from clock_readings where correlation_id = run('5f00')")


@pytest.mark.parametrize(
    ("digits", "said"),
    [
        ("abcd", "no run has an id that begins with abcd"),
        ("5f0", "expected 4 or more"),
        ("trend", "expected 4 or more"),
    ],
)
def test_what_names_no_run_says_so(session: Session, digits: str, said: str) -> None:
    with pytest.raises(TapeError, match=said):
        session.plan(f"select * from clock_readings where correlation_id = run('{digits}')")


def test_by_the_index_only_the_runs_own_records_are_read(log: Bus) -> None:
    with Session(Wishes(log.servers, log.stack.database_url)) as session:
        whole = session.plan("select * from clock_readings").count
        [part] = session.plan("select * from clock_readings where correlation_id = run('5f000')").parts
        own = session.plan(f"select * from clock_readings where correlation_id = '{OLD}'").parts[0]
    assert part.region == own.region
    assert part.region.count < whole
