"""Taking the broker's JSON apart: what cannot be read is an UnreadableError, whatever was written.

Facts of the format: Alpaca's OpenAPI trading spec 2.0.1; numbers come as strings or as JSON numbers.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from schemas.quantities import at_scale

VALUE_DIGITS_MAX = 24
"""Digits before the point of a value in dollars that is compared and not recorded; more is no value of an account."""


class UnreadableError(ValueError):
    """The broker's words are not what its specification says."""


def parsed(body: str) -> object:
    """Return what the JSON says, numbers exact."""

    def refuse(name: str) -> object:
        raise ValueError(f"{name} is not a number")

    try:
        value: object = json.loads(body, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableError(f"no JSON of {len(body)} characters: {type(error).__name__}") from error
    return value


def as_object(value: object, name: str) -> Mapping[str, object]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise UnreadableError(f"expected {name} to be an object, was {type(value).__name__}")
    return value


def as_rows(value: object, name: str) -> tuple[Mapping[str, object], ...]:
    """Return the objects of a JSON array."""
    if not isinstance(value, list):
        raise UnreadableError(f"expected {name} to be a JSON array, was {type(value).__name__}")
    return tuple(as_object(each, f"a row of {name}") for each in value)


def text(fields: Mapping[str, object], name: str) -> str:
    """Return a field that has to be text."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or value != clean(value):
        raise UnreadableError(f"expected {name} to be text, was {clean(repr(value))[:100]}")
    return value


def number(fields: Mapping[str, object], name: str, digits: int) -> Decimal:
    """Return a field that has to be a number of at most `digits` decimals."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError(f"expected {name} to be a number, was {clean(repr(value))[:100]}")
    try:
        return at_scale(digits)(Decimal(value))
    except (ValueError, ArithmeticError) as error:
        raise UnreadableError(f"{name} {clean(str(value))[:50]}: {error}") from error


def value_of(fields: Mapping[str, object], name: str) -> Decimal | None:
    """Return a field that is only compared, in dollars; None when it is absent or no such number."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        found = Decimal(value)
    except (ValueError, ArithmeticError):
        return None
    return found if found.is_finite() and abs(found.adjusted()) < VALUE_DIGITS_MAX else None


def instant(value: object) -> datetime | None:
    """Return a point in time, None where there is none or it cannot be read: a time is never worth losing a fill."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def message(body: str) -> str:
    """Return the broker's message, or the beginning of what it wrote instead of one."""
    try:
        said = as_object(parsed(body), "the body").get("message")
    except UnreadableError:
        said = None
    return clean(said if isinstance(said, str) else body)[:500]


def clean(said: str) -> str:
    """Return text that UTF-8 can carry: JSON may spell half a surrogate pair."""
    return said.encode("utf-8", "replace").decode("utf-8")
