"""The floor: one process per hop that polls, produces and, if asked, commits a transaction per batch; nothing else.

`python -m infra.bench.bare BOOTSTRAP SOURCE TARGET plain|transactions`
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition

_BATCH = 500


def hop(bootstrap_servers: str, source: str, target: str, transactional: bool) -> None:
    """Copy every record of `source` to `target` until killed."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"bare-{source}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "socket.nagle.disable": True,
        }
    )
    identity = {"transactional.id": f"bare-{source}"} if transactional else {"enable.idempotence": True}
    settings = {"linger.ms": 0, "acks": "all", "retry.backoff.ms": 10, "socket.nagle.disable": True}
    producer = Producer({"bootstrap.servers": bootstrap_servers, **settings, **identity})
    if transactional:
        producer.init_transactions(30)
    consumer.assign([TopicPartition(source, 0, 0)])
    while True:
        first = consumer.poll(1.0)
        if first is None:
            continue
        records = [first, *consumer.consume(_BATCH, 0)]
        if transactional:
            producer.begin_transaction()
        for record in records:
            if record.error() is None:
                producer.produce(target, record.value(), record.key(), headers=record.headers())
        if transactional:
            producer.commit_transaction()
        else:
            producer.flush()


if __name__ == "__main__":
    hop(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "transactions")
