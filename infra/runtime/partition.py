"""One partition of one agent: judges its inputs strictly in order and hands every decision over whole.

A deciding partition decides by what it has said; a performing one (the broker agent) acts outside and publishes what
the outside said. Both stand on the same rules: a decision carries the positions of all inputs after it, recovery begins
there, and what is remembered is the fold of the own events, written down now and then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agents.decider import Message
from agents.decision import Draft, agent_version, as_recorded, dead_letter, drafts, read, stamped
from agents.declaration import Agent, Fact, Performer
from infra.runtime.exits import CRASHED, die
from infra.runtime.folding import folded
from infra.runtime.recovery import OUTSIDE, Recovered
from infra.runtime.snapshotting import Snapshotting
from infra.runtime.transactions import Committer
from schemas.record import Record
from topics.codec import UndecodableError
from topics.registry import BY_RECORD
from topics.wire import Incoming, Outgoing, Partition, Standing, chain_hash

log = logging.getLogger("tape.partition")

#: Decisions judged and not yet committed, at most; beyond it judging waits for the broker.
UNCOMMITTED_MAX = 2000

Look = Callable[[Record], Awaitable[Any]]
NewCommitter = Callable[[Callable[[int], None]], Committer]


class AgentPartition:
    """What deciding and performing partitions share: standing, memory and the way out. Lives in the event loop.

    `snapshots` writes what is remembered down now and then.
    """

    def __init__(
        self,
        agent: Agent,
        partition: int,
        start: Recovered,
        positions: dict[Partition, int],
        new_committer: NewCommitter,
        loop: asyncio.AbstractEventLoop,
        snapshots: Snapshotting | None = None,
    ) -> None:
        self.agent = agent
        self.partition = partition
        self.positions = positions
        self._version = agent_version(agent.name)
        self._seq = start.seq
        self._prev = start.prev
        self._state = start.state
        self._snapshots = snapshots
        self._loop = loop
        self._uncommitted: list[dict[Partition, int]] = []
        self._durable = dict(positions)
        self._progress = asyncio.Event()
        self._judging = False
        self._given_up = False
        self._committer = new_committer(self._committed)
        if snapshots is not None:
            snapshots.start(self._write_beside)

    @property
    def durable(self) -> dict[Partition, int]:
        """Positions up to which everything decided is committed; for lag tools only."""
        return dict(self._durable if self._uncommitted else self.positions)

    async def handle(self, record: Incoming) -> None:
        """Judge one input; a record before the position was judged already and is passed over."""
        where = (record.topic, record.partition)
        if record.offset < self.positions.get(where, 0):
            return
        while len(self._uncommitted) >= UNCOMMITTED_MAX and not self._given_up:
            self._progress.clear()
            await self._progress.wait()
        if self._given_up:
            return
        self._judging = True
        decided = await self._judge(record)
        self._judging = False
        self._progress.set()
        if self._given_up:
            return  # moved away while judging: the next owner judges this input again
        self.positions[where] = record.offset + 1
        if decided:
            self._publish(decided, str(record.place))

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything decided is committed, or the time is over; then give the partition up."""
        try:
            await asyncio.wait_for(self._settled(), timeout_s)
        except TimeoutError:
            log.warning(
                "%s-%d: not settled in %.0f s: the next owner goes on", self.agent.name, self.partition, timeout_s
            )
        self.abandon()

    def abandon(self) -> None:
        """Give the partition up at once; what is not committed is decided again by the next owner.

        A snapshot that is being made is not written.
        """
        if self._snapshots is not None:
            self._snapshots.stop()
        self._given_up = True
        self._progress.set()
        self._committer.abandon()

    def stuck_for(self) -> float:
        """Return for how many seconds a transaction has been under way."""
        return self._committer.stuck_for()

    async def _judge(self, record: Incoming) -> Sequence[Draft]:
        raise NotImplementedError

    def _publish(self, decided: Sequence[Draft], cause: str) -> None:
        standing = Standing(self.agent.name, self._version, self._seq + 1, self._prev, cause, dict(self.positions))
        outgoing = stamped(decided, self.partition, standing)
        self._state = folded(self.agent, self._state, as_recorded(outgoing))
        self._seq += 1
        self._prev = chain_hash(each.sha256 for each in outgoing)
        self._uncommitted.append(dict(self.positions))
        self._committer.submit(outgoing)
        if self._snapshots is not None:
            last = decided[-1].envelope
            now = Recovered(self._state, self._seq, self._prev, dict(self.positions), last)
            self._snapshots.decided(now, sum(len(each.value) for each in outgoing))

    def _write_beside(self, records: tuple[Outgoing, ...]) -> None:
        if not self._given_up:
            self._committer.submit_beside(records)

    def _committed(self, count: int) -> None:
        self._loop.call_soon_threadsafe(self._note_committed, count)

    def _note_committed(self, count: int) -> None:
        self._durable = self._uncommitted[count - 1]
        del self._uncommitted[:count]
        self._progress.set()

    async def _settled(self) -> None:
        while self._uncommitted or self._judging:
            self._progress.clear()
            await self._progress.wait()


class DecidingPartition(AgentPartition):
    """Decides by the state that its own events make, and what it looks at beside."""

    def __init__(self, *args: Any, look: Look | None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._look = look

    async def _judge(self, record: Incoming) -> Sequence[Draft]:
        decider = self.agent.decider
        if decider is None:
            raise TypeError(f"{self.agent.name} has no decider")
        event = read(record, self.agent.name)
        if isinstance(event, Draft):
            return (event,)
        try:
            view = None if self._look is None else await self._look(event.record)
        except UndecodableError as error:
            return (dead_letter(record, self.agent.name, event.envelope, error),)
        return drafts(self.agent, decider, self._state, event, view)


class PerformingPartition(AgentPartition):
    """Acts outside, one message at a time in a thread, and publishes what the outside said, asked or unasked.

    The performer begins with what is remembered and goes on with a memory of its own, which is ahead by what it has not
    published yet. The one here is what the log says, so it is the one that is written down.
    """

    def __init__(self, *args: Any, performer: Performer, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._performer = performer

    def take_over(self) -> None:
        """Let the performer start; called once, in the consumer's thread, before any message."""
        self._performer.take_over(self.partition, self._state, self.publish_unasked)

    def publish_unasked(self, fact: Fact) -> None:
        """Publish what came without being asked; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._unasked, fact)

    def abandon(self) -> None:
        """Give the partition up at once; the performer stops first, so that nothing unasked follows."""
        self._performer.release(self.partition)
        super().abandon()

    async def _judge(self, record: Incoming) -> Sequence[Draft]:
        event = read(record, self.agent.name)
        if isinstance(event, Draft):
            return (event,)
        envelope = event.envelope
        message = Message(event.record, envelope.event_id, envelope.correlation_id, envelope.occurred_at)
        facts = await self._loop.run_in_executor(None, self._performer.perform, message)
        return tuple(_draft(fact) for fact in facts)

    def _unasked(self, fact: Fact) -> None:
        if self._given_up:
            return
        cause = f"{OUTSIDE}{fact.envelope.event_id}"
        try:
            self._publish((_draft(fact),), cause)
        except Exception as error:  # the performer takes it for said: nobody would ever say it
            die(CRASHED, f"{self.agent.name}-{self.partition}, {cause}", error)


def _draft(fact: Fact) -> Draft:
    return Draft(BY_RECORD[type(fact.record)], fact.envelope, fact.record)
