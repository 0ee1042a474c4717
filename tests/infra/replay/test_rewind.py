"""Setting positions back: only while nobody is active, only backward, and nothing that was decided is decided twice."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agents.declaration import Agent
from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.postgres import tracking
from infra.postgres.connection import connect
from infra.postgres.migrate import migrate
from infra.replay import rewind as module
from infra.replay.rewind import Move, planned, rewind
from topics.registry import BY_NAME, Topic

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Stopped:
    """An agent that has read 10 of its input, decided up to 8 of it, and is stopped."""

    servers: str
    agent: Agent
    topic: str

    @property
    def shown(self) -> int:
        consumer = self.consumer()
        (part,) = consumer.committed([TopicPartition(self.topic, 0)], timeout=30)
        consumer.close()
        return int(part.offset)

    def consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": self.agent.name,
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )

    def planned(self, to: int) -> list[Move]:
        return planned(self.servers, "", self.agent, {(self.topic, 0): to})


@pytest.fixture
def stopped(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stopped:
    number = next(_NUMBERS)
    read, wrote, name = f"rewind-input-{number}", f"rewind-output-{number}", f"rewound-{number}"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for made in admin.create_topics([NewTopic(read, 1, 1), NewTopic(wrote, 1, 1)]).values():
        made.result()
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for offset in range(12):
        producer.produce(read, str(offset), partition=0)
    for seq, after in enumerate((2, 5, 8), start=1):
        headers = {"agent": name, "seq": str(seq), "inputs": f"{read}/0={after}"}
        producer.produce(wrote, b"", partition=0, headers=list(headers.items()))
    for _ in range(150):  # what others put there is passed over, however much it is
        producer.produce(wrote, b"of somebody else", partition=0)
    producer.flush()

    class Output(Topic):
        name = wrote

    monkeypatch.setattr(module, "input_topics", lambda _: (read,))
    monkeypatch.setattr(module, "written_by", lambda _: (Output(**vars(BY_NAME["runs.v1"])),))
    found = Stopped(stack.bootstrap_servers, Agent(name, performs=True), read)
    consumer = found.consumer()
    consumer.commit(offsets=[TopicPartition(read, 0, 10)], asynchronous=False)
    consumer.close()
    return found


@contextmanager
def active(stopped: Stopped) -> Iterator[None]:
    """Let a member of the group be active."""
    consumer = stopped.consumer()
    consumer.subscribe([stopped.topic])
    while not consumer.assignment():
        consumer.poll(0.2)
    try:
        yield
    finally:
        consumer.close()


def test_a_rewind_moves_what_is_shown_and_the_agent_goes_on_where_its_last_decision_says(stopped: Stopped) -> None:
    moves = stopped.planned(3)
    assert moves == [Move((stopped.topic, 0), shown=10, to=3, goes_on_at=8)]
    assert moves[0].skipped == 5
    assert stopped.shown == 10  # a plan moves nothing
    assert rewind(stopped.servers, "", stopped.agent, moves) == 1
    assert stopped.shown == 3


def test_nothing_is_moved_forward(stopped: Stopped) -> None:
    moves = stopped.planned(11)
    assert (moves[0].is_back, moves[0].skipped) == (False, 0)
    assert rewind(stopped.servers, "", stopped.agent, moves) == 0
    assert stopped.shown == 10


def test_while_a_member_is_active_nothing_is_moved(stopped: Stopped) -> None:
    moves = stopped.planned(3)
    with active(stopped), pytest.raises(TapeError, match="has 1 active members") as refusal:
        rewind(stopped.servers, "", stopped.agent, moves)
    assert "session timeout" in refusal.value.next_command
    assert stopped.shown == 10


def test_partitions_that_are_no_target_stay(stopped: Stopped) -> None:
    assert planned(stopped.servers, "", stopped.agent, {("another", 0): 3}) == []


def test_the_projector_is_set_back_where_it_keeps_its_position(stopped: Stopped, stack: Stack) -> None:
    name = f"rewind_{os.getpid()}"
    with connect(stack.database_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(stack.database_url, dbname=name)
    migrate(url)
    where, elsewhere = (stopped.topic, 0), ("elsewhere", 0)
    with connect(url) as connection:
        tracking.begin(connection, "projector", [where, elsewhere])
        tracking.move(connection, "projector", {where: 9, elsewhere: 4})
    projector = Agent("projector")
    moves = planned(stopped.servers, url, projector, {where: 2, elsewhere: 0})
    assert moves == [Move(where, shown=9, to=2, goes_on_at=2)]
    assert rewind(stopped.servers, url, projector, moves) == 1
    with connect(url) as connection:
        assert tracking.tracked(connection, "projector") == {where: 2, elsewhere: 4}
