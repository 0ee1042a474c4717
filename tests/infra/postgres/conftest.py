"""A real PostgreSQL for the session, and a migrated database of its own for every test."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.embedded.testing import shared_stack
from infra.postgres.connection import Connection, connect
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection

_NUMBERS = count()


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real server that the session shares, with a migrated template to copy."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "postgres"
    root.mkdir(exist_ok=True)
    with shared_stack(root, {"postgres"}) as stack:
        with connect(stack.database_url) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # kills of processes lose nothing by it, and it is fast
            connection.execute("SELECT pg_reload_conf()")
        yield stack.database_url


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Return the name of a migrated database that is copied for every test."""
    name = f"template_{os.getpid()}"
    with connect(server_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(make_conninfo(server_url, dbname=name))
    return name


@pytest.fixture
def empty_database_url(server_url: str) -> str:
    """Return a database of this test's own, without tables."""
    return _copied(server_url, "template1")


@pytest.fixture
def database_url(server_url: str, template: str) -> str:
    """Return a migrated database of this test's own."""
    return _copied(server_url, template)


def _copied(server_url: str, template: str) -> str:
    """Copy a database; it is never dropped, because the server ends with the session and a drop waits for the disk."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with connect(server_url) as connection:
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        connection.execute(copied)
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
