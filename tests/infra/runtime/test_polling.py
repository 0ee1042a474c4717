"""The thread that owns the consumer: back-pressure, and what a rebalance must not leave behind."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from infra.runtime import polling
from infra.runtime.polling import GroupSettings, PollingThread
from tests.infra.runtime.bench import Bench, until
from tests.infra.runtime.toy import request
from topics.wire import Incoming, Partition

REQUESTS = "run-requests.v1"


class Side:
    """Stands where the transport stands: takes everything and says how far behind it is."""

    def __init__(self) -> None:
        self.received: list[Incoming] = []
        self.owned: list[set[Partition]] = []
        self.behind = 0

    def receive(self, records: list[Incoming]) -> None:
        self.received += records

    def take_over(self, assigned: set[Partition]) -> Mapping[Partition, int]:
        return {each: sum((r.topic, r.partition) == each for r in self.received) for each in assigned}

    async def assigned(self, partitions: set[Partition]) -> None:
        self.owned.append(partitions)

    async def revoked(self, partitions: set[Partition], lost: bool) -> Mapping[Partition, int]:
        return {}

    def backlog(self) -> int:
        return self.behind


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop beside the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def in_loop(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)


def test_partitions_that_were_paused_flow_again_after_a_rebalance(
    bench: Bench, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "HOLD_S", 0.05)
    bench.make_topics(2)
    side = Side()
    group = GroupSettings(bench.bootstrap, "paused", session_timeout_ms=3000, heartbeat_interval_ms=100)
    thread = PollingThread(group, loop, side)
    thread.start([REQUESTS])
    until("both are ours", lambda: side.owned == [{(REQUESTS, 0), (REQUESTS, 1)}])
    side.behind = polling.BACKLOG_MAX + 1
    until("paused", lambda: thread._paused)

    other = Consumer(
        {"bootstrap.servers": bench.bootstrap, "group.id": "paused", "partition.assignment.strategy": "range"}
    )
    other.subscribe([REQUESTS])
    until("shared", lambda: other.poll(0.01) is None and len(side.owned) == 2)
    side.behind = 0
    other.close()
    until("both are ours again", lambda: len(side.owned) == 3)
    for partition in range(2):
        bench.feed((request(number) for number in range(5)), partition)
    until("everything has come", lambda: len(side.received) == 10)
    in_loop(loop, thread.leave(10))


class Client:
    """Stands where the confluent consumer stands."""

    def __init__(self) -> None:
        self.commits: list[Any] = []
        self.between = lambda: None

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        self.commits += [(each.topic, each.partition, each.offset) for each in offsets]

    def poll(self, _timeout: float) -> Any:
        return message(3)

    def consume(self, _count: int, _timeout: float) -> list[Any]:
        self.between()
        return [message(1), message(2)]

    def assign(self, _parts: list[TopicPartition]) -> None:
        """Nothing to do."""


def message(offset: int) -> Any:
    return SimpleNamespace(
        topic=lambda: REQUESTS,
        partition=lambda: 0,
        offset=lambda: offset,
        timestamp=lambda: (1, 0),
        headers=lambda: None,
        key=lambda: None,
        value=lambda: None,
        error=lambda: None,
    )


@pytest.fixture
def polled(loop: asyncio.AbstractEventLoop) -> tuple[PollingThread, Client, Side]:
    """Return a thread that is not started, its client, and partition 0 assigned."""
    side, client = Side(), Client()
    thread = PollingThread(GroupSettings("nowhere", "group"), loop, side)
    thread._on_assign(client, [TopicPartition(REQUESTS, 0)])
    return thread, client, side


def test_positions_are_shown_for_partitions_that_are_still_ours(polled: tuple[PollingThread, Client, Side]) -> None:
    thread, client, _ = polled
    thread.commit_soon({(REQUESTS, 0): 4, (REQUESTS, 1): 9})
    thread.commit_soon({(REQUESTS, 0): 5, (REQUESTS, 1): 9})
    thread._show(client)
    assert client.commits == [(REQUESTS, 0, 5)]


def test_positions_are_shown_until_they_are_acknowledged(polled: tuple[PollingThread, Client, Side]) -> None:
    thread, client, _ = polled
    for error in (KafkaError(KafkaError.REBALANCE_IN_PROGRESS), None, None):
        thread.commit_soon({(REQUESTS, 0): 5})
        thread._show(client)
        thread._on_commit(error, [TopicPartition(REQUESTS, 0, 5)])
    assert client.commits == [(REQUESTS, 0, 5)] * 2


def test_positions_of_an_assignment_that_is_over_are_not_shown(polled: tuple[PollingThread, Client, Side]) -> None:
    thread, client, _ = polled
    thread.commit_soon({(REQUESTS, 0): 5})
    thread._on_revoke(client, [TopicPartition(REQUESTS, 0)])
    thread._on_assign(client, [TopicPartition(REQUESTS, 0)])
    thread._show(client)
    assert client.commits == []


def test_a_record_of_the_former_assignment_is_not_handed_over_in_the_new_one(
    polled: tuple[PollingThread, Client, Side],
) -> None:
    thread, client, side = polled

    def rebalance() -> None:
        thread._on_revoke(client, [TopicPartition(REQUESTS, 0)])
        thread._on_assign(client, [TopicPartition(REQUESTS, 0)])

    client.between = rebalance
    thread._poll(client)
    until("two records", lambda: len(side.received) == 2)
    assert [record.offset for record in side.received] == [1, 2]
