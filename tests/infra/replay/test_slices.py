"""Cutting a log in time: nothing is lost or read twice, and the end is a moment even while the log grows."""

import itertools
from collections.abc import Sequence

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.embedded.stack import Stack
from infra.kafka.log import last_stable_offsets
from infra.replay import slices as module
from infra.replay.slices import moment, read_slice, slices
from topics.wire import Partition

_NUMBERS = itertools.count()


def new_topics(stack: Stack, count: int) -> list[str]:
    names = [f"slices-{next(_NUMBERS)}" for _ in range(count)]
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        made.result()
    return names


def test_slices_cover_the_log_once_and_none_holds_much_more_than_it_should(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_RECORDS", 50)
    busy, quiet, empty = new_topics(stack, 3)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for number in range(300):
        producer.produce(busy, str(number), timestamp=1_000_000 + number)
        if number % 10 == 0:
            producer.produce(quiet, str(number), timestamp=1_000_000 + number)
    producer.flush()
    ends = {(busy, 0): 300, (quiet, 0): 30, (empty, 0): 0}
    start = dict.fromkeys(ends, 0)
    read: list[tuple[str, int]] = []
    sizes = []
    for end in slices(stack.bootstrap_servers, start, ends):
        records = list(read_slice(stack.bootstrap_servers, start, end))
        assert max(r.timestamp_ms for r in records) - min(r.timestamp_ms for r in records) < 100
        read += [(record.topic, record.offset) for record in records]
        sizes.append(len(records))
        start = end
    assert sorted(read) == sorted((topic, offset) for (topic, _), end in ends.items() for offset in range(end))
    assert len(sizes) > 3
    assert max(sizes) <= 100


def test_a_log_whose_records_all_bear_one_time_is_still_gone_through(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_RECORDS", 10)
    (topic,) = new_topics(stack, 1)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for number in range(40):
        producer.produce(topic, str(number), timestamp=1_000_000)
    producer.flush()
    found = list(slices(stack.bootstrap_servers, {(topic, 0): 0}, {(topic, 0): 40}))
    assert found[-1] == {(topic, 0): 40}
    assert all(a[topic, 0] < b[topic, 0] for a, b in itertools.pairwise(found))


def test_a_moment_waits_for_transactions_that_were_open_and_takes_in_all_they_wrote(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_topics(stack, 2)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "transactional.id": first})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(first, b"one record of a decision")
    producer.flush()
    asked = itertools.count()

    def then_commit(servers: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
        found = last_stable_offsets(servers, partitions)
        if next(asked) == 0:
            producer.produce(second, b"another one of it")
            producer.commit_transaction(60)
        return found

    monkeypatch.setattr(module, "last_stable_offsets", then_commit)
    now = moment(stack.bootstrap_servers, ((first, 0), (second, 0)))
    assert now.settled == {(first, 0): 1, (second, 0): 0}
    assert now.ends[second, 0] >= 1
    assert next(asked) > 1
