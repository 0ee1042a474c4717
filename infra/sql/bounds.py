"""What a WHERE says about where its rows lie: a tree that every row for which the WHERE is true satisfies."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Anywhere:
    """Nothing is known."""


@dataclass(frozen=True)
class InPartitions:
    """The partition is one of these."""

    numbers: frozenset[int]


@dataclass(frozen=True)
class InOffsets:
    """The offset lies between two, both included; None is open."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class InTime:
    """Kafka's timestamp lies between two, both included, in milliseconds; None is open."""

    low_ms: int | None = None
    high_ms: int | None = None


@dataclass(frozen=True)
class Correlated:
    """The correlation id is one of these."""

    ids: frozenset[UUID]


@dataclass(frozen=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Bound", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Bound", ...]


Bound = Anywhere | InPartitions | InOffsets | InTime | Correlated | AllOf | AnyOf
ANYWHERE = Anywhere()


def all_of(*parts: Bound) -> Bound:
    """Return the bound of a conjunction."""
    known = tuple(part for part in parts if part != ANYWHERE)
    return known[0] if len(known) == 1 else AllOf(known) if known else ANYWHERE


def any_of(*parts: Bound) -> Bound:
    """Return the bound of a disjunction: of a part of which nothing is known nothing follows."""
    if not parts or ANYWHERE in parts:
        return ANYWHERE
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def from_below(bound: Bound) -> Bound:
    """Return what is left of a bound when only whole ends of partitions may be read.

    The last record of a key within such an end is the last of all, so the latest records by key stay right.
    """
    match bound:
        case InPartitions():
            return bound
        case InOffsets(low=int(low)):
            return InOffsets(low=low)
        case InTime(low_ms=int(low)):
            return InTime(low_ms=low)
        case AllOf(parts=parts):
            return all_of(*map(from_below, parts))
        case AnyOf(parts=parts):
            return any_of(*map(from_below, parts))
        case _:
            return ANYWHERE
