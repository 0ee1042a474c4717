"""Who keeps the partitions: co-partitioned inputs, and facts from outside in one sequence with the asked ones."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from agents.decider import Message
from agents.declaration import Fact
from infra.errors import TapeError
from infra.runtime.folding import form_of_memory
from infra.runtime.keeper import DecisionKeeper
from infra.runtime.partition import PerformingPartition
from infra.runtime.recall import Recalled, SnapshotSettings
from infra.runtime.recovery import recovered
from infra.runtime.snapshots import whole
from infra.runtime.snapshotting import Snapshotting
from infra.runtime.transactions import TransactionSettings
from schemas.identity import derived
from tests.infra.runtime.paper import INPUTS, Log, PaperCommitter
from tests.infra.runtime.test_snapshotting import AtOnce, rest
from tests.infra.runtime.toy import AGENT, PERFORMS, START, Outside, State, Toy, fact, reading, request
from topics.wire import Incoming, Partition


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_inputs_that_are_not_partitioned_alike_are_refused_before_anybody_is_fenced(
    loop: asyncio.AbstractEventLoop,
) -> None:
    keeper = DecisionKeeper(AGENT, TransactionSettings("nowhere:1"), loop)
    with pytest.raises(TapeError, match=r"partitions \[0, 1\] of some of its inputs") as raised:
        keeper.take_over([("run-requests.v1", 0), ("run-requests.v1", 1), ("clock-readings.v1", 0)])
    assert raised.value.where == "missing clock-readings.v1/1"


# ---- facts from outside
def said_by_outside(number: int) -> Fact:
    (run,) = Toy().decide(State(), Message(request(number), derived("a"), derived("b"), START))
    return fact(run)


class Performance:
    """One incarnation of a performing partition on a paper log."""

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop, every: int = 0) -> None:
        start = recovered(PERFORMS, log.decisions())
        positions: dict[Partition, int] = {(topic, 0): 0 for topic in INPUTS} | start.positions

        def committer(on_durable: Callable[[int], None]) -> PaperCommitter:
            self.committer = PaperCommitter(log, on_durable)
            return self.committer

        self.outside = Outside()
        settings = SnapshotSettings(every)
        snapshots = Snapshotting(PERFORMS, 0, settings, log.ends, loop, Recalled(start, 0))
        self.partition = PerformingPartition(
            PERFORMS, 0, start, positions, committer, loop, snapshots, performer=self.outside
        )
        self.partition.take_over()


def test_what_the_outside_says_asked_and_unasked_is_one_sequence(loop: asyncio.AbstractEventLoop) -> None:
    log = Log()
    log.feed([request(0), reading(0)])
    performance = Performance(log, loop)
    for record in list(log.records):
        loop.run_until_complete(performance.partition.handle(record))
    performance.outside.publish(said_by_outside(7))
    loop.run_until_complete(asyncio.sleep(0))
    performance.committer.commit(2)

    asked, unasked = log.decisions()
    assert (asked.seq, asked.cause) == (1, "run-requests.v1/0/0")
    assert (unasked.seq, unasked.cause) == (2, f"outside:{said_by_outside(7).envelope.event_id}")
    assert unasked.inputs == {("run-requests.v1", 0): 1, ("clock-readings.v1", 0): 1}
    again = Performance(log, loop)
    assert again.outside.earlier == tuple(each.envelope.event_id for each in (said_by_outside(0), said_by_outside(7)))
    assert log.rejudged(PERFORMS).of(AGENT.name).facts == 2


def test_nothing_unasked_is_published_for_a_partition_that_was_given_up(loop: asyncio.AbstractEventLoop) -> None:
    log = Log()
    performance = Performance(log, loop)
    performance.outside.publish(said_by_outside(1))  # on its way when the partition goes
    performance.partition.abandon()
    assert performance.outside.released
    performance.outside.publish(said_by_outside(2))
    loop.run_until_complete(asyncio.sleep(0))
    assert performance.committer.open == []


class Died(BaseException):
    """The process has ended."""


def test_a_fact_that_cannot_be_published_ends_the_process_because_the_performer_takes_it_for_said(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(code: int, why: str, error: Exception) -> None:
        raise Died(code, why, str(error))

    monkeypatch.setattr("infra.runtime.partition.die", die)
    performance = Performance(Log(), loop)
    good = said_by_outside(1)
    bad = Fact(good.record.model_copy(update={"warnings": "none"}), good.envelope)
    with pytest.raises(Died, match=f"scheduler-0, outside:{good.envelope.event_id}"):
        performance.partition._unasked(bad)
    assert performance.committer.open == []
    performance.partition._unasked(good)
    assert len(performance.committer.open) == 1


def test_what_a_performer_remembers_is_written_down_as_a_decider_does(loop: asyncio.AbstractEventLoop) -> None:
    loop.set_default_executor(AtOnce(1))
    log = Log()
    performance = Performance(log, loop, every=10)
    publish = performance.outside.publish
    assert publish is not None
    for number in range(12):
        publish(said_by_outside(number))
        rest(loop)
    performance.committer.commit(12)

    [records] = performance.committer.beside
    incoming = [Incoming(each.topic, 0, n, 0, each.key, each.value, each.headers) for n, each in enumerate(records)]
    [snapshot] = whole(incoming, PERFORMS.name, 0)
    at = recovered(PERFORMS, log.decisions()[: snapshot.seq])
    assert (snapshot.seq, form_of_memory(PERFORMS).from_text(snapshot.text)) == (11, at.state)
    tail = recovered(PERFORMS, log.decisions()[snapshot.seq :], after=snapshot.after(at.state))
    assert tail.state == Performance(log, loop).outside.earlier == recovered(PERFORMS, log.decisions()).state
