"""The bars a decision may look at: a view of bars.v1 up to a bound, and a slice of it that cannot look ahead.

A correction is a later record of the same symbol and session; before a bound the latest one counts. Nothing is copied
when a slice is taken: it looks the bars up when it is asked, newest first. A bar whose adjusted close is not above zero
is no bar: no return can be computed from it.

One thread feeds and asks a view. A slice stays what it was when more is read, because what comes later lies at or after
its bound.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from schemas.market import Bar
from schemas.quantities import CONTEXT
from schemas.record import Record
from schemas.run import PartitionPosition


class DayClose(NamedTuple):
    """What strategies read of one bar.

    `text` is its line in the hash over the bars looked at; `units` the adjusted close as a whole number of 1e-12
    dollars.
    """

    session_date: date
    adjusted_close: Decimal
    close: Decimal
    text: bytes
    units: int


class _Revision(NamedTuple):
    partition: int
    offset: int
    close: DayClose


@dataclass
class _Plain:
    """Bars of one partition as they came, while each was above zero and of a later session than the one before.

    `odd_from` is the offset of the first that was not; behind it nothing is taken in. A slice that ends before it needs
    no look at every bar.
    """

    partition: int
    sessions: list[date] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    closes: list[DayClose] = field(default_factory=list)
    odd_from: int | None = None
    is_alone: bool = True

    def add(self, revision: _Revision) -> None:
        close = revision.close
        self.is_alone = self.is_alone and revision.partition == self.partition
        if self.odd_from is not None:
            return
        if close.adjusted_close > 0 and (not self.sessions or close.session_date > self.sessions[-1]):
            self.sessions.append(close.session_date)
            self.offsets.append(revision.offset)
            self.closes.append(close)
        else:
            self.odd_from = revision.offset

    def last(self, count: int, bound: int, through: date) -> tuple[DayClose, ...] | None:
        """Return the last bars before a bound and through a day; None where only a look at every bar can say."""
        if not self.is_alone or (self.odd_from is not None and self.odd_from < bound):
            return None
        end = min(bisect_left(self.offsets, bound), bisect_right(self.sessions, through))
        return tuple(self.closes[max(0, end - count) : end])


@dataclass
class _History:
    """All revisions of one symbol: its sessions in order, and per session what was said of it, oldest first."""

    plain: _Plain
    sessions: list[date] = field(default_factory=list)
    revisions: dict[date, list[_Revision]] = field(default_factory=dict)

    def add(self, revision: _Revision) -> None:
        self.plain.add(revision)
        day = revision.close.session_date
        if day not in self.revisions:
            self.sessions.insert(bisect_right(self.sessions, day), day)
            self.revisions[day] = []
        self.revisions[day].append(revision)

    def at(self, day: date, bound: Mapping[int, int]) -> DayClose | None:
        for partition, offset, close in reversed(self.revisions[day]):
            if offset < bound.get(partition, 0):
                return close
        return None


class BarsView:
    """Everything read of bars.v1 so far; a ViewState."""

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}
        self._next_offsets: dict[int, int] = {}

    def add(self, partition: int, offset: int, record: Record) -> None:
        """Take in the next record of a partition; one that was taken in before changes nothing."""
        if not isinstance(record, Bar):
            raise TypeError(f"expected a Bar at {Bar.topic}/{partition}/{offset}, was {type(record).__name__}")
        if offset < self._next_offsets.get(partition, 0):
            return
        self._next_offsets[partition] = offset + 1
        history = self._histories.setdefault(record.symbol, _History(_Plain(partition)))
        history.add(_Revision(partition, offset, _day_close(record)))

    def until(self, bound: Sequence[PartitionPosition]) -> "BarsSlice":
        """Return what was seen before the bound; of a partition the bound does not name, nothing."""
        return BarsSlice(self._histories, {each.partition: each.next_offset for each in bound})


@dataclass(frozen=True)
class BarsSlice:
    """The bars before a bound, optionally only of sessions up to a day."""

    histories: Mapping[str, _History]
    bound: Mapping[int, int]
    through: date = date.max

    def up_to(self, day: date) -> "BarsSlice":
        """Return the same bars without the sessions after `day`."""
        return BarsSlice(self.histories, self.bound, min(day, self.through))

    def last(self, symbol: str, count: int) -> tuple[DayClose, ...]:
        """Return the last `count` bars of a symbol, oldest first; fewer when there are fewer."""
        history = self.histories.get(symbol)
        found: list[DayClose] = []
        if history is None:
            return ()
        plain = history.plain.last(count, self.bound.get(history.plain.partition, 0), self.through)
        if plain is not None:
            return plain
        for position in range(bisect_right(history.sessions, self.through) - 1, -1, -1):
            if len(found) == count:
                break
            close = history.at(history.sessions[position], self.bound)
            if close is not None and close.adjusted_close > 0:
                found.append(close)
        return tuple(reversed(found))


def sha256(looked_at: Iterable[Sequence[DayClose]]) -> str:
    """Return the hash, in hex, over bars in the order given: symbol, session, adjusted close and close of each."""
    texts = map(attrgetter("text"), chain.from_iterable(looked_at))
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _day_close(bar: Bar) -> DayClose:
    text = f"{bar.symbol} {bar.session_date} {bar.adjusted_close:f} {bar.close:f}\n"
    units = int(bar.adjusted_close.scaleb(12, CONTEXT))
    return DayClose(bar.session_date, bar.adjusted_close, bar.close, text.encode(), units)
