"""The thread that owns the confluent consumer: polls, hands records to the event loop, runs the rebalance callbacks.

Since 2.16 a confluent Consumer is gated to one thread: a call from a second one hangs for ever against a poll loop. So
nothing else touches it; what the loop wants shown is left for the thread, which takes it within one poll.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra.kafka.log import incoming
from infra.runtime.exits import CRASHED, FENCED, STUCK, die
from topics.wire import Incoming, Partition

log = logging.getLogger("tape.consumer")
T = TypeVar("T")

_FENCED = {
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._FENCED,
    KafkaError.UNRELEASED_INSTANCE_ID,
    KafkaError.FENCED_MEMBER_EPOCH,
}
#: Cannot heal by waiting: a hole in the log, or thrown out of the group while blocked, or not allowed.
_HOPELESS = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
#: Records handed over and not finished at most: 4 000 decoded records are about 10 MB.
BACKLOG_MAX = 4000
#: How long to stop polling when the agent is behind, before its partitions are paused instead: a resume costs up to a
#: second, a group member that does not poll for `max.poll.interval.ms` is thrown out.
HOLD_S = 5.0
_BATCH = 500
_ANSWER_S = 30.0


class LoopSide(Protocol):
    """What the thread asks of the event loop's side."""

    def receive(self, records: list[Incoming]) -> None:
        """Take records over, in the loop."""
        ...

    def take_over(self, assigned: set[Partition]) -> Mapping[Partition, int]:
        """Say where newly assigned partitions start; blocks, in the thread."""
        ...

    async def assigned(self, partitions: set[Partition]) -> None:
        """Get ready for records of these partitions."""
        ...

    async def revoked(self, partitions: set[Partition], lost: bool) -> Mapping[Partition, int]:
        """Give the partitions up and return the positions to show to group tools."""
        ...

    def backlog(self) -> int:
        """Return how many records were handed over and are not finished."""
        ...


@dataclass(frozen=True)
class GroupSettings:
    """How this worker takes part in its consumer group."""

    bootstrap_servers: str
    group_id: str
    session_timeout_ms: int = 6000
    heartbeat_interval_ms: int = 500
    instance_id: str | None = None

    def confluent(self) -> dict[str, Any]:
        """Return librdkafka's names for it; `range` keeps co-partitioned topics together."""
        member = {} if self.instance_id is None else {"group.instance.id": self.instance_id}
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "group.id": self.group_id,
            "partition.assignment.strategy": "range",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": self.heartbeat_interval_ms,
            "max.poll.interval.ms": 300_000,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 10,
            "queued.min.messages": 2000,
            "queued.max.messages.kbytes": 16_384,
            "reconnect.backoff.max.ms": 1000,
            "socket.nagle.disable": True,
            "log_level": 2,
            **member,
        }


class PollingThread:
    """Owns the confluent consumer; `start` after subscribing topics are known, `leave` to drain and leave the group."""

    def __init__(self, settings: GroupSettings, loop: asyncio.AbstractEventLoop, side: LoopSide) -> None:
        self._settings = settings
        self._loop = loop
        self._side = side
        self._to_show: deque[Mapping[Partition, int]] = deque(maxlen=1)  # only the newest counts
        self._shown: dict[Partition, int] = {}
        self._leaving = False
        self._paused = False
        self._quiet_until = 0.0
        self._owned: set[Partition] = set()
        self._assignment = 0
        self._thread: threading.Thread | None = None

    def start(self, topics: Iterable[str]) -> None:
        """Join the group for these topics."""
        wanted = sorted(topics)
        self._thread = threading.Thread(target=self._run, args=(wanted,), name="kafka-consumer", daemon=True)
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._thread is not None

    def commit_soon(self, positions: Mapping[Partition, int]) -> None:
        """Show positions to group tools, for the partitions that are still ours when the thread comes to it.

        To be called again and again: what the broker has acknowledged is not sent twice, what it refused is.
        """
        self._to_show.append(positions)

    async def leave(self, timeout_s: float) -> None:
        """Drain, commit and leave the group."""
        self._leaving = True
        if self._thread is not None:
            await self._loop.run_in_executor(None, self._thread.join, timeout_s)

    def _run(self, topics: list[str]) -> None:
        try:
            consumer = Consumer(
                {**self._settings.confluent(), "error_cb": self._on_error, "on_commit": self._on_commit}, logger=log
            )
            consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
            while not self._leaving:
                self._show(consumer)
                self._hold(consumer)
                self._poll(consumer)
            consumer.close()  # runs _on_revoke: drain, last commit; then leaves the group
        except BaseException as error:
            die(CRASHED, f"consumer of {self._settings.group_id}", error)

    def _poll(self, consumer: Consumer) -> None:
        first = consumer.poll(0.1)
        if first is None:
            return
        assignment = self._assignment
        # consume(n, t) would wait for n records; poll and then consume(n, 0) takes what is there
        more = consumer.consume(_BATCH, 0)
        # a rebalance in between: the first record is of the old assignment, the new one starts elsewhere
        records = self._converted([first, *more] if assignment == self._assignment else more)
        if records:
            self._loop.call_soon_threadsafe(self._side.receive, records)

    def _converted(self, messages: list[Message]) -> list[Incoming]:
        records: list[Incoming] = []
        for message in messages:
            if (error := message.error()) is not None:
                self._on_error(error)
            elif (message.topic(), message.partition()) in self._owned:
                records.append(incoming(message))
        return records

    def _show(self, consumer: Consumer) -> None:
        positions = self._to_show.popleft() if self._to_show else {}
        ours = {each: offset for each, offset in positions.items() if each in self._owned}
        new = {each: offset for each, offset in ours.items() if self._shown.get(each) != offset}
        if new:
            with contextlib.suppress(KafkaException):  # refused, as a late answer may be: shown the next time
                consumer.commit(offsets=_offsets(new), asynchronous=True)

    def _on_commit(self, error: KafkaError | None, parts: list[TopicPartition]) -> None:
        if error is None:
            self._shown.update({(each.topic, each.partition): each.offset for each in parts if each.error is None})

    def _hold(self, consumer: Consumer) -> None:
        """Back-pressure: do not poll while the agent is behind; if that lasts, pause and keep the membership alive."""
        until = time.monotonic() + HOLD_S
        while not self._paused and self._side.backlog() > BACKLOG_MAX and not self._leaving:
            if time.monotonic() > until:
                consumer.pause(_offsets(dict.fromkeys(self._owned, 0)))
                self._paused = True
            time.sleep(0.002)
        if self._paused and self._side.backlog() < BACKLOG_MAX // 2:
            consumer.resume(_offsets(dict.fromkeys(self._owned, 0)))
            self._paused = False

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _FENCED or error.fatal() or error.code() == KafkaError._FATAL:
            die(FENCED, error.str())
        if error.code() in _HOPELESS:
            die(CRASHED, error.str())
        if error.code() != KafkaError._PARTITION_EOF and time.monotonic() > self._quiet_until:
            self._quiet_until = time.monotonic() + 5  # librdkafka retries by itself every 50 ms; say it now and then
            log.warning("kafka: %s", error.str())

    def _on_assign(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        partitions = _partitions(parts)
        starts = self._side.take_over(partitions)
        self._owned |= partitions
        self._call(self._side.assigned(partitions))
        consumer.assign(_offsets({each: starts.get(each, 0) for each in partitions}))

    def _on_revoke(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        positions = self._forget(consumer, parts, lost=False)
        if positions:
            try:
                consumer.commit(offsets=_offsets(positions), asynchronous=False)  # still a member
            except KafkaException as error:
                log.warning("last commit before a revoke refused (group tools show older positions): %s", error)

    def _on_lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._forget(consumer, parts, lost=True)  # somebody else may own them already: no commit

    def _forget(self, consumer: Consumer, parts: list[TopicPartition], lost: bool) -> Mapping[Partition, int]:
        partitions = _partitions(parts)
        self._owned -= partitions
        self._assignment += 1
        self._shown.clear()
        self._to_show.clear()  # positions of another assignment could move the next owner's back
        if self._paused:
            consumer.resume(parts)  # a pause outlives the assignment: given back to us, they would stay silent
            self._paused = False
        return self._call(self._side.revoked(partitions, lost))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run in the event loop and wait; a loop that does not answer is blocked by an agent."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_ANSWER_S)
        except TimeoutError:
            die(STUCK, "the event loop did not answer in a rebalance")


def _partitions(parts: Iterable[TopicPartition]) -> set[Partition]:
    return {(part.topic, part.partition) for part in parts}


def _offsets(positions: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in positions.items()]
