"""The keeper of a projection: records go to PostgreSQL in batches, rows and positions in one transaction."""

import asyncio
from collections.abc import Iterable
from functools import partial

from infra.postgres.connection import PATIENCE_S, reconnecting
from infra.postgres.projection import Projection
from infra.runtime.exits import CRASHED, die
from infra.runtime.keeper import DRAIN_TIMEOUT_S, STUCK_AFTER_S
from topics.codec import Event, UndecodableError, decode
from topics.wire import Incoming, Partition

#: Below `max.poll.interval.ms`: a member that takes over for longer is thrown out of its group.
TAKE_OVER_PATIENCE_S = 200.0


class ProjectionKeeper:
    """Keeps a projection. While PostgreSQL is away it waits: decisions go on, and the projection catches up."""

    patience_s = PATIENCE_S + STUCK_AFTER_S

    def __init__(self, projection: Projection, loop: asyncio.AbstractEventLoop, batch_max: int = 500) -> None:
        self._projection = projection
        self._loop = loop
        self._batch_max = batch_max
        self._batch: list[tuple[Incoming, Event | None]] = []
        self._positions: dict[Partition, int] = {}
        self._flushing: asyncio.Task[None] | None = None

    def take_over(self, assigned: Iterable[Partition]) -> dict[Partition, int]:
        """Start where PostgreSQL says the rows end."""
        wanted = tuple(assigned)
        starts = reconnecting(lambda: self._projection.positions(wanted), patience_s=TAKE_OVER_PATIENCE_S)
        self._positions.update(starts)
        return starts

    async def handle(self, record: Incoming) -> None:
        """Add the record to the batch; a full batch is waited for. Records of partitions given up are passed over."""
        if (record.topic, record.partition) not in self._positions:
            return
        self._batch.append((record, _event_or_none(record)))
        if self._flushing is None:
            self._flushing = self._loop.create_task(self._flush())
        if len(self._batch) >= self._batch_max:
            await asyncio.wait({self._flushing})

    async def release(self, revoked: Iterable[Partition], lost: bool) -> dict[Partition, int]:
        """Write what is there, unless somebody else may own it already or PostgreSQL is away: then the next owner does.

        A batch under way goes on in its thread; PostgreSQL refuses it once another owner has moved the position.
        """
        gone = set(revoked)
        if self._flushing is not None and not lost:
            await asyncio.wait({self._flushing}, timeout=DRAIN_TIMEOUT_S)
        self._batch = [each for each in self._batch if (each[0].topic, each[0].partition) not in gone]
        left = {each: self._positions.pop(each) for each in gone if each in self._positions}
        return {} if lost else left

    def durable(self) -> dict[Partition, int]:
        """Return the positions that are in PostgreSQL."""
        return dict(self._positions)

    def stuck_for(self) -> float:
        """Nothing is handed to the outside but batches, and those have a patience of their own."""
        return 0.0

    async def _flush(self) -> None:
        try:
            await asyncio.sleep(0)  # let what has arrived together be written together
            while self._batch:
                batch, self._batch = self._batch[: self._batch_max], self._batch[self._batch_max :]
                await self._loop.run_in_executor(None, reconnecting, partial(self._projection.apply, batch))
                written = {(record.topic, record.partition): record.offset + 1 for record, _ in batch}
                self._positions |= {each: offset for each, offset in written.items() if each in self._positions}
            self._flushing = None
        except Exception as error:
            die(CRASHED, "writing to PostgreSQL", error)


def _event_or_none(record: Incoming) -> Event | None:
    try:
        return decode(record)
    except UndecodableError:
        return None
