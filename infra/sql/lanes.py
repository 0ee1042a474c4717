"""Many Avro bodies in one buffer, and one position in each of them: the same field of all of them is read at once.

What a body cannot be is refused: its row is marked, and `MisfitError` says that the rest of it cannot be found. Nothing
here says what is wrong with a row; the reference decoder does, which reads refused rows again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.sql.columns import Mask, Numbers

#: Room on both sides of the bodies, so that a wide read near an end stays in the buffer; a UUID's text is 36 bytes.
_ROOM = 64
_FRAME = 5
_STOPS = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)
#: Groups of bits in a word, and how far they move together, until seven bits of each byte stand side by side.
_FOLDS = tuple(
    (np.uint64(low), np.uint64(high), np.uint64(shift))
    for low, high, shift in (
        (0x007F007F007F007F, 0x7F007F007F007F00, 1),
        (0x00003FFF00003FFF, 0x3FFF00003FFF0000, 2),
        (0x000000000FFFFFFF, 0x0FFFFFFF00000000, 4),
    )
)


class MisfitError(Exception):
    """Some rows are not what their schema says; they are marked."""


class Bodies:
    """The framed values of one schema, and which of them were refused."""

    def __init__(self, values: Sequence[bytes]) -> None:
        joined = b"".join((bytes(_ROOM), *values, bytes(_ROOM)))
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        self.bytes: Numbers = np.frombuffer(joined, np.uint8)
        self.ends: Numbers = _ROOM + np.cumsum(lengths)
        self.starts: Numbers = self.ends - lengths + _FRAME
        self.refused: Mask = np.zeros(len(values), np.bool_)
        self.words = _at_every_byte(joined, "<u8")
        self.big_words = _at_every_byte(joined, ">u8")

    def windows(self, starts: Numbers, size: int) -> Numbers:
        """Return `size` bytes from each start, a row for each."""
        return np.lib.stride_tricks.sliding_window_view(self.bytes, size)[starts]

    def gathered(self, starts: Numbers, lengths: Numbers) -> Numbers:
        """Return the bytes of spans, one behind the other."""
        before = np.cumsum(lengths) - lengths
        return self.bytes[np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))]

    def lanes(self) -> "Lanes":
        """Return a position at the first field of every body."""
        return Lanes(self, np.arange(len(self.starts)), self.starts.copy())


class Lanes:
    """A position in each of some bodies, which reading moves on; `rows` says which bodies they are."""

    def __init__(self, bodies: Bodies, rows: Numbers, at: Numbers) -> None:
        self.bodies = bodies
        self.rows = rows
        self.at = at
        self._ends = bodies.ends[rows]

    def __len__(self) -> int:
        return len(self.at)

    def some(self, wanted: Mask | Numbers) -> "Lanes":
        """Return some of the lanes, to be moved apart from these."""
        return Lanes(self.bodies, self.rows[wanted], self.at[wanted])

    def refuse(self, wrong: Mask) -> None:
        """Mark rows whose value is not allowed; the rest of them can be read on."""
        self.bodies.refused[self.rows[wrong]] = True

    def stop(self, wrong: Mask) -> None:
        """Mark rows whose next field cannot be found; raises MisfitError when there are any."""
        if wrong.any():
            self.refuse(wrong)
            raise MisfitError

    def move(self, to: Numbers) -> None:
        """Go on; raises MisfitError where that is beyond a body's end."""
        self.stop(to > self._ends)
        self.at = to

    def check_done(self) -> None:
        """Raise MisfitError where a body has not been read to its end, and to its end only."""
        self.stop(self.at != self._ends)

    def single_bytes(self) -> Numbers:
        """Read one byte."""
        found: Numbers = self.bodies.bytes[self.at]
        self.move(self.at + 1)
        return found

    def longs(self) -> Numbers:
        """Read a whole number of 64 bits."""
        first = self.bodies.bytes[self.at]
        if not len(first) or first.max() < 0x80:
            self.move(self.at + 1)
            return (first >> 1).astype(np.int64) ^ -(first & 1).astype(np.int64)
        values, sizes = self._long_words()
        self.move(self.at + sizes)
        return (values >> _ONE).astype(np.int64) ^ -(values & _ONE).astype(np.int64)

    def spans(self) -> tuple[Numbers, Numbers]:
        """Read bytes with their length in front; return where they start and how many they are."""
        lengths = self.longs()
        starts = self.at
        self.stop((lengths < 0) | (lengths > self._ends - starts))
        self.at = starts + lengths
        return starts, lengths

    def _long_words(self) -> tuple[Numbers, Numbers]:
        """Return numbers of up to eight bytes and their sizes; longer ones are the reference decoder's."""
        words = self.bodies.words[self.at]
        stops = ~words & _STOPS
        self.stop(stops == 0)
        last = stops & (~stops + _ONE)
        values = words & (last | (last - _ONE)) & ~_STOPS
        for low, high, shift in _FOLDS:
            values = (values & low) | ((values & high) >> shift)
        return values, np.bitwise_count((last - _ONE) & _STOPS).astype(np.int64) + 1


def _at_every_byte(joined: bytes, kind: str) -> NDArray[Any]:
    """Return the words that begin at every byte of a buffer."""
    return np.ndarray((len(joined) - 7,), kind, joined, strides=(1,))
