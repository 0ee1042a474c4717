"""When a state is written down: beside the work, behind the decision it covers, and not more than it is worth."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from agents.declaration import Agent
from infra.runtime import snapshotting as module
from infra.runtime.recall import Recalled, SnapshotSettings
from infra.runtime.recovery import recovered
from infra.runtime.snapshots import LATEST, Snapshot, whole
from infra.runtime.snapshotting import Snapshotting, noting
from infra.runtime.state_form import form_of_states
from tests.infra.runtime.paper import Log, PaperWorker, written
from tests.infra.runtime.toy import AGENT, Toy, inputs, request
from topics.codec import decode
from topics.wire import Incoming, Outgoing


def read_back(records: Sequence[Outgoing]) -> Snapshot:
    incoming = [Incoming(each.topic, 0, n, 0, each.key, each.value, each.headers) for n, each in enumerate(records)]
    [found] = whole(incoming, AGENT.name, 0)
    return found


def slots(written_beside: Sequence[Sequence[Outgoing]]) -> list[tuple[int, int]]:
    """Return seq and slot of each snapshot."""
    said = [decode(Incoming(r.topic, 0, 0, 0, r.key, r.value, r.headers)).record for r, *_ in written_beside]
    return [(each.seq, each.slot) for each in said]  # type: ignore[attr-defined]


@pytest.fixture
def log() -> Log:
    return Log()


class AtOnce(ThreadPoolExecutor):
    """Does what is asked of a thread on the spot, so that a few turns of the loop bring everything to rest."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except OSError as error:
            future.set_exception(error)
        return future


class Busy:
    """A toy worker on paper; everything that waits for no further decision happens after each."""

    def __init__(self, log: Log, **settings: Any) -> None:
        self.worker = PaperWorker(log, SnapshotSettings(**settings))
        self.worker.loop.set_default_executor(AtOnce(1))
        self.fed = 0

    def decide(self, count: int) -> None:
        for _ in range(count):
            self.worker.log.feed([request(self.fed)])
            self.fed += 1
            assert self.worker.judge_next("run-requests.v1")
            self.worker.commit(1)
            rest(self.worker.loop)

    @property
    def beside(self) -> list[tuple[Outgoing, ...]]:
        return self.worker.committer.beside


def rest(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop turn until everything that can happen has."""
    for _ in range(20):
        loop.run_until_complete(asyncio.sleep(0))


Start = Callable[..., Busy]


@pytest.fixture
def start(log: Log) -> Iterator[Start]:
    """Lend toy workers on paper, and end them."""
    started: list[Busy] = []

    def start(**settings: Any) -> Busy:
        started.append(Busy(log, **settings))
        return started[-1]

    yield start
    for each in started:
        each.worker.partition.abandon()
        rest(each.worker.loop)
        each.worker.close()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(AtOnce(1))
    yield loop
    loop.close()


def test_a_snapshot_is_the_state_after_a_decision_that_lies_behind_what_it_covers(start: Start) -> None:
    busy = start(every=10)
    busy.decide(11)

    snapshot = read_back(busy.beside[0])
    decision = busy.worker.log.decisions()[10]
    assert (snapshot.seq, snapshot.prev, snapshot.inputs) == (11, decision.hash, decision.inputs)
    assert form_of_states(Toy()).from_text(snapshot.text) == recovered(AGENT, busy.worker.log.decisions()).state
    assert all(snapshot.covered[each.topic, 0] <= each.offset for each in decision.records)
    before = [each for earlier in busy.worker.log.decisions()[:9] for each in earlier.records]
    assert all(snapshot.covered[each.topic, 0] > each.offset for each in before)


def test_snapshots_follow_each_other_at_the_wanted_distance(start: Start) -> None:
    busy = start(every=10)
    busy.decide(60)

    distances = {b - a for (a, _), (b, _) in zip(slots(busy.beside), slots(busy.beside)[1:], strict=False)}
    assert distances == {11}
    assert {slot for _, slot in slots(busy.beside)} == {LATEST}


def test_many_bytes_make_a_snapshot_due_before_many_decisions(start: Start) -> None:
    busy = start(every=1000, bytes_max=2000)
    busy.decide(20)

    assert len(busy.beside) > 1


def test_a_large_state_is_written_when_as_many_bytes_of_decisions_were(
    log: Log, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = start(every=10)
    busy.decide(11)
    padded = module.written(AGENT.name, 0, recovered(AGENT, log.decisions()), "x" * 100)
    monkeypatch.setattr(module, "written", lambda *_: padded * 20)
    busy.decide(11)
    assert len(busy.beside) == 2
    size = sum(len(each.value) for each in padded * 20)
    decided = 0
    while decided < size:
        assert len(busy.beside) == 2
        busy.decide(1)
        decided += sum(len(record.value or b"") for record in log.decisions()[-1].records)
    busy.decide(2)
    assert len(busy.beside) == 3


def test_never_means_never(start: Start) -> None:
    busy = start(every=0)
    busy.decide(20)

    assert busy.beside == []


def test_every_so_often_one_is_kept_for_ever(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_EVERY", 20)
    busy = start(every=4)
    busy.decide(50)

    assert [(seq, slot) for seq, slot in slots(busy.beside) if slot != LATEST] == [(20, 20), (40, 40)]


def test_what_fails_is_logged_and_the_work_goes_on(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = start(every=10)

    def fails(*_: object) -> None:
        raise OSError("no room for it")

    monkeypatch.setattr(module, "written", fails)
    busy.decide(13)
    assert "scheduler-0: no snapshot: OSError: no room for it" in caplog.text
    monkeypatch.undo()
    busy.decide(11)
    assert len(busy.beside) == 1
    assert len(busy.worker.log.decisions()) == 24


def test_a_decider_whose_memory_has_no_form_works_without(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    class Untold(Toy):
        def initial_state(self):  # type: ignore[no-untyped-def]  # says not what it returns
            return super().initial_state()

    start = recovered(AGENT, ())
    snapshotting = Snapshotting(
        Agent(AGENT.name, decider=Untold()), 0, SnapshotSettings(1), lambda _: {}, loop, Recalled(start, 0)
    )
    snapshotting.start(lambda _: None)
    for _ in range(3):
        snapshotting.decided(start, 100)
    assert "no snapshots: expected initial_state to say what it returns" in caplog.text


def test_a_partition_that_was_given_up_writes_none(start: Start) -> None:
    busy = start(every=10)
    busy.decide(10)
    busy.worker.partition.abandon()
    rest(busy.worker.loop)

    assert busy.beside == []


class PaperProducer:
    """Says what was done with it."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def begin_transaction(self) -> None:
        self.done.append("begin")

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, headers: list[tuple[str, bytes]]) -> None:
        self.done.append(Outgoing(topic, partition, key, value, tuple(headers)))

    def commit_transaction(self) -> None:
        self.done.append("commit")


@pytest.mark.parametrize(("seq", "slot"), [(20, 20), (27, LATEST)])
def test_what_a_recovery_notes_is_written_at_once_in_a_transaction(
    monkeypatch: pytest.MonkeyPatch, seq: int, slot: int
) -> None:
    monkeypatch.setattr(module, "KEPT_EVERY", 10)
    stands = recovered(AGENT, written(inputs(30)).decisions()[:seq])
    producer = PaperProducer()
    noting(producer, AGENT, 0)(stands)  # type: ignore[arg-type]  # the part of a producer that is used

    begin, *records, commit = producer.done
    assert (begin, commit) == ("begin", "commit")
    assert slots([records]) == [(seq, slot)]  # type: ignore[list-item]
    assert read_back(records).covered == stands.covered  # type: ignore[arg-type]
