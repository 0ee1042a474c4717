"""One transactional producer per agent-partition, and the thread that commits what was decided.

Decisions are handed over in order. While one transaction commits, the next decisions collect; when it is through, all
that is ready goes into the next one. Nothing waits for a timer. Any error ends the process: aborting and going on could
let a late EndTxn of the old transaction act on the next one (Jepsen's Bufstream analysis), a bumped epoch cannot.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Producer

from infra.runtime.exits import CRASHED, FENCED, die
from topics.registry import DEAD_LETTER_BYTES_MAX
from topics.wire import Outgoing

#: Errors that say another producer owns the transactional id now.
_FENCED = {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}

#: Records in one transaction at most: bounds the time a reader waits behind it (500 records commit in < 20 ms).
BATCH_RECORDS_MAX = 500


@dataclass(frozen=True)
class TransactionSettings:
    """What a transactional producer needs to know."""

    bootstrap_servers: str
    transaction_timeout_ms: int = 15_000
    delivery_timeout_ms: int = 10_000
    init_timeout_s: float = 60.0


def transactional_producer(settings: TransactionSettings, transactional_id: str) -> Producer:
    """Return a producer that owns `transactional_id`: the former owner is fenced and what it left open is aborted."""
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": settings.transaction_timeout_ms,
            "delivery.timeout.ms": settings.delivery_timeout_ms,
            "message.max.bytes": DEAD_LETTER_BYTES_MAX,  # the client's own default is 1 MB
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "retry.backoff.ms": 10,
            "socket.nagle.disable": True,
            "log_level": 2,
        }
    )
    # The first answer replaces the bootstrap connection by the broker's own, the second waits until that is up. Without
    # it init_transactions finds no connection one time in three, and tries again after a fixed 0.5 s.
    for _ in range(2):
        producer.list_topics(timeout=settings.init_timeout_s)
    producer.init_transactions(settings.init_timeout_s)
    return producer


@dataclass(frozen=True)
class _Unit:
    """Records that become visible together, and how many decisions they are."""

    records: tuple[Outgoing, ...]
    decisions: int


class Committer:
    """Writes decisions of one agent-partition, each whole, in order; `on_durable` is told how many, in this thread."""

    def __init__(self, producer: Producer, name: str, on_durable: Callable[[int], None]) -> None:
        self._name = name
        self._on_durable = on_durable
        self._ready: deque[_Unit] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(
            target=self._run,
            args=(producer,),  # held by the thread alone: the client ends with it, not at some collection of garbage
            name=f"commit-{name}",
            daemon=True,
        )
        self._thread.start()

    def submit(self, decision: tuple[Outgoing, ...]) -> None:
        """Hand over the records of one decision; they become visible together or not at all."""
        self._submit(_Unit(decision, 1))

    def submit_beside(self, records: tuple[Outgoing, ...]) -> None:
        """Hand over records that are no decision, to be written together, after all that was handed over before."""
        self._submit(_Unit(records, 0))

    def abandon(self) -> None:
        """Drop what was not handed to the broker yet; the next owner decides it again."""
        with self._wake:
            self._closed = True
            self._ready.clear()
            self._wake.notify()

    def stuck_for(self) -> float:
        """Return for how many seconds the transaction under way has been under way."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def _submit(self, unit: _Unit) -> None:
        with self._wake:
            if self._closed:
                raise RuntimeError(f"{self._name}: a decision was handed over after the partition was given up")
            self._ready.append(unit)
            self._wake.notify()

    def _run(self, producer: Producer) -> None:
        try:
            while (batch := self._next()) is not None:
                self._commit(producer, batch)
                if decided := sum(unit.decisions for unit in batch):
                    self._on_durable(decided)
        except KafkaException as error:
            kafka_error = error.args[0]
            die(
                FENCED if kafka_error.code() in _FENCED else CRASHED,
                f"transaction of {self._name}: {kafka_error.str()}",
            )
        except BaseException as error:
            die(CRASHED, f"transaction of {self._name}", error)

    def _next(self) -> Sequence[_Unit] | None:
        with self._wake:
            while not self._ready and not self._closed:
                self._wake.wait()
            batch: list[_Unit] = []
            records = 0
            while self._ready and records < BATCH_RECORDS_MAX:
                batch.append(self._ready.popleft())
                records += len(batch[-1].records)
            return batch or None

    def _commit(self, producer: Producer, batch: Sequence[_Unit]) -> None:
        self._busy_since = time.monotonic()
        producer.begin_transaction()
        for unit in batch:
            for each in unit.records:
                producer.produce(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
        producer.commit_transaction()
        self._busy_since = None
