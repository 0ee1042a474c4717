"""One run judged again, from the nearest snapshots before it to where all of it is judged.

Each agent is taken alone, and reads its own topics and its inputs from its last snapshot before the run's first record:
what lies before is in the state, what lies behind the run is not read. An agent without such a snapshot begins at the
beginning. That the log is whole before the snapshot is not looked at; `tape replay --all` and `--from-zero` do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.declaration import Agent, ViewState
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.replay.audit import Audit
from infra.replay.chain import Chain
from infra.replay.find import Found
from infra.replay.judging import AgentPass, Terms
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.service import judged_until
from infra.replay.slices import Moment, moment, read_slice, slices
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Recovered
from infra.runtime.snapshots import TOPIC, Snapshot, whole
from infra.runtime.state_form import form_of_states
from infra.runtime.state_parts import StateFormError
from topics.codec import UndecodableError
from topics.registry import written_by
from topics.wire import Incoming, Partition, header_or_none


@dataclass(frozen=True)
class Judged:
    """What was found of one run, and whether any agent began with a snapshot."""

    verdict: Verdict
    is_from_snapshot: bool

    @property
    def is_final(self) -> bool:
        """Whether folding the whole log could not say otherwise of this run.

        What a snapshot leads to is taken for granted only where it agrees with the log.
        """
        found = self.verdict
        return not found.damages and bool(found.decisions) and not (found.differences and self.is_from_snapshot)


def replay_run(bootstrap_servers: str, agents: Sequence[Agent], found: Found) -> Judged:
    """Judge again what belongs to one correlation id, wherever in the log it lies."""
    terms = Terms(Scope(found.correlation_id), Verdict())
    parts = [part for agent in agents for part in _parts(agent, found.records)]
    topics = {topic for part in parts for topic in part.topics}
    now = moment(bootstrap_servers, partitions_of(bootstrap_servers, sorted(topics)))
    used = [_judge(bootstrap_servers, part, terms, now) for part in parts if part.agent.decider is not None]
    _count_facts(parts, terms.verdict)
    audit = Audit(terms.scope, terms.verdict)
    for record in found.records:
        audit.check(Seen(record))
    audit.finish()
    return Judged(terms.verdict, any(used))


@dataclass(frozen=True)
class _Part:
    """What of a run belongs to one agent in one partition: its own decisions by seq, and where its inputs lie."""

    agent: Agent
    partition: int
    own: frozenset[int]
    inputs: tuple[Incoming, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """What the agent reads and writes."""
        return (*input_topics(self.agent), *(topic.name for topic in written_by(self.agent.name)))

    def is_before(self, snapshot: Snapshot) -> bool:
        """Say whether all of the run was still to come when the state was written down."""
        inputs = snapshot.inputs
        return all(snapshot.seq < seq for seq in self.own) and all(
            inputs.get((each.topic, each.partition), 0) <= each.offset for each in self.inputs
        )

    def is_behind(self, seq: int, reached: Mapping[Partition, int]) -> bool:
        """Say whether all of the run was judged once a decision with these positions was."""
        return all(each <= seq for each in self.own) and all(
            each.offset < reached.get((each.topic, each.partition), 0) for each in self.inputs
        )


def _parts(agent: Agent, records: Iterable[Incoming]) -> Iterable[_Part]:
    own: dict[int, set[int]] = {}
    inputs: dict[int, list[Incoming]] = {}
    read_topics = set(input_topics(agent))
    for each in records:
        seq = header_or_none(each.headers, "seq")
        if header_or_none(each.headers, "agent") == agent.name and seq is not None and seq.isdecimal():
            own.setdefault(each.partition, set()).add(int(seq))
        if each.topic in read_topics:
            inputs.setdefault(each.partition, []).append(each)
    for number in sorted({*own, *inputs}):
        yield _Part(agent, number, frozenset(own.get(number, ())), tuple(inputs.get(number, ())))


@dataclass
class _RunPass(AgentPass):
    """Judges an agent-partition from where it stood after one of its decisions on."""

    after: Recovered | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seq = 0
        self.reached: Mapping[Partition, int] = {}
        if self.after is not None:
            self._state = self.after.state
            self._chain = Chain(self.after)

    def step(self) -> None:
        """Judge the next decision, and remember how far that was."""
        decided = self._next
        super().step()
        if decided is not None:
            self.seq, self.reached = decided.seq, decided.inputs

    def take_in(self, seen: Seen) -> None:
        """Take in whatever record of the agent's topics; of one partition they come in order."""
        if seen.record.topic in input_topics(self.agent):
            self.add_input(seen)
        elif seen.text("agent") == self.agent.name and "seq" in seen.headers and not self._is_known(seen):
            self.add_own(seen)

    def _is_known(self, seen: Seen) -> bool:
        seq = seen.text("seq") or ""
        return self.after is not None and seq.isdecimal() and int(seq) <= self.after.seq


def _judge(bootstrap_servers: str, part: _Part, terms: Terms, now: Moment) -> bool:
    """Judge one part of the run; returns whether that began with a snapshot."""
    after = _nearest(bootstrap_servers, part)
    judged = judged_until(bootstrap_servers, part.agent)
    view = _view(bootstrap_servers, part)
    again = _RunPass(part.agent, part.partition, terms, view, judged, after=after)
    ends = {each: end for each, end in now.ends.items() if each[0] in part.topics and each[1] == part.partition}
    here = {each: 0 if after is None else min(_position(after, each), end) for each, end in ends.items()}
    for end in slices(bootstrap_servers, here, ends):
        for record in read_slice(bootstrap_servers, here, end):
            again.take_in(Seen(record))
        here = dict(end)
        while again.ready_at(here) is not None:
            again.step()
            if part.is_behind(again.seq, again.reached):
                return after is not None
        if again.is_over:
            break
    again.finish(now.settled)
    return after is not None


def _position(after: Recovered, where: Partition) -> int:
    return after.positions.get(where, after.covered.get(where, 0))


def _nearest(bootstrap_servers: str, part: _Part) -> Recovered | None:
    """Return where the agent-partition stood after the last snapshot before the run; None where there is none."""
    decider = part.agent.decider
    records = read(bootstrap_servers, {(TOPIC.name, part.partition): 0})
    for snapshot in whole(records, part.agent.name, part.partition):
        if part.is_before(snapshot):
            try:
                return snapshot.after(form_of_states(decider).from_text(snapshot.text))
            except StateFormError:
                continue
    return None


def _view(bootstrap_servers: str, part: _Part) -> ViewState | None:
    """Return the agent's view as far as the run looked."""
    declared = part.agent.view
    if declared is None:
        return None
    view = declared.empty()
    ends: dict[Partition, int] = {}
    for each in part.inputs:
        try:
            bounds = declared.bound(Seen(each).event.record)
        except UndecodableError:
            continue
        for bound in bounds:
            where = (declared.topic, bound.partition)
            ends[where] = max(ends.get(where, 0), bound.next_offset)
    there_are = high_watermarks(bootstrap_servers, tuple(ends))
    ends = {each: min(end, there_are[each]) for each, end in ends.items()}
    for record in read(bootstrap_servers, dict.fromkeys(ends, 0), ends):
        try:
            view.add(record.partition, record.offset, Seen(record).event.record)
        except UndecodableError:
            continue  # left out of the live view too
    return view


def _count_facts(parts: Iterable[_Part], verdict: Verdict) -> None:
    """Count what the outside said: nobody can judge that again."""
    for part in parts:
        if part.agent.performs:
            verdict.of(part.agent.name).facts += len(part.own)
