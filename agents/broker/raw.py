"""Taking JSON apart without changing a character of its parts: what is passed on is in the words received."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

Fields = Mapping[str, object]

_DECODER = json.JSONDecoder(parse_float=Decimal)


@dataclass(frozen=True)
class Row:
    """One object of a JSON array: its fields, and its text as received."""

    fields: Fields
    text: str


def rows_of(body: str) -> tuple[Row, ...]:
    """Return the objects of a JSON array; raises ValueError for anything else."""
    return tuple(_row(value, text) for _, value, text in _items(body, "[", "]"))


def members_of(body: str) -> dict[str, str]:
    """Return the text of each member of a JSON object by its name; raises ValueError for anything else."""
    return {name: text for name, _, text in _items(body, "{", "}")}


def _row(value: object, text: str) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"expected an array of objects, has {type(value).__name__}")
    return Row(value, text)


def _items(body: str, opening: str, closing: str) -> Iterator[tuple[str, object, str]]:
    """Yield name (empty in an array), value and text of each item of an array or object."""
    try:
        at = _skip(body, 0)
        if body[at] != opening:
            raise ValueError(f"expected JSON that begins with {opening}, was {body[:50]!r}")
        at = _skip(body, at + 1)
        while body[at] != closing:
            name, at = _name(body, at) if opening == "{" else ("", at)
            value, end = _DECODER.raw_decode(body, at)
            yield name, value, body[at:end]
            at = _skip(body, end)
            if body[at] == ",":
                at = _skip(body, at + 1)
            elif body[at] != closing:
                raise ValueError(f"expected ',' or '{closing}' at {at}, was {body[at]!r}")
    except (IndexError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"JSON of {len(body)} characters is cut short or cannot be read") from error


def _name(body: str, at: int) -> tuple[str, int]:
    """Return the name that begins here, and where its value begins."""
    name, end = _DECODER.raw_decode(body, at)
    colon = _skip(body, end)
    if not isinstance(name, str) or body[colon] != ":":
        raise ValueError(f"expected a name and ':' at {at}, was {body[at : at + 20]!r}")
    return name, _skip(body, colon + 1)


def _skip(body: str, at: int) -> int:
    while at < len(body) and body[at] in " \t\r\n":
        at += 1
    return at
