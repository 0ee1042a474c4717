"""Records of a topic as they come: from given offsets on, committed ones only, to an end or for ever."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from infra.kafka.log import end_reached, incoming, reading_consumer
from topics.wire import Incoming

#: How long nothing may come before the caller is given a say.
IDLE_S = 0.5

_BATCH = 1000


@dataclass(frozen=True)
class Stretch:
    """A part of a topic: the first offset of each partition and, unless it goes on for ever, the end of each."""

    topic: str
    starts: Mapping[int, int]
    ends: Mapping[int, int] | None = None


def batches(bootstrap_servers: str, stretch: Stretch) -> Iterator[list[Incoming]]:
    """Yield records as they come, an empty list when none came for a while; ends when every end is reached."""
    consumer = reading_consumer(bootstrap_servers)
    try:
        yield from _batches(consumer, stretch)
    finally:
        consumer.close()


def _batches(consumer: Consumer, stretch: Stretch) -> Iterator[list[Incoming]]:
    starts, ends = stretch.starts, stretch.ends
    open_until = {number: _end(ends, number) for number, start in starts.items() if start < _end(ends, number)}
    consumer.assign([TopicPartition(stretch.topic, number, starts[number]) for number in open_until])
    while open_until:
        first = consumer.poll(IDLE_S)
        messages = [] if first is None else [first, *consumer.consume(_BATCH, 0)]
        records: list[Incoming] = []
        for message in messages:
            is_end = end_reached(message)
            number, offset = int(message.partition() or 0), int(message.offset() or 0)
            end = open_until.get(number)
            if end is None:
                continue
            if not is_end and offset < end:
                records.append(incoming(message))
            if offset + (0 if is_end else 1) >= end:
                del open_until[number]
        yield records


def _end(ends: Mapping[int, int] | None, number: int) -> int:
    return _NEVER if ends is None else ends[number]


_NEVER = 2**63 - 1
