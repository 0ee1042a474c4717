"""A view shows what lies before the bound a message names, and refuses a bound that does not exist."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from agents.declaration import View
from infra.embedded.stack import Stack
from infra.kafka.publish import Publisher
from infra.runtime.views import ViewFollower
from schemas.dead_letter import DeadLetter, Unreadable
from schemas.identity import derived
from schemas.market import Bar
from schemas.record import Record
from schemas.run import PartitionPosition
from tests.infra.demo.bars import bar
from tests.infra.runtime.paper import Log, PaperWorker
from tests.infra.runtime.toy import request
from topics.codec import UndecodableError


@dataclass
class Seen:
    """A view that only remembers where each record lay."""

    offsets: list[int] = field(default_factory=list)

    def add(self, partition: int, offset: int, record: Record) -> None:
        assert isinstance(record, Bar)
        self.offsets.append(offset)

    def until(self, bound: Any) -> list[int]:
        return [each for each in self.offsets if each < bound[0].next_offset]


@pytest.fixture
def servers(stack: Stack) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for future in admin.create_topics([NewTopic(Bar.topic, 1, 1)]).values():
        future.result()
    yield stack.bootstrap_servers
    for future in admin.delete_topics([Bar.topic]).values():
        future.result()


def publish(servers: str, count: int) -> None:
    publisher = Publisher(servers, 1, "test")
    for number in range(count):
        each = bar(number)
        publisher.publish(each, derived("bar", number), request(number).as_of)
    publisher.flush()


def looked(servers: str, *bounds: tuple[PartitionPosition, ...]) -> list[Any]:
    async def look() -> list[Any]:
        wanted = iter(bounds)
        view = View(Bar.topic, lambda _: next(wanted), Seen)
        follower = ViewFollower(view, servers, asyncio.get_running_loop())
        return [await follower.look(request(1)) for _ in bounds]

    return run(look())


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return _loop().run_until_complete(coroutine)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the one loop of this file: followers' threads go on speaking to it, so it is never closed."""
    return asyncio.new_event_loop()


def until(offset: int, partition: int = 0) -> tuple[PartitionPosition, ...]:
    return (PartitionPosition(partition=partition, next_offset=offset),)


def test_a_decision_sees_what_lies_before_its_bound_and_nothing_after(servers: str) -> None:
    publish(servers, 5)

    assert looked(servers, until(5), until(2), until(0)) == [[0, 1, 2, 3, 4], [0, 1], []]


@pytest.mark.parametrize(("bound", "said"), [(until(9), "up to 9, there is its end at 5"), (until(1, 7), "no such")])
def test_a_bound_that_does_not_exist_is_refused_with_both_values(servers: str, bound: Any, said: str) -> None:
    publish(servers, 5)

    with pytest.raises(UndecodableError, match=said) as refused:
        looked(servers, bound)
    assert refused.value.unreadable is Unreadable.BEYOND_THE_VIEW


def test_an_input_that_looks_beyond_the_view_becomes_a_dead_letter_and_the_next_is_judged() -> None:
    log = Log()
    worker = PaperWorker(log)
    try:
        log.feed([request(0), request(1)])
        bad = iter([True, False])

        async def look(_: Record) -> None:
            if next(bad):
                raise UndecodableError(Unreadable.BEYOND_THE_VIEW, "up to 9, there is its end at 5")

        worker.partition._look = look
        worker.finish()

        assert len(log.of(DeadLetter.topic)) == 1
        assert [decision.seq for decision in log.decisions()] == [1, 2]
        verdict = log.rejudged()
        assert (verdict.exit_code, verdict.decisions, verdict.identical) == (0, 1, 1)
    finally:
        worker.close()
