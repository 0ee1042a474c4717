"""The tables: one per topic, by its short and its full name, with the record's fields and what Kafka says around it.

A short name is the topic's without its version and with underscores (`order_intents` is `order-intents.v1`); in
double quotes the topic's own spellings are names too. Each is also there as `<name>_latest`: the last record of each
key, of each account if its records have one, tombstones left out (of a compacted topic what compaction would leave);
and, if they have one, as `<name>_latest_by_account`: the last record of each account.
"""

# JSON and Avro's own schemas have no types that strict mode could follow.
# pyright: standard

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from infra.errors import TapeError
from infra.sql.types import BLOB, column_types
from topics.describe import LATEST, LATEST_BY_ACCOUNT, table_name
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

ACCOUNT = "account_id"
_SHOW_TABLES = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)


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
    def latest(self) -> dict[str, tuple[str, ...]]:
        """Of which columns there is a last record, by the ending of the name under which it is found."""
        by_account = (ACCOUNT,) if ACCOUNT in self.columns else ()
        by_key = ("_key",) if self.is_compacted else ("_key", *by_account)
        return {LATEST: by_key, **({LATEST_BY_ACCOUNT: by_account} if by_account else {})}

    @property
    def latest_names(self) -> tuple[str, ...]:
        """Every name of its latest records."""
        return tuple(f"{name}{ending}" for ending in self.latest for name in self.names)


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
    """Say whether a name stands for latest records."""
    table = find(name)
    return table is not None and name.lower() in {each.lower() for each in table.latest_names}


def named(name: str) -> Table:
    """Return the table of a name; raises TapeError with what comes near when there is none."""
    table = find(name)
    if table is None:
        _check_latest(name)
        near = difflib.get_close_matches(name.lower(), _by_name(), n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        known = ", ".join(table.name for table in tables())
        raise TapeError(f"no topic is called {name}", next_command=f"{meant}tables are {known}")
    return table


def asks_for_tables(sql: str) -> bool:
    """Say whether a script is SHOW TABLES: DuckDB would show those that were read, of which there are none yet."""
    return _SHOW_TABLES.fullmatch(sql) is not None


def _check_latest(name: str) -> None:
    """Raise TapeError for the latest by account of a topic whose records have no account."""
    table = find(name.lower().removesuffix(LATEST_BY_ACCOUNT))
    if table is not None and name.lower().endswith(LATEST_BY_ACCOUNT):
        raise TapeError(
            f"{table.name} has no {ACCOUNT}, so there is no last record of each account",
            next_command=f"{table.name}{LATEST} has the last record of each key",
        )
