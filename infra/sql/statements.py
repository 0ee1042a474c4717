"""The SQL that makes a topic's table in DuckDB: the records as read, and views by every name a query may use.

The records live in a schema of their own; what a query sees are views with the fields and those pseudo-columns that it
names, so `select *` stays readable.
"""

import json
from collections.abc import Collection, Iterator, Mapping

from infra.sql.catalog import PSEUDO_COLUMNS, Table, tables
from infra.sql.types import BLOB, quoted, text
from topics.codec import current_id
from topics.schema_lock import registered

RECORDS = "records"
COLUMNS = "incoming_columns"
_OPTIONAL = ("_headers", "_value")
_MADE = {
    "_topic": "{topic}",
    "_timestamp": "make_timestamp(row._timestamp * 1000) AT TIME ZONE 'UTC'",
    "_value": "unhex(row._value)",
}
_TRANSPORT = {"_timestamp": "BIGINT", "_value": "VARCHAR"}


def definition(table: Table, wanted: Collection[str]) -> list[str]:
    """Return the statements that make a topic's table and views anew; `wanted` are the pseudo-columns to be seen."""
    columns = {**{name: PSEUDO_COLUMNS[name] for name in _kept(wanted)}, **table.columns}
    declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    seen = [name for name in PSEUDO_COLUMNS if name in wanted]
    shown = ", ".join(map(quoted, (*seen, *table.columns)))
    plain = f"SELECT {shown} FROM {_records(table)}"  # noqa: S608 - our own names, quoted
    return [
        f"CREATE SCHEMA IF NOT EXISTS {RECORDS}",
        f"CREATE OR REPLACE TABLE {_records(table)} ({declared})",
        *(f"CREATE OR REPLACE VIEW {quoted(name)} AS {plain}" for name in table.names),
        *(
            f"CREATE OR REPLACE VIEW {quoted(f'{name}{ending}')} AS {_latest(table, shown, of)}"
            for ending, of in table.latest.items()
            for name in table.names
        ),
    ]


def insertion(table: Table, wanted: Collection[str]) -> str:
    """Return the statement that takes one parameter, a list of JSON rows, into the table."""
    pseudo = (_MADE.get(name, f"row.{name}").format(topic=text(table.topic)) for name in _kept(wanted))
    fields = (_field(name, kind) for name, kind in table.columns.items())
    rows = from_json(_structure(table, wanted))
    return f"INSERT INTO {_records(table)} SELECT {', '.join((*pseudo, *fields))} FROM ({rows})"  # noqa: S608 - our own names, quoted


def column_insertion(table: Table, wanted: Collection[str], columns: Mapping[str, str]) -> str:
    """Return the statement that takes what is registered as `COLUMNS` into the table.

    Its rows are of the newest schema and all readable; `columns` says which column holds which field.
    """
    said = {
        "_topic": text(table.topic),
        "_timestamp": "make_timestamp(_timestamp * 1000) AT TIME ZONE 'UTC'",
        "_headers": f"from_json_strict(_headers, {text(json.dumps(PSEUDO_COLUMNS['_headers']))})",
        "_schema_id": str(current_id(table.topic)),
        "_schema_version": str(_version(table.topic)),
        "_tombstone": "false",
        "_error": "NULL",
    }
    pseudo = (said.get(name, name) for name in _kept(wanted))
    fields = (f"CAST({columns[name]} AS {kind})" for name, kind in table.columns.items())
    return f"INSERT INTO {_records(table)} SELECT {', '.join((*pseudo, *fields))} FROM {COLUMNS}"  # noqa: S608 - our own names, quoted


def _version(topic: str) -> int:
    return next(each.version for each in registered() if each.id == current_id(topic))


def table_listing() -> str:
    """Return the query of every table with what its records say."""
    rows = ", ".join(f"({text(each.name)}, {text(each.says)})" for each in tables())
    return f"SELECT * FROM (VALUES {rows}) AS listed(name, says)"  # noqa: S608 - our own names, quoted


def emptying(table: Table) -> str:
    """Return the statement that empties the table."""
    return f"DELETE FROM {_records(table)}"  # noqa: S608 - our own names, quoted


def _records(table: Table) -> str:
    return f"{RECORDS}.{quoted(table.topic)}"


def _kept(wanted: Collection[str]) -> Iterator[str]:
    """Headers and raw bytes are long; they are carried over only for somebody who asks for them."""
    return (name for name in PSEUDO_COLUMNS if name not in _OPTIONAL or name in wanted)


def _field(name: str, kind: str) -> str:
    value = f"row.fields.{quoted(name)}"
    return f"unhex({value})" if kind == BLOB else value


def from_json(structure: Mapping[str, str]) -> str:
    """Return the query of one parameter, a list of JSON objects, that gives them as `row`, typed; any misfit fails."""
    return f"SELECT from_json_strict(line, {text(json.dumps(dict(structure)))}) AS row FROM (SELECT unnest(?) AS line)"  # noqa: S608 - our own names, quoted


def _structure(table: Table, wanted: Collection[str]) -> dict[str, str]:
    """Return the shape of the JSON rows as DuckDB's JSON functions take it."""
    around = [
        (name, _TRANSPORT.get(name, kind))
        for name, kind in PSEUDO_COLUMNS.items()
        if name in _kept(wanted) and name != "_topic"
    ]
    inside = ((name, "VARCHAR" if kind == BLOB else kind) for name, kind in table.columns.items())
    fields = f"STRUCT({', '.join(f'{quoted(name)} {kind}' for name, kind in inside)})"
    return dict([*around, ("fields", fields)])


def _latest(table: Table, shown: str, of: Collection[str]) -> str:
    """The last record of each value of some columns in a partition, without what was deleted there.

    A record that cannot be read has no account: by account it is none's, by key it stands beside those that can.
    """
    number = f'row_number() OVER (PARTITION BY "_partition", {", ".join(map(quoted, of))} ORDER BY "_offset" DESC)'
    has_all = "".join(f" AND {quoted(each)} IS NOT NULL" for each in of if "_key" not in of)
    return f'SELECT {shown} FROM {_records(table)} QUALIFY {number} = 1 AND NOT "_tombstone"{has_all}'  # noqa: S608 - our own names, quoted
