"""Columns of values as Arrow lays them out, and how the values of some rows become a column of all rows.

Formats are Arrow's: `l` and `i` whole numbers, `b` booleans, `tdD` dates, `tsu:UTC` instants, `d:38,9` decimals as two
words of 64 bits (the low one first), `u` text, `z` bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fixed:
    """Values of one width; where `valid` is false there is none (None = there always is one)."""

    format: str
    values: Numbers
    valid: Mask | None = None


@dataclass(frozen=True)
class Varying:
    """Texts or bytes, one behind the other."""

    format: str
    lengths: Numbers
    data: Numbers
    valid: Mask | None = None


@dataclass(frozen=True)
class Struct:
    """Records: a column for each field, `count` rows."""

    fields: Mapping[str, "Column"]
    count: int
    valid: Mask | None = None


@dataclass(frozen=True)
class Lists:
    """Arrays: how many items each row has, and the items of all rows one behind the other."""

    lengths: Numbers
    items: "Column"
    valid: Mask | None = None


Column = Fixed | Varying | Struct | Lists


def spread(column: Column, present: Mask) -> Column:
    """Return a column with a row for every element of `present`, null where that is false."""
    valid = present.copy()
    if column.valid is not None:
        valid[present] = column.valid
    match column:
        case Fixed(values=values):
            return replace(column, values=_spread(values, present), valid=valid)
        case Varying(lengths=lengths) | Lists(lengths=lengths):
            return replace(column, lengths=_spread(lengths, present), valid=valid)
        case Struct(fields=fields):
            wide = {name: spread(each, present) for name, each in fields.items()}
            return Struct(wide, len(present), valid)


def _spread(values: Numbers, present: Mask) -> Numbers:
    wide = np.zeros((len(present), *values.shape[1:]), dtype=values.dtype)
    wide[present] = values
    return wide
