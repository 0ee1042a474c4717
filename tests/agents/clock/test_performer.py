"""The clock: every run with a deadline is told what time it is twice, also across a crash, and when the clock jumps."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from agents.clock import memory
from agents.clock.agent import AGENT
from agents.clock.performer import ATTEMPTS, READ_AGAIN_S, ClockPerformer
from agents.decider import Message
from agents.declaration import Fact, Performer
from agents.scheduler import decider as scheduler
from agents.testing import given, remembered, through_the_wire
from schemas.identity import derived
from schemas.record import Envelope, Record
from schemas.run import ClockReading, DeadlinePassed, Run, RunRefusal, RunStatus
from tests import made

NOW = made.AS_OF
DUE = NOW + timedelta(minutes=5)
PATIENCE_S = 10.0


@dataclass
class Room:
    """A clock on the wall, and somebody who waits in front of it; nothing waits longer than the story wants it to."""

    at: datetime = NOW
    unreadable: int = 0
    pauses: "queue.Queue[float | None]" = field(default_factory=queue.Queue)
    said: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.performer = ClockPerformer(self.now, lambda account: int(account[-1]), self.wait)

    def now(self) -> datetime:
        if self.unreadable:
            self.unreadable -= 1
            raise ConnectionError("no answer")
        return self.at

    def wait(self, wake: threading.Event, seconds: float | None) -> None:
        self.wake = wake
        self.pauses.put(seconds)
        wake.wait(PATIENCE_S)

    def open(self, *published: Fact, partition: int = 1) -> float | None:
        """Take a partition over and return how long is waited first."""
        earlier = [Fact(through_the_wire(each.record), each.envelope) for each in published]
        self.performer.take_over(partition, remembered(memory, earlier), self.said.append)
        return self.pauses.get(timeout=PATIENCE_S)

    def tick(self, **elapsed: float) -> float | None:
        """Let the wait be over, with the clock further on; return how long is waited next."""
        self.at += timedelta(**elapsed)
        self.wake.set()
        return self.pauses.get(timeout=PATIENCE_S)

    def perform(self, record: Record) -> Sequence[Fact]:
        """Let the performer act on a record."""
        identity = derived("test", record.model_dump_json())
        return self.performer.perform(Message(through_the_wire(record), identity, derived("run"), NOW))

    def ask(self, run: Run) -> tuple[Fact, float | None]:
        """Let the performer act on a run that is waited for; return its reading and how long is waited then."""
        (fact,) = self.perform(run)
        return fact, self.pauses.get(timeout=PATIENCE_S)


@pytest.fixture
def room() -> Iterator[Room]:
    made_up = Room()
    yield made_up
    for partition in (1, 2):
        made_up.performer.release(partition)


def run(name: str = "first", deadline_at: datetime | None = DUE, **changed: Any) -> Run:
    terms = made.run_terms(name, deadline_at=deadline_at)
    usual: dict[str, Any] = {
        "account_id": made.ACCOUNT,
        "run_id": terms.run_id,
        "status": RunStatus.REQUESTED,
        "refusal": None,
        "detail": "",
        "warnings": (),
        "terms": terms,
    }
    return Run(**{**usual, **changed})


def reading(of: Run, read_at: datetime) -> ClockReading:
    due_at = of.terms.deadline_at or NOW
    return ClockReading(account_id=of.account_id, run_id=of.run_id, due_at=due_at, read_at=read_at)


def records(facts: Sequence[Fact]) -> list[Record]:
    return [each.record for each in facts]


def test_a_run_with_a_deadline_is_told_at_once_that_it_is_waited_for(room: Room) -> None:
    assert room.open() is None
    said, pause = room.ask(run())
    assert said.record == reading(run(), NOW) == through_the_wire(said.record)
    assert (pause, room.said) == (READ_AGAIN_S, [])


def test_it_is_told_once_more_when_the_deadline_is_reached(room: Room) -> None:
    room.open()
    room.ask(run())
    room.tick(minutes=4, seconds=59)
    assert room.said == []
    assert room.tick(seconds=1) is None
    assert records(room.said) == [reading(run(), DUE)]
    assert room.tick(hours=1) is None
    assert len(room.said) == 1


def test_both_readings_belong_to_the_run_and_follow_from_each_other(room: Room) -> None:
    room.open()
    asked = run()
    first, _ = room.ask(asked)
    room.tick(minutes=6)
    (second,) = room.said
    at = DUE + timedelta(minutes=1)
    assert first.envelope == envelope(first, asked.run_id, derived("test", asked.model_dump_json()), NOW)
    assert second.envelope == envelope(second, asked.run_id, first.envelope.event_id, at)
    assert first.envelope.event_id != second.envelope.event_id


def envelope(of: Fact, run_id: UUID, cause: UUID, at: datetime) -> Envelope:
    return Envelope(event_id=of.envelope.event_id, correlation_id=run_id, causation_id=cause, occurred_at=at)


def test_the_clock_is_read_every_second_and_sooner_when_a_deadline_is_nearer(room: Room) -> None:
    room.open()
    assert room.ask(run())[1] == 1.0
    assert room.tick(minutes=4, seconds=59.75) == 0.25


def test_a_clock_that_jumps_is_noticed_a_second_later(room: Room) -> None:
    room.open()
    room.ask(run())
    assert room.tick(days=-3) == READ_AGAIN_S
    assert room.tick(days=30) is None
    assert records(room.said) == [reading(run(), NOW + timedelta(days=27))]


def test_a_deadline_that_has_passed_already_needs_one_reading_only(room: Room) -> None:
    room.open()
    room.at = DUE
    (said,) = room.perform(run())
    assert said.record == reading(run(), DUE)
    assert room.tick(hours=1) is None
    assert room.said == []


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(run(deadline_at=None), id="without a deadline"),
        pytest.param(run(status=RunStatus.REFUSED, refusal=RunRefusal.NOT_A_SESSION), id="refused"),
        pytest.param(reading(run(), NOW), id="not a run"),
    ],
)
def test_what_waits_for_nothing_is_told_nothing(record: Record, room: Room) -> None:
    room.open()
    assert room.perform(record) == ()


def test_every_run_is_waited_for_by_itself(room: Room) -> None:
    room.open()
    sooner = run("second", DUE - timedelta(minutes=1))
    room.ask(run())
    room.ask(sooner)
    assert room.tick(minutes=4) == READ_AGAIN_S
    assert records(room.said) == [reading(sooner, NOW + timedelta(minutes=4))]
    assert room.tick(minutes=1) is None
    assert len(room.said) == 2


def test_after_a_crash_what_was_waited_for_is_waited_for_again_and_what_was_said_is_not(room: Room) -> None:
    before = Room()
    before.open()
    sooner = run("second", DUE - timedelta(minutes=1))
    waiting = [before.ask(each)[0] for each in (run(), sooner)]
    before.tick(minutes=4)
    before.performer.release(1)

    assert room.open(*waiting, *before.said) == READ_AGAIN_S
    assert room.tick(minutes=5) is None
    assert records(room.said) == [reading(run(), DUE)]


def test_a_deadline_that_passed_during_the_crash_is_said_at_once(room: Room) -> None:
    before = Room()
    before.open()
    first, _ = before.ask(run())
    before.performer.release(1)

    room.at = DUE + timedelta(hours=1)
    assert room.open(first) is None
    assert records(room.said) == [reading(run(), room.at)]


def test_the_second_reading_counts_in_whatever_order_the_two_were_published(room: Room) -> None:
    before = Room()
    before.open()
    first, _ = before.ask(run())
    before.tick(minutes=5)
    before.performer.release(1)

    assert room.open(*before.said, first) is None


def test_a_released_partition_says_nothing_any_more(room: Room) -> None:
    room.open()
    room.ask(run())
    room.performer.release(1)
    room.at = DUE
    room.performer.release(1)
    assert room.said == []
    assert room.perform(run()) == ()


def test_one_partition_goes_and_the_other_stays(room: Room) -> None:
    room.open()
    room.ask(run())
    other = run("second", account_id="DEMO-2")
    room.open(partition=2)
    room.ask(other)
    room.performer.release(1)
    assert room.tick(minutes=5) is None
    assert records(room.said) == [reading(other, DUE)]


def test_a_clock_that_cannot_be_read_for_a_while_is_read_later(room: Room) -> None:
    room.open()
    room.ask(run())
    room.unreadable = 2
    assert room.tick(minutes=5) == READ_AGAIN_S
    assert room.tick() == READ_AGAIN_S
    assert room.said == []
    assert room.tick() is None
    assert records(room.said) == [reading(run(), DUE)]


def test_a_first_reading_is_tried_a_few_times_and_then_ends_the_process() -> None:
    room, pauses = Room(), []

    def wait(wake: threading.Event, seconds: float | None) -> None:
        if seconds is None:
            wake.wait(PATIENCE_S)
        else:
            pauses.append(seconds)

    room.performer = ClockPerformer(room.now, lambda _: 1, wait)
    room.performer.take_over(1, memory.initial_state(), room.said.append)
    room.unreadable = ATTEMPTS - 1
    (said,) = room.perform(run(deadline_at=NOW))
    assert said.record == reading(run(deadline_at=NOW), NOW)
    room.unreadable = ATTEMPTS
    with pytest.raises(ConnectionError, match="no answer"):
        room.perform(run(deadline_at=NOW))
    assert pauses == [READ_AGAIN_S] * 2 * (ATTEMPTS - 1)
    room.performer.release(1)


def test_a_partition_that_leaves_while_the_clock_cannot_be_read_is_left_alone() -> None:
    room = Room(unreadable=ATTEMPTS)

    def wait(wake: threading.Event, seconds: float | None) -> None:
        if seconds is None:
            wake.wait(PATIENCE_S)
        else:
            room.performer.release(1)

    room.performer = ClockPerformer(room.now, lambda _: 1, wait)
    room.performer.take_over(1, memory.initial_state(), room.said.append)
    assert room.perform(run()) == ()
    assert room.unreadable == ATTEMPTS - 1


def test_from_a_request_to_its_deadline_the_scheduler_needs_just_these_two_readings(room: Room) -> None:
    room.open()
    asked = run()
    first, _ = room.ask(asked)
    room.tick(minutes=5)
    (second,) = room.said
    passed = DeadlinePassed(account_id=made.ACCOUNT, run_id=asked.run_id, deadline_at=DUE, terms=asked.terms)
    story = given(scheduler, asked).when(first.record).then().when(second.record).then(passed)
    story.when(second.record).then()


def test_the_declaration_says_that_it_performs() -> None:
    checked: Performer = Room().performer
    assert (AGENT.name, AGENT.performs, AGENT.decider) == ("clock", True, None)
    assert checked.perform(Message(reading(run(), NOW), run().run_id, run().run_id, NOW)) == ()
