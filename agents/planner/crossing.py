"""Opposite wishes meet inside the account: what is crossed, what is left, and how shares are split fairly."""

from collections.abc import Sequence
from math import gcd
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
    places = [place for place, quantity in enumerate(wanted) if quantity and (quantity > 0) is is_bought]
    larger = [abs(wanted[place]) for place in places]
    matched = sum(larger) - abs(net)
    inside, residual = list(wanted), [0] * len(wanted)
    for place, part, share in zip(places, larger, apportioned(matched, larger, step), strict=True):
        inside[place], residual[place] = side * share, side * (part - share)
    return Netting(matched, inside if is_open else (), residual)


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
    units, every = total // unit, whole // unit
    exact = [part // unit * units for part in parts]
    shares = [each // every for each in exact]
    left = units - sum(shares)
    if left:
        remainders = [each % every for each in exact]
        for place in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:left]:
            shares[place] += 1
    return [share * unit for share in shares]
