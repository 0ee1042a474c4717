"""What an agent remembers as text and back, exactly, driven by the type hints of what it is made of.

Frozen dataclasses, pydantic values, immutable maps, tuples, frozen sets, enums and the plain values of records; nothing
else, and nothing whose type is not exactly the one its hint names. What a state is not made of is refused when it is
first asked for, never written in some other way. The text is JSON without field names; equal states have equal texts,
because maps and sets are written in the order of their keys' texts.
"""

# Type hints are values here, of types that no checker names.
# pyright: standard

import dataclasses
import json
import types
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from immutables import Map
from pydantic import BaseModel

from infra.runtime.state_parts import PLAIN, Form, StateFormError, either, enum, fixed, many, mapping


class StateForm:
    """The form of one type of state. Raises StateFormError for a type that has none."""

    def __init__(self, hint: Any) -> None:
        self._form = _Forms().of(hint)

    def to_text(self, state: Any) -> str:
        """Return the state as text; raises StateFormError when a value is not of its hint's exact type."""
        return self._form.write(state)

    def from_text(self, text: str) -> Any:
        """Return the state of a text; raises StateFormError when it is not the text of one."""
        try:
            return self._form.read(json.loads(text, parse_float=_no_float))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise StateFormError(f"expected the text of a state, was another: {error!r}") from error


def form_of_states(keeper: Any) -> StateForm:
    """Return the form of the states of a decider, or of a performer's memory, as `initial_state` says it returns them.

    Raises StateFormError when it does not say, or when they are made of something that cannot be written down.
    """
    hint = get_type_hints(keeper.initial_state).get("return")
    if hint is None:
        raise StateFormError("expected initial_state to say what it returns, was no hint")
    return StateForm(hint)


class _Forms:
    """Forms by type; a class may speak of itself."""

    def __init__(self) -> None:
        self._known: dict[Any, Form] = dict(PLAIN)

    def of(self, hint: Any) -> Form:
        found = self._known.get(hint) or self._built(get_origin(hint), get_args(hint)) or self._of_class(hint)
        if found is None:
            raise StateFormError(f"a state cannot be made of {hint}")
        return found

    def _built(self, origin: Any, inner: Sequence[Any]) -> Form | None:
        """Return the form of what is built of other types: a union or a collection."""
        is_tuple, is_of_any_length = origin is tuple, inner[-1:] == (Ellipsis,)
        if origin is None or (is_tuple and not inner):
            return None
        forms = [self.of(each) for each in inner if each is not Ellipsis]
        made: dict[Any, Callable[[], Form]] = {
            Map: lambda: mapping(*forms),
            frozenset: lambda: many(frozenset, forms[0], sorted),
            tuple: lambda: many(tuple, forms[0], iter) if is_of_any_length else fixed(tuple, forms, iter, _together),
            Union: lambda: either(forms),
            types.UnionType: lambda: either(forms),
        }
        return made[origin]() if origin in made else None

    def _of_class(self, hint: Any) -> Form | None:
        if not isinstance(hint, type):
            return None
        if issubclass(hint, Enum):
            return enum(hint)
        names = _field_names(hint)
        if names is None:
            return None
        form = self._known[hint] = Form(hint, _unready, _unready)
        hints = get_type_hints(hint)
        made = fixed(hint, [self.of(hints[name]) for name in names], _parts_of(names), _maker(hint, names))
        form.write, form.read = made.write, made.read
        return form


def _field_names(kind: Any) -> tuple[str, ...] | None:
    """Return the names of a record's fields; None for what is no record."""
    if issubclass(kind, BaseModel):
        return tuple(kind.model_fields)
    settings: Any = getattr(kind, "__dataclass_params__", None)
    if settings is None:
        return None
    fields = dataclasses.fields(kind)
    if not settings.frozen or not all(each.init for each in fields):
        raise StateFormError(f"a state cannot hold {kind.__name__}: it is not frozen, or not made of its fields alone")
    return tuple(each.name for each in fields)


def _parts_of(names: Sequence[str]) -> Callable[[Any], Iterable[Any]]:
    return lambda value: [getattr(value, name) for name in names]


def _maker(kind: Any, names: Sequence[str]) -> Callable[..., Any]:
    """Return what makes a value of its fields; a model was validated when it was decoded from the log."""
    if not issubclass(kind, BaseModel):
        made: Callable[..., Any] = kind
        return made
    return lambda *fields: kind.model_construct(**dict(zip(names, fields, strict=True)))


def _together(*parts: Any) -> tuple[Any, ...]:
    return parts


def _no_float(text: str) -> Any:
    raise StateFormError(f"expected no number with a point, was {text}")


def _unready(_: Any) -> Any:
    raise StateFormError("a form was used while it was being made")
