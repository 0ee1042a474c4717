"""Replaying against a running Kafka: read the decision path, judge every agent again, and say what was found."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from agents.declaration import Agent
from infra.errors import TapeError
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.replay.history import History, decision_path
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import Damage, Verdict
from infra.runtime.keeper import input_topics
from schemas.dead_letter import DeadLetter
from topics.codec import UndecodableError, decode
from topics.registry import BY_NAME
from topics.wire import Incoming, Partition, Place, header_block, header_or_none, record_hash

ROUNDS_MAX = 20
WAIT_S = 0.1

#: Producers in the topic table that are no agents: their records carry no standing, and whoever speaks for them may.
_OUTSIDERS = frozenset({"market data", "cli", "clock", "any agent"})


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
    verdict = Verdict()
    again = Rejudge(history, correlation_id, verdict)
    for agent in agents:
        if agent.decider is not None or agent.performs:
            again.agent(agent, (judged or {}).get(agent.name))
    letters = _letters(history)
    for record in _all(history):
        if again.wanted(record):
            verdict.records += 1
            if any(_is_of(letter, record) for letter in letters.get(record.place, ())):
                verdict.dead_letters += 1
            else:
                _check_writer(verdict, record)
                _check_hash(verdict, record)
    return verdict


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


def _all(history: History) -> Iterator[Incoming]:
    for records in history.by_partition.values():
        yield from records


def _letters(history: History) -> dict[Place, Sequence[DeadLetter]]:
    """Return the dead letters by the place they name; only those that an agent has decided, in its own name."""
    found: dict[Place, list[DeadLetter]] = {}
    for record in _all(history):
        if record.topic != DeadLetter.topic or header_or_none(record.headers, "seq") is None:
            continue
        try:
            letter = decode(record).record
        except UndecodableError:
            continue  # is damage itself, and excuses nothing
        if isinstance(letter, DeadLetter) and letter.agent == header_or_none(record.headers, "agent"):
            place = Place(letter.origin_topic, letter.origin_partition, letter.origin_offset)
            found.setdefault(place, []).append(letter)
    return dict(found)


def _is_of(letter: DeadLetter, record: Incoming) -> bool:
    """Say whether a letter holds the bytes of the record: one that was altered since is not excused by it."""
    kept = (letter.raw_key, letter.raw_value, letter.raw_headers)
    return kept == (record.key, record.value, header_block(record.headers))


def _check_writer(verdict: Verdict, record: Incoming) -> None:
    """An agent's own topic holds its decisions and nothing else; its chain does not see what others put there."""
    producer = BY_NAME[record.topic].producer
    if producer in _OUTSIDERS:
        return
    agent, seq = header_or_none(record.headers, "agent"), header_or_none(record.headers, "seq")
    if agent != producer or seq is None:
        said = f"agent {agent or 'nothing'} and {'no seq' if seq is None else f'seq {seq}'}"
        what = f"a foreign record: expected headers agent {producer} and a seq, was {said}"
        verdict.damages.append(Damage(producer, record.partition, what, str(record.place)))


def _check_hash(verdict: Verdict, record: Incoming) -> None:
    """Check a record's hash whoever wrote it; what an agent's chain has already shown is not said twice."""
    said, found = header_or_none(record.headers, "sha256"), record_hash(record.key, record.value, record.headers)
    if said == found:
        return
    how = "unsealed" if said is None else "altered"
    what = f"an {how} record: header sha256 says {said or 'nothing'}, the record has {found}"
    where = str(record.place)
    if not any((each.what, each.where) == (what, where) for each in verdict.damages):
        verdict.hash_mismatches += 1
        writer = header_or_none(record.headers, "agent") if header_or_none(record.headers, "seq") is not None else None
        verdict.damages.append(Damage(writer or "outside", record.partition, what, where))
