"""A real broker with the toy's topics, toy workers as processes, and the one check that every story ends with."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.decision import Draft, drafts, evolved, read
from infra.kafka.log import read_all
from infra.replay.history import History
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Decision, decisions, own
from infra.runtime.snapshots import Snapshot, whole
from schemas.record import Record
from schemas.snapshot import AgentSnapshot
from tests.infra.runtime.toy import AGENT, from_outside
from tests.infra.runtime.toy_worker import main
from topics.codec import decode_value
from topics.registry import BY_NAME, written_by
from topics.wire import Incoming, Outgoing, Partition

INPUTS = input_topics(AGENT)
OUTPUTS = tuple(topic.name for topic in written_by(AGENT.name))
TOPICS = (*INPUTS, *OUTPUTS)
SNAPSHOTS = AgentSnapshot.topic
PATIENCE_S = 60.0

T = TypeVar("T")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.infra.runtime.toy_worker"])


def until(what: str, is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait for something that the broker or another process does; asks every 10 ms."""
    end = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout_s:.0f} s still not so: {what}")
        time.sleep(0.01)


def patiently(ask: Callable[[], T]) -> T:
    """Ask the broker again while it answers that it is not ready: not leader, not coordinator, loading."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > end:
                raise
        time.sleep(0.01)


class Worker:
    """One worker process."""

    def __init__(self, bootstrap: str, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.process = _FORKS.Process(target=main, args=(bootstrap, log, dict(environment)), daemon=True)
        self.process.start()

    @property
    def is_running(self) -> bool:
        return self.process.is_alive()

    @property
    def is_stopped(self) -> bool:
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    @property
    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return the exit code; a signal is its negative number."""
        self.process.join(timeout_s)
        if self.process.exitcode is None:
            raise TimeoutError(f"the worker still runs after {timeout_s:.0f} s:\n{self.text}")
        return self.process.exitcode

    def kill(self) -> int:
        self.signal(signal.SIGKILL)
        return self.wait()

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()


class Bench:
    """One story's topics, workers and inputs."""

    def __init__(self, bootstrap: str, folder: Path, name: str) -> None:
        self.bootstrap = bootstrap
        self.partitions = 1
        self.fed = 0
        self._folder = folder
        self._group = name
        self._workers: list[Worker] = []
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "log_level": 2})
        self._asker = self._new_asker()

    def make_topics(self, partitions: int = 1) -> None:
        """Make the topics anew; what an earlier story left in them is gone."""
        self.partitions = partitions
        for deleted in self._admin.delete_topics([*TOPICS, SNAPSHOTS]).values():
            with suppress(KafkaException):
                deleted.result()
        self._asker.close()
        self._asker = self._new_asker()  # the old one remembers the old number of partitions
        missing = {*TOPICS, SNAPSHOTS}
        until("topics made", lambda: self._make(missing))
        until("topics led", self._led)

    def _new_asker(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self._group,
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
            }
        )

    def _make(self, missing: set[str]) -> bool:
        for name, made in self._admin.create_topics([NewTopic(name, self.partitions, 1) for name in missing]).items():
            with suppress(KafkaException):  # its deletion is still under way
                made.result()
                missing.remove(name)
        return not missing

    def _led(self) -> bool:
        try:
            ends = self.ends() | self._high_watermarks([SNAPSHOTS])
            return self.written() == 0 and not any(ends.values())
        except KafkaException:
            return False

    # ---- feeding
    def feed(self, records: Iterable[Record], partition: int = 0, salt: str = "") -> list[Outgoing]:
        """Produce records as an outside tool does; returns when the broker has them."""
        said = [from_outside(record, partition, salt) for record in records]
        for each in said:
            self._producer.produce(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
        self._producer.flush()
        self.fed += len(said)
        return said

    def feed_raw(self, topic: str, value: bytes | None, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Produce bytes that nobody can read."""
        self._producer.produce(topic, value, key, 0, headers=headers)
        self._producer.flush()
        self.fed += 1

    # ---- workers
    def worker(self, **environment: str) -> Worker:
        """Start a worker of this story's group; static membership, so that a restart need not wait for the session."""
        log = self._folder / f"worker-{len(self._workers)}.log"
        settings = {"TOY_GROUP": self._group, "TOY_INSTANCE": "one", **environment}
        worker = Worker(self.bootstrap, log, {name: value for name, value in settings.items() if value})
        self._workers.append(worker)
        return worker

    def end(self) -> None:
        """End what the story started."""
        for worker in self._workers:
            if worker.is_running:
                worker.signal(signal.SIGCONT)
                worker.kill()
        self._asker.close()

    # ---- waiting
    def ends(self) -> dict[Partition, int]:
        """Return where the inputs end."""
        return self._high_watermarks(INPUTS)

    def shown(self) -> dict[Partition, int]:
        """Return the positions up to which every decision is committed."""
        wanted = [TopicPartition(topic, number) for topic in INPUTS for number in range(self.partitions)]
        found = patiently(lambda: self._asker.committed(wanted, timeout=10))
        return {(each.topic, each.partition): max(0, each.offset) for each in found}

    def show(self, positions: Mapping[Partition, int]) -> None:
        """Move the group's positions, as an operator could."""
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in positions.items()]
        self._asker.commit(offsets=offsets, asynchronous=False)

    def judged(self, worker: Worker | None = None) -> None:
        """Wait until every input is judged, and everything decided is committed."""
        ends = self.ends()

        def all_judged() -> bool:
            if worker is not None and not worker.is_running:
                raise AssertionError(f"the worker ended with {worker.process.exitcode}:\n{worker.text}")
            return self.shown() == ends

        try:
            until(f"inputs judged up to {ends}", all_judged)
        except TimeoutError as error:
            decided = [[each.inputs for each in self.decisions(number)][-1:] for number in range(self.partitions)]
            raise TimeoutError(f"{error}\nshown {self.shown()}\ndecided {decided}") from None

    def snapshots(self, partition: int = 0) -> list[Snapshot]:
        """Return the snapshots there are, the newest first; of one slot, Kafka may still have several."""
        found = (record for record in read_all(self.bootstrap, [SNAPSHOTS]) if record.partition == partition)
        return whole(found, AGENT.name, partition)

    def written(self) -> int:
        """Return how many offsets the outputs have; markers and aborted records count."""
        return sum(self._high_watermarks(OUTPUTS).values())

    def _high_watermarks(self, topics: Iterable[str]) -> dict[Partition, int]:
        wanted = [(topic, number) for topic in topics for number in range(self.partitions)]
        return {each: patiently(partial(self._high_watermark, each)) for each in wanted}

    def _high_watermark(self, where: Partition) -> int:
        return self._asker.get_watermark_offsets(TopicPartition(*where), timeout=10)[1]

    def members(self) -> list[list[int]]:
        """Return the partition numbers of each member, or nothing while the group is on the move."""
        group = self._admin.describe_consumer_groups([self._group])[self._group].result()
        if group.state.name != "STABLE":
            return []
        return sorted(sorted({each.partition for each in m.assignment.topic_partitions}) for m in group.members)

    # ---- the check
    def history(self) -> History:
        return History.of(read_all(self.bootstrap, TOPICS))

    def decisions(self, partition: int = 0) -> list[Decision]:
        history = self.history()
        mine = (record for topic in OUTPUTS for record in history.between((topic, partition), 0, None))
        return list(decisions(own(mine, AGENT.name)))

    def check(self) -> Verdict:
        """Expect every input accounted for, once, and a log that replays: dense, chained, whole and identical."""
        history = self.history()
        replay = Rejudge(history)
        replay.agent(AGENT)
        verdict = replay.verdict
        assert verdict.damages == []
        assert verdict.differences == []
        assert verdict.identical == verdict.decisions
        for partition in range(self.partitions):
            causes = [decision.cause for decision in self.decisions(partition)]
            assert len(causes) == len(set(causes))
        assert sum(len(history.by_partition.get(where, ())) for where in self.ends()) == self.fed
        assert verdict.decisions + verdict.silent == self.fed
        return verdict

    def said(self, partition: int = 0) -> list[tuple[str, bytes | None, bytes | None]]:
        """Return topic, key and value of everything said, in order of decision."""
        return [
            (record.topic, record.key, record.value)
            for decision in self.decisions(partition)
            for record in decision.records
        ]


def undisturbed(inputs: Sequence[Outgoing]) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return what the toy says when nothing goes wrong: a plain fold, without broker, worker or recovery."""
    said: list[tuple[str, bytes | None, bytes | None]] = []
    state = AGENT.decider.initial_state()
    for offset, each in enumerate(inputs):
        event = read(Incoming(each.topic, 0, offset, 0, each.key, each.value, each.headers), AGENT.name)
        assert not isinstance(event, Draft)
        for draft in drafts(AGENT, AGENT.decider, state, event):
            value = draft.value()
            said.append((draft.topic.name, draft.topic.key_of(draft.record).encode(), value))
            state = evolved(AGENT.decider, state, [decode_value(BY_NAME[draft.topic.name], value).record])
    return said
