"""What of a run belongs to one agent in one partition, where judging it may begin, and what it has looked at."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from agents.declaration import Agent, ViewState
from infra.kafka.log import high_watermarks, read
from infra.replay.seen import Seen
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Recovered, own
from infra.runtime.snapshots import TOPIC, Snapshot, whole
from infra.runtime.state_form import form_of_states
from infra.runtime.state_parts import StateFormError
from topics.codec import UndecodableError
from topics.registry import written_by
from topics.wire import Incoming, Partition, header, header_or_none


@dataclass(frozen=True)
class Part:
    """A run's share of an agent-partition: the agent's own decisions by seq, and the records that it reads."""

    agent: Agent
    partition: int
    own: frozenset[int]
    inputs: tuple[Incoming, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """What the agent reads and writes."""
        return (*input_topics(self.agent), *(topic.name for topic in written_by(self.agent.name)))

    def is_ahead_of(self, seq: int, reached: Mapping[Partition, int]) -> bool:
        """Say whether all of the run was still to come after a decision with these positions."""
        return all(seq < each for each in self.own) and all(
            reached.get((each.topic, each.partition), 0) <= each.offset for each in self.inputs
        )

    def is_behind(self, seq: int, reached: Mapping[Partition, int]) -> bool:
        """Say whether all of the run was judged once a decision with these positions was."""
        return all(each <= seq for each in self.own) and all(
            each.offset < reached.get((each.topic, each.partition), 0) for each in self.inputs
        )


def parts_of(agent: Agent, records: Iterable[Incoming]) -> Iterator[Part]:
    """Yield the parts of an agent in a run, by partition; `records` are all of the run's."""
    decided: dict[int, set[int]] = {}
    inputs: dict[int, list[Incoming]] = {}
    read_topics = set(input_topics(agent))
    for each in records:
        seq = header_or_none(each.headers, "seq")
        if header_or_none(each.headers, "agent") == agent.name and seq is not None and seq.isdecimal():
            decided.setdefault(each.partition, set()).add(int(seq))
        if each.topic in read_topics:
            inputs.setdefault(each.partition, []).append(each)
    for number in sorted({*decided, *inputs}):
        yield Part(agent, number, frozenset(decided.get(number, ())), tuple(inputs.get(number, ())))


def nearest(bootstrap_servers: str, part: Part) -> Recovered | None:
    """Return where the agent-partition stood after the last snapshot before the run; None where there is none."""
    return written_down(
        bootstrap_servers, part.agent, part.partition, lambda each: part.is_ahead_of(each.seq, each.inputs)
    )


def written_down(
    bootstrap_servers: str, agent: Agent, partition: int, is_wanted: Callable[[Snapshot], bool]
) -> Recovered | None:
    """Return where an agent-partition stood after the newest snapshot that is wanted; None where there is none."""
    records = read(bootstrap_servers, {(TOPIC.name, partition): 0})
    for snapshot in filter(is_wanted, whole(records, agent.name, partition)):
        try:
            return snapshot.after(form_of_states(agent.decider).from_text(snapshot.text))
        except StateFormError:
            continue
    return None


def begins_at(after: Recovered | None, where: Partition) -> int:
    """Return the offset from which on an input, or a topic of the agent's own, holds what came `after`; None: all."""
    return 0 if after is None else after.positions.get(where, after.covered.get(where, 0))


def own_behind(bootstrap_servers: str, agent: Agent, partition: int, after: Recovered | None) -> Iterator[Incoming]:
    """Yield what an agent has published in a partition after a standing; None: all of it."""
    own_topics = [(topic.name, partition) for topic in written_by(agent.name)]
    known = 0 if after is None else after.seq
    for record in own(read(bootstrap_servers, {each: begins_at(after, each) for each in own_topics}), agent.name):
        if int(header(record.headers, "seq")) > known:
            yield record


def looked_until(agent: Agent, parts: Iterable[Part]) -> dict[Partition, int]:
    """Return how far the run looked into the topic that its agent reads beside its inputs."""
    view = agent.view
    ends: dict[Partition, int] = {}
    if view is None:
        return ends
    for each in (record for part in parts for record in part.inputs):
        try:
            bounds = view.bound(Seen(each).event.record)
        except UndecodableError:
            continue
        for bound in bounds:
            where = (view.topic, bound.partition)
            ends[where] = max(ends.get(where, 0), bound.next_offset)
    return ends


def view_until(bootstrap_servers: str, agent: Agent, ends: Mapping[Partition, int]) -> ViewState | None:
    """Return an agent's view as of these offsets; None for an agent that reads nothing beside its inputs."""
    if agent.view is None:
        return None
    view = agent.view.empty()
    there_are = high_watermarks(bootstrap_servers, tuple(ends))
    ends = {each: min(end, there_are[each]) for each, end in ends.items()}
    for record in read(bootstrap_servers, dict.fromkeys(ends, 0), ends):
        try:
            view.add(record.partition, record.offset, Seen(record).event.record)
        except UndecodableError:
            continue  # left out of the live view too
    return view


def count_facts(parts: Iterable[Part], verdict: Verdict) -> None:
    """Count what the outside said: nobody can judge that again."""
    for part in parts:
        if part.agent.performs:
            verdict.of(part.agent.name).facts += len(part.own)
