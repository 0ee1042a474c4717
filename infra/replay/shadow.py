"""Replaying a correlation id through real workers: a shadow group per agent, set back to the run's first record.

Kafka does not redeliver several topics in the order in which they were judged once. So each worker waits, and judges
its inputs in the order that the agent's own decisions name. It has no producer: nothing is published.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.declaration import Agent
from infra.errors import TapeError
from infra.kafka.groups import Groups
from infra.replay.audit import Audit
from infra.replay.find import Found
from infra.replay.part import Part, count_facts, looked_until, nearest, own_behind, parts_of
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.shadow_worker import Task
from infra.replay.single import Judged
from infra.replay.verdict import AgentVerdict, Damage, Difference, DifferenceKind, Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Recovered
from topics.wire import Partition, header, parse_positions

TIMEOUT_S = 180.0

Beginning = Callable[[str, Part], Recovered | None]
"""Where judging a part of the run begins; None is the agent's first decision."""


def shadowed(
    bootstrap_servers: str,
    agents: Sequence[Agent],
    found: Found,
    timeout_s: float = TIMEOUT_S,
    from_zero: bool = False,
) -> Verdict:
    """Judge all decisions of a correlation id again in real workers, and return what they found.

    They begin with the nearest snapshots, or `from_zero`; what is found amiss behind a snapshot is judged again from
    zero. Raises TapeError naming the worker that does not come to an end.
    """
    judged = _judged(bootstrap_servers, agents, found, timeout_s, _from_zero if from_zero else nearest)
    if judged.is_from_snapshot and not judged.is_final:
        judged = _judged(bootstrap_servers, agents, found, timeout_s, _from_zero)
    return judged.verdict


def _judged(
    bootstrap_servers: str, agents: Sequence[Agent], found: Found, timeout_s: float, beginning: Beginning
) -> Judged:
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="tape-shadow-") as folder:
        asked = (_task(bootstrap_servers, agent, found, Path(folder), beginning) for agent in agents)
        tasks = [task for task in asked if task is not None]
        groups = Groups(bootstrap_servers)
        for task in tasks:
            groups.set_positions(task.group, task.starts)
        try:
            for each in _run(tasks, timeout_s):
                verdict.add(each)
        finally:
            groups.forget([task.group for task in tasks])
    count_facts((part for agent in agents for part in parts_of(agent, found.records)), verdict)
    audit = Audit(Scope(found.correlation_id), verdict)
    for record in found.records:
        audit.check(Seen(record))
    audit.finish()
    return Judged(verdict, any(task.after for task in tasks))


def _from_zero(_bootstrap_servers: str, _part: Part) -> None:
    return None


def _task(
    bootstrap_servers: str, agent: Agent, found: Found, folder: Path, beginning: Beginning = nearest
) -> Task | None:
    """Return what an agent's worker has to do; None for an agent that decides nothing and has no part in the run."""
    parts = () if agent.decider is None else tuple(parts_of(agent, found.records))
    if not parts:
        return None
    spans = {part.partition: _span(bootstrap_servers, part, beginning(bootstrap_servers, part)) for part in parts}
    return Task(
        agent.name,
        found.correlation_id,
        f"replay-{agent.name}-{found.correlation_id[:8]}",
        bootstrap_servers,
        str(folder / f"{agent.name}.json"),
        starts={where: at for span in spans.values() for where, at in span.starts.items()},
        until={where: at for span in spans.values() for where, at in span.until.items()},
        last={number: span.last for number, span in spans.items()},
        after={number: span.after for number, span in spans.items() if span.after},
        looked=looked_until(agent, parts),
    )


@dataclass(frozen=True)
class _Span:
    """From where to where inputs are read, and the decisions that are needed for it: behind `after`, up to `last`."""

    starts: Mapping[Partition, int]
    until: Mapping[Partition, int]
    after: int
    last: int


def _span(bootstrap_servers: str, part: Part, after: Recovered | None) -> _Span:
    """Return what has to be read for a part.

    Inputs start behind the last decision before the run's first input, and end with the first decision that has all of
    the run's inputs and decisions behind it, or with these where there is none.
    """
    inputs = {(topic, part.partition): 0 for topic in input_topics(part.agent)}
    for each in part.inputs:
        inputs[each.topic, each.partition] = max(inputs[each.topic, each.partition], each.offset + 1)
    first = last = 0 if after is None else after.seq
    start = reached = {} if after is None else after.positions
    for last, reached in _decisions(bootstrap_servers, part, after):
        if part.is_ahead_of(last, reached):
            start = reached
        if part.is_behind(last, reached):
            break
    until = {each: max(end, reached.get(each, 0)) for each, end in inputs.items()}
    return _Span({each: start.get(each, 0) for each in inputs}, until, first, last)


def _decisions(
    bootstrap_servers: str, part: Part, after: Recovered | None
) -> Iterable[tuple[int, dict[Partition, int]]]:
    """Return the agent-partition's decisions in order: their seq, and where the inputs stood after them."""
    found: dict[int, dict[Partition, int]] = {}
    for record in own_behind(bootstrap_servers, part.agent, part.partition, after):
        seq = int(header(record.headers, "seq"))
        if seq not in found:
            found[seq] = parse_positions(header(record.headers, "inputs"))
    return sorted(found.items())


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
