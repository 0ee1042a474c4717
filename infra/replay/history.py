"""The part of the log a replay reads: every record of the decision path, by partition and offset."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from topics.registry import TOPICS
from topics.wire import Incoming, Partition, Place, header_or_none


@dataclass(frozen=True)
class History:
    """Records by partition, in order of offset; offsets have holes (transaction markers)."""

    by_partition: Mapping[Partition, tuple[Incoming, ...]]

    @classmethod
    def of(cls, records: Iterable[Incoming]) -> "History":
        """Sort records as they come from any reader."""
        found: dict[Partition, list[Incoming]] = {}
        for record in records:
            found.setdefault((record.topic, record.partition), []).append(record)
        return cls({where: tuple(sorted(each, key=lambda r: r.offset)) for where, each in found.items()})

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(len(each) for each in self.by_partition.values())

    def partitions(self, topics: Iterable[str]) -> tuple[int, ...]:
        """Return the partition numbers in which any of the topics has records."""
        names = set(topics)
        return tuple(sorted({number for topic, number in self.by_partition if topic in names}))

    def between(self, where: Partition, start: int, end: int | None) -> Iterator[Incoming]:
        """Yield the records of a partition with start <= offset < end (None = to the end)."""
        records = self.by_partition.get(where, ())
        for index in range(bisect_left(records, start, key=lambda r: r.offset), len(records)):
            if end is not None and records[index].offset >= end:
                return
            yield records[index]

    def at(self, place: Place) -> Incoming | None:
        """Return the record at a place, or None."""
        return next(self.between((place.topic, place.partition), place.offset, place.offset + 1), None)

    def correlated(self, correlation_id: str) -> Iterator[Incoming]:
        """Yield every record of a correlation id."""
        for records in self.by_partition.values():
            for record in records:
                if header_or_none(record.headers, "correlation_id") == correlation_id:
                    yield record


def decision_path() -> tuple[str, ...]:
    """Return the names of all topics a replay reads."""
    return tuple(topic.name for topic in TOPICS if not topic.is_cache)
