"""Who keeps an agent's partitions: takes them over, feeds them, gives them up.

The transport asks a keeper for three things: where the inputs of newly assigned partitions start (in the consumer's
thread, before any message), to handle a record (in the event loop), and to release partitions.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from agents.declaration import Agent, Performer
from infra.errors import TapeError
from infra.kafka.log import high_watermarks
from infra.runtime.partition import AgentPartition, DecidingPartition, PerformingPartition
from infra.runtime.recall import Recalled, SnapshotSettings, recall
from infra.runtime.snapshotting import Snapshotting, noting
from infra.runtime.transactions import Committer, TransactionSettings, transactional_producer
from infra.runtime.views import ViewFollower
from topics.registry import read_by
from topics.wire import Incoming, Partition

#: Work that does not advance for this long ends the process; twice Kafka's usual 30 s.
STUCK_AFTER_S = 60.0

#: The same for an agent that talks outside: reading an account that hardly answers takes up to 121 s (a listing of 30 s
#: and three requests of 10 s, each tried three times) before it is reported as failed.
OUTSIDE_PATIENCE_S = 180.0

#: Bound on waiting for a partition's last transaction when it moves to another worker.
DRAIN_TIMEOUT_S = 5.0


class Keeper(Protocol):
    """What the transport needs to know about whoever handles the records.

    `patience_s`: how long fetched work, or what was handed to the outside, may stand still before the process ends.
    """

    patience_s: float

    def take_over(self, assigned: Iterable[Partition]) -> dict[Partition, int]:
        """Become the owner of input partitions and return where each starts. Blocks; runs in the consumer's thread."""
        ...

    async def handle(self, record: Incoming) -> None:
        """Handle one record; returns when the next may come."""
        ...

    async def release(self, revoked: Iterable[Partition], lost: bool) -> dict[Partition, int]:
        """Give partitions up and return their durable positions; `lost`: somebody else may own them already."""
        ...

    def durable(self) -> dict[Partition, int]:
        """Return the positions that consumer-group tools may be shown."""
        ...

    def stuck_for(self) -> float:
        """Return for how many seconds work handed to the outside has not come back."""
        ...


class DecisionKeeper:
    """Keeps the partitions of a deciding or performing agent, one `AgentPartition` each."""

    def __init__(
        self,
        agent: Agent,
        settings: TransactionSettings,
        loop: asyncio.AbstractEventLoop,
        performer: Performer | None = None,
        snapshots: SnapshotSettings | None = None,
    ) -> None:
        """Prepare; nothing is taken over yet. `snapshots`: None is the default settings."""
        self.patience_s = OUTSIDE_PATIENCE_S if agent.performs else STUCK_AFTER_S
        self._agent = agent
        self._settings = settings
        self._loop = loop
        self._performer = performer
        self._inputs = input_topics(agent)
        self._snapshots = snapshots or SnapshotSettings()
        self._kept: dict[int, AgentPartition] = {}
        self._follower = None if agent.view is None else ViewFollower(agent.view, settings.bootstrap_servers, loop)

    def take_over(self, assigned: Iterable[Partition]) -> dict[Partition, int]:
        """Fence the former owner, fold own events, and start the inputs at the last decision's positions."""
        wanted = set(assigned)
        self._check_whole(wanted)
        starts: dict[Partition, int] = {}
        for number in sorted({partition for _, partition in wanted}):
            kept = self._take_over_one(number)
            self._kept[number] = kept
            starts.update(kept.positions)
        return {partition: offset for partition, offset in starts.items() if partition in wanted}

    async def handle(self, record: Incoming) -> None:
        """Judge one record in its partition."""
        kept = self._kept.get(record.partition)
        if kept is not None:
            await kept.handle(record)

    async def release(self, revoked: Iterable[Partition], lost: bool) -> dict[Partition, int]:
        """Let the last transactions of the partitions finish, unless somebody else owns them already."""
        numbers = {partition for _, partition in revoked}
        leaving = [self._kept.pop(number) for number in sorted(numbers) if number in self._kept]
        if lost:
            for kept in leaving:
                kept.abandon()
            return {}
        await asyncio.gather(*(kept.drain(DRAIN_TIMEOUT_S) for kept in leaving))
        return {partition: offset for kept in leaving for partition, offset in kept.durable.items()}

    def durable(self) -> dict[Partition, int]:
        """Return the positions up to which every decision is committed."""
        return {partition: offset for kept in self._kept.values() for partition, offset in kept.durable.items()}

    def stuck_for(self) -> float:
        """Return how long the slowest transaction has been under way."""
        return max((kept.stuck_for() for kept in list(self._kept.values())), default=0.0)

    def _check_whole(self, assigned: set[Partition]) -> None:
        """Two workers with inputs of one partition number would fence each other for ever."""
        numbers = {number for _, number in assigned}
        missing = {(topic, number) for topic in self._inputs for number in numbers} - assigned
        if missing:
            raise TapeError(
                f"{self._agent.name} was given partitions {sorted(numbers)} of some of its inputs and not of all",
                where=f"missing {', '.join(f'{topic}/{number}' for topic, number in sorted(missing))}",
                next_command="tape topics diff",
            )

    def _take_over_one(self, number: int) -> AgentPartition:
        name = f"{self._agent.name}-{number}"
        producer = transactional_producer(self._settings, name)  # from here on nobody else can add to our events
        note = noting(producer, self._agent, number)
        recalled = recall(self._settings.bootstrap_servers, self._agent, number, self._snapshots, note)
        start = recalled.now
        positions = {(topic, number): 0 for topic in self._inputs} | start.positions

        def committer(on_durable: Callable[[int], None]) -> Committer:
            return Committer(producer, name, on_durable)

        snapshots = self._snapshotting(number, recalled)
        shared = (self._agent, number, start, positions, committer, self._loop, snapshots)
        if self._performer is None:
            return DecidingPartition(*shared, look=None if self._follower is None else self._follower.look)
        kept = PerformingPartition(*shared, performer=self._performer)
        kept.take_over()
        return kept

    def _snapshotting(self, number: int, recalled: Recalled) -> Snapshotting:
        ends = partial(high_watermarks, self._settings.bootstrap_servers)
        return Snapshotting(self._agent, number, self._snapshots, ends, self._loop, recalled)


def _is_view(agent: Agent, topic: str) -> bool:
    return agent.view is not None and agent.view.topic == topic


def input_topics(agent: Agent) -> tuple[str, ...]:
    """Return the topics an agent subscribes to; its view is read beside them, not subscribed."""
    return tuple(topic.name for topic in read_by(agent.name) if not _is_view(agent, topic.name))
