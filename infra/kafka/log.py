"""Reading the log: committed records of some partitions, from given positions to where they end now.

No consumer group, nothing is committed. Every read is bounded by the high watermark at its start, and waits for
transactions that are still open below it, so that nothing committed is missed behind somebody's open transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from infra.errors import TapeError
from topics.wire import Incoming, Partition, Place

READ_TIMEOUT_S = 60.0
_BATCH = 1000

#: Offsets between two wanted places that are read over rather than asked around: half a millisecond's reading.
SPAN_GAP_MAX = 500


def incoming(message: Message) -> Incoming:
    """Return a confluent message as our own type; a header without a value counts as empty."""
    headers = tuple((str(each[0]), _bytes(each[1])) for each in message.headers() or ())
    partition, offset = message.partition(), message.offset()
    topic, timestamp_ms = message.topic(), message.timestamp()[1]
    if topic is None or partition is None or offset is None:
        raise TypeError(f"expected a record with a place, was {topic}/{partition}/{offset}")
    return Incoming(topic, partition, offset, timestamp_ms, _key(message.key()), _key(message.value()), headers)


def read(
    bootstrap_servers: str,
    start: Mapping[Partition, int],
    end: Mapping[Partition, int] | None = None,
) -> Iterator[Incoming]:
    """Yield the committed records of each partition from `start` up to `end` (default: the high watermark now).

    Records of one partition come in order; partitions interleave. Raises TapeError when the broker does not answer.
    """
    reader = _Reader(bootstrap_servers)
    try:
        yield from reader.read(start, end)
    finally:
        reader.close()


def read_all(bootstrap_servers: str, topics: Sequence[str]) -> Iterator[Incoming]:
    """Yield every committed record of the topics, from the beginning to their end now."""
    yield from read(bootstrap_servers, dict.fromkeys(partitions_of(bootstrap_servers, topics), 0))


def partitions_of(bootstrap_servers: str, topics: Sequence[str]) -> tuple[Partition, ...]:
    """Return every partition of the topics; raises TapeError naming a topic that does not exist."""
    reader = _Reader(bootstrap_servers)
    try:
        return reader.partitions_of(topics)
    finally:
        reader.close()


def high_watermarks(bootstrap_servers: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Return the next offset that will be written in each partition."""
    reader = _Reader(bootstrap_servers)
    try:
        return {partition: reader.high_watermark(partition) for partition in partitions}
    finally:
        reader.close()


def last_stable_offsets(bootstrap_servers: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Return how far each partition holds no record of a transaction that is still open."""
    reader = _Reader(bootstrap_servers)
    try:
        return {partition: reader.last_stable_offset(partition) for partition in partitions}
    finally:
        reader.close()


def offsets_at(bootstrap_servers: str, partitions: Sequence[Partition], at: datetime) -> dict[Partition, int]:
    """Return the first offset of each partition whose timestamp is `at` or later; its end where there is none.

    Producers' clocks differ, so a record of an earlier time may lie behind one of a later time.
    """
    reader = _Reader(bootstrap_servers)
    try:
        return reader.offsets_at(partitions, int(at.timestamp() * 1000))
    finally:
        reader.close()


def read_places(bootstrap_servers: str, places: Iterable[Place]) -> Iterator[Incoming]:
    """Yield the records at some places, and nothing else; a place without a committed record yields nothing.

    Places that lie close together are read in one go: asking for each costs more than passing over what is between.
    """
    wanted = frozenset(places)
    reader = _Reader(bootstrap_servers)
    try:
        for spans in _rounds(wanted):
            start = {partition: span[0] for partition, span in spans.items()}
            end = {partition: span[1] for partition, span in spans.items()}
            yield from (record for record in reader.read(start, end) if record.place in wanted)
    finally:
        reader.close()


def end_reached(message: Message) -> bool:
    """Say whether the message is the consumer's note that a partition's end was reached; raises on other errors."""
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise TapeError(
        what=f"reading the log failed: {error.str()}",
        where=f"{message.topic()}/{message.partition()}/{message.offset()}",
        next_command="tape doctor",
    )


def reading_consumer(bootstrap_servers: str, **settings: Any) -> Consumer:
    """Return a consumer without a group: read_committed, with a note at each partition's end."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "tape-reader",  # the client insists on one; nothing is subscribed or committed with it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "socket.nagle.disable": True,
            "log_level": 2,  # librdkafka logs a refused connection every 50 ms; errors reach us as exceptions
            **settings,
        }
    )


class _Reader:
    """One consumer, closed after use."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._where = bootstrap_servers
        self._consumer = reading_consumer(bootstrap_servers)
        # A read_committed client is told the last stable offset instead of the high watermark: behind somebody else's
        # open transaction it would end too early, and hide events of ours that are committed already.
        self._ends = reading_consumer(bootstrap_servers, **{"isolation.level": "read_uncommitted"})

    def close(self) -> None:
        self._consumer.close()
        self._ends.close()

    def partitions_of(self, topics: Sequence[str]) -> tuple[Partition, ...]:
        found = self._consumer.list_topics(timeout=READ_TIMEOUT_S).topics
        for topic in topics:
            if topic not in found:
                raise TapeError(
                    what=f"topic {topic} does not exist", where=self._where, next_command="tape topics apply"
                )
        return tuple((topic, number) for topic in topics for number in sorted(found[topic].partitions))

    def high_watermark(self, partition: Partition) -> int:
        _, high = self._ends.get_watermark_offsets(TopicPartition(*partition), timeout=READ_TIMEOUT_S)
        return int(high)

    def last_stable_offset(self, partition: Partition) -> int:
        _, stable = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=READ_TIMEOUT_S)
        return int(stable)

    def offsets_at(self, partitions: Sequence[Partition], timestamp_ms: int) -> dict[Partition, int]:
        asked = [TopicPartition(*each, timestamp_ms) for each in partitions]
        found = self._ends.offsets_for_times(asked, timeout=READ_TIMEOUT_S) if asked else []
        return {
            (part.topic, part.partition): part.offset
            if part.offset >= 0
            else self.high_watermark((part.topic, part.partition))
            for part in found
        }

    def read(self, start: Mapping[Partition, int], end: Mapping[Partition, int] | None) -> Iterator[Incoming]:
        ends = {each: self.high_watermark(each) for each in start} if end is None else dict(end)
        open_until = {each: ends[each] for each, offset in start.items() if offset < ends[each]}
        self._consumer.assign([TopicPartition(*each, start[each]) for each in open_until])
        while open_until:
            first = self._consumer.poll(READ_TIMEOUT_S)
            if first is None:
                raise TapeError(
                    what=f"no answer for {READ_TIMEOUT_S:.0f} s with {len(open_until)} partitions unread",
                    where=", ".join(f"{topic}/{number}" for topic, number in sorted(open_until)),
                    next_command="tape doctor",
                )
            # consume(n, t) would wait for n records; poll and then consume(n, 0) takes what is there
            yield from self._taken([first, *self._consumer.consume(_BATCH, 0)], open_until)

    def _taken(self, messages: Sequence[Message], open_until: dict[Partition, int]) -> Iterator[Incoming]:
        for message in messages:
            at_end = end_reached(message)
            partition = (str(message.topic()), int(message.partition() or 0))
            offset = int(message.offset() or 0)
            if partition not in open_until:
                continue
            if not at_end and offset < open_until[partition]:
                yield incoming(message)
            if offset + (0 if at_end else 1) >= open_until[partition]:
                del open_until[partition]


def _rounds(places: Iterable[Place]) -> Iterator[dict[Partition, tuple[int, int]]]:
    """Yield spans of offsets (from, to) with at most one of each partition, until all places are covered."""
    spans: dict[Partition, list[tuple[int, int]]] = {}
    for place in sorted(places, key=lambda each: (each.topic, each.partition, each.offset)):
        ours = spans.setdefault((place.topic, place.partition), [])
        if ours and place.offset - ours[-1][1] <= SPAN_GAP_MAX:
            ours[-1] = (ours[-1][0], place.offset + 1)
        else:
            ours.append((place.offset, place.offset + 1))
    for number in range(max(map(len, spans.values()), default=0)):
        yield {partition: each[number] for partition, each in spans.items() if number < len(each)}


def _bytes(value: bytes | str | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _key(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
