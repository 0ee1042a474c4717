"""Exact numbers: what a quantity, a price, an amount of money and a weight are, and the decimal context they live in.

A value is brought to the scale of its schema when a model is built, so the same number always has the same bytes.
Quantities, prices and money refuse a value that does not fit the scale; a weight is a ratio and is rounded to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Annotated

from pydantic import AfterValidator, Field

#: 38 digits is what Avro's decimal(38, s) holds; 12 more keep intermediate products exact before they are quantized.
CONTEXT = Context(prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
PRECISION = 38


@dataclass(frozen=True)
class Scale:
    """How many decimals the schema keeps; the parity test compares it with the .avsc."""

    digits: int


def at_scale(digits: int) -> Callable[[Decimal], Decimal]:
    """Return a validator that brings a value to `digits` decimals and raises ValueError if that would change it."""

    def exactly(value: Decimal) -> Decimal:
        fitted = _quantized(value, digits)
        if fitted != value:
            raise ValueError(f"expected at most {digits} decimals, was {value}")
        return fitted

    return exactly


def _rounded(value: Decimal) -> Decimal:
    return _quantized(value, 12)


_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(PRECISION + 1))


def _quantized(value: Decimal, digits: int) -> Decimal:
    """Bring a value to `digits` decimals; ValueError when it is no number or has more digits than the schema holds."""
    if not value.is_finite():
        raise ValueError(f"expected a finite number, was {value}")
    try:
        fitted = value.quantize(_UNITS[digits], context=CONTEXT)
    except InvalidOperation as error:  # an ArithmeticError, which pydantic would let through
        raise ValueError(_too_big(value, digits)) from error
    if fitted.adjusted() >= PRECISION - digits:
        raise ValueError(_too_big(value, digits))
    return abs(fitted) if fitted.is_zero() else fitted


def _too_big(value: Decimal, digits: int) -> str:
    return f"expected at most {PRECISION - digits} digits before the point, was {value}"


Quantity = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(at_scale(9)), Scale(9)]
"""Shares; nine decimals, as Alpaca's fractional shares."""

Price = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(at_scale(6)), Scale(6)]
"""Dollars per share; six decimals."""

Money = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(at_scale(15)), Scale(15)]
"""Dollars, unrounded: the scale of quantity times price (9 + 6)."""

Weight = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(_rounded), Scale(12)]
"""A fraction of equity; a ratio, so it is rounded half-even to twelve decimals."""


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Round towards zero to a multiple of `step` (> 0)."""
    if step <= 0:
        raise ValueError(f"expected a quantity step above 0, was {step}")
    return (value / step).to_integral_value(rounding=ROUND_DOWN) * step


def plain(value: Decimal) -> str:
    """Write a number with all its digits: no exponent, and no zeros at the end that only its scale adds."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
