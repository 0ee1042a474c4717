"""Opposite wishes meet inside the account: what is crossed, what is left, and how shares are split fairly."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from agents.planner.sizing import ZERO, Wish

QUANTITY_UNIT = Decimal(1).scaleb(-9)


class Netting(NamedTuple):
    """Wishes after crossing: signed shares by strategy; `residual` is of the larger side only and sums to the net."""

    quantity: Decimal
    crossed: Mapping[str, Decimal]
    residual: Mapping[str, Decimal]


def netted(wishes: Iterable[Wish], step: Decimal, is_open: bool) -> Netting:
    """Return what of the wishes is crossed and what remains for the broker.

    M = min(all buys, all sells) is crossed: the smaller side in full, the larger side by largest remainder. When the
    quote is not open nothing is crossed, and what would have been does not go to the broker either.
    """
    wanted = {wish.strategy_id: wish.wanted for wish in wishes if wish.wanted}
    buys = {name: quantity for name, quantity in wanted.items() if quantity > 0}
    sells = {name: -quantity for name, quantity in wanted.items() if quantity < 0}
    bought, sold = sum(buys.values(), ZERO), sum(sells.values(), ZERO)
    matched = min(bought, sold)
    if matched == 0:
        return Netting(ZERO, {}, wanted)
    bought_inside = buys if bought == matched else apportioned(matched, buys, step)
    sold_inside = sells if sold == matched else apportioned(matched, sells, step)
    inside = {**bought_inside, **{name: -quantity for name, quantity in sold_inside.items()}}
    residual = {name: quantity - inside[name] for name, quantity in wanted.items()}
    return Netting(matched, inside, residual) if is_open else Netting(ZERO, {}, residual)


def apportioned(total: Decimal, parts: Mapping[str, Decimal], step: Decimal) -> dict[str, Decimal]:
    """Return `total` split in proportion to `parts` by largest remainder, ties by name; nobody gets more than its part.

    Right for one total only; fills that come one after another need cumulative deficits. The unit is `step`, or the
    smallest quantity there is where a part is no multiple of it. Raises ValueError unless 0 <= total <= sum of parts.
    """
    whole = sum(parts.values(), ZERO)
    if not 0 <= total <= whole:
        raise ValueError(f"expected a total from 0 to {whole}, the sum of {len(parts)} parts, was {total}")
    if total == 0:
        return dict.fromkeys(parts, ZERO)
    unit = step if all(each % step == 0 for each in (total, *parts.values())) else QUANTITY_UNIT
    units, among = int(total / unit), int(whole / unit)
    shares = {name: divmod(units * int(part / unit), among) for name, part in parts.items()}
    left = units - sum(quotient for quotient, _ in shares.values())
    first = set(sorted(shares, key=lambda name: (-shares[name][1], name))[:left])
    return {name: (quotient + (name in first)) * unit for name, (quotient, _) in shares.items()}
