"""Questions about the tables while PostgreSQL is away: the log has the same answer."""

import psycopg
import pytest

from infra.cli.at_work import members_by_agent
from infra.errors import TapeError
from infra.kafka.log import read_all, reading_consumer
from infra.postgres import from_log
from infra.postgres.connection import connect
from infra.postgres.from_log import projected
from schemas.run import Run, RunStatus
from schemas.signal import Signal
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import RUNS, Bus, tape, until
from topics.registry import read_by


class Alone(Bus):
    """A bus beside which no PostgreSQL answers."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "TAPE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}


@pytest.fixture
def bus(command_bus: Bus) -> Bus:
    """Lend a bus with a run, a signal of it, and one that cannot be read."""
    command_bus.say(example(Run, run_id=RUNS[1], status=RunStatus.REQUESTED), run=RUNS[1], key=str(RUNS[1]).encode())
    command_bus.say(example(Signal), run=RUNS[1])
    command_bus.raw(Signal.topic, 0, b"poison", b"no frame")
    command_bus.flush()
    return command_bus


def test_every_record_of_the_log_is_in_the_tables_made_of_it(bus: Bus) -> None:
    records = len(list(read_all(bus.servers, [topic.name for topic in read_by("projector")])))
    with projected(bus.servers) as url:
        with connect(url) as connection:
            [indexed] = connection.execute("SELECT count(*) FROM log_index").fetchone() or ()
            [unread] = connection.execute("SELECT count(*) FROM dead_letters").fetchone() or ()
        assert indexed + unread == records
        assert unread >= 1
    with pytest.raises(psycopg.OperationalError):
        connect(url).__enter__()


def test_a_long_log_is_not_read_for_a_question(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_log, "OFFSETS_MAX", 2)
    with pytest.raises(TapeError, match="more than the 2 read for one question"), projected(bus.servers):
        pass


def test_a_command_says_that_it_reads_the_log_and_answers(bus: Bus) -> None:
    done = tape(Alone(bus.stack), "runs", "--stuck-after", "9999999")
    assert done.returncode == 0, done.stderr
    assert "PostgreSQL does not answer" in done.stderr
    assert "the log is read instead" in done.stderr
    assert str(RUNS[1])[:8] in done.stdout.decode()


def test_without_both_it_says_what_is_needed(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_log, "OFFSETS_MAX", 0)
    done = tape(Alone(bus.stack), "why", "IBM")
    assert done.returncode == 69
    assert "tape up, and tape worker projector" in done.stderr
    assert "offsets, more than the 0 read" in done.stderr


def test_whoever_consumes_as_an_agent_is_at_work_wherever_it_was_started(bus: Bus) -> None:
    assert (members_by_agent(bus.servers) or {})["planner"] == 0
    consumer = reading_consumer(bus.servers, **{"group.id": "planner"})
    consumer.subscribe([Run.topic])
    try:
        until(lambda: consumer.poll(0.1) is None and (members_by_agent(bus.servers) or {})["planner"] == 1)
    finally:
        consumer.close()
