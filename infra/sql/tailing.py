"""The tail of a topic: where it begins and ends, and which of its records are shown."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from infra.errors import TapeError
from infra.sql.engine import Shape
from infra.sql.live import Stretch, batches
from infra.sql.positions import Extent, Positions
from infra.sql.reader import RegionReader
from infra.sql.regions import Range, Region
from infra.sql.rows import Rows, Tally
from infra.sql.session import Session
from infra.sql.times import instant_ms
from infra.sql.types import quoted
from topics.wire import Incoming

_OFFSETS = "beginning, end, an offset, -N for the last N, @TIME, s@TIME or e@TIME"


@dataclass(frozen=True)
class Span:
    """What of a topic is asked for: kcat's `-o` in all its forms, and times; None is open."""

    offset: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    partitions: frozenset[int] | None = None
    is_bounded: bool = False

    @classmethod
    def of(
        cls,
        offsets: Sequence[str],
        since: str | None,
        until: str | None,
        partitions: Collection[int],
        *,
        is_bounded: bool,
    ) -> "Span":
        """Return the span of what a person typed; raises TapeError when it is no offset and no time."""
        span = cls(
            since_ms=None if since is None else instant_ms(since),
            until_ms=None if until is None else instant_ms(until),
            partitions=frozenset(partitions) or None,
            is_bounded=is_bounded or until is not None,
        )
        for each in offsets:
            span = span._with(each)
        return span

    def _with(self, offset: str) -> "Span":
        kind, at, time = offset.partition("@")
        if at and kind in ("", "s"):
            return replace(self, since_ms=instant_ms(time))
        if at and kind == "e":
            return replace(self, until_ms=instant_ms(time), is_bounded=True)
        if offset in ("beginning", "end") or offset.removeprefix("-").isdecimal():
            return replace(self, offset=offset)
        raise TapeError(f"expected an offset: {_OFFSETS}; was {offset}")

    def stretch(self, extent: Extent, positions: Positions) -> Stretch:
        """Return the offsets of the span now. Without a beginning it begins at the end, or, bounded, at the start."""
        chosen = {number: each for number, each in extent.ends.items() if self._has(number)}
        if not chosen:
            raise TapeError(
                f"{extent.topic} has partitions {', '.join(map(str, extent.ends))}, none of those asked for"
            )
        by_time = None if self.since_ms is None else positions.from_time(extent, self.since_ms)
        starts = {number: self._start(number, ends, by_time) for number, ends in chosen.items()}
        if by_time is None and self.offset is not None and self.offset.startswith("-"):
            starts = last_records(positions.bootstrap_servers, extent.topic, chosen, -int(self.offset))
        ends = {number: end for number, (_, end) in chosen.items()} if self.is_bounded else None
        return Stretch(extent.topic, starts, ends)

    def _has(self, number: int) -> bool:
        return self.partitions is None or number in self.partitions

    def _start(self, number: int, ends: Range, by_time: "dict[int, int] | None") -> int:
        low, high = ends
        if by_time is not None:
            return by_time[number]
        match self.offset:
            case None:
                return low if self.is_bounded else high
            case "beginning":
                return low
            case "end":
                return high
            case str(text):
                return max(low, int(text))

    def contains(self, record: Incoming) -> bool:
        """Say whether a record lies in its times; a topic's records need not lie in the order of their times."""
        at = record.timestamp_ms
        return (self.since_ms is None or at >= self.since_ms) and (self.until_ms is None or at < self.until_ms)


def last_records(bootstrap_servers: str, topic: str, partitions: Mapping[int, Range], count: int) -> dict[int, int]:
    """Return where the last `count` records of each partition begin: offsets also count what is no record of anybody's.

    Transactions end in a marker each, and what was aborted keeps its offsets.
    """
    reader = RegionReader(bootstrap_servers)
    try:
        return {number: _last(reader, topic, number, ends, count) for number, ends in partitions.items()}
    finally:
        reader.close()


def _last(reader: RegionReader, topic: str, number: int, ends: Range, count: int) -> int:
    low, high = ends
    reach = 2 * count
    while count:
        start = max(low, high - reach)
        found = [record.offset for record in reader.read(topic, Region.of({number: [(start, high)]}))]
        if len(found) >= count:
            return found[-count]
        if start == low:
            return low
        reach *= 4
    return high


@dataclass(frozen=True)
class Filter:
    """Lets those records through for which an SQL condition is true."""

    session: Session
    rows: Rows
    sql: str

    @classmethod
    def of(cls, session: Session, rows: Rows, condition: str) -> "Filter":
        """Return the filter; raises TapeError, before any record, when the condition is none."""
        sql = f"SELECT _partition, _offset FROM {quoted(rows.table.topic)} WHERE (\n{condition}\n)"  # noqa: S608 - DuckDB's locked process judges it
        question = session.question(sql)
        if [reading.table for reading in question.readings] != [rows.table]:
            raise TapeError(f"a condition sees one topic, {rows.table.name}", next_command="tape sql joins topics")
        found = cls(session, replace(rows, wanted=question.pseudo_columns), sql)
        session.define(found.rows)
        found.through([])
        return found

    def through(self, records: Sequence[Incoming]) -> list[Incoming]:
        """Return the records for which the condition is true, in their order."""
        chunks: list[bytes] = []
        self.rows.tally = Tally()
        self.session.refill(self.rows, records)
        if self.rows.tally.unreadable and "_error" not in self.rows.wanted:  # whoever names it judges them
            self.session.reporting.note(
                f"{self.rows.table.name}: {self.rows.tally.unreadable} records cannot be read, so what the condition"
                " says of their fields is not known: or _error is not null"
            )
        self.session.query(self.sql, Shape("jsonl"), chunks.append, is_single=True)
        passed = {(row["_partition"], row["_offset"]) for row in map(json.loads, b"".join(chunks).splitlines())}
        return [record for record in records if (record.partition, record.offset) in passed]


def tail(bootstrap_servers: str, stretch: Stretch, span: Span, condition: Filter | None) -> Iterator[Incoming]:
    """Yield the records of a stretch that lie in the span and pass the condition, as they come."""
    for records in batches(bootstrap_servers, stretch):
        inside = [record for record in records if span.contains(record)]
        yield from inside if condition is None or not inside else condition.through(inside)
