"""Replaying against a running Kafka: read the decision path, judge every agent again, and say what was found."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, TopicPartition

from agents.declaration import Agent
from infra.errors import TapeError
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.replay.audit import Audit
from infra.replay.history import History, decision_path
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from topics.wire import Incoming, Partition

ROUNDS_MAX = 20
WAIT_S = 0.1


def judged_and_history(
    bootstrap_servers: str, agents: Iterable[Agent]
) -> tuple[dict[str, dict[Partition, int]], History]:
    """Return how far each agent has judged, by its name, and then the log.

    The order matters: what is judged while the log is read is not yet counted as judged, and whatever was judged before
    has its decision in what is read after.
    """
    judged = {agent.name: judged_until(bootstrap_servers, agent) for agent in agents}
    return judged, load(bootstrap_servers)


def load(bootstrap_servers: str) -> History:
    """Read every record of the decision path, as it stood at one moment.

    Watermarks are taken one after the other, so a decision in between could be in while its cause is not. Two takings
    that are equal say that nothing was written between them. Raises TapeError when the log does not hold still.
    """
    where = partitions_of(bootstrap_servers, decision_path())
    records: list[Incoming] = []
    start = dict.fromkeys(where, 0)
    end = high_watermarks(bootstrap_servers, where)
    for _ in range(ROUNDS_MAX):
        records.extend(read(bootstrap_servers, start, end))
        start, end = end, high_watermarks(bootstrap_servers, where)
        if start == end:
            return History.of(records)
        time.sleep(WAIT_S)
    raise _moving(start, end)


def replay(
    history: History,
    agents: Iterable[Agent],
    judged: Mapping[str, Mapping[Partition, int]] | None = None,
    correlation_id: str | None = None,
) -> Verdict:
    """Judge again every decision of the agents, or those of one correlation id; check every record's hash and writer.

    A record that an agent has dead-lettered, and that is still what it was then, is counted and is no damage.
    """
    again = Rejudge(history, correlation_id)
    again.agents(agents, judged or {})
    audit = Audit(again.terms.scope, again.verdict)
    for records in again.seen.values():
        for seen in records:
            audit.check(seen)
    audit.finish()
    return again.verdict


def judged_until(bootstrap_servers: str, agent: Agent) -> dict[Partition, int]:
    """Return how far an agent has judged its inputs, as its group's offsets say; an input without one: not at all.

    Only used for inputs after the last decision: the offsets are advisory, and lag behind by up to half a second.
    """
    wanted = partitions_of(bootstrap_servers, input_topics(agent))
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": agent.name, "enable.auto.commit": False})
    try:
        found = consumer.committed([TopicPartition(*each) for each in wanted], timeout=30) if wanted else []
        return {(part.topic, part.partition): max(0, part.offset) for part in found}
    finally:
        consumer.close()


def _moving(before: Mapping[Partition, int], after: Mapping[Partition, int]) -> TapeError:
    grown = sorted(each for each in after if after[each] != before[each])
    ends = ", ".join(
        f"{topic}/{number} from {before[topic, number]} to {after[topic, number]}" for topic, number in grown
    )
    return TapeError(
        f"the log is moving: expected two equal readings of its ends, was none in {ROUNDS_MAX}",
        where=f"the last two: {ends}",
        next_command="tape replay --all, once nothing is being traded",
    )
