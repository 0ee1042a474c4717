"""Example questions to each topic for `tape sql`, made from its schema."""

# Avro's own schemas have no types that strict mode could follow.
# pyright: standard

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from topics.describe import LATEST, newest_schema, table_name
from topics.examples import RUN
from topics.registry import Policy, Topic

COLUMNS_MAX = 4
INSIDE_MAX = 6
_RESERVED = frozenset({"order", "limit"})
"""Words of SQL that fields are called by, and that need quotes."""
_FOR_PEOPLE = frozenset({"detail", "body", "error", "reason", "bars_sha256"})
_GROUPS = ("symbol", "strategy_id", "activity_type")
"""What records without an enum are counted by."""


@dataclass(frozen=True)
class Query:
    """A question: what it answers, and its SQL."""

    says: str
    sql: str

    @property
    def command(self) -> str:
        """The question as typed into a shell."""
        escaped = self.sql.replace('"', '\\"')
        return f'tape sql "{escaped}"'


@dataclass(frozen=True)
class _Column:
    """A field of the record: `kind` is null's other branch, named types written out."""

    name: str
    kind: Any
    is_nullable: bool

    @property
    def sql(self) -> str:
        return f'"{self.name}"' if self.name in _RESERVED else self.name

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.kind, dict) or self.kind["type"] not in ("record", "array", "map")

    @property
    def is_enum(self) -> bool:
        return isinstance(self.kind, dict) and self.kind["type"] == "enum"

    @property
    def is_telling(self) -> bool:
        """Worth a column in a short answer: no id, no text for a person, not mostly null."""
        is_id = self.name.endswith("_id") or (isinstance(self.kind, dict) and self.kind.get("logicalType") == "uuid")
        return self.is_scalar and not self.is_nullable and not is_id and self.name not in _FOR_PEOPLE


def queries(topic: Topic) -> tuple[Query, ...]:
    """Return a few questions to a topic; each is valid SQL that the topic's example answers."""
    return tuple(_queries(topic, table_name(topic), _business_columns(topic)))


def _queries(topic: Topic, table: str, columns: tuple[_Column, ...]) -> Iterator[Query]:
    keys = [column for column in columns if column.name in topic.key]
    shown = _listed(keys, [column for column in columns if column.is_telling and column not in keys])
    yield Query("the last ten", _select(f"_timestamp, {shown}", table, "order by _timestamp desc limit 10"))
    if topic.partitioned_by == "account_id":
        yield Query("all of one run", _select("*", table, f"where correlation_id = '{RUN}'"))
    grouped = next((column for column in columns if _groups(column)), None)
    if grouped is not None:
        yield _count(table, grouped)
    nested = max((column for column in columns if not column.is_scalar), key=_weight, default=None)
    if nested is not None and len(_inside(nested)) > 1:
        yield _within(table, keys, nested)
    if topic.policy is Policy.COMPACT:
        yield Query("the last record of each key", _select(shown, f"{table}{LATEST}"))


def _select(what: str, source: str, rest: str = "") -> str:
    return f"select {what} from {source} {rest}".rstrip()  # noqa: S608 - an example: only our own names are in it


def _groups(column: _Column) -> bool:
    return (column.is_enum and not column.is_nullable) or column.name in _GROUPS


def _count(table: str, grouped: _Column) -> Query:
    day = "where _timestamp > now() - interval 1 day"
    counted = _select(f"{grouped.sql}, count(*) as records", table, f"{day} group by all order by records desc")
    return Query(f"how many by {grouped.name.replace('_', ' ')} in the last day", counted)


def _weight(nested: _Column) -> tuple[bool, int]:
    """The list of records that says most is asked for; without one, the record that says most."""
    count = len(_inside(nested))
    return nested.kind["type"] == "array" and count > 1, count


def _within(table: str, keys: list[_Column], nested: _Column) -> Query:
    """Ask for what lies inside of a record, or of each record of a list."""
    key, is_list = _listed(keys, []), nested.kind["type"] == "array"
    source = f"({_select(f'{key}, unnest({nested.sql}) as each', table)})" if is_list else table
    path = "each" if is_list else nested.sql
    inside = ", ".join(f"{path}.{column.sql}" for column in _inside(nested)[:INSIDE_MAX])
    return Query(f"what is in {nested.name}", _select(f"{key}, {inside}", source))


def _listed(first: list[_Column], others: list[_Column]) -> str:
    return ", ".join(column.sql for column in (*first, *others[:COLUMNS_MAX]))


def _inside(nested: _Column) -> tuple[_Column, ...]:
    """Return the first plain columns of a record or of a list of records; nothing of a list of plain values."""
    record = nested.kind["items"] if nested.kind["type"] == "array" else nested.kind
    columns = _columns(record) if isinstance(record, dict) and record["type"] == "record" else ()
    return tuple(column for column in columns if column.is_telling)


def _business_columns(topic: Topic) -> tuple[_Column, ...]:
    """Return the fields of the record itself, without the envelope and the account."""
    own = (name for name in topic.record.model_fields if name != "account_id")
    by_name = {column.name: column for column in _columns(json.loads(newest_schema(topic).text))}
    return tuple(by_name[name] for name in own)


def _columns(record: Any) -> tuple[_Column, ...]:
    return tuple(_column(field["name"], field["type"]) for field in record["fields"])


def _column(name: str, kind: Any) -> _Column:
    if isinstance(kind, list):
        return _Column(name, next(branch for branch in kind if branch != "null"), is_nullable="null" in kind)
    return _Column(name, kind, is_nullable=False)
