"""Sending numbered records into a chain and timing when they come out at its end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import Producer, TopicPartition

from infra.kafka.log import end_reached, reading_consumer
from topics.wire import Outgoing

#: A record that has not come out after this long counts as lost and ends the measurement.
LOST_AFTER_S = 30.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds from handing a record to the producer until its effect was read at the end."""

    p50: float
    p99: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Latency":
        """Return the percentiles of samples in seconds."""
        ordered = sorted(samples)
        return cls(_at(ordered, 0.50), _at(ordered, 0.99))


class Probe:
    """Produces to the beginning of a chain, reads its end; both in this process, so one clock serves both."""

    def __init__(self, bootstrap_servers: str, target: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "acks": "all"})
        self._consumer = reading_consumer(bootstrap_servers)
        _, end = self._consumer.get_watermark_offsets(TopicPartition(target, 0), timeout=30)
        self._consumer.assign([TopicPartition(target, 0, end)])

    def latency(self, records: Sequence[Outgoing], rate: float) -> Latency:
        """Send the records at a steady rate and wait for one effect of each, in order."""
        sent: list[float] = []
        came: list[float] = []
        interval, started = 1.0 / rate, time.perf_counter()
        while len(came) < len(records):
            if len(sent) < len(records) and time.perf_counter() >= started + len(sent) * interval:
                sent.append(time.perf_counter())
                self._send(records[len(sent) - 1])
            self._take(came, 0.0005)
            if sent and time.perf_counter() - sent[-1] > LOST_AFTER_S:
                raise RuntimeError(f"{len(records) - len(came)} of {len(records)} records did not come out")
        return Latency.of([end - begin for begin, end in zip(sent, came, strict=True)])

    def throughput(self, records: Sequence[Outgoing], start: Callable[[], None]) -> float:
        """Put all records in, then `start` what works on them; return effects per second from first to last."""
        for record in records:
            self._send(record)
        self._producer.flush()
        came: list[float] = []
        start()
        until = time.perf_counter() + LOST_AFTER_S
        while len(came) < len(records):
            self._take(came, 0.1)
            if time.perf_counter() > until:
                raise RuntimeError(f"{len(records) - len(came)} of {len(records)} records did not come out")
        return (len(came) - 1) / max(came[-1] - came[0], 1e-9)

    def close(self) -> None:
        """Stop reading."""
        self._producer.flush()
        self._consumer.close()

    def _send(self, record: Outgoing) -> None:
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        self._producer.produce(record.topic, record.value, record.key, record.partition, headers=headers)
        self._producer.poll(0)

    def _take(self, came: list[float], timeout_s: float) -> None:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        messages = (first, *self._consumer.consume(1000, 0))
        came.extend(time.perf_counter() for message in messages if not end_reached(message))


def _at(ordered: Sequence[float], share: float) -> float:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
