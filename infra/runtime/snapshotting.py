"""Writing an agent-partition's state down now and then, beside its work: never before the decision it covers.

Everything slow happens in a thread: asking where the agent's own topics end, and turning the state into bytes. States
are immutable, so the event loop only hands one over. The records go to the same committer behind the decision they
cover, in a transaction of the same producer; a fenced owner cannot write them. Whatever fails here is logged, and the
work goes on without a snapshot.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from confluent_kafka import Producer

from agents.declaration import Agent
from infra.runtime.folding import form_of_memory
from infra.runtime.recall import KEPT_EVERY, Note, Recalled, SnapshotSettings
from infra.runtime.recovery import Recovered
from infra.runtime.snapshots import LATEST, written
from infra.runtime.state_parts import StateFormError
from topics.registry import written_by
from topics.wire import Outgoing, Partition

log = logging.getLogger("tape.snapshots")

Ends = Callable[[Sequence[Partition]], dict[Partition, int]]
"""Returns where partitions end; may block, and runs in a thread."""

Submit = Callable[[tuple[Outgoing, ...]], None]


@dataclass
class _Since:
    """What was decided since the last snapshot, and how large that one was."""

    decisions: int = 0
    bytes: int = 0
    last_bytes: int = 0

    def is_due(self, settings: SnapshotSettings) -> bool:
        """Say whether it is time; snapshots never come to more bytes than the decisions between them."""
        is_much = self.decisions >= settings.every or self.bytes >= settings.bytes_max
        return settings.every > 0 and is_much and self.bytes >= self.last_bytes


class Snapshotting:
    """Knows when a snapshot is due, has it made, and hands it over. Lives in the event loop."""

    def __init__(
        self,
        agent: Agent,
        partition: int,
        settings: SnapshotSettings,
        ends: Ends,
        loop: asyncio.AbstractEventLoop,
        recalled: Recalled,
    ) -> None:
        """Prepare; `recalled` is what the partition was taken over with."""
        self._name = f"{agent.name}-{partition}"
        self._agent = agent
        self._partition = partition
        self._settings = settings
        self._ends = ends
        self._loop = loop
        self._outputs = [(topic.name, partition) for topic in written_by(agent.name)]
        self._kept = recalled.now.seq // KEPT_EVERY  # what was passed by in the fold was written down there
        folded = recalled.now.seq - recalled.folded_from
        self._since = _Since(folded if folded < settings.every else 0)
        self._next: asyncio.Future[Recovered] | None = None
        self._task: asyncio.Task[None] | None = None
        self._submit: Submit | None = None
        try:
            self._form = form_of_memory(agent)
        except StateFormError as error:
            log.warning("%s: no snapshots: %s", self._name, error)
            self._settings = replace(settings, every=0)

    def start(self, submit: Submit) -> None:
        """Begin; `submit` takes records, in the event loop. May be called from any thread."""
        self._submit = submit

    def stop(self) -> None:
        """Write nothing more."""
        self._submit = None
        if self._task is not None:
            self._task.cancel()

    def decided(self, now: Recovered, size: int) -> None:
        """Take note of a decision of so many bytes, after which the partition stands as given."""
        self._since.decisions += 1
        self._since.bytes += size
        if self._next is not None and not self._next.done():
            self._next.set_result(now)
        elif (
            self._task is None
            and self._submit is not None
            and self._settings.every
            and self._since.is_due(self._settings)
        ):
            self._task = self._loop.create_task(self._take_one())

    async def _take_one(self) -> None:
        try:
            await self._taken()
        except Exception as error:  # whatever it is, the log has all that a snapshot would say
            log.warning("%s: no snapshot: %s: %s", self._name, type(error).__name__, error)
            self._since = replace(self._since, decisions=0, bytes=0)
        finally:
            self._task = self._next = None

    async def _taken(self) -> None:
        """Ask where the own topics end, then wait for a decision: it and all later ones lie behind that, whole."""
        covered = await self._loop.run_in_executor(None, self._ends, self._outputs)
        self._next = self._loop.create_future()
        now = await self._next
        self._since = replace(self._since, decisions=0, bytes=0)
        await self._write(replace(now, covered=covered))

    async def _write(self, standing: Recovered) -> None:
        slot = standing.seq if standing.seq // KEPT_EVERY > self._kept else LATEST
        records = await self._loop.run_in_executor(None, self._made, standing, slot)
        if self._submit is not None:
            self._submit(records)
            self._kept = max(self._kept, slot // KEPT_EVERY)
            self._since.last_bytes = sum(len(each.value) for each in records)

    def _made(self, standing: Recovered, slot: int) -> tuple[Outgoing, ...]:
        return written(self._agent.name, self._partition, standing, self._form.to_text(standing.state), slot)


def noting(producer: Producer, agent: Agent, partition: int) -> Note:
    """Return what writes a standing down at once, each in a transaction of its own, before the partition has begun."""

    def note(standing: Recovered) -> None:
        slot = LATEST if standing.seq % KEPT_EVERY else standing.seq
        try:
            text = form_of_memory(agent).to_text(standing.state)
        except StateFormError as error:
            log.warning("%s-%d: no snapshot of seq %d: %s", agent.name, partition, standing.seq, error)
            return
        producer.begin_transaction()
        for each in written(agent.name, partition, standing, text, slot):
            producer.produce(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
        producer.commit_transaction()

    return note
