"""Bounds as offsets: what Kafka's watermarks and time index, and the projected index of correlation ids, make of them.

The ends are taken once, before anything else is looked up, so a question sees one state of each partition. An upper
bound in time is used only where the broker stamps the records: where producers do, a late record may lie far behind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from infra.errors import TapeError
from infra.kafka.log import READ_TIMEOUT_S, reading_consumer
from infra.sql.bounds import AllOf, AnyOf, Bound, Correlated, InOffsets, InPartitions, InTime
from infra.sql.index import CorrelationIndex, Indexed
from infra.sql.regions import Range, Region

#: Brokers' clocks differ, and a new leader's may be behind: stamps are taken as sorted up to ten minutes.
SLACK_MS = 10 * 60 * 1000

CONTACT_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Extent:
    """What a topic holds: the first and the next offset of each partition, and whether the broker stamps its time."""

    topic: str
    ends: Mapping[int, Range]
    is_stamped_by_broker: bool

    @property
    def whole(self) -> Region:
        """All of it."""
        return Region.of({partition: [each] for partition, each in self.ends.items()})


@dataclass
class Positions:
    """Looks positions up in one Kafka and, for correlation ids, in the index beside it."""

    bootstrap_servers: str
    index: CorrelationIndex
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # read_uncommitted: a reader of committed records is not told the high watermark
        self._consumer: Consumer = reading_consumer(
            self.bootstrap_servers, **{"isolation.level": "read_uncommitted", "enable.partition.eof": False}
        )
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def close(self) -> None:
        """End the connection to Kafka."""
        self._consumer.close()

    def extent(self, topic: str) -> Extent:
        """Return what a topic holds now; raises TapeError when Kafka does not answer or has no such topic."""
        try:
            found = self._consumer.list_topics(topic, timeout=CONTACT_TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise TapeError(
                    f"topic {topic} does not exist", where=self.bootstrap_servers, next_command="tape topics apply"
                )
            ends = {number: self._watermarks(topic, number) for number in sorted(found.partitions)}
        except KafkaException as error:
            raise TapeError(
                f"Kafka does not answer: {error.args[0].str()}",
                where=self.bootstrap_servers,
                next_command="tape status",
            ) from error
        return Extent(topic, ends, self._is_stamped_by_broker(topic))

    def region(self, extent: Extent, bound: Bound) -> Region:
        """Return where records that satisfy the bound can lie."""
        match bound:
            case AllOf(parts=parts):
                return reduce(and_, (self.region(extent, part) for part in parts), extent.whole)
            case AnyOf(parts=parts):
                return reduce(or_, (self.region(extent, part) for part in parts))
            case _:
                return self._region(extent, bound)

    def _region(self, extent: Extent, bound: Bound) -> Region:
        match bound:
            case InPartitions(numbers=numbers):
                return Region.of({number: [extent.ends[number]] for number in numbers & extent.ends.keys()})
            case InOffsets(low=low, high=high):
                between = (low or 0, _INFINITY if high is None else high + 1)
                return extent.whole & Region.of({number: [between] for number in extent.ends})
            case InTime(low_ms=low, high_ms=high):
                return self._in_time(extent, low, high)
            case Correlated(ids=ids):
                return self._correlated(extent, ids)
            case _:
                return extent.whole

    def from_time(self, extent: Extent, instant_ms: int) -> dict[int, int]:
        """Return the first offset of each partition with a record at or after an instant; its end without one."""
        asked = [TopicPartition(extent.topic, number, max(instant_ms, 0)) for number in extent.ends]
        found = {each.partition: int(each.offset) for each in self._consumer.offsets_for_times(asked, READ_TIMEOUT_S)}
        return {number: found[number] if found[number] >= 0 else end for number, (_, end) in extent.ends.items()}

    def _watermarks(self, topic: str, number: int) -> Range:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=READ_TIMEOUT_S)
        return int(low), int(high)

    def _in_time(self, extent: Extent, low_ms: int | None, high_ms: int | None) -> Region:
        starts = dict.fromkeys(extent.ends, 0) if low_ms is None else self.from_time(extent, low_ms)
        ends = dict.fromkeys(extent.ends, _INFINITY)
        if high_ms is not None and extent.is_stamped_by_broker:
            ends = self.from_time(extent, high_ms + SLACK_MS)
        return extent.whole & Region.of({number: [(starts[number], ends[number])] for number in extent.ends})

    def _correlated(self, extent: Extent, ids: frozenset[UUID]) -> Region:
        found = self.index.find(extent.topic, ids)
        if not isinstance(found, Indexed):
            self.notes.append(f"{extent.topic}: no index of correlation ids ({found}), so its records are scanned")
            return extent.whole
        return extent.whole & Region.of({number: _places(number, found, ends) for number, ends in extent.ends.items()})

    def _is_stamped_by_broker(self, topic: str) -> bool:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        try:
            [described] = self._admin.describe_configs([resource], request_timeout=CONTACT_TIMEOUT_S).values()
            return str(described.result()["message.timestamp.type"].value) == "LogAppendTime"
        except KafkaException:
            return False


_INFINITY = 2**63 - 1


def _places(number: int, found: Indexed, ends: Range) -> Iterable[Range]:
    """Return the indexed offsets of one partition, and what the index has not come to yet."""
    covered = found.next_offsets.get(number, 0)
    if covered > ends[1]:
        return [ends]  # the index is of another log, or of a later state of this one
    return [*((offset, offset + 1) for offset in found.offsets.get(number, ())), (covered, ends[1])]
