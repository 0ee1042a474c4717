"""Cheap valid records, as many as wanted: the example of a topic again and again, with ids and seal of its own each.

The three ids open every Avro body as texts of one length, so a record is made by writing others over them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from confluent_kafka import Producer

from infra.errors import TapeError
from infra.kafka.publish import from_outside
from schemas.identity import derived
from topics.examples import example
from topics.registry import Topic
from topics.wire import Outgoing, identity_headers, sealed

#: How many records share a correlation id: about what a run of one strategy leaves on the log.
PER_RUN = 20

_AT = datetime(2013, 2, 28, 20, 55, tzinfo=UTC)
_FRAME = 5
_ID = 37
_WAITING_MAX = 50_000


@dataclass(frozen=True)
class Template:
    """One topic's record without its ids."""

    topic: Topic
    frame: bytes
    rest: bytes
    key: bytes
    event_type: str
    account_id: str

    @classmethod
    def of(cls, topic: Topic, change: Callable[[dict[str, object]], None] = lambda _fields: None) -> "Template":
        """Return the template of a topic's example, with its fields changed first."""
        fields: dict[str, object] = {name: value for name, value in example(topic).items() if name not in _ENVELOPE}
        change(fields)
        record = topic.record.model_validate(fields)
        said = from_outside(record, UUID(int=0), _AT, UUID(int=0), 1, "bench")
        account = str(getattr(record, "account_id", ""))
        rest = said.value[_FRAME + 3 * _ID :]
        return cls(topic, said.value[:_FRAME], rest, said.key, type(record).__name__, account)

    def record(self, event_id: UUID, correlation_id: UUID) -> Outgoing:
        """Return a record with these ids, its own cause, on partition 0."""
        ids = (event_id, correlation_id, event_id)
        texts = b"".join(b"\x48" + str(each).encode() for each in ids)
        headers = identity_headers(ids, self.event_type, self.account_id, "bench")
        return sealed(self.topic.name, 0, self.key, self.frame + texts + self.rest, headers)


_ENVELOPE = frozenset({"event_id", "correlation_id", "causation_id", "occurred_at"})


def run_of(number: int) -> UUID:
    """Return the correlation id of the `number`-th run."""
    return derived("bench-run", number)


def event_of(number: int) -> UUID:
    """Return the id of the `number`-th record."""
    return derived("bench-event", number)


def records(templates: "tuple[Template, ...]", start: int, end: int) -> Iterator[Outgoing]:
    """Yield the records with these numbers, the templates in turn, `PER_RUN` of one run one after the other."""
    for number in range(start, end):
        template = templates[number % len(templates)]
        yield template.record(event_of(number), run_of(number // PER_RUN))


def produce(bootstrap_servers: str, made: Iterator[Outgoing]) -> None:
    """Write records and wait until the broker has all of them; raises TapeError when one could not be written."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 50, "log_level": 2})
    failed: list[str] = []
    for record in made:
        while len(producer) > _WAITING_MAX:
            producer.poll(0.1)
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        producer.produce(
            record.topic,
            record.value,
            record.key,
            record.partition,
            headers=headers,
            on_delivery=lambda error, _message: failed.append(str(error)) if error is not None else None,
        )
        producer.poll(0)
    left = producer.flush(120)
    if left or failed:
        raise TapeError(
            f"{left} records not delivered, {len(failed)} refused: {failed[:1]}", next_command="tape doctor"
        )
