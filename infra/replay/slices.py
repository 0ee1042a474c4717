"""Reading a long log in slices of time, every partition side by side, so that memory holds one slice and not the log.

A slice ends at a moment: in every partition at the first record of that moment or later. That is where it is cut and
nothing more: producers' clocks may differ, and whoever needs a record of the next slice waits for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.clock import seconds
from infra.errors import TapeError
from infra.kafka.log import high_watermarks, last_stable_offsets, offsets_at, read
from topics.wire import Incoming, Partition

#: Records in a slice, about: 20 000 decoded records are some 100 MB, and cutting a slice costs 50 ms of 3 s.
SLICE_RECORDS = 20_000

#: Longer than Kafka leaves a transaction open before it aborts it (transaction.timeout.ms).
SETTLE_TIMEOUT_S = 30.0

Ends = Mapping[Partition, int]


@dataclass(frozen=True)
class Moment:
    """The log at one moment. What lies before `settled` was written whole, with all it follows from before `ends`."""

    settled: Ends
    ends: Ends


def moment(bootstrap_servers: str, partitions: tuple[Partition, ...]) -> Moment:
    """Return where the log ends, although it may be growing.

    Watermarks are taken one after the other, so a decision in between could be in while its cause, or another of its
    records, is not. Hence twice: whatever has one record before the first taking was begun before it, and once no
    transaction of that time is open any more, all its records and causes lie before the second.
    """
    settled = high_watermarks(bootstrap_servers, partitions)
    started = seconds()
    while late := _open_below(settled, last_stable_offsets(bootstrap_servers, partitions)):
        if seconds() - started > SETTLE_TIMEOUT_S:
            raise TapeError(
                f"a transaction has been open for {SETTLE_TIMEOUT_S:.0f} s",
                where=", ".join(late),
                next_command="tape status",
            )
    return Moment(settled, high_watermarks(bootstrap_servers, partitions))


def slices(bootstrap_servers: str, start: Ends, ends: Ends) -> Iterator[Ends]:
    """Yield where each slice ends, in every partition, until `ends`."""
    here = start
    while any(here[each] < ends[each] for each in here):
        here = _next(bootstrap_servers, here, ends)
        yield here


def _next(bootstrap_servers: str, here: Ends, ends: Ends) -> Ends:
    left = {each: ends[each] - offset for each, offset in here.items()}
    parts = -(-sum(left.values()) // SLICE_RECORDS)
    if parts <= 1:
        return dict(ends)
    fullest = max(left, key=lambda each: left[each])
    cut = here[fullest] + max(1, left[fullest] // parts)
    record = next(read(bootstrap_servers, {fullest: cut}, {fullest: ends[fullest]}), None)
    if record is None:
        return dict(ends)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=record.timestamp_ms)
    found = offsets_at(bootstrap_servers, tuple(here), at)
    cuts = {each: min(ends[each], max(here[each], found[each])) for each in here}
    return cuts | {fullest: max(cut, cuts[fullest])}


def read_slice(bootstrap_servers: str, start: Ends, end: Ends) -> Iterator[Incoming]:
    """Yield the committed records of one slice."""
    return read(bootstrap_servers, {each: offset for each, offset in start.items() if offset < end[each]}, end)


def _open_below(settled: Ends, stable: Ends) -> list[str]:
    return [f"{topic}/{number}" for (topic, number), end in settled.items() if stable[topic, number] < end]
