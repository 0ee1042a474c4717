"""One agent in a shadow group: a real Faust worker that is fed by Kafka, judges in the recorded order, says nothing.

It has no producer at all. What it is to judge comes as JSON on standard input, and what it found goes to a file.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.declaration import Agent, ViewState
from infra.kafka.log import partitions_of
from infra.replay.judging import AgentPass, Terms
from infra.replay.part import own_behind, view_until, written_down
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.verdict import Verdict
from infra.runtime.app import TapeApp, run
from infra.runtime.keeper import STUCK_AFTER_S, input_topics
from infra.runtime.polling import GroupSettings
from infra.worker import declared
from topics.wire import Incoming, Partition, header

POSITIONS = ("starts", "until", "looked")
SEQS = ("last", "after")


@dataclass(frozen=True)
class Task:
    """What one shadow worker judges: an agent's decisions of one correlation id, in some partitions.

    `starts` are the rewound positions of its inputs, `until` where they end; by partition `last` is the seq of the last
    decision that is needed for it, and `after` that of the snapshot to begin with, where there is one. `looked` is how
    far the run looked into what the agent reads beside its inputs.
    """

    agent: str
    correlation_id: str
    group: str
    bootstrap_servers: str
    found: str
    starts: Mapping[Partition, int]
    until: Mapping[Partition, int]
    last: Mapping[int, int]
    after: Mapping[int, int]
    looked: Mapping[Partition, int]

    def as_json(self) -> str:
        """Return it as text for another process."""
        positions = {name: [[*each, at] for each, at in getattr(self, name).items()] for name in POSITIONS}
        seqs = {name: list(getattr(self, name).items()) for name in SEQS}
        return json.dumps({**vars(self), **positions, **seqs})

    @classmethod
    def parsed(cls, text: str) -> "Task":
        """Return the task that a text says."""
        said = json.loads(text)
        for name in POSITIONS:
            said[name] = {(topic, number): at for topic, number, at in said[name]}
        return cls(**{**said, **{name: dict(said[name]) for name in SEQS}})


class ShadowKeeper:
    """Judges what Faust hands over, beside the agent's own recorded decisions; nothing is published."""

    patience_s = STUCK_AFTER_S

    def __init__(self, agent: Agent, task: Task, done: Callable[[Verdict], None]) -> None:
        self._task = task
        self._done = done
        self._verdict = Verdict()
        self._read_to = dict(task.starts)
        self._passes = self._passes_of(agent)
        self._is_done = False

    def take_over(self, assigned: Iterable[Partition]) -> dict[Partition, int]:
        """Start at the rewound positions; a partition without a record of the run is read to its end and ignored."""
        return {each: self._task.starts.get(each, self._task.until.get(each, 0)) for each in assigned}

    async def handle(self, record: Incoming) -> None:
        """Take an input in; judge whatever can be judged now, in the recorded order."""
        where = (record.topic, record.partition)
        if self._is_done or record.offset >= self._task.until.get(where, 0):
            return
        judged = self._passes[record.partition]
        judged.add_input(Seen(record))
        self._read_to[where] = record.offset + 1
        while judged.ready_at(self._read_to) is not None:
            judged.step()
        self._end_where_all_is_read()

    async def release(self, revoked: Iterable[Partition], lost: bool) -> dict[Partition, int]:
        """Give the positions that were reached; a shadow keeps nothing."""
        return {} if lost else {each: self._read_to[each] for each in revoked if each in self._read_to}

    def durable(self) -> dict[Partition, int]:
        """Return how far the inputs were judged, for group tools."""
        return dict(self._read_to)

    def stuck_for(self) -> float:
        """Return 0: nothing is handed to the outside."""
        return 0.0

    def _end_where_all_is_read(self) -> None:
        if any(self._read_to.get(each, 0) < end for each, end in self._task.until.items()):
            return
        self._is_done = True
        for judged in self._passes.values():
            judged.finish({})
        self._done(self._verdict)

    def _passes_of(self, agent: Agent) -> dict[int, AgentPass]:
        terms = Terms(Scope(self._task.correlation_id), self._verdict)
        view = view_until(self._task.bootstrap_servers, agent, self._task.looked)
        return {number: self._pass_of(agent, number, terms, view) for number in self._task.last}

    def _pass_of(self, agent: Agent, number: int, terms: Terms, view: ViewState | None) -> AgentPass:
        """Return an agent-partition's pass with all its own decisions; from zero where the snapshot has gone since."""
        servers, seq = self._task.bootstrap_servers, self._task.after.get(number, 0)
        after = written_down(servers, agent, number, lambda each: each.seq == seq) if seq else None
        judged = AgentPass(agent, number, terms, view, after=after)
        for record in own_behind(servers, agent, number, after):
            if int(header(record.headers, "seq")) <= self._task.last[number]:
                judged.add_own(Seen(record))
        return judged


def _write(task: Task, verdict: Verdict) -> None:
    """Say what was found, then leave the group as a worker does that is told to stop."""
    partial = Path(f"{task.found}.partial")
    partial.write_text(json.dumps(verdict.as_json()), encoding="utf-8")
    partial.rename(task.found)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run until everything is judged; does not return."""
    task = Task.parsed(sys.stdin.read())
    agent = declared(task.agent)
    group = GroupSettings(task.bootstrap_servers, task.group)

    def new_keeper(_: asyncio.AbstractEventLoop) -> Any:
        return ShadowKeeper(agent, task, lambda verdict: _write(task, verdict))

    partitions_of(task.bootstrap_servers, input_topics(agent))  # a topic that is missing is named here
    run(TapeApp(group, input_topics(agent), new_keeper))


if __name__ == "__main__":
    main()
