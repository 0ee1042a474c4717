"""Opposite wishes meet inside the account: what is crossed, what is left, and how shares are split fairly."""

from collections.abc import Sequence
from itertools import repeat
from math import gcd
from operator import floordiv, mod, mul, sub
from typing import NamedTuple


class Netting(NamedTuple):
    """Wishes after crossing, one signed entry per owner; `residual` is of the larger side only and sums to the net.

    `matched` is what could have been crossed; `crossed` is all zeros, and short for it empty, when it was not.
    """

    matched: int
    crossed: Sequence[int]
    residual: Sequence[int]


def netted(wanted: Sequence[int], step: int, is_open: bool) -> Netting:
    """Return what of the wishes is crossed and what remains for the broker.

    min(all buys, all sells) is matched: the smaller side in full, the larger side by largest remainder. When the
    market is not open nothing is crossed, and what would have been does not go to the broker either.
    """
    if not wanted or min(wanted) >= 0 or max(wanted) <= 0:
        return Netting(0, (), wanted)
    net = sum(wanted)
    is_bought, side = net >= 0, 1 if net >= 0 else -1
    larger = [abs(quantity) if (quantity > 0) is is_bought else 0 for quantity in wanted]
    matched = sum(larger) - abs(net)
    shares = apportioned(matched, larger, step)
    inside = [share * side if part else quantity for quantity, part, share in zip(wanted, larger, shares, strict=True)]
    return Netting(matched, inside if is_open else (), list(map(sub, wanted, inside)))


def apportioned(total: int, parts: Sequence[int], step: int) -> list[int]:
    """Return `total` split in proportion to `parts` by largest remainder, ties to the first; none gets above its part.

    Right for one total only; fills that come one after another need cumulative deficits. The unit is `step`, or the
    smallest quantity there is where a part is no multiple of it. Raises ValueError unless 0 <= total <= sum of parts.
    """
    whole = sum(parts)
    if not 0 <= total <= whole:
        raise ValueError(f"expected a total from 0 to {whole}, the sum of {len(parts)} parts, was {total}")
    if total in (0, whole):
        return list(parts) if total else [0] * len(parts)
    unit = step if gcd(step, total, *parts) == step else 1
    exact = list(map(mul, parts, repeat(total // unit)))
    shares = list(map(mul, map(floordiv, exact, repeat(whole)), repeat(unit)))
    left = (total - sum(shares)) // unit
    if left:
        remainders = list(map(mod, exact, repeat(whole)))
        for place in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:left]:
            shares[place] += unit
    return shares
