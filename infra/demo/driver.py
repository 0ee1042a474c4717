"""Drives sessions through the running stack: bars, the simulated market, a run request, and the wait for its end."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from confluent_kafka import Consumer, TopicPartition

from infra.demo.configuration import ACCOUNT, request
from infra.demo.market import Session, bar_id
from infra.demo.scenarios import Step
from infra.errors import TapeError
from infra.kafka.log import end_reached, high_watermarks, incoming, partitions_of, reading_consumer
from infra.kafka.publish import Publisher
from infra.simulator.client import SimulatedQuote, SimulatorControl
from infra.simulator.events import Hold
from schemas.execution import Execution, ExecutionStatus
from schemas.gate import OrderLimits
from schemas.identity import derived
from schemas.market import Bar
from schemas.order import Fill, Venue
from schemas.run import PartitionPosition, Run, RunStatus
from topics.codec import decode

#: A run takes about 0.1 s; a worker killed in the middle of it is back within a session timeout and a start.
RUN_TIMEOUT_S = 120.0
LATER = timedelta(seconds=20)
"""Between two runs of one session: as much as fits before its close."""

CLEARED, FILLED = "CLEARED", "a fill at the broker"
ENDS = {ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED, ExecutionStatus.ABANDONED}


class RunsFollowed:
    """Follows the log and says how far runs have come."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._consumer: Consumer = reading_consumer(bootstrap_servers)
        watched = partitions_of(bootstrap_servers, [Execution.topic, Run.topic, Fill.topic, OrderLimits.topic])
        self._consumer.assign([TopicPartition(*each, 0) for each in watched])
        self._reached: set[tuple[UUID, str]] = set()
        self._ended: dict[UUID, str] = {}
        self._limited: set[str] = set()

    def wait_for_limits(self, account_id: str, check: Callable[[], None]) -> None:
        """Wait until the gateway has taken in limits of the account; raises TapeError when it does not."""
        if not self._came(lambda: account_id in self._limited, RUN_TIMEOUT_S, check):
            raise TapeError(
                f"the gateway has not taken in the limits of account {account_id} within {RUN_TIMEOUT_S:.0f} s",
                where=OrderLimits.topic,
                next_command="tape status",
            )

    def wait_for_end(self, run_id: UUID, check: Callable[[], None]) -> str:
        """Return how the run ended; `check` is called now and then and may raise. Raises TapeError when it does not."""
        self._wait(run_id, "its end", lambda: run_id in self._ended, check)
        return self._ended[run_id]

    def end_within(self, run_id: UUID, seconds: float, check: Callable[[], None]) -> str | None:
        """Return how the run ended, None when it has not ended after so many seconds."""
        self._came(lambda: run_id in self._ended, seconds, check)
        return self._ended.get(run_id)

    def wait_for(self, run_id: UUID, what: str, check: Callable[[], None]) -> None:
        """Wait until the run is CLEARED, or has been FILLED at the broker for the first time."""
        self._wait(run_id, what, lambda: (run_id, what) in self._reached or run_id in self._ended, check)

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

    def _wait(self, run_id: UUID, what: str, is_there: Callable[[], bool], check: Callable[[], None]) -> None:
        if not self._came(is_there, RUN_TIMEOUT_S, check):
            raise TapeError(
                f"run {run_id} did not come to {what} within {RUN_TIMEOUT_S:.0f} s",
                next_command=f"tape trace {run_id}",
            )

    def _came(self, is_there: Callable[[], bool], seconds: float, check: Callable[[], None]) -> bool:
        """Follow the log until something is there; False when the time is over before."""
        until = time.monotonic() + seconds
        while not is_there():
            check()
            if time.monotonic() > until:
                return False
            message = self._consumer.poll(0.2)
            if message is not None and not end_reached(message):
                self._note(decode(incoming(message)).record)
        return True

    def _note(self, record: object) -> None:
        match record:
            case Execution(status=status, run_id=run_id) if status in ENDS:
                self._ended[run_id] = status.value
            case Execution(status=ExecutionStatus.CLEARED, run_id=run_id):
                self._reached.add((run_id, CLEARED))
            case Run(status=RunStatus.REFUSED, run_id=run_id, refusal=refusal, detail=detail):
                self._ended[run_id] = f"{RunStatus.REFUSED} {refusal}: {detail}"
            case Fill(order=order) if order.venue is Venue.BROKER:
                self._reached.add((order.run_id, FILLED))
            case OrderLimits(account_id=account_id):
                self._limited.add(account_id)
            case _:
                pass


class Driver:
    """Lets sessions happen one after the other."""

    def __init__(self, bootstrap_servers: str, partitions: int, market: SimulatorControl) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._publisher = Publisher(bootstrap_servers, partitions, "demo")
        self._market = market
        self._runs = RunsFollowed(bootstrap_servers)
        self._left_open: tuple[UUID, str] | None = None

    def history(self, sessions: Sequence[Session]) -> None:
        """Publish the bars of sessions that are only read."""
        for session in sessions:
            self._publish_bars(session)
        self._publisher.flush()

    def trade(self, sessions: Sequence[Session], steps: Sequence[Step], check: Callable[[], None]) -> Iterator[UUID]:
        """Yield the run id of each session once its run has ended, or rests as its step wants it to.

        Begins when the gateway has limits, which were asked for before.
        """
        self._runs.wait_for_limits(ACCOUNT, check)
        coming = iter(sessions)
        session, as_of = None, None
        for step in steps:
            if step.is_later and session is not None and as_of is not None:
                as_of += LATER
            else:
                session = next(coming)
                as_of = session.as_of
                self.begin(session)
            yield self._trade_one(step, as_of, check)

    def begin(self, session: Session) -> None:
        """Let a session come to its end, with its bars and its market."""
        self._publish_bars(session)
        self._publisher.flush()
        self._market.set_clock(session.as_of)
        self._market.set_quotes(*(SimulatedQuote(symbol, bid, ask) for symbol, bid, ask in session.quotes()))

    def ask(self, step: Step, as_of: datetime) -> UUID:
        """Ask for the run of a step and return its id."""
        if step.rests is not None:
            self._market.hold(step.rests, Hold.REST)
        asked = request(as_of, self._bars_until(), strategies=step.strategies)
        identity = derived("run-request", asked.run_id, asked.request_id)
        self._publisher.publish(asked, identity, as_of, correlation_id=asked.run_id)
        self._publisher.flush()
        return asked.run_id

    def expect_finished(self, run_id: UUID, check: Callable[[], None]) -> None:
        """Wait for a run; raises TapeError when it ends in another way."""
        how = self._runs.wait_for_end(run_id, check)
        if how != ExecutionStatus.FINISHED.value:
            raise TapeError(f"run {run_id} ended as {how}", next_command=f"tape trace {run_id}")

    def close(self) -> None:
        """Stop following the log."""
        self._runs.close()

    def _trade_one(self, step: Step, as_of: datetime, check: Callable[[], None]) -> UUID:
        run_id = self.ask(step, as_of)
        self._take_back(run_id, check)
        if step.rests is None:
            self.expect_finished(run_id, check)
        else:
            self._runs.wait_for(run_id, FILLED, check)
            self._left_open = (run_id, step.rests)
        return run_id

    def _take_back(self, run_id: UUID, check: Callable[[], None]) -> None:
        """Let the market go on once the new run has taken back what an older one left open."""
        if self._left_open is None:
            return
        self._runs.wait_for(run_id, CLEARED, check)
        older, symbol = self._left_open
        self._market.hold(symbol, Hold.NONE)
        self._left_open = None
        self._runs.wait_for_end(older, check)

    def _publish_bars(self, session: Session) -> None:
        for bar in session.bars:
            self._publisher.publish(bar, bar_id(bar), session.as_of)

    def _bars_until(self) -> tuple[PartitionPosition, ...]:
        ends = high_watermarks(self._bootstrap_servers, partitions_of(self._bootstrap_servers, [Bar.topic]))
        return tuple(PartitionPosition(partition=number, next_offset=at) for (_, number), at in sorted(ends.items()))
