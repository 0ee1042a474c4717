"""Exact numbers as integers: a plan is reckoned in the smallest units of the schema, and becomes Decimal at its end.

Quantities count 1e-9 shares, prices 1e-6 dollars, weights 1e-12, and money 1e-15 dollars: a quantity times a price is
money, with nothing to round. Integers of any size are exact, and several times faster than Decimal in the hot loops.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import repeat

from schemas.quantities import CONTEXT

SHARE = 10**9
DOLLAR = 10**15
WHOLE = 10**12
"""A weight of 1."""

ZERO = Decimal(0)
_multiply, _quantize = CONTEXT.multiply, CONTEXT.quantize
_GIGA, _MEGA, _TERA, _PETA = (Decimal(f"1E{digits}") for digits in (9, 6, 12, 15))
_NANO, _MICRO, _FEMTO = (Decimal(f"1E-{digits}") for digits in (9, 6, 15))


def quantity_units(value: Decimal) -> int:
    """Return shares in units of 1e-9."""
    return int(_multiply(value, _GIGA))


def quantities_units(values: Iterable[Decimal]) -> list[int]:
    """Return a column of shares in units of 1e-9."""
    return list(map(int, map(_multiply, values, repeat(_GIGA))))


def weights_units(values: Iterable[Decimal]) -> list[int]:
    """Return a column of weights in units of 1e-12."""
    return list(map(int, map(_multiply, values, repeat(_TERA))))


def price_units(value: Decimal) -> int:
    """Return dollars per share in units of 1e-6."""
    return int(_multiply(value, _MEGA))


def weight_units(value: Decimal) -> int:
    """Return a weight in units of 1e-12."""
    return int(_multiply(value, _TERA))


def money_units(value: Decimal) -> int:
    """Return dollars in units of 1e-15."""
    return int(_multiply(value, _PETA))


def as_quantity(units: int) -> Decimal:
    """Return units of 1e-9 as shares."""
    return _multiply(units, _NANO)


def as_quantities(units: Iterable[int]) -> list[Decimal]:
    """Return a column of units of 1e-9 as shares."""
    return list(map(_multiply, units, repeat(_NANO)))


class Quantities(dict[int, Decimal]):
    """Shares by their units of 1e-9, each made once."""

    def __missing__(self, units: int) -> Decimal:
        """Make the number of units that were not met before."""
        value = self[units] = _multiply(units, _NANO)
        return value

    def of(self, units: Iterable[int]) -> list[Decimal]:
        """Return a column of units of 1e-9 as shares."""
        return list(map(self.__getitem__, units))


def as_price(units: int) -> Decimal:
    """Return units of 1e-6 as dollars per share."""
    return _multiply(units, _MICRO)


def as_money(units: int) -> Decimal:
    """Return units of 1e-15 as dollars."""
    return _multiply(units, _FEMTO)


def part_of(money: int, weight: Decimal) -> int:
    """Return a weight's part of an amount of money, rounded down to a unit: what a limit leaves is never more."""
    return money * weight_units(weight) // WHOLE


def dollars_of(money: int, weight: Decimal) -> Decimal:
    """Return a weight's part of an amount of money as dollars, rounded half-even to a unit."""
    return _quantize(_multiply(_multiply(money, _FEMTO), weight), _FEMTO)


def reserved(money: int, weight: Decimal) -> int:
    """Return a weight's part of an amount of money above zero, rounded up: what is held back is never less."""
    return -part_of(-max(money, 0), weight)


def floored(quantity: int, step: int) -> int:
    """Return a quantity above zero rounded down to a multiple of the step."""
    return quantity // step * step
