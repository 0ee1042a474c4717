"""All agents of a replay side by side: every record goes to those who wrote it and those who read it, once."""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from agents.declaration import Agent, ViewState
from infra.replay.history import History
from infra.replay.judging import AgentPass, Judged, Terms
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from topics.codec import UndecodableError
from topics.registry import written_by
from topics.wire import Partition


class Judges:
    """The passes of several agents over the same records.

    Decisions are taken in the order in which they were written, so that what one agent decides again byte for byte is
    known when the next one reads it. That order saves decoding; no verdict follows from it.
    """

    def __init__(self, agents: Iterable[Agent], terms: Terms, judged: Mapping[str, Judged] | None = None) -> None:
        self._agents = {agent.name: agent for agent in agents if agent.decider is not None or agent.performs}
        self._terms = terms
        self._judged = judged or {}
        self._passes: dict[tuple[str, int], AgentPass] = {}
        self._views: dict[str, ViewState] = {
            name: agent.view.empty() for name, agent in self._agents.items() if agent.view is not None
        }
        self._outputs = {name: frozenset(topic.name for topic in written_by(name)) for name in self._agents}
        self._readers: dict[str, list[Agent]] = {}
        for agent in self._agents.values():
            for topic in input_topics(agent):
                self._readers.setdefault(topic, []).append(agent)

    @property
    def view_topics(self) -> frozenset[str]:
        """The topics read beside the inputs; their records go to `look`, all of them before any goes to `add`."""
        return frozenset(agent.view.topic for agent in self._agents.values() if agent.view is not None)

    @property
    def judged_topics(self) -> frozenset[str]:
        """The topics these agents write, or are given; their records go to `add`."""
        return frozenset(self._readers).union(*self._outputs.values())

    def look(self, seen: Seen) -> None:
        """Show a record to the views of its topic; one that cannot be read was left out of the live view too."""
        for name, view in self._views.items():
            declared = self._agents[name].view
            if declared is not None and declared.topic == seen.record.topic:
                try:
                    view.add(seen.record.partition, seen.record.offset, seen.event.record)
                except UndecodableError:
                    return

    def add(self, seen: Seen) -> None:
        """Give a record to its writer and its readers; of one partition they come in order."""
        topic, partition = seen.where
        writer = seen.text("agent")
        if writer in self._agents and topic in self._outputs[writer]:
            own = self._pass(self._agents[writer], partition)
            if "seq" in seen.headers:
                own.add_own(seen)
        for agent in self._readers.get(topic, ()):
            self._pass(agent, partition).add_input(seen)

    def advance(self, read_to: Mapping[Partition, int] | None) -> None:
        """Judge every decision whose inputs lie before `read_to`: how far each partition was read; None = whole."""
        passes = tuple(self._passes.values())
        ready = [(at, number) for number, each in enumerate(passes) if (at := each.ready_at(read_to)) is not None]
        heapify(ready)
        while ready:
            _, number = heappop(ready)
            passes[number].step()
            if (at := passes[number].ready_at(read_to)) is not None:
                heappush(ready, (at, number))

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Judge what lies behind the last decisions; own records at or behind `settled` may be parts of decisions."""
        for each in self._passes.values():
            each.finish(settled)

    def _pass(self, agent: Agent, partition: int) -> AgentPass:
        found = self._passes.get((agent.name, partition))
        if found is None:
            judged = self._judged.get(agent.name, {})
            found = AgentPass(agent, partition, self._terms, self._views.get(agent.name), judged)
            self._passes[agent.name, partition] = found
        return found


class Rejudge:
    """One replay over a history at hand; `correlation_id` narrows what is judged again, never what is folded."""

    def __init__(self, history: History, correlation_id: str | None = None) -> None:
        self.verdict = Verdict()
        self.terms = Terms(Scope(correlation_id), self.verdict)
        self.seen = {where: [Seen(each) for each in records] for where, records in history.by_partition.items()}

    def agent(self, agent: Agent, judged: Judged | None = None) -> None:
        """Judge again every decision of an agent, partition by partition; adds to the verdict."""
        self.agents([agent], {agent.name: judged or {}})

    def agents(self, agents: Iterable[Agent], judged: Mapping[str, Judged]) -> None:
        """Judge again every decision of several agents side by side; adds to the verdict."""
        judges = Judges(agents, self.terms, judged)
        for where, records in self.seen.items():
            for seen in records if where[0] in judges.view_topics else ():
                judges.look(seen)
        for where, records in self.seen.items():
            for seen in records if where[0] in judges.judged_topics else ():
                judges.add(seen)
        judges.advance(None)
        judges.finish({})
