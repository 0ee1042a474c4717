"""A view: a topic read whole beside the inputs, from its beginning, without a group, by a thread of its own.

A decision names the bound up to which it looks. If the view has not come that far yet, the decision waits; what lies
after the bound it never sees, so the same message gives the same view today and next year.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import TopicPartition

from agents.declaration import View
from infra.errors import TapeError
from infra.kafka.log import end_reached, high_watermarks, incoming, partitions_of, reading_consumer
from infra.runtime.exits import CRASHED, die
from schemas.dead_letter import Unreadable
from schemas.record import Record
from schemas.run import PartitionPosition
from topics.codec import UndecodableError, decode
from topics.wire import Incoming

log = logging.getLogger("tape.view")

#: A bound lies at most at the end of the topic when the message was written, so the view reaches it in one read. Well
#: below the watchdog's patience, whose end would not name the bound.
REACH_TIMEOUT_S = 30.0


class ViewFollower:
    """Follows one topic; all methods but the thread's run in the event loop."""

    def __init__(self, view: View, bootstrap_servers: str, loop: asyncio.AbstractEventLoop) -> None:
        self._view = view
        self._bootstrap_servers = bootstrap_servers
        self._loop = loop
        self._state = view.empty()
        self._positions: dict[int, int] = {}
        self._moved = asyncio.Event()
        threading.Thread(target=self._follow, name=f"view-{view.topic}", daemon=True).start()

    async def look(self, record: Record) -> Any:
        """Return the view at the bound that the record names; waits until the view has come that far.

        Raises UndecodableError for a bound beyond the end of the topic: waiting for it would hold everything behind it.
        """
        bound = self._view.bound(record)
        if self._is_behind(bound):
            await self._loop.run_in_executor(None, self._check_exists, bound)
        try:
            await asyncio.wait_for(self._reach(bound), REACH_TIMEOUT_S)
        except TimeoutError:
            wanted = {each.partition: each.next_offset for each in bound}
            raise TapeError(
                what=f"the view did not reach its bound: wanted {wanted}, stands at {self._positions}",
                where=self._view.topic,
                next_command=f"tape kafka offsets -- --topic {self._view.topic}",
            ) from None
        return self._state.until(bound)

    def _is_behind(self, bound: Sequence[PartitionPosition]) -> bool:
        return any(self._positions.get(each.partition, 0) < each.next_offset for each in bound)

    def _check_exists(self, bound: Sequence[PartitionPosition]) -> None:
        topic = self._view.topic
        ends = high_watermarks(self._bootstrap_servers, partitions_of(self._bootstrap_servers, [topic]))
        for each in bound:
            end = ends.get((topic, each.partition))
            if end is None or each.next_offset > end:
                found = "no such partition" if end is None else f"its end at {end}"
                raise UndecodableError(
                    Unreadable.BEYOND_THE_VIEW,
                    f"the record looks at {topic}/{each.partition} up to {each.next_offset}, there is {found}",
                )

    async def _reach(self, bound: Sequence[PartitionPosition]) -> None:
        while self._is_behind(bound):
            self._moved.clear()
            await self._moved.wait()

    def _take(self, records: list[Incoming], ends: dict[int, int]) -> None:
        for each in records:
            try:
                self._state.add(each.partition, each.offset, decode(each).record)
            except UndecodableError as error:
                log.warning("%s: left out of the view, %s: %s", each.place, error.unreadable, error.error)
            self._positions[each.partition] = each.offset + 1
        for partition, offset in ends.items():
            self._positions[partition] = max(offset, self._positions.get(partition, 0))
        self._moved.set()

    def _follow(self) -> None:
        try:
            consumer = reading_consumer(self._bootstrap_servers)
            partitions = partitions_of(self._bootstrap_servers, [self._view.topic])
            consumer.assign([TopicPartition(*each, 0) for each in partitions])
            while True:
                first = consumer.poll(1.0)
                if first is None:
                    continue
                records: list[Incoming] = []
                ends: dict[int, int] = {}
                for message in (first, *consumer.consume(1000, 0)):
                    error = message.error()
                    if error is not None and error.retriable():
                        continue  # the broker is away; librdkafka comes back by itself
                    if end_reached(message):
                        ends[int(message.partition() or 0)] = int(message.offset() or 0)
                    else:
                        records.append(incoming(message))
                self._loop.call_soon_threadsafe(self._take, records, ends)
        except BaseException as error:
            die(CRASHED, f"view of {self._view.topic}", error)
