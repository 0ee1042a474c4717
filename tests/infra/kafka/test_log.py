"""Reading the log to its end: all that is committed, nothing that was aborted, whatever else is going on."""

import itertools
import threading
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.kafka.log import high_watermarks, partitions_of, read, read_all

_NUMBERS = itertools.count()

NewTopicNamed = Callable[..., str]


@pytest.fixture
def new_topic(stack: Stack, request: pytest.FixtureRequest) -> NewTopicNamed:
    """Return a function that makes a topic of this test's own."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})

    def make(partitions: int = 1, **settings: str) -> str:
        name = f"log-{request.node.name}-{next(_NUMBERS)}".replace("[", "-").replace("]", "")
        for made in admin.create_topics([NewTopic(name, partitions, 1, config=settings)]).values():
            made.result()
        return name

    return make


@pytest.fixture
def neighbour(stack: Stack, request: pytest.FixtureRequest) -> Producer:
    """Return somebody else's transactional producer."""
    return transactional(stack, request.node.name)


def transactional(stack: Stack, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "transactional.id": name})
    producer.init_transactions(60)
    return producer


def write(producer: Producer, topic: str, *values: str, partition: int = 0) -> None:
    for value in values:
        producer.produce(topic, value, partition=partition)
    producer.flush()


def plain(stack: Stack) -> Producer:
    return Producer({"bootstrap.servers": stack.bootstrap_servers})


def values(stack: Stack, topic: str, start: int = 0, end: int | None = None) -> list[str]:
    bounds = None if end is None else {(topic, 0): end}
    return [(record.value or b"").decode() for record in read(stack.bootstrap_servers, {(topic, 0): start}, bounds)]


def test_an_empty_topic_ends_at_once(stack: Stack, new_topic: NewTopicNamed) -> None:
    assert values(stack, new_topic()) == []


def test_every_partition_is_read_in_its_own_order(stack: Stack, new_topic: NewTopicNamed) -> None:
    topic = new_topic(3)
    for partition in range(3):
        write(plain(stack), topic, *(f"{partition}-{number}" for number in range(500)), partition=partition)
    found = list(read_all(stack.bootstrap_servers, [topic]))
    assert len(found) == 1500
    for partition in range(3):
        mine = [record for record in found if record.partition == partition]
        assert [record.offset for record in mine] == list(range(500))
        assert mine[-1].value == f"{partition}-499".encode()


def test_key_headers_and_time_come_as_they_were_written(stack: Stack, new_topic: NewTopicNamed) -> None:
    topic = new_topic()
    producer = plain(stack)
    headers = [("a", b"1"), ("a", b"\xff"), ("none", None)]
    producer.produce(topic, None, b"key", headers=headers, timestamp=1_700_000_000_123)
    producer.produce(topic, b"value")
    producer.flush()
    tombstone, keyless = read_all(stack.bootstrap_servers, [topic])
    assert (tombstone.key, tombstone.value, tombstone.timestamp_ms) == (b"key", None, 1_700_000_000_123)
    assert tombstone.headers == (("a", b"1"), ("a", b"\xff"), ("none", b""))
    assert (keyless.key, keyless.value, keyless.headers) == (None, b"value", ())


def test_bounds_are_from_inclusive_to_exclusive(stack: Stack, new_topic: NewTopicNamed) -> None:
    topic = new_topic()
    write(plain(stack), topic, *"abcdef")
    assert values(stack, topic, start=1, end=4) == ["b", "c", "d"]
    assert values(stack, topic, start=4) == ["e", "f"]
    assert values(stack, topic, start=6) == []
    assert high_watermarks(stack.bootstrap_servers, [(topic, 0)]) == {(topic, 0): 6}


def test_what_was_aborted_is_not_seen_and_markers_at_the_end_are_no_reason_to_wait(
    stack: Stack, new_topic: NewTopicNamed, neighbour: Producer
) -> None:
    topic = new_topic()
    for number, ends in enumerate([neighbour.commit_transaction, neighbour.abort_transaction] * 3):
        neighbour.begin_transaction()
        write(neighbour, topic, f"{number}")
        ends()
    assert values(stack, topic) == ["0", "2", "4"]


def test_a_topic_of_nothing_but_aborted_records_ends(
    stack: Stack, new_topic: NewTopicNamed, neighbour: Producer
) -> None:
    topic = new_topic()
    neighbour.begin_transaction()
    write(neighbour, topic, "a", "b")
    neighbour.abort_transaction()
    assert values(stack, topic) == []


@pytest.mark.parametrize("is_committed", [True, False])
def test_behind_somebody_elses_open_transaction_it_waits_and_misses_nothing(
    stack: Stack, new_topic: NewTopicNamed, neighbour: Producer, is_committed: bool
) -> None:
    topic = new_topic()
    mine = transactional(stack, f"mine-{topic}")
    neighbour.begin_transaction()
    write(neighbour, topic, "neighbour")
    mine.begin_transaction()
    write(mine, topic, "mine")
    mine.commit_transaction()

    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(values(stack, topic)))
    reader.start()
    reader.join(1.0)
    assert reader.is_alive()  # what is mine is committed, and cannot be seen yet
    if is_committed:
        neighbour.commit_transaction()
    else:
        neighbour.abort_transaction()
    reader.join(30)
    assert found == (["neighbour", "mine"] if is_committed else ["mine"])


def test_a_compacted_topic_is_read_over_its_holes(stack: Stack, new_topic: NewTopicNamed) -> None:
    topic = new_topic(
        **{
            "cleanup.policy": "compact",
            "segment.ms": "1",
            "segment.bytes": "1048576",
            "min.cleanable.dirty.ratio": "0.001",
            "min.compaction.lag.ms": "0",
            "max.compaction.lag.ms": "1",
        }
    )
    producer = plain(stack)
    deadline = time.monotonic() + 120
    found, written = [], 0
    while len(found) == written:
        assert time.monotonic() < deadline
        for key in ("a", "b", "c"):
            producer.produce(topic, f"{written}", key)
            producer.flush()  # a segment each: the newest one is never compacted
            written += 1
        found = list(read_all(stack.bootstrap_servers, [topic]))
    assert [record.offset for record in found[-3:]] == [written - 3, written - 2, written - 1]
    assert {record.key: record.value for record in found} == {
        b"a": b"%d" % (written - 3),
        b"b": b"%d" % (written - 2),
        b"c": b"%d" % (written - 1),
    }


def test_a_topic_that_does_not_exist_is_named(stack: Stack) -> None:
    with pytest.raises(TapeError, match="nobody-made-this does not exist"):
        partitions_of(stack.bootstrap_servers, ["nobody-made-this"])
