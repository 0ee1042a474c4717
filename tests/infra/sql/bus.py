"""A Kafka of these tests' own, with every topic, and what is said on it."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from confluent_kafka import Message, Producer
from typer.testing import CliRunner

from infra.cli.main import app
from infra.embedded.stack import Stack
from infra.embedded.testing import shared_stack
from infra.errors import TapeError
from infra.kafka.admin import apply
from infra.kafka.log import high_watermarks
from infra.kafka.publish import from_outside
from schemas.identity import derived
from schemas.record import Record
from topics.wire import Headers, Outgoing, sealed

PARTITIONS = 3
NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
RUNS = tuple(derived("sql-run", number) for number in range(5))
_NUMBERS = itertools.count()


@dataclass
class Bus:
    """Writes to the topics of a running stack and waits until the broker has what was written."""

    stack: Stack
    placed: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 1, "log_level": 0})

    @property
    def servers(self) -> str:
        return self.stack.bootstrap_servers

    def environment(self) -> dict[str, str]:
        """Return what a command needs to find this stack and nothing else."""
        return {
            **os.environ,
            "TAPE_BOOTSTRAP_SERVERS": self.servers,
            "TAPE_DATABASE_URL": self.stack.database_url,
            "TAPE_HOME": str(self.stack.home),
        }

    def say(
        self,
        record: Record,
        *,
        run: UUID = RUNS[0],
        partition: int | None = None,
        timestamp_ms: int = 0,
        key: bytes | None = None,
    ) -> Outgoing:
        """Publish a record; it is its own cause."""
        event_id = derived("sql-said", next(_NUMBERS))
        said = from_outside(record, event_id, NOON, run, PARTITIONS, "test")
        where = said.partition if partition is None else partition
        again = sealed(said.topic, where, key or said.key, said.value, said.headers[:-1])
        self.raw(again.topic, again.partition, again.key, again.value, again.headers, timestamp_ms)
        return again

    def raw(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int = 0,
    ) -> None:
        """Publish bytes as they are."""
        self.producer.produce(
            topic,
            value,
            key,
            partition,
            headers=list(headers),
            timestamp=timestamp_ms,
            on_delivery=self._delivered,
        )

    def flush(self) -> None:
        assert self.producer.flush(30) == 0

    def aborted(self, topic: str, partition: int, count: int) -> None:
        """Take `count` offsets that no reader of committed records will ever see."""
        producer = Producer(
            {"bootstrap.servers": self.servers, "transactional.id": f"aborted-{next(_NUMBERS)}", "log_level": 0}
        )
        producer.init_transactions(60)
        producer.begin_transaction()
        for _ in range(count):
            producer.produce(topic, b"never", partition=partition)
        producer.flush(30)
        producer.abort_transaction()

    def end(self, topic: str, partition: int = 0) -> int:
        return high_watermarks(self.servers, [(topic, partition)])[topic, partition]

    def _delivered(self, error: object, message: Message) -> None:
        assert error is None
        self.placed.append((str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)))


@dataclass(frozen=True)
class Done:
    """What a command said, and how it ended."""

    returncode: int
    stdout: bytes
    stderr: str


def tape(bus: Bus, *arguments: str | Path, stdin: str = "") -> Done:
    """Run a command in this process, which has imported what it needs; a TapeError ends it as `tape` does."""
    found = CliRunner().invoke(app, [*map(str, arguments)], input=stdin, env=bus.environment())
    if isinstance(found.exception, TapeError):
        return Done(found.exception.exit_code, found.stdout_bytes, f"{found.stderr}tape: {found.exception}")
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Done(found.exit_code, found.stdout_bytes, found.stderr)


@contextmanager
def running(folder: Path) -> Iterator[Bus]:
    """Lend a stack with Kafka and PostgreSQL in which every topic exists."""
    with shared_stack(folder, services=["kafka", "postgres"]) as stack:
        apply(stack.bootstrap_servers, PARTITIONS)
        yield Bus(stack)


def until(is_so: object, patience_s: float = 30) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + patience_s
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def interruptible() -> None:
    """Let a child end by Ctrl-C as on a terminal; one started in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
