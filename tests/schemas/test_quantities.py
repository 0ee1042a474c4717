"""Exact numbers: one number, one text, one sequence of bytes; what does not fit is refused and never cut."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.quantities import Money, Price, Quantity, Weight, floor_to_step

EXACT = [(Quantity, 9), (Price, 6), (Money, 15)]
ALL = [*EXACT, (Weight, 12)]
decimals = st.decimals(allow_nan=False, allow_infinity=False)


def read(kind: Any, value: Any) -> Decimal:
    found = TypeAdapter(kind).validate_python(value)
    assert isinstance(found, Decimal)
    return found


@pytest.mark.parametrize(("kind", "scale"), ALL)
def test_a_number_has_the_scale_of_its_kind(kind: Any, scale: int) -> None:
    assert str(read(kind, "1.5")) == "1.5" + "0" * (scale - 1)


@pytest.mark.parametrize(("kind", "scale"), ALL)
def test_zero_has_no_sign(kind: Any, scale: int) -> None:
    assert str(read(kind, "-0.0")) == str(read(kind, Decimal("0E+60"))) == str(Decimal(0).scaleb(-scale))


@pytest.mark.parametrize(("kind", "scale"), EXACT)
def test_one_decimal_too_many_is_refused(kind: Any, scale: int) -> None:
    smallest = Decimal(1).scaleb(-scale)

    assert read(kind, smallest) == smallest
    with pytest.raises(ValidationError, match=f"at most {scale} decimals"):
        read(kind, smallest / 10)


def test_a_weight_is_rounded_half_even_to_twelve_decimals() -> None:
    assert str(read(Weight, Decimal("0.3333333333333333"))) == "0.333333333333"
    assert str(read(Weight, Decimal("0.0000000000005"))) == "0E-12"
    assert str(read(Weight, Decimal("0.0000000000015"))) == "2E-12"


@pytest.mark.parametrize(("kind", "scale"), ALL)
def test_a_number_with_more_digits_than_the_schema_holds_is_refused(kind: Any, scale: int) -> None:
    largest = Decimal("9" * (38 - scale))

    assert read(kind, largest) == largest
    for too_large in (Decimal(f"1E{38 - scale}"), Decimal(f"-1E{38 - scale}"), Decimal("1E+60"), Decimal("1E+6000")):
        with pytest.raises(ValidationError, match=f"at most {38 - scale} digits before the point"):
            read(kind, too_large)


@pytest.mark.parametrize("kind", [kind for kind, _ in ALL])
@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), "-inf", None, True, "ten"])
def test_what_is_no_number_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        read(kind, value)


@pytest.mark.parametrize(("kind", "scale"), ALL)
@given(value=decimals)
def test_a_number_is_kept_to_its_scale_or_refused(kind: Any, scale: int, value: Decimal) -> None:
    try:
        kept = read(kind, value)
    except ValidationError:
        return

    assert kept.as_tuple().exponent == -scale
    assert abs(kept - value) <= Decimal(5).scaleb(-scale - 1)
    assert str(read(kind, kept)) == str(kept)


def test_rounding_to_a_step_goes_towards_zero() -> None:
    assert floor_to_step(Decimal("7.9"), Decimal(1)) == 7
    assert floor_to_step(Decimal("-7.9"), Decimal(1)) == -7
    assert floor_to_step(Decimal("0.123456789987"), Decimal("0.000000001")) == Decimal("0.123456789")


@pytest.mark.parametrize("step", [Decimal(0), Decimal(-1)])
def test_a_step_of_nothing_is_refused(step: Decimal) -> None:
    with pytest.raises(ValueError, match="quantity step above 0"):
        floor_to_step(Decimal(1), step)
