"""Replaying a correlation id through real workers: a shadow group per agent, set back to the run's first record.

Kafka does not redeliver several topics in the order in which they were judged once. So each worker waits, and judges
its inputs in the order that the agent's own decisions name. It has no producer: nothing is published.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.declaration import Agent
from infra.errors import TapeError
from infra.kafka.log import read
from infra.replay.audit import Audit
from infra.replay.find import Found
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.shadow_worker import Task
from infra.replay.verdict import AgentVerdict, Damage, Difference, DifferenceKind, Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import own
from topics.registry import written_by
from topics.wire import Incoming, Partition, header, header_or_none, parse_positions

TIMEOUT_S = 180.0
_ADMIN_S = 30.0


def shadowed(bootstrap_servers: str, agents: Sequence[Agent], found: Found, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Judge all decisions of a correlation id again in real workers, and return what they found.

    Raises TapeError naming the worker that does not come to an end.
    """
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="tape-shadow-") as folder:
        tasks = [task for agent in agents if (task := _task(bootstrap_servers, agent, found, Path(folder))) is not None]
        _set_back(bootstrap_servers, tasks)
        try:
            for each in _run(tasks, timeout_s):
                verdict.add(each)
        finally:
            _forget(bootstrap_servers, tasks)
    _count_facts(verdict, agents, found.records)
    audit = Audit(Scope(found.correlation_id), verdict)
    for record in found.records:
        audit.check(Seen(record))
    audit.finish()
    return verdict


def _task(bootstrap_servers: str, agent: Agent, found: Found, folder: Path) -> Task | None:
    """Return what an agent's worker has to do; None for an agent that decides nothing and reads nothing of the run."""
    if agent.decider is None:
        return None
    inputs = _last_of(found.records, set(input_topics(agent)))
    decided = {r.partition for r in found.records if header_or_none(r.headers, "agent") == agent.name}
    starts: dict[Partition, int] = {}
    until: dict[Partition, int] = {}
    last: dict[int, int] = {}
    for number in sorted(decided | {number for _, number in inputs}):
        own_inputs = {(topic, number): end for topic in input_topics(agent) for end in [inputs.get((topic, number), 0)]}
        span = _span(bootstrap_servers, agent, number, found, own_inputs)
        starts |= {each: span[0].get(each, 0) for each in own_inputs}
        until |= span[1]
        last[number] = span[2]
    if not last:
        return None
    group = f"replay-{agent.name}-{found.correlation_id[:8]}"
    return Task(
        agent.name,
        found.correlation_id,
        group,
        bootstrap_servers,
        str(folder / f"{agent.name}.json"),
        starts,
        until,
        last,
    )


def _span(
    bootstrap_servers: str, agent: Agent, number: int, found: Found, inputs: Mapping[Partition, int]
) -> tuple[dict[Partition, int], dict[Partition, int], int]:
    """Return where the inputs start, where they end, and the last decision that is needed.

    They start behind the last decision before the run's first input, and end with the first decision that has all of
    the run's inputs and decisions behind it, or with these where there is none.
    """
    first = _first_of(found.records, set(inputs))
    start: dict[Partition, int] = {}
    reached: dict[Partition, int] = {}
    last, is_before = 0, True
    for decision in _decisions(bootstrap_servers, agent.name, number, found.correlation_id):
        is_before = is_before and not decision.is_ours
        is_before = is_before and all(decision.inputs.get(each, 0) <= at for each, at in first.items())
        if is_before:
            start = decision.inputs
        last, reached = decision.seq, decision.inputs
        if not is_before and all(reached.get(each, 0) >= end for each, end in inputs.items()):
            break
    until = {each: max(end, reached.get(each, 0)) for each, end in inputs.items()}
    return start, until, last


@dataclass
class _Decision:
    seq: int
    inputs: dict[Partition, int]
    is_ours: bool = False


def _decisions(bootstrap_servers: str, agent: str, number: int, correlation_id: str) -> Iterable[_Decision]:
    """Return an agent-partition's decisions in order."""
    beginnings = {(topic.name, number): 0 for topic in written_by(agent)}
    decisions: dict[int, _Decision] = {}
    for record in own(read(bootstrap_servers, beginnings), agent):
        seq = int(header(record.headers, "seq"))
        decision = decisions.setdefault(seq, _Decision(seq, parse_positions(header(record.headers, "inputs"))))
        decision.is_ours |= header_or_none(record.headers, "correlation_id") == correlation_id
    return [decisions[seq] for seq in sorted(decisions)]


def _first_of(records: Iterable[Incoming], topics: set[Partition]) -> dict[Partition, int]:
    first: dict[Partition, int] = {}
    for record in records:
        where = (record.topic, record.partition)
        if where in topics:
            first[where] = min(first.get(where, record.offset), record.offset)
    return first


def _last_of(records: Iterable[Incoming], topics: set[str]) -> dict[Partition, int]:
    last: dict[Partition, int] = {}
    for record in records:
        if record.topic in topics:
            where = (record.topic, record.partition)
            last[where] = max(last.get(where, 0), record.offset + 1)
    return last


def _set_back(bootstrap_servers: str, tasks: Iterable[Task]) -> None:
    """Set the shadow groups' positions, where group tools see them."""
    admin = _admin(bootstrap_servers)
    for task in tasks:
        parts = [TopicPartition(*each, at) for each, at in task.starts.items()]
        admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(task.group, parts)])[task.group].result(
            _ADMIN_S
        )


def _forget(bootstrap_servers: str, tasks: Iterable[Task]) -> None:
    """Delete the shadow groups: what they were for is over."""
    admin = _admin(bootstrap_servers)  # kept: its answers come only while it lives
    for asked in admin.delete_consumer_groups([task.group for task in tasks]).values():
        try:
            asked.result(_ADMIN_S)
        except KafkaException:
            continue  # a member that was killed counts for a session timeout; the group expires by itself


def _run(tasks: Sequence[Task], timeout_s: float) -> Iterable[Verdict]:
    workers = [(task, _started(task)) for task in tasks]
    until = time.monotonic() + timeout_s
    try:
        for task, worker in workers:
            try:
                _, said = worker.communicate(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise TapeError(
                    f"the shadow worker of {task.agent} did not come to its end within {timeout_s:.0f} s",
                    where=f"group {task.group}, inputs until {task.until}",
                    next_command=f"tape replay {task.correlation_id}",
                ) from error
            if not Path(task.found).exists():
                raise TapeError(f"the shadow worker of {task.agent} ended without a word: {said[-2000:]}")
            yield _verdict(json.loads(Path(task.found).read_text(encoding="utf-8")))
    finally:
        for _, worker in workers:
            worker.kill()
            worker.wait()


def _started(task: Task) -> "subprocess.Popen[str]":
    worker = subprocess.Popen(
        (sys.executable, "-m", "infra.replay.shadow_worker"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    if worker.stdin is not None:
        worker.stdin.write(task.as_json())
        worker.stdin.close()
        worker.stdin = None
    return worker


def _verdict(said: Mapping[str, Any]) -> Verdict:
    """Return what a worker wrote as JSON."""
    verdict = Verdict(gaps=said["log"]["gaps"], hash_mismatches=said["log"]["hash_mismatches"])
    verdict.agents.update({name: AgentVerdict(**counts) for name, counts in said["agents"].items()})
    for each in said["differences"]:
        verdict.differences.append(Difference(**{**each, "kind": DifferenceKind(each["kind"])}))
    for each in said["damages"]:
        verdict.add_damage(Damage(**each), is_of_hash=False)
    return verdict


def _count_facts(verdict: Verdict, agents: Iterable[Agent], records: Iterable[Incoming]) -> None:
    """Count what the outside said: nobody can judge that again."""
    performing = {agent.name for agent in agents if agent.performs}
    facts: dict[str, set[str]] = {}
    for record in records:
        agent, seq = header_or_none(record.headers, "agent"), header_or_none(record.headers, "seq")
        if agent in performing and seq is not None:
            facts.setdefault(agent, set()).add(f"{record.partition}/{seq}")
    for name, seqs in facts.items():
        verdict.of(name).facts += len(seqs)


def _admin(bootstrap_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
