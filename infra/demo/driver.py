"""Drives sessions through the running stack: bars, the simulated market, a run request, and the wait for its end."""

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from confluent_kafka import Consumer, TopicPartition

from infra.demo.configuration import request
from infra.demo.market import Session, bar_id
from infra.errors import TapeError
from infra.kafka.log import end_reached, high_watermarks, incoming, partitions_of, reading_consumer
from infra.kafka.publish import Publisher
from infra.simulator.client import SimulatedQuote, SimulatorControl
from schemas.execution import Execution, ExecutionStatus
from schemas.identity import derived
from schemas.market import Bar
from schemas.run import PartitionPosition, Run, RunStatus
from topics.codec import decode

#: A run takes about 0.1 s; a worker killed in the middle of it is back within a session timeout and a start.
RUN_TIMEOUT_S = 120.0
ENDED = {ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED}


class RunsEnded:
    """Follows the log and says which runs have ended, and how."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._consumer: Consumer = reading_consumer(bootstrap_servers)
        watched = partitions_of(bootstrap_servers, [Execution.topic, Run.topic])
        self._consumer.assign([TopicPartition(*each, 0) for each in watched])
        self._ended: dict[UUID, str] = {}

    def wait_for(self, run_id: UUID, check: Callable[[], None]) -> str:
        """Return how the run ended; `check` is called now and then and may raise. Raises TapeError when it does not."""
        until = time.monotonic() + RUN_TIMEOUT_S
        while run_id not in self._ended:
            check()
            if time.monotonic() > until:
                raise TapeError(
                    f"run {run_id} did not end within {RUN_TIMEOUT_S:.0f} s",
                    next_command=f"tape trace {run_id}",
                )
            message = self._consumer.poll(0.2)
            if message is not None and not end_reached(message):
                self._note(decode(incoming(message)).record)
        return self._ended[run_id]

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

    def _note(self, record: object) -> None:
        if isinstance(record, Execution) and record.status in ENDED:
            self._ended[record.run_id] = record.status.value
        if isinstance(record, Run) and record.status is RunStatus.REFUSED:
            self._ended[record.run_id] = f"{record.status.value} {record.refusal}: {record.detail}"


class Driver:
    """Lets sessions happen one after the other."""

    def __init__(self, bootstrap_servers: str, partitions: int, market: SimulatorControl) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._publisher = Publisher(bootstrap_servers, partitions, "demo")
        self._market = market
        self._runs = RunsEnded(bootstrap_servers)

    def history(self, sessions: Sequence[Session]) -> None:
        """Publish the bars of sessions that are only read."""
        for session in sessions:
            self._publish_bars(session)
        self._publisher.flush()

    def trade(self, sessions: Sequence[Session], check: Callable[[], None]) -> Iterator[UUID]:
        """Yield the run id of each session once its run has ended."""
        for session in sessions:
            yield self._trade_one(session, check)

    def close(self) -> None:
        """Stop following the log."""
        self._runs.close()

    def _trade_one(self, session: Session, check: Callable[[], None]) -> UUID:
        self._publish_bars(session)
        self._publisher.flush()
        self._market.set_clock(session.as_of)
        self._market.set_quotes(*(SimulatedQuote(symbol, bid, ask) for symbol, bid, ask in session.quotes()))
        asked = request(session.as_of, self._bars_until())
        identity = derived("run-request", asked.run_id, asked.request_id)
        self._publisher.publish(asked, identity, session.as_of, correlation_id=asked.run_id)
        self._publisher.flush()
        how = self._runs.wait_for(asked.run_id, check)
        if how != ExecutionStatus.FINISHED.value:
            raise TapeError(
                f"run {asked.run_id} of {session.on} ended as {how}", next_command=f"tape trace {asked.run_id}"
            )
        return asked.run_id

    def _publish_bars(self, session: Session) -> None:
        for bar in session.bars:
            self._publisher.publish(bar, bar_id(bar), session.as_of)

    def _bars_until(self) -> tuple[PartitionPosition, ...]:
        ends = high_watermarks(self._bootstrap_servers, partitions_of(self._bootstrap_servers, [Bar.topic]))
        return tuple(PartitionPosition(partition=number, next_offset=at) for (_, number), at in sorted(ends.items()))
