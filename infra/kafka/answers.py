"""Asking the agents and hearing the answer: the record of one topic that a published record has caused."""

from typing import Generic, TypeVar
from uuid import UUID

from confluent_kafka import TopicPartition

from infra.clock import seconds
from infra.kafka.log import end_reached, high_watermarks, incoming, partitions_of, reading_consumer
from schemas.record import Record
from topics.codec import decode

Answer = TypeVar("Answer", bound=Record)


class Answers(Generic[Answer]):
    """Hears what is said on a topic from now on; made before asking, and used once."""

    def __init__(self, bootstrap_servers: str, kind: type[Answer]) -> None:
        self._kind = kind
        starts = high_watermarks(bootstrap_servers, partitions_of(bootstrap_servers, [kind.topic]))
        self._consumer = reading_consumer(bootstrap_servers)
        self._consumer.assign([TopicPartition(*where, offset) for where, offset in starts.items()])

    def to(self, event_id: UUID, timeout_s: float) -> Answer | None:
        """Return the record that the one with this id has caused; None when it is not said in time."""
        until = seconds() + timeout_s
        try:
            while seconds() < until:
                message = self._consumer.poll(0.2)
                if message is None or end_reached(message):
                    continue
                event = decode(incoming(message))
                if event.envelope.causation_id == event_id and isinstance(event.record, self._kind):
                    return event.record
            return None
        finally:
            self._consumer.close()
