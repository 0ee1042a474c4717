"""A toy agent with everything that can go wrong: two inputs, several events on two topics, silence, and memory.

It stands where the scheduler stands (same topics), so the registry needs no test entries. What it says depends on all
it has said before, so one decision lost, doubled or made in another state shows in every later one.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from agents.decider import Message
from agents.declaration import Agent, Fact
from infra.errors import TapeError
from schemas.identity import derived
from schemas.record import Envelope, Record
from schemas.run import ClockReading, DeadlinePassed, Run, RunRequest, RunStatus
from tests.made import execution, limits, rules, run_terms
from topics.codec import encode
from topics.registry import BY_RECORD
from topics.wire import Outgoing, identity_headers, sealed

log = logging.getLogger(__name__)

START = datetime(2012, 6, 1, 20, 0, tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """How many decisions were made, and about which runs."""

    decided: int = 0
    runs: frozenset[UUID] = frozenset()


class Toy:
    """Pairs requests with readings; silent about what it has seen and about every third request it can number."""

    def initial_state(self) -> State:
        return State()

    def decide(self, state: State, message: Message) -> list[Record]:
        record = message.record
        if isinstance(record, RunRequest):
            _misbehave(record.request_id)
            if record.run_id in state.runs or record.request_id.startswith("silent"):
                return []
            run = _run(record, f"decision {state.decided + 1}")
            if state.decided % 4 == 3:
                return [run, _passed(record.run_id, record.as_of)]
            return [run]
        if isinstance(record, ClockReading) and record.run_id in state.runs:
            at = START + timedelta(seconds=state.decided)
            return [_passed(record.run_id, at)]
        return []

    def evolve(self, state: State, record: Record) -> State:
        if isinstance(record, Run):
            return State(state.decided + 1, state.runs | {record.run_id})
        if isinstance(record, DeadlinePassed):
            return State(state.decided + 1, state.runs)
        raise TypeError(type(record).__name__)


AGENT = Agent("scheduler", decider=Toy())


class Ids:
    """The memory of a performer: the ids of all it has said, in order."""

    def initial_state(self) -> tuple[UUID, ...]:
        return ()

    def evolve(self, state: tuple[UUID, ...], fact: Fact) -> tuple[UUID, ...]:
        return (*state, fact.envelope.event_id)


PERFORMS = Agent("scheduler", performs=True, memory=Ids())
"""A performer in the toy's place."""


class Outside:
    """Answers each request with a run, can speak unasked, and says what it remembers."""

    publish: Callable[[Fact], None] | None = None
    earlier: tuple[UUID, ...] = ()
    released = False

    def perform(self, message: Message) -> Sequence[Fact]:
        return [fact(each) for each in Toy().decide(State(), message)]

    def take_over(self, partition: int, memory: tuple[UUID, ...], publish: Callable[[Fact], None]) -> None:
        self.earlier = memory
        self.publish = publish
        log.warning("partition %d remembers %d facts", partition, len(memory))

    def release(self, partition: int) -> None:
        self.released = True


def fact(record: Record) -> Fact:
    """Return what the outside said, with an identity of its own."""
    identity = derived("outside", record.model_dump_json())
    return Fact(record, Envelope(event_id=identity, correlation_id=identity, causation_id=identity, occurred_at=START))


def request(number: int, name: str = "run") -> RunRequest:
    """Return the number-th request."""
    as_of = START + timedelta(minutes=number)
    return RunRequest(
        account_id="toy",
        run_id=derived("toy-run", number),
        request_id=f"{name}-{number}",
        requested_by="test",
        as_of=as_of,
        strategies=(),
        limits=limits(),
        rules=rules(),
        execution=execution(),
        valid_until=as_of,
        deadline_at=None,
        bars_until=(),
    )


def reading(number: int) -> ClockReading:
    """Return a clock reading about the number-th run."""
    return ClockReading(account_id="toy", run_id=derived("toy-run", number), due_at=START, read_at=START)


def from_outside(record: Record, partition: int = 0, salt: str = "") -> Outgoing:
    """Return a record as a command-line tool would produce it."""
    identity = derived("outside", salt, record.model_dump_json())
    envelope = Envelope(event_id=identity, correlation_id=identity, causation_id=identity, occurred_at=START)
    topic = BY_RECORD[type(record)]
    headers = identity_headers((identity, identity, identity), type(record).__name__, "toy", "test")
    return sealed(topic.name, partition, topic.key_of(record).encode(), encode(topic, envelope, record), headers)


def inputs(count: int) -> Iterable[Record]:
    """Yield requests and readings that make the toy speak, fall silent and speak of what it remembers."""
    for number in range(count):
        yield request(number, "silent" if number % 7 == 5 else "run")
        if number % 3 == 0:
            yield reading(number)
        if number % 10 == 9:
            yield request(number - 1)


def _run(record: RunRequest, detail: str) -> Run:
    terms = run_terms(
        run_id=record.run_id,
        as_of=record.as_of,
        strategies=(),
        valid_until=record.valid_until,
    )
    return Run(
        account_id="toy",
        run_id=record.run_id,
        status=RunStatus.REQUESTED,
        refusal=None,
        detail=detail,
        warnings=(),
        terms=terms,
    )


def _passed(run_id: UUID, at: datetime) -> DeadlinePassed:
    return DeadlinePassed(account_id="toy", run_id=run_id, deadline_at=at, terms=run_terms(run_id=run_id))


def _misbehave(request_id: str) -> None:
    """Do what the environment asks: raise once the flag file is absent, or block the event loop."""
    flag = os.environ.get("TOY_RAISE_ON")
    marker = Path(os.environ.get("TOY_MARKER", ""))
    if flag and request_id == flag and not marker.exists():
        marker.touch()
        raise TapeError("the agent's body raised", where="the toy", next_command="tape why TOY")
    pause = float(os.environ.get("TOY_SLOW_S", "0"))
    if pause:
        time.sleep(pause)
