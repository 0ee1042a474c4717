"""Reading regions of topics: committed records only, each region in as few fetches as its holes allow.

Behind a transaction that is still open a read waits, as `infra.kafka.log` does, so that nothing committed is missed.
"""

from collections.abc import Iterator

from confluent_kafka import Consumer, TopicPartition

from infra.errors import TapeError
from infra.kafka.log import READ_TIMEOUT_S, end_reached, incoming, reading_consumer
from infra.sql.regions import Region
from topics.wire import Incoming

#: A new fetch costs about as much as reading over this many records.
GAP_MAX = 1000

_BATCH = 1000


class RegionReader:
    """One consumer that reads regions; closed after use."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._consumer: Consumer = reading_consumer(bootstrap_servers)

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()

    def read(self, topic: str, region: Region) -> Iterator[Incoming]:
        """Yield the committed records of a region by partition and offset, so that the same question has one order."""
        bridged = region.bridged(GAP_MAX)
        exact = bridged == region
        for number, ranges in bridged.ranges.items():
            for start, end in ranges:
                for record in self._read(topic, number, start, end):
                    if exact or (number, record.offset) in region:
                        yield record

    def _read(self, topic: str, number: int, start: int, end: int) -> Iterator[Incoming]:
        self._consumer.assign([TopicPartition(topic, number, start)])
        position = start
        while position < end:
            first = self._consumer.poll(READ_TIMEOUT_S)
            if first is None:
                raise TapeError(
                    f"no answer for {READ_TIMEOUT_S:.0f} s, {end - position} offsets are unread",
                    where=f"{topic}/{number}/{position}",
                    next_command="tape doctor",
                )
            # consume(n, t) would wait for n records; poll and then consume(n, 0) takes what is there
            for message in (first, *self._consumer.consume(_BATCH, 0)):
                is_end, offset = end_reached(message), int(message.offset() or 0)
                if message.partition() != number:
                    continue  # of the assignment before
                if not is_end and offset < end:
                    yield incoming(message)
                position = offset if is_end else offset + 1
