"""What a model asks of a value beyond its Avro type, so that many values can be asked at once.

A model that asks anything else makes its topic the reference decoder's alone: `UnsupportedError` says what it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from schemas.quantities import Scale

#: They bring a value to the scale or zone that Avro gives it anyway, and refuse no value that can be decoded.
_HARMLESS = frozenset({"at_scale.<locals>.exactly", "_rounded", "_in_utc"})


class UnsupportedError(Exception):
    """A schema or model that many records cannot be read of at once; says what stands in the way."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a number, each with whether it is allowed itself, and the least length of a text."""

    low: Decimal | None = None
    has_low: bool = True
    high: Decimal | None = None
    has_high: bool = True
    is_filled: bool = False


@dataclass(frozen=True)
class Asked:
    """The plain type of a value, and what is asked of it; `is_optional` allows None."""

    kind: Any
    limits: Limits = Limits()
    is_optional: bool = False


def asked_of(model: type[BaseModel]) -> dict[str, Asked]:
    """Return what a model asks of each of its fields; raises UnsupportedError for rules of its own."""
    decorators = model.__pydantic_decorators__
    own = [*decorators.validators, *decorators.field_validators, *decorators.root_validators]
    if own or decorators.model_validators:
        raise UnsupportedError(f"{model.__name__} has validators of its own")
    return {
        name: asked(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
        for name, field in model.model_fields.items()
    }


def asked(annotation: Any) -> Asked:
    """Return what an annotation asks; raises UnsupportedError for what is not known here."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        found = asked(inner)
        return replace(found, limits=_limited(found.limits, metadata))
    if origin in (Union, UnionType):
        others = [each for each in get_args(annotation) if each is not type(None)]
        if len(others) != 1:
            raise UnsupportedError(f"a union of {len(others)} types")
        return replace(asked(others[0]), is_optional=True)
    return Asked(annotation)


def _limited(limits: Limits, metadata: Iterable[Any]) -> Limits:
    for each in metadata:
        match each:
            case Ge(ge=bound):
                limits = replace(limits, low=Decimal(str(bound)), has_low=True)
            case Gt(gt=bound):
                limits = replace(limits, low=Decimal(str(bound)), has_low=False)
            case Le(le=bound):
                limits = replace(limits, high=Decimal(str(bound)), has_high=True)
            case Lt(lt=bound):
                limits = replace(limits, high=Decimal(str(bound)), has_high=False)
            case MinLen(min_length=1):
                limits = replace(limits, is_filled=True)
            case FieldInfo():
                limits = _limited(limits, each.metadata)
            case _ if _is_harmless(each):
                continue
            case _:
                raise UnsupportedError(f"the rule {each!r}")
    return limits


def _is_harmless(rule: Any) -> bool:
    if isinstance(rule, AfterValidator):
        return getattr(rule.func, "__qualname__", "") in _HARMLESS
    return isinstance(rule, Scale) or getattr(rule, "__dict__", None) == {"allow_inf_nan": False}
