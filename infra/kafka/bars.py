"""How far bars lie on the log: what a run that is asked for now may read of them."""

from infra.kafka.log import high_watermarks, partitions_of
from schemas.market import Bar
from schemas.run import PartitionPosition


def bars_until(bootstrap_servers: str) -> tuple[PartitionPosition, ...]:
    """Return where each partition of the bars ends now, in order."""
    ends = high_watermarks(bootstrap_servers, partitions_of(bootstrap_servers, [Bar.topic]))
    return tuple(PartitionPosition(partition=number, next_offset=at) for (_, number), at in sorted(ends.items()))
