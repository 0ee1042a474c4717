"""How far runs have come, as the log says it; waited for, and given up with the run's name."""

import time
from collections.abc import Callable
from uuid import UUID

from confluent_kafka import Consumer, TopicPartition

from infra.errors import TapeError
from infra.kafka.log import end_reached, incoming, partitions_of, reading_consumer
from schemas.execution import Execution, ExecutionStatus
from schemas.gate import OrderLimits
from schemas.order import Fill, Venue
from schemas.run import Run, RunStatus
from topics.codec import decode

#: A run takes about 0.1 s; a worker killed in the middle of it is back within a session timeout and a start.
RUN_TIMEOUT_S = 120.0

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
