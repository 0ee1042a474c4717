"""A process that starts projecting processes by fork, so that a hundred of them can be killed in a few seconds.

Reads a line per child from stdin; prints the child's pid when it starts and its exit status when it has ended.
"""

import os
import pickle
import sys
from pathlib import Path

from infra.postgres.projection import Projection, Read
from tests.infra.postgres.stories import decoded

BATCH_SIZE = 2


def project(database_url: str, read: list[Read]) -> None:
    """Write everything from where the tables stand, in small batches."""
    projection = Projection(database_url)
    starts = projection.positions({(incoming.topic, incoming.partition) for incoming, _ in read})
    todo = [each for each in read if each[0].offset >= starts[each[0].topic, each[0].partition]]
    for start in range(0, len(todo), BATCH_SIZE):
        projection.apply(todo[start : start + BATCH_SIZE])
    projection.close()


def main(database_url: str, log: Path) -> None:
    """Start children until stdin ends."""
    read = [decoded(incoming) for incoming in pickle.loads(log.read_bytes())]
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            project(database_url, read)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
