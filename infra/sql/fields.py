"""How each Avro type is read over many records at once: one reader for every type of a schema, made once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np

from infra.sql.columns import Column, Fixed, Lists, Mask, Numbers, Struct, Varying, spread
from infra.sql.lanes import Lanes
from infra.sql.limits import Limits
from infra.sql.numbers import decimals, whole_bounds, within

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

INSTANTS = ((_FIRST - _EPOCH) // _MICROSECOND, (_LAST - _EPOCH) // _MICROSECOND)
DAYS = (date.min.toordinal() - _EPOCH.toordinal(), date.max.toordinal() - _EPOCH.toordinal())
INT = (-(2**31), 2**31 - 1)
LONG = (-(2**63), 2**63 - 1)

#: Of each byte whether it is a digit of a UUID's text, or the dash between them.
_CLASSES = np.array([1 if chr(each) in "0123456789abcdefABCDEF" else 2 * (each == 0x2D) for each in range(256)], "u1")
_UUID = np.array([2 if place in (8, 13, 18, 23) else 1 for place in range(36)], "u1")


class Reader(Protocol):
    """Reads one field of all lanes, or passes over it."""

    def read(self, lanes: Lanes) -> Column:
        """Return the values; refuses rows that break a rule."""
        ...

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        ...


@dataclass(frozen=True)
class WholeReader:
    """Whole numbers, instants and days, all of them numbers in Avro."""

    format: str
    bounds: tuple[int, int]
    limits: Limits

    def read(self, lanes: Lanes) -> Column:
        """Return the numbers."""
        found = lanes.longs()
        low, high = self.bounds
        lanes.refuse((found < low) | (found > high))
        lanes.refuse(~within(found >> 63, found.view(np.uint64), whole_bounds(self.limits)))
        kind = np.int32 if self.format in ("i", "tdD") else np.int64
        return Fixed(self.format, found.astype(kind))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.longs()


@dataclass(frozen=True)
class BooleanReader:
    """One byte, 0 or 1."""

    def read(self, lanes: Lanes) -> Column:
        """Return the booleans."""
        found = lanes.single_bytes()
        lanes.refuse(found > 1)
        return Fixed("b", found.astype(np.bool_))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.single_bytes()


@dataclass(frozen=True)
class BytesReader:
    """Texts are UTF-8 without NUL, which JSON and DuckDB treat differently."""

    format: str
    limits: Limits

    def read(self, lanes: Lanes) -> Column:
        """Return the texts or bytes."""
        starts, lengths = lanes.spans()
        data = lanes.bodies.gathered(starts, lengths)
        if self.limits.is_filled:
            lanes.refuse(lengths == 0)
        if self.format == "u" and len(data) and (data.min() == 0 or data.max() >= 0x80):
            lanes.refuse(_is_no_text(data, lengths))
        return Varying(self.format, lengths, data)

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.spans()


@dataclass(frozen=True)
class UuidReader:
    """UUIDs in their usual spelling; others are the reference decoder's."""

    def read(self, lanes: Lanes) -> Column:
        """Return the texts."""
        starts, lengths = lanes.spans()
        found = lanes.bodies.windows(starts, len(_UUID))
        lanes.refuse((lengths != len(_UUID)) | (_CLASSES[found] != _UUID).any(axis=1))
        return Varying("u", np.full(len(lanes), len(_UUID)), found.reshape(-1))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.spans()


@dataclass(frozen=True)
class DecimalReader:
    """Decimals of up to 38 digits."""

    precision: int
    scale: int
    limits: Limits

    def read(self, lanes: Lanes) -> Column:
        """Return the decimals."""
        starts, lengths = lanes.spans()
        high, low = decimals(lanes, starts, lengths)
        most = 10**self.precision - 1
        lanes.refuse(~within(high, low, (-most, most)))
        lanes.refuse(~within(high, low, whole_bounds(self.limits, self.scale)))
        return Fixed(f"d:{self.precision},{self.scale}", np.stack((low, high.view(np.uint64)), axis=1))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.spans()


@dataclass(frozen=True)
class EnumReader:
    """`symbols` are the schema's, `known` says which of them the model has too."""

    symbols: tuple[str, ...]
    known: tuple[bool, ...]

    def read(self, lanes: Lanes) -> Column:
        """Return the symbols as texts."""
        found = lanes.longs()
        is_there = (found >= 0) & (found < len(self.symbols))
        places = np.where(is_there, found, 0)
        lanes.refuse(~is_there | ~np.array(self.known)[places])
        texts = [each.encode() for each in self.symbols]
        sizes = np.array([len(each) for each in texts])
        starts, lengths = (np.cumsum(sizes) - sizes)[places], sizes[places]
        before = np.cumsum(lengths) - lengths
        wanted = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
        return Varying("u", lengths, np.frombuffer(b"".join(texts), np.uint8)[wanted])

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        lanes.longs()


@dataclass(frozen=True)
class OptionalReader:
    """A value or null; `null` is its branch of the union."""

    null: int
    of: Reader

    def read(self, lanes: Lanes) -> Column:
        """Return the values, null where there is none."""
        branch = lanes.longs()
        lanes.stop((branch != 0) & (branch != 1))
        present = branch != self.null
        if present.all():
            return self.of.read(lanes)
        some = lanes.some(present)
        column = self.of.read(some)
        lanes.at[present] = some.at
        return spread(column, present)

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        branch = lanes.longs()
        lanes.stop((branch != 0) & (branch != 1))
        some = lanes.some(branch != self.null)
        self.of.skip(some)
        lanes.at[branch != self.null] = some.at


@dataclass(frozen=True)
class ArrayReader:
    """One block of items and the end, as our encoder writes arrays; other blocks are the reference decoder's."""

    of: Reader

    def read(self, lanes: Lanes) -> Column:
        """Return the items of each row."""
        lengths, owners, starts = self._walked(lanes)
        order = np.argsort(owners, kind="stable")
        return Lists(lengths, self.of.read(Lanes(lanes.bodies, lanes.rows[owners[order]], starts[order])))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        self._walked(lanes)

    def _walked(self, lanes: Lanes) -> tuple[Numbers, Numbers, Numbers]:
        """Pass over the items; return their number by lane, and of each item its lane and where it starts."""
        lengths = lanes.longs()
        lanes.stop((lengths < 0) | (lengths > lanes.bodies.ends[lanes.rows] - lanes.at))
        active = np.flatnonzero(lengths)
        filled, owners, starts = active, [active[:0]], [lanes.at[:0]]
        number = 0
        while len(active):
            some = lanes.some(active)
            owners.append(active)
            starts.append(some.at)
            self.of.skip(some)
            lanes.at[active] = some.at
            number += 1
            active = active[lengths[active] > number]
        ends = lanes.some(filled)
        ends.stop(ends.single_bytes() != 0)
        lanes.at[filled] = ends.at
        return lengths, np.concatenate(owners), np.concatenate(starts)


@dataclass(frozen=True)
class RecordReader:
    """The fields of a record, in their order."""

    fields: Mapping[str, Reader]

    def read(self, lanes: Lanes) -> Column:
        """Return a column for each field."""
        return Struct({name: each.read(lanes) for name, each in self.fields.items()}, len(lanes))

    def skip(self, lanes: Lanes) -> None:
        """Go behind the field."""
        for each in self.fields.values():
            each.skip(lanes)


def _is_no_text(data: Numbers, lengths: Numbers) -> Mask:
    """Say which of several texts have a NUL or are no UTF-8."""
    ends = np.cumsum(lengths)
    wrong = np.zeros(len(lengths), np.bool_)
    wrong[np.searchsorted(ends, np.flatnonzero(data == 0), side="right")] = True
    whole = data.tobytes()
    for lane in np.unique(np.searchsorted(ends, np.flatnonzero(data >= 0x80), side="right")):
        try:
            whole[int(ends[lane] - lengths[lane]) : int(ends[lane])].decode()
        except UnicodeDecodeError:
            wrong[lane] = True
    return wrong
