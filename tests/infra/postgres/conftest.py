"""A real PostgreSQL for the session, a migrated database for every test, and a log to project."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from inspect import isclass
from itertools import count
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import AwareDatetime

from infra.embedded.testing import shared_stack
from infra.postgres.connection import Connection, connect
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection, Read
from schemas.identity import derived
from schemas.record import Envelope, Record, Value
from topics.codec import decode, encode
from topics.partitioning import partition_of
from topics.registry import BY_RECORD
from topics.wire import Incoming, Standing, identity_headers, sealed, standing_headers

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
RUN = derived("run")
_NUMBERS = count()


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real server that the session shares, with a migrated template to copy."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "postgres"
    root.mkdir(exist_ok=True)
    with shared_stack(root, {"postgres"}) as stack:
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
def empty_database_url(server_url: str) -> Iterator[str]:
    """Return a database of this test's own, without tables."""
    yield from _database(server_url, "template1")


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """Return a migrated database of this test's own."""
    yield from _database(server_url, template)


def _database(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with connect(server_url) as connection:
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        connection.execute(copied)
        yield make_conninfo(server_url, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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


@dataclass
class Log:
    """A log in memory: what is said in it can be read from it, framed and sealed as on Kafka."""

    partitions: int = 1
    read: list[Read] = field(default_factory=list)
    _next: dict[tuple[str, int], int] = field(default_factory=dict)
    _seq: int = 0

    def say(self, record: Record, *, event_id: UUID | None = None, at: datetime = NOON) -> Read:
        """Append a record as an agent publishes it, and return it as read."""
        topic = BY_RECORD[type(record)]
        self._seq += 1
        identity = event_id or derived("said", topic.name, self._seq)
        envelope = Envelope(event_id=identity, correlation_id=RUN, causation_id=identity, occurred_at=at)
        account = str(getattr(record, "account_id", ""))
        headers = (
            *identity_headers((identity, RUN, identity), type(record).__name__, account, topic.producer),
            *standing_headers(Standing(topic.producer, "v1", self._seq, "0" * 64, "", {}), 0, 1),
        )
        partition = partition_of(account, self.partitions)
        outgoing = sealed(topic.name, partition, topic.key_of(record).encode(), encode(topic, envelope, record), headers)
        return self.append(outgoing.topic, partition, outgoing.key, outgoing.value, outgoing.headers)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any) -> Read:
        """Append bytes, readable or not, and return them as read."""
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        incoming = Incoming(topic, partition, offset, 1_338_566_400_000, key, value, headers)
        self.read.append((incoming, _decoded(incoming)))
        return self.read[-1]

    def skip_offset(self, topic: str, partition: int = 0) -> None:
        """Let an offset be taken by no record, as a transaction marker does."""
        self._next[topic, partition] = self._next.get((topic, partition), 0) + 1

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition in which something was said."""
        return dict(self._next)

    def incoming(self) -> list[Incoming]:
        """Return every record, undecoded, as a reader of the log gets them."""
        return [incoming for incoming, _ in self.read]
