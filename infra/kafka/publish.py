"""Publishing from outside the agents: market data, run requests, clock readings. Idempotent and awaited.

What comes from outside starts a chain of causes: it is its own causation, and has no place in an agent's sequence.
"""

from datetime import datetime
from uuid import UUID

from confluent_kafka import KafkaError, Message, Producer

from infra.errors import TapeError
from schemas.record import Envelope, Record
from topics.codec import encode
from topics.partitioning import partition_for
from topics.registry import BY_RECORD, RECORD_BYTES_MAX
from topics.wire import Outgoing, identity_headers, sealed


class Publisher:
    """Produces records of the outside to their topics; `flush` returns when the broker has all of them."""

    def __init__(self, bootstrap_servers: str, partitions: int, name: str) -> None:
        self._partitions = partitions
        self._name = name
        self._failed: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 1,
                "message.max.bytes": RECORD_BYTES_MAX,  # the client's own default is 1 MB
                "delivery.timeout.ms": 30_000,
                "socket.nagle.disable": True,
                "log_level": 2,
            }
        )

    def publish(
        self, record: Record, event_id: UUID, occurred_at: datetime, correlation_id: UUID | None = None
    ) -> None:
        """Hand over one record; `event_id` derives from what it stands for, so saying it twice is saying it once."""
        outgoing = from_outside(record, event_id, occurred_at, correlation_id, self._partitions, self._name)
        self._producer.produce(
            outgoing.topic,
            outgoing.value,
            outgoing.key,
            outgoing.partition,
            headers=list(outgoing.headers),
            on_delivery=self._delivered,
        )
        self._producer.poll(0)

    def flush(self, timeout_s: float = 60.0) -> None:
        """Wait until the broker has every record; raises TapeError when one could not be delivered."""
        left = self._producer.flush(timeout_s)
        if left or self._failed is not None:
            why = "" if self._failed is None else f": {self._failed.str()}"
            raise TapeError(f"{left} records not delivered after {timeout_s:.0f} s{why}", next_command="tape doctor")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = error


def from_outside(
    record: Record,
    event_id: UUID,
    occurred_at: datetime,
    correlation_id: UUID | None,
    partitions: int,
    name: str,
) -> Outgoing:
    """Return the sealed record of something said outside the agents by `name`."""
    topic = BY_RECORD[type(record)]
    envelope = Envelope(
        event_id=event_id,
        correlation_id=correlation_id or event_id,
        causation_id=event_id,
        occurred_at=occurred_at,
    )
    ids = (envelope.event_id, envelope.correlation_id, envelope.causation_id)
    account = str(getattr(record, "account_id", ""))
    headers = identity_headers(ids, type(record).__name__, account, name)
    key = topic.key_of(record).encode()
    return sealed(topic.name, partition_for(topic, record, partitions), key, encode(topic, envelope, record), headers)
