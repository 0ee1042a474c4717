"""A log on paper: the same partitions, decisions and recovery as with a broker, and every mishap at will."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agents.declaration import Agent
from infra.replay.history import History
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.partition import DecidingPartition
from infra.runtime.recall import Recalled, SnapshotSettings
from infra.runtime.recovery import Decision, Recovered, decisions, own, recovered
from infra.runtime.snapshotting import Snapshotting
from schemas.record import Record
from tests.infra.runtime.toy import AGENT, from_outside
from topics.registry import written_by
from topics.wire import Headers, Incoming, Outgoing, Partition, header, sealed

INPUTS = input_topics(AGENT)


class Log:
    """Records by topic, in one partition."""

    def __init__(self) -> None:
        self.records: list[Incoming] = []
        self._next: dict[str, int] = {}

    def write(self, each: Outgoing, hole: int = 0) -> Incoming:
        """Append a record; `hole` offsets before it are taken by markers and aborted records."""
        offset = self._next.get(each.topic, 0) + hole
        self._next[each.topic] = offset + 1
        record = Incoming(each.topic, 0, offset, 0, each.key, each.value, each.headers)
        self.records.append(record)
        return record

    def ends(self, wanted: Sequence[Partition]) -> dict[Partition, int]:
        return {(topic, number): self._next.get(topic, 0) for topic, number in wanted}

    def feed(self, records: Iterable[Record]) -> None:
        for record in records:
            self.write(from_outside(record, salt=str(len(self.records))))

    def of(self, topic: str) -> list[Incoming]:
        return [record for record in self.records if record.topic == topic]

    def own(self) -> list[Incoming]:
        """Return the agent's own records in the order of its decisions."""
        mine = own(self.records, AGENT.name)
        return sorted(mine, key=lambda each: (int(header(each.headers, "seq")), int(header(each.headers, "ordinal"))))

    def single(self) -> Incoming:
        """Return the only record of a decision in the middle."""
        return next(each for each in self.own()[4:] if header(each.headers, "count") == "1")

    def decisions(self) -> list[Decision]:
        topics = {topic.name for topic in written_by(AGENT.name)}
        return list(decisions(own((record for record in self.records if record.topic in topics), AGENT.name)))

    def recovered(self) -> Recovered:
        return recovered(AGENT, self.decisions())

    def rejudged(self, agent: Agent = AGENT, correlation_id: str | None = None) -> Verdict:
        replay = Rejudge(History.of(self.records), correlation_id)
        replay.agent(agent)
        return replay.verdict

    def change(self, old: Incoming, *new: Incoming) -> None:
        """Put other records where one lies."""
        at = self.records.index(old)
        self.records[at : at + 1] = new


class PaperCommitter:
    """Keeps decisions until it is told to commit them."""

    def __init__(self, log: Log, on_durable: Callable[[int], None]) -> None:
        self._log = log
        self._on_durable = on_durable
        self.open: list[Sequence[Outgoing]] = []
        self.beside: list[tuple[Outgoing, ...]] = []

    def submit(self, decision: tuple[Outgoing, ...]) -> None:
        self.open.append(decision)

    def submit_beside(self, records: tuple[Outgoing, ...]) -> None:
        self.beside.append(records)

    def commit(self, count: int, hole: int = 0) -> None:
        """Let the first `count` decisions become visible in one transaction."""
        through, self.open = self.open[:count], self.open[count:]
        for decision in through:
            for each in decision:
                self._log.write(each, hole)
        if through:
            self._on_durable(len(through))

    def abandon(self) -> None:
        self.open.clear()

    def stuck_for(self) -> float:
        return 0.0


class PaperWorker:
    """One incarnation of the toy's worker: takes over, judges what it is given, in any interleaving of its topics."""

    def __init__(self, log: Log, snapshots: SnapshotSettings | None = None) -> None:
        self.log = log
        self.loop = asyncio.new_event_loop()
        self.snapshots = snapshots
        self.take_over()

    def take_over(self) -> None:
        """Recover from the log, as after a crash: what was open is gone."""
        start = self.log.recovered()
        positions = {(topic, 0): 0 for topic in INPUTS} | start.positions
        self._read = {topic: positions[topic, 0] for topic in INPUTS}

        def committer(on_durable: Callable[[int], None]) -> PaperCommitter:
            self.committer = PaperCommitter(self.log, on_durable)
            return self.committer

        self.partition = DecidingPartition(
            AGENT,
            0,
            start,
            positions,
            committer,
            self.loop,
            look=None,
            snapshots=None if self.snapshots is None else self._snapshotting(Recalled(start, 0)),
        )

    def _snapshotting(self, recalled: Recalled) -> Snapshotting:
        return Snapshotting(AGENT, 0, self.snapshots or SnapshotSettings(), self.log.ends, self.loop, recalled)

    def judge_next(self, topic: str) -> bool:
        """Judge the next record of a topic; False when it has none."""
        for record in self.log.of(topic):
            if record.offset >= self._read[topic]:
                self._read[topic] = record.offset + 1
                self.loop.run_until_complete(self.partition.handle(record))
                return True
        return False

    def commit(self, count: int, hole: int = 0) -> None:
        self.committer.commit(count, hole)
        self.loop.run_until_complete(asyncio.sleep(0))

    def finish(self) -> None:
        """Judge and commit all there is."""
        for topic in INPUTS:
            while self.judge_next(topic):
                pass
        self.commit(len(self.committer.open))

    def close(self) -> None:
        self.loop.close()


def written(records: Iterable[Record]) -> Log:
    """Return the log of an undisturbed toy that was fed these records."""
    log = Log()
    log.feed(records)
    worker = PaperWorker(log)
    worker.finish()
    worker.close()
    return log


def with_header(record: Incoming, name: str, value: str) -> Incoming:
    """Return the record with another header and the seal it had: altered."""
    headers = tuple((key, value.encode() if key == name else old) for key, old in record.headers)
    return replace(record, headers=headers)


def resealed(record: Incoming) -> Incoming:
    """Return the record with a seal that fits what it holds now: forged."""
    bare: Headers = tuple(each for each in record.headers if each[0] != "sha256")
    again = sealed(record.topic, record.partition, record.key or b"", record.value or b"", bare)
    return replace(record, headers=again.headers)
