"""The tables without the PostgreSQL that keeps them: projected from the log into one that lives as long as a question.

The same migrations, projection and queries give the same answer; it costs starting a server and reading the log, and
is refused where the log is long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection, Read
from topics.codec import UndecodableError, decode
from topics.registry import read_by
from topics.wire import Incoming

OFFSETS_MAX = 100_000
"""More are not read for one question: a projection does about a thousand a second on one core."""

_BATCH = 500


@contextmanager
def projected(bootstrap_servers: str) -> Iterator[str]:
    """Lend the URL of a database that holds what the log says now; TapeError where the log is longer than allowed."""
    partitions = partitions_of(bootstrap_servers, [topic.name for topic in read_by("projector")])
    ends = high_watermarks(bootstrap_servers, partitions)
    if sum(ends.values()) > OFFSETS_MAX:
        raise TapeError(f"the log has {sum(ends.values())} offsets, more than the {OFFSETS_MAX} read for one question")
    with TemporaryDirectory(prefix="tape-from-log-") as folder:
        stack = Stack(Path(folder) / "home")
        try:
            stack.up({"postgres"})
            migrate(stack.database_url)
            _project(stack.database_url, read(bootstrap_servers, dict.fromkeys(partitions, 0), ends))
            yield stack.database_url
        finally:
            stack.destroy()


def _project(database_url: str, records: Iterator[Incoming]) -> None:
    projection = Projection(database_url, is_durable=False)
    try:
        known: set[tuple[str, int]] = set()
        while batch := list(islice(records, _BATCH)):
            projection.positions({(each.topic, each.partition) for each in batch} - known)
            known |= {(each.topic, each.partition) for each in batch}
            projection.apply([_read(each) for each in batch])
    finally:
        projection.close()


def _read(incoming: Incoming) -> Read:
    try:
        return incoming, decode(incoming)
    except UndecodableError:
        return incoming, None
