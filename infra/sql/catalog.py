"""The tables: one per topic, by its short and its full name, with the record's fields and what Kafka says around it.

A short name is the topic's without its version and with underscores (`order_intents` is `order-intents.v1`); in
double quotes the topic's own spellings are names too. A compacted topic is also there as `<name>_latest`: the last
record of each key, tombstones left out.
"""

# JSON and Avro's own schemas have no types that strict mode could follow.
# pyright: standard

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from infra.errors import TapeError
from infra.sql.types import BLOB, column_types
from topics.describe import LATEST, table_name
from topics.registry import TOPICS, Policy
from topics.schema_lock import registered

PSEUDO_COLUMNS: Mapping[str, str] = {
    "_topic": "VARCHAR",
    "_partition": "BIGINT",
    "_offset": "BIGINT",
    "_timestamp": "TIMESTAMPTZ",
    "_key": "VARCHAR",
    "_headers": "MAP(VARCHAR, VARCHAR)",
    "_schema_id": "BIGINT",
    "_schema_version": "BIGINT",
    "_tombstone": "BOOLEAN",
    "_error": "VARCHAR",
    "_value": BLOB,
}
"""What every table has beside the record's fields; `select *` shows one only when the query names it somewhere.

`_headers` keeps the first value of a repeated header; `_error` says why a record cannot be read; `_value` is its bytes.
"""


@dataclass(frozen=True)
class Table:
    """One topic as a table; `columns` are the fields of the newest schema, the envelope's first."""

    name: str
    topic: str
    is_compacted: bool
    schema: Mapping[str, Any] = field(compare=False, repr=False)

    @cached_property
    def columns(self) -> dict[str, str]:
        """DuckDB's type of each field, by name."""
        return column_types(dict(self.schema))

    @property
    def says(self) -> str:
        """What its records say, in a sentence."""
        return str(self.schema.get("doc", ""))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it goes by."""
        return tuple(dict.fromkeys((self.name, self.topic, self.topic.rpartition(".")[0])))

    @property
    def latest_names(self) -> tuple[str, ...]:
        """Every name of its latest records by key; none unless the topic is compacted."""
        return tuple(f"{name}{LATEST}" for name in self.names) if self.is_compacted else ()


@cache
def tables() -> tuple[Table, ...]:
    """Return every topic as a table, in the registry's order; a topic without a registered schema has none yet."""
    newest = {each.topic: each.text for each in registered()}  # in the order of versions
    return tuple(
        Table(table_name(topic), topic.name, topic.policy is Policy.COMPACT, json.loads(newest[topic.name]))
        for topic in TOPICS
        if topic.name in newest
    )


@cache
def _by_name() -> dict[str, Table]:
    return {name.lower(): table for table in tables() for name in (*table.names, *table.latest_names)}


def find(name: str) -> Table | None:
    """Return the table of a name in any case, that of its latest records included; None when there is none."""
    return _by_name().get(name.lower())


def is_latest(name: str) -> bool:
    """Say whether a name stands for the latest records by key."""
    table = find(name)
    return table is not None and name.lower() in {each.lower() for each in table.latest_names}


def named(name: str) -> Table:
    """Return the table of a name; raises TapeError with what comes near when there is none."""
    table = find(name)
    if table is None:
        near = difflib.get_close_matches(name.lower(), _by_name(), n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        known = ", ".join(table.name for table in tables())
        raise TapeError(f"no topic is called {name}", next_command=f"{meant}tables are {known}")
    return table
