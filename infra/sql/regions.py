"""Which part of a topic is to be read: half-open ranges of offsets, by partition."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True)
class Region:
    """Ranges of offsets by partition: sorted, apart from each other, none empty; a partition without any is absent."""

    ranges: Mapping[int, tuple[Range, ...]]

    @classmethod
    def of(cls, ranges: Mapping[int, Iterable[Range]]) -> "Region":
        """Return the region of any ranges: empty ones dropped, overlapping ones joined."""
        joined = {partition: _joined(each) for partition, each in sorted(ranges.items())}
        return cls({partition: each for partition, each in joined.items() if each})

    @property
    def count(self) -> int:
        """How many offsets it has; records may be fewer, for transactions and compaction leave holes."""
        return sum(end - start for ranges in self.ranges.values() for start, end in ranges)

    def __and__(self, other: "Region") -> "Region":
        """Return what is in both."""
        both = self.ranges.keys() & other.ranges.keys()
        return Region.of({each: _intersection(self.ranges[each], other.ranges[each]) for each in both})

    def __or__(self, other: "Region") -> "Region":
        """Return what is in either."""
        either = self.ranges.keys() | other.ranges.keys()
        return Region.of({each: (*self.ranges.get(each, ()), *other.ranges.get(each, ())) for each in either})

    def bridged(self, gap_max: int) -> "Region":
        """Return the region with holes of up to `gap_max` offsets filled: reading on is cheaper than a new fetch."""
        return Region({partition: _joined(each, gap_max) for partition, each in self.ranges.items()})

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Say whether a partition and offset lie in it."""
        partition, offset = place
        ranges = self.ranges.get(partition, ())
        before = bisect_right(ranges, offset, key=lambda each: each[0])
        return before > 0 and offset < ranges[before - 1][1]


def _joined(ranges: Iterable[Range], gap_max: int = 0) -> tuple[Range, ...]:
    joined: list[Range] = []
    for start, end in sorted(each for each in ranges if each[0] < each[1]):
        if joined and start <= joined[-1][1] + gap_max:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _intersection(left: Iterable[Range], right: Iterable[Range]) -> Iterable[Range]:
    others = tuple(right)
    return ((max(a, c), min(b, d)) for a, b in left for c, d in others)
