"""Fixtures: a real PostgreSQL for the session, and a migrated database without rows for every test."""

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.embedded.testing import shared_stack
from infra.postgres.connection import Connection, connect
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection
from schemas.record import Record
from tests.infra.postgres.stories import Log

_NUMBERS = count()
_SERVERS = count()  # a process may use a stack once at a time, and a test module that imports these has its own

_EMPTY = """
DO $$ DECLARE name regclass; BEGIN
    FOR name IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_migrations'
    LOOP EXECUTE format('DELETE FROM %s', name); END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real server that the session shares."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"postgres-{next(_SERVERS)}"
    root.mkdir(exist_ok=True)
    with shared_stack(root, {"postgres"}) as stack:
        with connect(stack.database_url) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # kills of processes lose nothing by it, and it is fast
            connection.execute("SELECT pg_reload_conf()")
        yield stack.database_url


@pytest.fixture(scope="session")
def migrated_url(server_url: str) -> str:
    """Return this process's migrated database."""
    url = _created(server_url)
    migrate(url)
    return url


@pytest.fixture
def empty_database_url(server_url: str) -> str:
    """Return a database of this test's own, without tables."""
    return _created(server_url)


@pytest.fixture
def database_url(migrated_url: str) -> Iterator[str]:
    """Return a migrated database without rows; emptied after the test, which is far cheaper than one per test."""
    yield migrated_url
    with connect(migrated_url) as connection:
        connection.execute(_EMPTY)


def _created(server_url: str) -> str:
    """Create a database; it is never dropped: the server ends with the session, and a drop waits for the disk."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with connect(server_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_conninfo(server_url, dbname=name)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Return a connection to look at the test's database."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def projection(database_url: str) -> Iterator[Projection]:
    """Return the projection under test."""
    projection = Projection(database_url)
    yield projection
    projection.close()


@pytest.fixture
def tell(projection: Projection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Record]], None]:
    """Return what projects a story; commands find its database, and a terminal of 120 columns."""
    monkeypatch.setenv("TAPE_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "120")

    def tell(story: list[Record]) -> None:
        log = Log()
        for record in story:
            log.say(record)
        projection.positions(log.ends)
        projection.apply(log.read)

    return tell
