"""Replaying against a running Kafka: read the decision path, judge every agent again, and say what was found."""

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from agents.declaration import Agent
from infra.kafka.log import read_all
from infra.replay.history import History, decision_path
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import Damage, Verdict
from infra.runtime.keeper import input_topics
from topics.wire import Incoming, Partition, header_or_none, record_hash


def load(bootstrap_servers: str) -> History:
    """Read every record of the decision path."""
    return History.of(read_all(bootstrap_servers, decision_path()))


def replay(
    history: History,
    agents: Iterable[Agent],
    judged: dict[str, dict[Partition, int]] | None = None,
    correlation_id: str | None = None,
) -> Verdict:
    """Judge again every decision of the agents, or those of one correlation id; check every record's hash."""
    again = Rejudge(history, correlation_id)
    for record in _all(history):
        if again.wanted(record):
            again.verdict.records += 1
            _check_outside(again.verdict, record)
    for agent in agents:
        if agent.decider is not None or agent.performs:
            again.agent(agent, (judged or {}).get(agent.name))
    return again.verdict


def judged_until(bootstrap_servers: str, agent: Agent, history: History) -> dict[Partition, int]:
    """Return how far an agent has judged its inputs, as its group's offsets say; an input without one: not at all.

    Only used for inputs after the last decision: the offsets are advisory, and lag behind by up to half a second.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": agent.name, "enable.auto.commit": False})
    try:
        topics = input_topics(agent)
        wanted = [TopicPartition(topic, number) for topic in topics for number in history.partitions(topics)]
        found = consumer.committed(wanted, timeout=30) if wanted else []
        return {(part.topic, part.partition): max(0, part.offset) for part in found}
    finally:
        consumer.close()


def _all(history: History) -> Iterable[Incoming]:
    for records in history.by_partition.values():
        yield from records


def _check_outside(verdict: Verdict, record: Incoming) -> None:
    """Check the hash of what no agent has said; agents' own records are checked with their chain."""
    if header_or_none(record.headers, "seq") is not None:
        return
    said, found = header_or_none(record.headers, "sha256"), record_hash(record.key, record.value, record.headers)
    if said != found:
        verdict.hash_mismatches += 1
        what = f"an altered or unsealed record: header sha256 says {said or 'nothing'}, the record has {found}"
        verdict.damages.append(Damage("outside", record.partition, what, str(record.place)))
