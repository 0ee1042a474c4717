"""Settings of a strategy, read from text: what is missing, unknown, repeated or unreadable is refused by name."""

import re
from collections.abc import Iterable
from decimal import Decimal

from schemas.run import StrategyTerms

# Narrower than int() and Decimal(), which also read '1_0', ' 10 ', '1e-999999999', 'NaN' and other scripts' digits.
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")


class BadParameterError(ValueError):
    """A setting cannot be used: which one, what was expected, and what it was."""


def settings(strategy: StrategyTerms, names: Iterable[str]) -> dict[str, str]:
    """Return the settings by name; raises BadParameterError unless they are exactly `names`, each once."""
    values = by_name(strategy)
    expected, found = sorted(names), sorted(values)
    if found != expected:
        raise BadParameterError(f"{strategy.kind}: expected {_listed(expected)}, was {_listed(found)}")
    return values


def by_name(strategy: StrategyTerms) -> dict[str, str]:
    """Return the settings by name; raises BadParameterError when one is given twice."""
    values: dict[str, str] = {}
    for parameter in strategy.parameters:
        if parameter.name in values:
            both = f"{values[parameter.name]!r} and {parameter.value!r}"
            raise BadParameterError(f"{parameter.name}: expected one value, was {both}")
        values[parameter.name] = parameter.value
    return values


def whole(values: dict[str, str], name: str, low: int, high: int) -> int:
    """Return a setting as a whole number from `low` to `high`; raises BadParameterError."""
    text = values[name]
    if not (_WHOLE.fullmatch(text) and low <= int(text) <= high):
        raise BadParameterError(f"{name}: expected a whole number from {low} to {high}, was {text!r}")
    return int(text)


def number(values: dict[str, str], name: str, low: int, high: int) -> Decimal:
    """Return a setting as a number from `low` to `high` of at most twelve decimals; raises BadParameterError."""
    text = values[name]
    if not (_NUMBER.fullmatch(text) and low <= Decimal(text) <= high):
        raise BadParameterError(f"{name}: expected a number from {low} to {high}, at most 12 decimals, was {text!r}")
    return Decimal(text)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
