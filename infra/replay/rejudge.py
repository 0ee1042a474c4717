"""Judging again: fold an agent's own events, and at each one ask today's code about the recorded cause.

Between two own events the inputs that fell silent must stay silent; at each own event the cause must give the same
bytes. The order among the silent ones does not matter: silence changes no state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.decision import Draft, agent_version, drafts, evolved, read
from agents.declaration import Agent, ViewState
from infra.replay.history import History
from infra.replay.verdict import Damage, Difference, DifferenceKind, Verdict, field_differences
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import Decision, LogDamagedError, decisions, own
from schemas.dead_letter import DeadLetter, Unreadable
from schemas.record import Record
from topics.codec import UndecodableError, decode, decode_value, schema_id_of
from topics.registry import written_by
from topics.wire import Incoming, Partition, Place, header, header_or_none, record_hash

Judged = Mapping[Partition, int]
"""How far an agent has judged each input; what lies after it was not judged yet. Empty = all of it was."""


@dataclass
class Rejudge:
    """One replay over one history; `correlation_id` narrows what is judged again, never what is folded."""

    history: History
    correlation_id: str | None = None
    verdict: Verdict = field(default_factory=Verdict)

    def agent(self, agent: Agent, judged: Judged | None = None) -> None:
        """Judge again every decision of an agent, partition by partition; adds to the verdict."""
        outputs = tuple(topic.name for topic in written_by(agent.name))
        view = None if agent.view is None else self._view(agent)
        for partition in self.history.partitions((*outputs, *input_topics(agent))):
            try:
                _Pass(self, agent, partition, view, judged or {}).run(outputs)
            except LogDamagedError as damage:
                self._damaged(agent.name, partition, damage)
                self._note_unjudged(agent.name, partition, outputs)

    def wanted(self, record: Incoming) -> bool:
        """Say whether a record belongs to what is replayed."""
        return self.correlation_id is None or header_or_none(record.headers, "correlation_id") == self.correlation_id

    def _view(self, agent: Agent) -> ViewState:
        if agent.view is None:
            raise TypeError(f"{agent.name} has no view")
        state = agent.view.empty()
        for (topic, partition), records in self.history.by_partition.items():
            for record in records if topic == agent.view.topic else ():
                try:
                    state.add(partition, record.offset, decode(record).record)
                except UndecodableError:
                    continue  # was left out of the live view too
        return state

    def _note_unjudged(self, agent: str, partition: int, outputs: tuple[str, ...]) -> None:
        """Say how many decisions lie behind the damage: without the state before them they cannot be judged."""
        mine = own((r for topic in outputs for r in self.history.between((topic, partition), 0, None)), agent)
        counts = self.verdict.of(agent)
        counts.not_judged += max(0, len({header(r.headers, "seq") for r in mine}) - counts.decisions - counts.facts)

    def _damaged(self, agent: str, partition: int, damage: LogDamagedError) -> None:
        self.verdict.gaps += 1
        self.verdict.damages.append(Damage(agent, partition, damage.what, damage.where))


@dataclass
class _Pass:
    """One pass over one partition of one agent."""

    replay: Rejudge
    agent: Agent
    partition: int
    view: ViewState | None
    judged: Judged

    def run(self, outputs: tuple[str, ...]) -> None:
        history, agent = self.replay.history, self.agent
        mine = own((r for topic in outputs for r in history.between((topic, self.partition), 0, None)), agent.name)
        state: Any = None if agent.decider is None else agent.decider.initial_state()
        positions: dict[Partition, int] = {(topic, self.partition): 0 for topic in input_topics(agent)}
        for decision in decisions(mine):
            self._check_hashes(decision)
            after = positions | decision.inputs
            if agent.decider is None:
                self.replay.verdict.of(agent.name).facts += self.replay.wanted(decision.records[0])
            else:
                self._silent(state, positions, after, decision.cause)
                self._spoken(state, decision)
                state = evolved(agent.decider, state, tuple(_record(each) for each in decision.records))
            positions = after
        if agent.decider is not None:
            self._silent(state, positions, {each: self.judged.get(each) for each in positions}, "")

    def _silent(
        self, state: Any, start: Mapping[Partition, int], end: Mapping[Partition, int | None], cause: str
    ) -> None:
        for where in sorted(start):
            for record in self.replay.history.between(where, start[where], end[where]):
                if str(record.place) == cause or not self.replay.wanted(record):
                    continue
                self.replay.verdict.of(self.agent.name).silent += 1
                decided = self._judge(state, record)
                if isinstance(decided, str):
                    self._differs(DifferenceKind.RAISED, record, None, "decision", "nothing", decided)
                elif decided:
                    said = ", ".join(f"{type(each.record).__name__}({_brief(each.record)})" for each in decided)
                    self._differs(DifferenceKind.SPOKE_WHERE_SILENT, record, None, "events", "nothing", said)

    def _spoken(self, state: Any, decision: Decision) -> None:
        first = decision.records[0]
        if not self.replay.wanted(first):
            return
        counts = self.replay.verdict.of(self.agent.name)
        if _is_beyond_the_view(first):
            counts.facts += 1  # the topic ended there when it was judged; it may have grown since
            return
        counts.decisions += 1
        cause = self.replay.history.at(Place.parse(decision.cause))
        if cause is None:
            raise LogDamagedError(
                f"the cause of seq {decision.seq} is not in the log: expected a record at {decision.cause}, was none",
                where=str(first.place),
            )
        before = len(self.replay.verdict.differences)
        decided = self._judge(state, cause)
        if isinstance(decided, str):
            self._differs(
                DifferenceKind.RAISED, cause, decision, "decision", f"{len(decision.records)} events", decided
            )
        else:
            self._compare(decision, cause, decided)
        counts.identical += len(self.replay.verdict.differences) == before

    def _judge(self, state: Any, record: Incoming) -> tuple[Draft, ...] | str:
        event = read(record, self.agent.name)
        if isinstance(event, Draft):
            return (event,)
        view = self.agent.view
        seen = None if view is None or self.view is None else self.view.until(view.bound(event.record))
        try:
            return drafts(self.agent, self.agent.decider, state, event, seen)  # type: ignore[arg-type]
        except Exception as error:  # today's code may fail where yesterday's did not: that is a difference to show
            return f"{type(error).__name__}: {error}"

    def _compare(self, decision: Decision, cause: Incoming, decided: tuple[Draft, ...]) -> None:
        recorded = [header(each.headers, "event_type") for each in decision.records]
        now = [type(each.record).__name__ for each in decided]
        if not now:
            self._differs(DifferenceKind.SILENT_WHERE_SPOKE, cause, decision, "events", ", ".join(recorded), "nothing")
        elif recorded != now:
            self._differs(DifferenceKind.OTHER_RECORDS, cause, decision, "events", ", ".join(recorded), ", ".join(now))
        else:
            for each, draft in zip(decision.records, decided, strict=True):
                self._compare_one(decision, each, draft)

    def _compare_one(self, decision: Decision, recorded: Incoming, draft: Draft) -> None:
        value = recorded.value or b""
        if draft.value(schema_id_of(value)) == value and draft.topic.key_of(draft.record).encode() == recorded.key:
            return
        was = decode(recorded)
        now_value = draft.value()
        again = decode_value(draft.topic, now_value)  # as a reader would see it: 0 and 0E-9 are the same number
        found = [
            *field_differences(was.envelope, again.envelope),
            *field_differences(was.record, again.record),
        ] or [("bytes", value.hex(), now_value.hex())]
        for path, before, now in found:
            self._differs(DifferenceKind.FIELD, recorded, decision, path, before, now)

    def _differs(
        self, kind: DifferenceKind, record: Incoming, decision: Decision | None, path: str, was: str, now: str
    ) -> None:
        version = None if decision is None else header_or_none(decision.records[0].headers, "agent_version")
        mine = agent_version(self.agent.name)
        self.replay.verdict.differences.append(
            Difference(
                kind,
                self.agent.name,
                self.partition,
                None if decision is None else decision.seq,
                str(record.place),
                path,
                was,
                now,
                version or mine,
                mine,
                header_or_none(record.headers, "correlation_id") or "",
            )
        )

    def _check_hashes(self, decision: Decision) -> None:
        for record in decision.records:
            said = header(record.headers, "sha256")
            found = record_hash(record.key, record.value, record.headers)
            if said != found:
                self.replay.verdict.hash_mismatches += 1
                raise LogDamagedError(
                    f"an altered record: header sha256 says {said}, the record has {found}", where=str(record.place)
                )


def _is_beyond_the_view(record: Incoming) -> bool:
    found = _record(record)
    return isinstance(found, DeadLetter) and found.unreadable is Unreadable.BEYOND_THE_VIEW


def _record(record: Incoming) -> Record:
    try:
        return decode(record).record
    except UndecodableError as error:
        raise LogDamagedError(f"{error.unreadable}: {error.error}", where=str(record.place)) from error


def _brief(record: Record) -> str:
    names: Iterator[str] = (name for name in ("status", "exec_type", "outcome", "symbol", "strategy_id", "detail"))
    return ", ".join(f"{name}={getattr(record, name)}" for name in names if getattr(record, name, None))
