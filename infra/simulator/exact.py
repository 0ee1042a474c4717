"""Arithmetic that never rounds: cash is the exact sum of quantity times price, and an inexact step is an error."""

from datetime import UTC, datetime
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

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
