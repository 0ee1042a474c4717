"""Which partition a record belongs to: murmur2 over raw UTF-8, as Kafka's Java clients do it."""

# aiokafka has no types that strict mode could follow.
# pyright: standard

from aiokafka.partitioner import murmur2  # a faust dependency; the Java client's hash, so that Kafka's tools agree

from topics.registry import Topic


def partition_of(text: str, partitions: int) -> int:
    """Return the partition of a key among `partitions` (>= 1)."""
    if partitions < 1:
        raise ValueError(f"expected at least 1 partition, was {partitions}")
    return int(murmur2(text.encode()) & 0x7FFFFFFF) % partitions


def partition_for(topic: Topic, record: object, partitions: int) -> int:
    """Return the partition of a record of `topic`; a dead letter stays in the partition it was found in."""
    value = getattr(record, topic.partitioned_by)
    return value % partitions if isinstance(value, int) else partition_of(value, partitions)
