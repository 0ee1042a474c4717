"""Bring the tables up to date: numbered SQL files, applied once, in order, each in a transaction of its own.

What was applied is recorded with the hash of its file. A file that changed since, is missing, or is numbered before
what is applied already is refused: a migration that ran is history, and a change is a new file. Two runners at once
wait for each other.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from infra.errors import TapeError
from infra.postgres.connection import Connection, connect

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7_265_470_001  # any number, as long as nobody else in this database locks it

_CREATE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_migrations IS 'Which migrations were applied, and the hash of each file as it was then.';
COMMENT ON COLUMN schema_migrations.number IS 'Number of the file, from 1.';
COMMENT ON COLUMN schema_migrations.name IS 'Name of the file.';
COMMENT ON COLUMN schema_migrations.sha256 IS 'Hash of the file, in hex.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.';
"""


@dataclass(frozen=True)
class Migration:
    """One file."""

    number: int
    name: str
    sql: bytes

    @property
    def sha256(self) -> str:
        """The hash of the file, in hex."""
        return hashlib.sha256(self.sql).hexdigest()


def migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Return the files of a folder in order; raises TapeError when a name or a number is not as expected."""
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        matched = _NAME.fullmatch(path.name)
        if matched is None or int(matched[1]) != number:
            raise TapeError(f"expected migration {number:04d}_<name>.sql, was {path.name}", where=str(path))
        found.append(Migration(number, path.name, path.read_text(encoding="utf-8").encode()))
    return tuple(found)


def migrate(database_url: str, *, schema: str | None = None, folder: Path = FOLDER) -> tuple[str, ...]:
    """Apply what was not applied yet and return the names of it; idempotent.

    Raises TapeError naming the file and both hashes when an applied file changed or is missing, or the file and
    PostgreSQL's words when one fails; nothing of a failed file stays.
    """
    with connect(database_url, schema=schema) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        connection.execute(_CREATE)
        todo = pending(connection, folder)
        for migration in todo:
            _apply(connection, migration)
    return tuple(migration.name for migration in todo)


def pending(connection: Connection, folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Return what is still to be applied; raises TapeError when what was applied is not what the folder holds."""
    files = migrations(folder)
    applied = _applied(connection)
    for number, (name, sha256) in enumerate(applied, start=1):
        _check_unchanged(files[number - 1] if number <= len(files) else None, name, sha256, folder)
    return files[len(applied) :]


def require_migrated(connection: Connection) -> None:
    """Raise TapeError when the tables are not those of this version."""
    todo = pending(connection)
    if todo:
        raise TapeError(
            f"{len(todo)} migrations are not applied: {', '.join(each.name for each in todo)}",
            where=f"database {connection.info.dbname} at {connection.info.host}:{connection.info.port}",
            next_command="tape ledger migrate",
        )


def _applied(connection: Connection) -> Sequence[tuple[str, str]]:
    if connection.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return ()
    return [
        (str(name), str(sha256))
        for name, sha256 in connection.execute("SELECT name, sha256 FROM schema_migrations ORDER BY number")
    ]


def _check_unchanged(file: Migration | None, name: str, sha256: str, folder: Path) -> None:
    if file is None or file.name != name:
        what = f"migration {name} was applied, but its file is missing"
    elif file.sha256 != sha256:
        what = f"migration {name} was applied as sha256 {sha256}, but its file has {file.sha256}"
    else:
        return
    raise TapeError(what, where=str(folder / name), next_command="restore the file; put a change into a new one")


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise TapeError(f"migration {migration.name} failed: {error}", where=migration.name) from error
