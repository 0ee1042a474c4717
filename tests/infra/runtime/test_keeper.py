"""Who keeps the partitions: co-partitioned inputs, and facts from outside in one sequence with the asked ones."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from agents.decider import Message
from agents.declaration import Agent, Fact
from infra.errors import TapeError
from infra.runtime.keeper import DecisionKeeper
from infra.runtime.partition import PerformingPartition
from infra.runtime.recovery import Recovered, recovered
from infra.runtime.transactions import TransactionSettings
from schemas.identity import derived
from schemas.record import Envelope, Record
from tests.infra.runtime.paper import INPUTS, Log, PaperCommitter
from tests.infra.runtime.toy import AGENT, START, State, Toy, reading, request
from topics.wire import Partition


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
PERFORMS = Agent(AGENT.name, performs=True)


class Outside:
    """Answers each request with a run, and can speak unasked."""

    def __init__(self) -> None:
        self.publish: Callable[[Fact], None] | None = None
        self.released = False

    def perform(self, message: Message) -> Sequence[Fact]:
        return [fact(each) for each in Toy().decide(State(), message)]

    def take_over(
        self, partition: int, published: Sequence[tuple[Envelope, Record]], publish: Callable[[Fact], None]
    ) -> None:
        self.earlier = list(published)
        self.publish = publish

    def release(self, partition: int) -> None:
        self.released = True


def fact(record: Record) -> Fact:
    identity = derived("outside", record.model_dump_json())
    return Fact(record, Envelope(event_id=identity, correlation_id=identity, causation_id=identity, occurred_at=START))


def said_by_outside(number: int) -> Fact:
    (run,) = Toy().decide(State(), Message(request(number), derived("a"), derived("b"), START))
    return fact(run)


class Performance:
    """One incarnation of a performing partition on a paper log."""

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        start: Recovered = recovered(None, log.decisions(), keep_published=True)
        positions: dict[Partition, int] = {(topic, 0): 0 for topic in INPUTS} | start.positions

        def committer(on_durable: Callable[[int], None]) -> PaperCommitter:
            self.committer = PaperCommitter(log, on_durable)
            return self.committer

        self.outside = Outside()
        self.partition = PerformingPartition(PERFORMS, 0, start, positions, committer, loop, performer=self.outside)
        self.partition.take_over(start.published)


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
    assert [envelope.event_id for envelope, _ in again.outside.earlier] == [
        fact.envelope.event_id for fact in (said_by_outside(0), said_by_outside(7))
    ]
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
