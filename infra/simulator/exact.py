"""Arithmetic that never rounds: cash is the exact sum of quantity times price, and an inexact step is an error."""

from datetime import UTC, datetime
from decimal import (
    ROUND_DOWN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

from schemas.quantities import CONTEXT

#: 60 digits hold a sum of (9 + 9)-decimal products above 10**40; Inexact is trapped, so nothing is lost in silence.
EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])

ZERO = Decimal(0)


def product(*factors: Decimal) -> Decimal:
    """Multiply without rounding; raises decimal.Inexact if 60 digits do not hold the product."""
    result = Decimal(1)
    for factor in factors:
        result = EXACT.multiply(result, factor)
    return result


def total(*terms: Decimal) -> Decimal:
    """Add without rounding; raises decimal.Inexact if 60 digits do not hold the sum."""
    result = ZERO
    for term in terms:
        result = EXACT.add(result, term)
    return result


def plain(value: Decimal) -> str:
    """Write a number the way the broker does: no exponent, no trailing zeros, no negative zero."""
    return "0" if value == 0 else format(EXACT.normalize(value), "f")


def stamp(at: datetime) -> str:
    """Write an instant in UTC with microseconds, as in 2026-01-02T15:00:00.000001Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


SHARE_UNIT = Decimal("1E-9")
CENT = Decimal("0.01")
_DOWN = Context(prec=60, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
_UP = Context(prec=60, rounding=ROUND_UP, traps=[InvalidOperation, DivisionByZero, Overflow])


def shares_for(dollars: Decimal, price: Decimal) -> Decimal:
    """Return the most shares an amount buys, to nine decimals; these never cost more than the amount."""
    return _DOWN.quantize(_DOWN.divide(dollars, price), SHARE_UNIT)


def rounded_up(value: Decimal, unit: Decimal) -> Decimal:
    """Return the next multiple of a power of ten, away from zero."""
    return _UP.quantize(value, unit)


def rounded_down(value: Decimal, unit: Decimal) -> Decimal:
    """Return the last multiple of a power of ten, towards zero."""
    return _DOWN.quantize(value, unit)


def ratio(value: Decimal, by: Decimal) -> Decimal:
    """Divide to 50 digits; for what is rounded or shown afterwards."""
    return CONTEXT.divide(value, by)
