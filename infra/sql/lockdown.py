"""DuckDB without a way out: no files, no network, no extensions, no settings, and of SQL only questions.

The order matters (DuckDB's own "Securing DuckDB"): what decides about extensions is set when connecting, the temporary
folder before access to files ends, and the lock on settings last. SQL stays code: this runs in a process of its own,
with limits of the operating system around it and nothing in its environment worth reading.
"""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

_AT_CONNECT = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
#: What Python, DuckDB's code, its threads and their arenas map beside the memory that DuckDB counts itself.
_OVERHEAD_BYTES = 3 << 30
_COMMENTS = re.compile(r"\s+|--[^\n]*(\n|$)|/\*.*?\*/", re.DOTALL)
_EXPLAIN = re.compile(r"explain(\s+analyze)?\b\s*(\([^)]*\))?", re.IGNORECASE)


class RefusedError(Exception):
    """A statement that is no question."""


@dataclass(frozen=True)
class Limits:
    """What a query may use; `database` is a file to keep the tables in, empty for memory."""

    memory_bytes: int
    temporary_bytes: int
    threads: int
    temporary_folder: str
    database: str = ""


def limit_process(limits: Limits) -> None:
    """Let the operating system refuse what DuckDB's own limits should have: memory, files, core dumps."""
    address_space = limits.memory_bytes + _OVERHEAD_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    file_size = max(limits.temporary_bytes, limits.memory_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def locked_connection(limits: Limits) -> duckdb.DuckDBPyConnection:
    """Return a connection in which nothing but its own tables can be reached, and nothing about that can be changed."""
    config: dict[str, str | bool | int | float | list[str]] = {
        **_AT_CONNECT,
        "memory_limit": f"{limits.memory_bytes}B",
        "threads": limits.threads,
    }
    connection = duckdb.connect(limits.database or ":memory:", config=config)
    folder = limits.temporary_folder.replace("'", "''")
    for setting in (
        f"SET temp_directory = '{folder}/spill'",
        f"SET max_temp_directory_size = '{limits.temporary_bytes}B'",
        f"SET allowed_paths = ['{folder}/{EXPORT}']",
        "SET TimeZone = 'UTC'",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(setting)
    return connection


EXPORT = "export"
"""The one file, in the temporary folder, that a query's result may be written to."""


def questions(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    """Return the statements of a script; raises RefusedError on the first that does not only ask."""
    found = connection.extract_statements(sql)
    for statement in found:
        _check(connection, statement)
    return found


def _check(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    kind = kind_of(statement)
    if kind == "SELECT":
        return
    if kind == "EXPLAIN":
        explained = _EXPLAIN.match(_uncommented(statement.query))
        rest = (
            [] if explained is None else connection.extract_statements(_uncommented(statement.query)[explained.end() :])
        )
        if len(rest) == 1 and kind_of(rest[0]) == "SELECT":
            return
    hint = "; write SELECT * FROM (PIVOT ...) with its values named" if kind == "MULTI" else ""
    raise RefusedError(
        f"only SELECT and EXPLAIN of a SELECT are allowed, was {kind}: {statement.query.strip()[:80]}{hint}"
    )


@contextmanager
def read_only(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let nothing be written meanwhile: a SELECT can carry a DELETE in its WITH, and arrives as a SELECT."""
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def kind_of(statement: duckdb.Statement) -> str:
    """Return the kind of a statement; DuckDB has kinds that its Python package has no name for."""
    try:
        return statement.type.name
    except ValueError:
        return "UNKNOWN"


def _uncommented(sql: str) -> str:
    """Return a statement without the white space and comments in front of it."""
    while (blank := _COMMENTS.match(sql)) is not None:
        sql = sql[blank.end() :]
    return sql
