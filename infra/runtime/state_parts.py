"""How each part of a decider's state is written and read: one form for one type, put together by `state_form`."""

# Values are of any type here; which one is looked at when they are written.
# pyright: standard

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring_ascii
from typing import Any
from uuid import UUID

from immutables import Map
from pydantic import AwareDatetime

#: Parts of a list written before other threads are let in; 64 take less than a millisecond.
BREATH = 64

Write = Callable[[Any], str]
Read = Callable[[Any], Any]


class StateFormError(Exception):
    """A state has a part that cannot be written down exactly, or a text is not that of such a state."""


@dataclass
class Form:
    """How values of one class are written and read: `write` returns JSON, `read` takes what JSON gives back."""

    kind: type
    write: Write
    read: Read


def exactly(kind: type, write: Write, read: Read) -> Form:
    """Return a form that refuses to write a value of any other class, a subclass included."""

    def checked(value: Any) -> str:
        if type(value) is not kind:
            raise unexpected(kind.__name__, value)
        return write(value)

    return Form(kind, checked, read)


def enum(kind: type[Enum]) -> Form:
    """Return the form of an enum: its values, which are texts or integers."""
    by_value = {each.value: each for each in kind}
    if not all(type(value) in (str, int) for value in by_value):
        raise StateFormError(f"a state cannot hold {kind.__name__}: its values are neither texts nor integers")
    written = {each: json.dumps(value) for value, each in by_value.items()}
    return exactly(kind, written.__getitem__, by_value.__getitem__)


def mapping(key: Form, value: Form) -> Form:
    """Return the form of a map: keys and values in turn, in the order of the keys' texts."""

    def write(given: Any) -> str:
        entries = sorted(((key.write(name), item) for name, item in given.items()), key=lambda entry: entry[0])
        return joined(f"{name},{value.write(item)}" for name, item in entries)

    def read(given: Any) -> Any:
        names, items = map(key.read, given[::2]), map(value.read, given[1::2])
        return Map(dict(zip(names, items, strict=True)))

    return exactly(Map, write, read)


def many(kind: type, item: Form, in_order: Callable[[Iterable[str]], Iterable[str]]) -> Form:
    """Return the form of any number of one type; `in_order` is the order in which their texts are written."""

    def write(given: Any) -> str:
        return joined(in_order(item.write(each) for each in given))

    return exactly(kind, write, lambda given: kind(map(item.read, given)))


def fixed(kind: type, forms: Sequence[Form], parts: Callable[[Any], Iterable[Any]], make: Callable[..., Any]) -> Form:
    """Return the form of what has so many parts; `parts` takes them out, `make` puts them together again."""

    def write(given: Any) -> str:
        return f"[{','.join([form.write(each) for form, each in zip(forms, parts(given), strict=True)])}]"

    def read(given: Any) -> Any:
        return make(*[form.read(each) for form, each in zip(forms, given, strict=True)])

    return exactly(kind, write, read)


def either(forms: Sequence[Form]) -> Form:
    """Return the form of one of several types, told apart by class; raises StateFormError where that is no answer."""
    numbers: Mapping[type, int] = {form.kind: number for number, form in enumerate(forms)}
    if len(numbers) < len(forms):
        raise StateFormError(f"a state cannot hold either of {[each.kind.__name__ for each in forms]}: not told apart")
    others = [form for form in forms if form.kind is not type(None)]
    if len(others) == 1 and len(forms) > 1:
        return _or_none(others[0])

    def write(value: Any) -> str:
        number = numbers.get(type(value))
        if number is None:
            raise unexpected(" or ".join(each.kind.__name__ for each in forms), value)
        return f"[{number},{forms[number].write(value)}]"

    def read(given: Any) -> Any:
        number, value = given
        return forms[number].read(value)

    return Form(object, write, read)


def joined(parts: Iterable[str]) -> str:
    """Join the parts; a long list lets other threads in meanwhile, so that no decision waits for the whole of it."""
    written: list[str] = []
    for each in parts:
        written.append(each)
        if not len(written) % BREATH:
            time.sleep(0)
    return f"[{','.join(written)}]"


def unexpected(kind: str, value: object) -> StateFormError:
    """Return the error for a value of another class."""
    return StateFormError(f"expected {kind}, was {type(value).__name__}: {str(value)[:80]}")


def _or_none(form: Form) -> Form:
    def write(value: Any) -> str:
        return "null" if value is None else form.write(value)

    return Form(object, write, lambda given: None if given is None else form.read(given))


def _aware(at: datetime) -> str:
    if at.tzinfo is None:
        raise unexpected("an aware datetime", at)
    return f'"{at.isoformat()}"'


def _quoted(value: object) -> str:
    return f'"{value}"'


def _the_same(kind: type) -> Read:
    def read(given: Any) -> Any:
        if type(given) is not kind:
            raise unexpected(kind.__name__, given)
        return given

    return read


_INSTANT = exactly(datetime, _aware, datetime.fromisoformat)
_NONE = exactly(type(None), lambda _: "null", _the_same(type(None)))

PLAIN: Mapping[Any, Form] = {
    str: exactly(str, encode_basestring_ascii, _the_same(str)),
    int: exactly(int, str, _the_same(int)),
    bool: exactly(bool, lambda value: "true" if value else "false", _the_same(bool)),
    type(None): _NONE,
    None: _NONE,
    Decimal: exactly(Decimal, _quoted, Decimal),
    UUID: exactly(UUID, _quoted, UUID),
    date: exactly(date, lambda value: f'"{value.isoformat()}"', date.fromisoformat),
    bytes: exactly(bytes, lambda value: f'"{value.hex()}"', bytes.fromhex),
    datetime: _INSTANT,
    AwareDatetime: _INSTANT,
}
"""The forms of what has no parts."""
