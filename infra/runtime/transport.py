"""Faust's transport on librdkafka, behind Faust's public interfaces.

Faust keeps agents, streams, lifecycle and signals; its consumer, fetcher and producer are replaced.

What is bypassed and why: Faust commits what it has not finished (its commit skips un-acked events), loses events whose
agent raised, and has no transactions that follow the source partition. Here positions come from the agent's own events
(`infra.runtime.partition`), so acks only end Faust's own tracking. Private names touched: `_unacked_messages` (the
Cython stream reads it), `TableManager._update_channels`, `App._create_directories`, and the meaning of
`Message.generation_id`; hence the pin.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

import faust
from faust.tables.manager import TableManager
from faust.transport import base
from faust.transport.drivers import TRANSPORTS
from faust.types import TP, ConsumerMessage
from faust.types.transports import ConsumerT
from mode import Service

from infra.runtime.keeper import Keeper
from infra.runtime.polling import PollingThread
from topics.wire import Incoming, Partition

log = logging.getLogger("tape.transport")

FAUST_VERSION = "0.15.3"
SCHEME = "tape"
CURRENT, REVOKED = 0, -1
"""Message.generation_id; Faust's streams skip everything that is not of the current generation (0)."""

COMMIT_INTERVAL_S = 0.5
LEAVE_TIMEOUT_S = 15.0


class TapeConsumer(Service, ConsumerT):
    """Faust's consumer over the polling thread: pushes records into the conductor, asks the keeper for the rest."""

    logger = logging.getLogger("tape.transport")
    scheduler: Any = None
    transactions: Any = None
    in_transaction = False

    def __init__(
        self, transport: Any, callback: Any, on_partitions_revoked: Any, on_partitions_assigned: Any, **settings: Any
    ) -> None:
        self.transport, self.app, self.callback = transport, transport.app, callback
        self.commit_interval = COMMIT_INTERVAL_S
        self.randomly_assigned_topics: set[str] = set()
        self._tell_faust = on_partitions_assigned
        self._unacked_messages: set[Any] = set()
        self._live: dict[TP, dict[int, ConsumerMessage]] = {}
        self._received = 0
        self.finished_count = 0
        self._keeper: Keeper | None = None
        self._inbox: asyncio.Queue[ConsumerMessage] = asyncio.Queue()
        super().__init__(loop=settings.get("loop"))

    async def on_start(self) -> None:
        """Find the keeper; it needs the running loop."""
        self._keeper = self.app.new_keeper(asyncio.get_running_loop())
        self._thread = PollingThread(self.app.group, asyncio.get_running_loop(), self)

    @property
    def keeper(self) -> Keeper:
        """Who handles the records."""
        if self._keeper is None:
            raise RuntimeError("the consumer was asked before it was started")
        return self._keeper

    @property
    def has_keeper(self) -> bool:
        """Whether the consumer was started."""
        return self._keeper is not None

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group; Faust asks again only if agents are added later, which ours never are."""
        if not self._thread.started:
            self._thread.start(topics)

    # ---- asked by the polling thread
    def receive(self, records: list[Incoming]) -> None:
        """Put records where Faust's conductor will take them."""
        for record in records:
            tp = TP(record.topic, record.partition)
            live = self._live.get(tp)
            if live is None:
                continue  # revoked while the batch was on its way
            message = _message(record, tp)
            live[record.offset] = message
            self._received += 1
            self._inbox.put_nowait(message)

    def take_over(self, assigned: set[Partition]) -> Mapping[Partition, int]:
        """Let the keeper become the owner."""
        return self.keeper.take_over(assigned)

    async def assigned(self, partitions: set[Partition]) -> None:
        """Tell Faust about the whole assignment."""
        for partition in partitions:
            self._live[TP(*partition)] = {}
        self.app.on_rebalance_start()
        await self._tell_faust(set(self._live), CURRENT)
        self.app.on_rebalance_return()
        self.app.on_rebalance_end()

    async def revoked(self, partitions: set[Partition], lost: bool) -> Mapping[Partition, int]:
        """Drop what is queued, let the keeper finish what it has begun, and return the positions to show."""
        tps = {TP(*partition) for partition in partitions}
        for tp in tps:
            for message in self._live.pop(tp, {}).values():
                message.generation_id = REVOKED
                self.finished_count += 1
        positions = await self.keeper.release(partitions, lost)
        await self.app.on_partitions_revoked.send(tps)
        return positions

    def backlog(self) -> int:
        """Return how many records were handed over and are not finished."""
        return self._received - self.finished_count

    # ---- the agent's side
    def finished(self, message: Any) -> None:
        """Note that an agent is through with a record."""
        live = self._live.get(message.tp)
        if live is not None and live.pop(message.offset, None) is not None:
            self.finished_count += 1

    def check_order(self, message: Any) -> None:
        """Refuse a record while an earlier one of its partition was handed to Faust and has not come out of it."""
        first = next(iter(self._live[message.tp]))
        if first != message.offset:
            raise RuntimeError(f"expected {message.tp.topic}/{message.tp.partition}/{first}: it was lost on its way")

    def is_current(self, message: Any) -> bool:
        """Say whether the record's partition is still the one it was fetched for."""
        return bool(message.generation_id == CURRENT)

    def ack(self, message: Any) -> bool:
        """End Faust's tracking; it moves no position."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    @Service.task
    async def _feed(self) -> None:
        while not self.should_stop:
            message = await self._inbox.get()
            if message.generation_id == CURRENT:
                await self.callback(message)
            if self._inbox.qsize() % 50 == 0:
                await asyncio.sleep(0)

    @Service.task
    async def _show_positions(self) -> None:
        while not self.should_stop:
            await self.sleep(COMMIT_INTERVAL_S)
            self._thread.commit_soon(self.keeper.durable())

    async def leave(self) -> None:
        """Drain, show the last positions and leave the group."""
        await self._thread.leave(LEAVE_TIMEOUT_S)

    async def on_stop(self) -> None:
        """Leave the group when Faust stops us."""
        await self.leave()

    # ---- the rest of Faust's interface: nothing to do here, or not offered
    @property
    def unacked(self) -> set[Any]:
        """Events an agent has begun; Faust's monitor reads it."""
        return self._unacked_messages

    def assignment(self) -> set[TP]:
        """Return the partitions we own."""
        return set(self._live)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Positions are shown by `_show_positions`; Faust's commits change nothing."""
        return False

    async def perform_seek(self) -> None:
        """Positions are set when partitions are assigned."""

    async def wait_empty(self) -> None:
        """The drain is in `revoked`, for the partitions that move."""

    async def on_task_error(self, exc: BaseException) -> None:
        """The application ends the process itself."""

    def stop_flow(self) -> None:
        """A rebalance touches only the partitions that move."""

    def resume_flow(self) -> None:
        """See stop_flow."""

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Back-pressure is the polling thread's."""

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """See pause_partitions."""

    def close(self) -> None:
        """The polling thread closes the client."""

    def track_message(self, message: Any) -> None:
        """Faust's own tracking is not used."""

    def on_buffer_full(self, tp: TP) -> None:
        """Back-pressure is the polling thread's."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See on_buffer_full."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """There are no Faust tables."""

    def _not_offered(self, *arguments: Any, **settings: Any) -> Any:
        raise NotImplementedError("not offered by this transport: positions come from the agents' own events")

    getmany = seek = seek_wait = position = highwater = highwaters = earliest_offsets = _not_offered
    topic_partitions = create_topic = key_partition = _not_offered


class NoFetcher(Service):
    """Faust starts a fetcher that pulls; here the thread pushes."""

    def __init__(self, app: Any, **settings: Any) -> None:
        super().__init__()


class NoProducer(base.Producer):
    """Decisions go out through `infra.runtime.transactions`; the conductor only reads `.buffer`."""

    async def flush(self) -> None:
        """Nothing is ever buffered here."""


class TapeTransport(base.Transport):
    """Registered as tape:// with Faust."""

    Consumer, Producer, Fetcher = TapeConsumer, NoProducer, NoFetcher
    driver_version = "confluent-kafka"


class NoTables(TableManager):
    """There are no tables, so there is nothing to recover and nothing to wait for.

    Upstream sleeps a second before the first subscribe; and after a rebalance a task of its own lets the streams flow,
    which empties their queues: records that were there before it got its turn were lost.
    """

    async def on_start(self) -> None:
        """Start what the app waits for."""
        await self._update_channels()
        await self.recovery.start()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Let the streams flow now, before the first record of the assignment can come."""
        self.recovery.completed.set()
        self.on_actives_ready()
        self.on_standbys_ready()
        self.app.flow_control.resume()


TRANSPORTS.aliases[SCHEME] = f"{__name__}:TapeTransport"


def check_version() -> None:
    """Refuse a Faust we were not tested against: private names are touched."""
    if faust.__version__ != FAUST_VERSION:
        raise RuntimeError(
            f"expected faust-streaming {FAUST_VERSION}, was {faust.__version__}: run tests/infra/runtime"
        )


def _message(record: Incoming, tp: TP) -> ConsumerMessage:
    return ConsumerMessage(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_ms / 1000.0,
        0,
        list(record.headers),
        record.key,
        cast(Any, record),  # Faust's stream only passes it on: decoding is the agent's first step
        None,
        tp=tp,
        generation_id=CURRENT,
    )
