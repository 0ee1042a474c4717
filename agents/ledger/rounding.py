"""What may be the broker's rounding of an execution's dollars to whole cents, and what of it may be taken back.

A fee that is in the cash before the broker posts it looks like rounding, and comes back as its opposite when it is
posted. So each rounding is remembered with the executions it was made for, and what is taken back is taken from it: it
never leaves the half cents of its own executions, and so all of them together never leave those of all executions.
"""

from decimal import Decimal

ROUNDED_MAX = Decimal("0.005")
"""Most that the broker's rounding of one execution's dollars to whole cents can make: half a cent."""

ROUNDINGS_MAX = 20
"""How many roundings are remembered: about as many runs as pass before the broker posts a fee it has taken."""

Rounding = tuple[Decimal, int]
"""What is left of a rounding, signed dollars, and how many executions it is of."""


def is_rounding(before: tuple[Rounding, ...], amount: Decimal, executions: int) -> bool:
    """Say whether cash that differs after some executions may be rounded away, or takes an earlier rounding back."""
    return _is_within(amount, executions) or _taken_back(before, amount, executions) is not None


def after_rounding(before: tuple[Rounding, ...], amount: Decimal, executions: int) -> tuple[Rounding, ...]:
    """Return what is remembered after an amount was rounded away; one that takes another one back uses it up."""
    if not amount:
        return before
    index = None if _is_within(amount, executions) else _taken_back(before, amount, executions)
    if index is None:
        return (*before, (amount, executions))[-ROUNDINGS_MAX:]
    rounded, count = before[index]
    left = rounded + amount
    rest = (*before[:index], *before[index + 1 :])
    return (*rest, (left, count + executions)) if left else rest


def _is_within(amount: Decimal, executions: int) -> bool:
    return abs(amount) <= ROUNDED_MAX * executions


def _taken_back(before: tuple[Rounding, ...], amount: Decimal, executions: int) -> int | None:
    """Return which rounding an amount takes back, the latest that has the room; None when there is none.

    What was booked then was the fee and the rounding of its executions, so their half cents are the room there is.
    """
    for index in reversed(range(len(before))):
        rounded, count = before[index]
        if amount * rounded < 0 and abs(amount) <= abs(rounded) + ROUNDED_MAX * (count + executions):
            return index
    return None
