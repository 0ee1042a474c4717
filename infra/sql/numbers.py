"""Numbers of 128 bits, as decimals are: two words each, the high one signed."""

import numpy as np

from infra.sql.columns import Mask, Numbers
from infra.sql.lanes import Lanes
from infra.sql.limits import Limits
from schemas.quantities import CONTEXT

_WORD_BITS = 64
_WORD = (1 << _WORD_BITS) - 1
_BYTES_MAX = 16

Bounds = tuple[int | None, int | None]
"""The least and the greatest number allowed; None = any."""


def decimals(lanes: Lanes, starts: Numbers, lengths: Numbers) -> tuple[Numbers, Numbers]:
    """Return the unscaled numbers of decimals, big-endian and signed; refuses those of more than 16 bytes."""
    lanes.refuse(lengths > _BYTES_MAX)
    sizes = np.minimum(lengths, _BYTES_MAX)
    words, ends = lanes.bodies.big_words, starts + lengths
    low = words[ends - 8].astype(np.uint64)
    short = _extended(low, np.minimum(sizes, 8))
    if not len(sizes) or sizes.max() <= 8:
        return short >> 63, short.view(np.uint64)
    is_long = sizes > 8
    high = _extended(words[ends - 16].astype(np.uint64), np.maximum(sizes - 8, 0))
    return np.where(is_long, high, short >> 63), np.where(is_long, low, short.view(np.uint64))


def whole_bounds(limits: Limits, scale: int = 0) -> Bounds:
    """Return the bounds of an unscaled number whose value, at `scale` decimals, has the limits."""
    low = None if limits.low is None else int(limits.low.scaleb(scale, CONTEXT)) + (not limits.has_low)
    high = None if limits.high is None else int(limits.high.scaleb(scale, CONTEXT)) - (not limits.has_high)
    return low, high


def within(high: Numbers, low: Numbers, bounds: Bounds) -> Mask:
    """Say which numbers are within bounds."""
    least, most = bounds
    found = np.ones(len(high), np.bool_)
    if least is not None:
        found &= _at_least(high, low, least)
    if most is not None:
        found &= ~_at_least(high, low, most + 1)
    return found


def _extended(words: Numbers, sizes: Numbers) -> Numbers:
    """Return the signed numbers that the last `sizes` bytes of words are; no byte is 0."""
    shifts = np.minimum((8 - sizes) * 8, _WORD_BITS - 1).astype(np.uint64)
    return np.where(sizes == 0, 0, (words << shifts).view(np.int64) >> shifts.view(np.int64))


def _at_least(high: Numbers, low: Numbers, bound: int) -> Mask:
    of_high, of_low = np.int64(bound >> _WORD_BITS), np.uint64(bound & _WORD)
    found: Mask = (high > of_high) | ((high == of_high) & (low >= of_low))
    return found
