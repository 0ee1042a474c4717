"""The one price that shares are valued at: between bid and ask, half-even, at the six decimals of a price."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from agents.ledger.statement import midpoints
from tests.agents.ledger.made import quote, snapshot

PRICES = st.decimals("0.000001", "99999999999999999999999999999999", places=6)


@pytest.mark.parametrize(
    ("bid", "ask", "middle"),
    [
        ("10", "11", "10.5"),
        ("10", "10", "10"),
        ("11", "10", "10.5"),
        ("10", "10.000001", "10"),
        ("10.000001", "10.000002", "10.000002"),
    ],
)
def test_the_middle_is_rounded_half_even_also_of_a_crossed_quote(bid: str, ask: str, middle: str) -> None:
    assert quote("AAPL", bid, ask).midpoint == Decimal(middle)


@pytest.mark.parametrize(("bid", "ask"), [("0", "10"), ("10", "0"), ("0", "0")])
def test_a_quote_without_two_sides_has_no_middle(bid: str, ask: str) -> None:
    assert quote("AAPL", bid, ask).midpoint is None
    assert midpoints(snapshot(quotes={"AAPL": (bid, ask)}).content) == {}


@for_all(PRICES, PRICES)
def test_the_middle_has_six_decimals_and_is_half_a_unit_off_at_most(bid: Decimal, ask: Decimal) -> None:
    """Not only in an agent, whose numbers are wide: in whatever decimal context somebody asks."""
    middle = quote("AAPL", str(bid), str(ask)).midpoint
    assert middle is not None
    assert middle.as_tuple().exponent == -6
    off = Fraction(middle) - (Fraction(bid) + Fraction(ask)) / 2
    assert abs(off) in (0, Fraction(1, 2_000_000))
    assert not off or middle.as_tuple().digits[-1] % 2 == 0
