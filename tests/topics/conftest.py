"""Any value of any record, made from the annotations of its model."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin
from uuid import UUID

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from schemas.quantities import PRECISION, Scale
from schemas.record import Value

LONG_MAX = 2**63 - 1
LIST_SIZE_MAX = 2
YEARS = (datetime(1970, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001  Hypothesis adds the time zone itself
Metadata = tuple[Any, ...]
AnyValue = Callable[[type[Value]], SearchStrategy[Any]]


@pytest.fixture(scope="session")
def any_value() -> AnyValue:
    """Return a function from a model to a strategy for its values."""
    return model_values


def model_values(model: type[Value]) -> SearchStrategy[Any]:
    """Return any value of a model."""
    fields = {
        name: values(info.annotation, tuple(info.metadata))
        for name, info in model.model_fields.items()
        if info.annotation is not None
    }
    return st.builds(model, **fields)


def values(annotation: Any, metadata: Metadata = ()) -> SearchStrategy[Any]:
    """Return any value that a field with this annotation may have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0], (*metadata, *annotation.__metadata__))
    if origin in (Union, UnionType):
        [inner] = [each for each in arguments if each is not NoneType]
        return st.none() | values(inner, metadata)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=LIST_SIZE_MAX).map(tuple)
    if isclass(annotation) and issubclass(annotation, Value):
        return st.deferred(lambda: model_values(annotation))
    if isclass(annotation) and issubclass(annotation, StrEnum):
        return st.sampled_from(annotation)
    return _PLAIN[annotation](_flat(metadata))


def _flat(metadata: Metadata) -> Metadata:
    return tuple(part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else (each,)))


def _integers(metadata: Metadata) -> SearchStrategy[int]:
    low, _ = _bounds(metadata, 1)
    return st.integers(max([-LONG_MAX - 1, *low]), LONG_MAX)


def _decimals(metadata: Metadata) -> SearchStrategy[Decimal]:
    """Return decimals of the schema's scale, up to all its digits, at the edges of their range too."""
    [scale] = [each.digits for each in metadata if isinstance(each, Scale)]
    low, high = _bounds(metadata, 10**scale)
    most = 10**PRECISION - 1
    numbers = st.integers(max([-most, *low]), min([most, *high]))
    return numbers.map(lambda number: Decimal(f"{number}E-{scale}"))


def _bounds(metadata: Metadata, unit: int) -> tuple[list[int], list[int]]:
    """Return the least and the greatest numbers of units that the annotations allow."""
    low: list[int] = []
    high: list[int] = []
    for each in metadata:
        match each:
            case Ge(ge=bound):
                low.append(int(cast("Any", bound) * unit))
            case Gt(gt=bound):
                low.append(int(cast("Any", bound) * unit) + 1)
            case Le(le=bound):
                high.append(int(cast("Any", bound) * unit))
            case Lt(lt=bound):
                high.append(int(cast("Any", bound) * unit) - 1)
            case _:
                pass
    return low, high


def _text(metadata: Metadata) -> SearchStrategy[str]:
    return st.text(min_size=max([0, *(each.min_length for each in metadata if isinstance(each, MinLen))]), max_size=8)


_PLAIN: dict[Any, Callable[[Metadata], SearchStrategy[Any]]] = {
    str: _text,
    int: _integers,
    Decimal: _decimals,
    bool: lambda _: st.booleans(),
    bytes: lambda _: st.binary(max_size=8),
    UUID: lambda _: st.uuids(),
    date: lambda _: st.dates(),
    AwareDatetime: lambda _: st.datetimes(*YEARS, timezones=st.just(UTC)),
}
