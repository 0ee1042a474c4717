"""One run judged again, from the nearest snapshots before it to where all of it is judged.

Each agent is taken alone, and reads its own topics and its inputs from its last snapshot before the run's first record:
what lies before is in the state, what lies behind the run is not read. An agent without such a snapshot begins at the
beginning. That the log is whole before the snapshot is not looked at; `tape replay --all` and `--from-zero` do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.declaration import Agent
from infra.kafka.log import partitions_of
from infra.replay.audit import Audit
from infra.replay.find import Found
from infra.replay.judging import AgentPass, Terms
from infra.replay.part import Part, begins_at, count_facts, looked_until, nearest, parts_of, view_until
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.service import judged_until
from infra.replay.slices import Moment, moment, read_slice, slices
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Recovered


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
    parts = [part for agent in agents for part in parts_of(agent, found.records)]
    topics = {topic for part in parts for topic in part.topics}
    now = moment(bootstrap_servers, partitions_of(bootstrap_servers, sorted(topics)))
    used = [_judge(bootstrap_servers, part, terms, now) for part in parts if part.agent.decider is not None]
    count_facts(parts, terms.verdict)
    audit = Audit(terms.scope, terms.verdict)
    for record in found.records:
        audit.check(Seen(record))
    audit.finish()
    return Judged(terms.verdict, any(used))


def _judge(bootstrap_servers: str, part: Part, terms: Terms, now: Moment) -> bool:
    """Judge one part of the run; returns whether that began with a snapshot."""
    after = nearest(bootstrap_servers, part)
    judged = judged_until(bootstrap_servers, part.agent)
    view = view_until(bootstrap_servers, part.agent, looked_until(part.agent, [part]))
    again = AgentPass(part.agent, part.partition, terms, view, judged, after)
    ends = {each: end for each, end in now.ends.items() if each[0] in part.topics and each[1] == part.partition}
    here = {each: min(begins_at(after, each), end) for each, end in ends.items()}
    for end in slices(bootstrap_servers, here, ends):
        for record in read_slice(bootstrap_servers, here, end):
            _take_in(again, Seen(record))
        here = dict(end)
        while again.ready_at(here) is not None:
            again.step()
            if part.is_behind(again.seq, again.reached):
                return after is not None
        if again.is_over:
            break
    again.finish(now.settled)
    return after is not None


def _take_in(again: AgentPass, seen: Seen) -> None:
    """Give a pass a record of the agent's topics, unless the state it began with has it."""
    if seen.record.topic in input_topics(again.agent):
        again.add_input(seen)
    elif seen.text("agent") == again.agent.name and "seq" in seen.headers and not _is_known(again.after, seen):
        again.add_own(seen)


def _is_known(after: Recovered | None, seen: Seen) -> bool:
    seq = seen.text("seq") or ""
    return after is not None and seq.isdecimal() and int(seq) <= after.seq
