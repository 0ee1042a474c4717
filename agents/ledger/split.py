"""Splitting executions over the strategies of a plan line: exact, never taken back, and never a unit behind.

A strategy's due is its wish's share of all that was executed so far. Largest remainder per fill would be wrong (a wish
of 60 to 40, filled share by share, would end at 100 to 0), and so would differences of cumulative largest-remainder
allocations (they can be negative). What is due in whole units is given; the units left over go, one each, to whoever
would be a whole unit behind first, among those to whom a part of a unit is due.

That choice is the earliest-deadline rule for unit jobs: the k-th unit of wish w_i of W may be given once k-1 < Q w_i/W
and must be given when Q w_i/W >= k. A schedule that keeps all these dates exists for every set of wishes (R. Tijdeman,
"The chairman assignment problem", 1980), so giving the most urgent first keeps them too, however the executions are
chunked: everybody stays within one unit of the due, and ends exactly at the wish. Giving to the largest deficit instead
does not: wishes of 1, 4, 3, 4, 48, 14, 49 filled one by one come to a fill that owes more whole units than it has.
"""

from collections.abc import Mapping
from decimal import Decimal


def split(wishes: Mapping[str, Decimal], allocated: Mapping[str, Decimal], executed: Decimal) -> dict[str, Decimal]:
    """Return what of an execution goes to each strategy, after `allocated` of the same line has been given.

    `wishes` are the unsigned quantities of the line, `executed` the unsigned quantity of this execution. The parts are
    never negative and sum to `executed`. The unit is the last decimal place in use: one share while all quantities are
    whole. Raises ValueError when more was executed than wished, or `allocated` is not of these wishes.
    """
    decimals = max(_decimals(each) for each in (*wishes.values(), *allocated.values(), executed))
    wanted = {owner: _units(wishes[owner], decimals) for owner in sorted(wishes)}
    given = {owner: _units(allocated[owner], decimals) for owner in sorted(allocated)}
    parts = _parts(wanted, given, _units(executed, decimals))
    return {owner: Decimal(part).scaleb(-decimals) for owner, part in parts.items()}


def _parts(wanted: dict[str, int], given: dict[str, int], executed: int) -> dict[str, int]:
    whole, total = sum(wanted.values()), sum(given.values()) + executed
    if total > whole or any(has > wanted.get(owner, 0) for owner, has in given.items()):
        raise ValueError(f"expected executions of {whole} units for {wanted}, was {executed} after {given}")
    has = {owner: given.get(owner, 0) for owner in wanted}

    def urgency(owner: str, units: int) -> tuple[int, int, str]:
        """When the last of `units` more must be given; then by how much it is due now; then the name."""
        deadline = -(-(has[owner] + units) * whole // wanted[owner])
        return deadline, (has[owner] + units) * whole - total * wanted[owner], owner

    parts = {owner: max(0, total * wish // whole - has[owner]) for owner, wish in wanted.items()}
    left = executed - sum(parts.values())
    behind = [owner for owner, wish in wanted.items() if (has[owner] + parts[owner]) * whole < total * wish]
    for owner in sorted(behind, key=lambda each: urgency(each, parts[each] + 1))[: max(left, 0)]:
        parts[owner] += 1
    # Only after executions in a coarser unit: somebody had a whole share of which only a part was due.
    for owner in sorted((each for each in wanted if parts[each]), key=lambda each: urgency(each, parts[each]))[::-1]:
        taken = min(parts[owner], max(sum(parts.values()) - executed, 0))
        parts[owner] -= taken
    return parts


def _decimals(quantity: Decimal) -> int:
    exponent = quantity.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"expected a finite quantity, was {quantity}")
    return max(0, -exponent)


def _units(quantity: Decimal, decimals: int) -> int:
    return int(quantity.scaleb(decimals))
