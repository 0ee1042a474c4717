"""Judging one agent-partition again as its records come in: its state, its inputs in waiting, its own decisions.

Between two own decisions the inputs that fell silent must stay silent; at each own decision the cause must give the
same bytes. The order among the silent ones does not matter: silence changes no state.

What is decided again byte for byte is not decoded: the record that was just encoded to those bytes is taken for it, by
this agent's own fold and by all who read it. `tests/topics` holds that decoding what was encoded gives it back.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.decision import Draft, agent_version, dead_letter, drafts, evolved
from agents.declaration import Agent, ViewState
from infra.replay.chain import Chain, Decided
from infra.replay.encoding import encoded
from infra.replay.scope import Scope
from infra.replay.seen import SealBrokenError, Seen
from infra.replay.verdict import Damage, Difference, DifferenceKind, Verdict, field_differences
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import LogDamagedError, Recovered
from schemas.dead_letter import DeadLetter, Unreadable
from schemas.record import Record
from topics.codec import Event, UndecodableError, cause_of_unreadable, current_id, decode_value
from topics.wire import Partition

Judged = Mapping[Partition, int]
"""How far an agent has judged each input; what lies after it was not judged yet. Empty = all of it was."""

Changed = Callable[[Record], Record]
"""What is made of a cause, and of what an agent remembers of the run, before it is judged."""


def unchanged(record: Record) -> Record:
    """Return the record as it is."""
    return record


@dataclass(frozen=True)
class Terms:
    """What all passes of one replay share."""

    scope: Scope
    verdict: Verdict
    changed: Changed = unchanged


@dataclass
class AgentPass:
    """One agent in one partition, from where it stood `after` one of its decisions, or from the first on.

    `seq` is the last decision that was judged, `reached` where its inputs stood. Damage ends the pass, and what lies
    behind is counted as not judged.
    """

    agent: Agent
    partition: int
    terms: Terms
    view: ViewState | None = None
    judged: Judged = field(default_factory=dict)
    after: Recovered | None = None

    def __post_init__(self) -> None:
        self.is_over = False
        self.seq = 0
        self.reached: Mapping[Partition, int] = {}
        self._chain = Chain(self.after)
        self._state: Any = None if self.agent.decider is None else self.agent.decider.initial_state()
        if self.after is not None:
            self._state = self.after.state
        inputs = () if self.agent.decider is None else sorted(input_topics(self.agent))
        self._waiting: dict[Partition, deque[Seen]] = {(topic, self.partition): deque() for topic in inputs}
        self._counts = self.terms.verdict.of(self.agent.name)
        self._version = agent_version(self.agent.name)
        self._next: Decided | None = None

    # ---- what comes in
    def add_own(self, seen: Seen) -> None:
        """Take in a record this agent has published; of one partition they come in order."""
        try:
            self._chain.add(seen)
        except LogDamagedError as damage:
            self._end(damage)

    def add_input(self, seen: Seen) -> None:
        """Take in a record of an input topic; of one partition they come in order."""
        if seen.where in self._waiting:
            self._waiting[seen.where].append(seen)

    # ---- going on
    def ready_at(self, read_to: Mapping[Partition, int] | None) -> int | None:
        """Return when the next decision was written, if all it follows from was read; None = more must come first."""
        if self.is_over:
            return None
        try:
            self._next = self._next or self._chain.take()
        except LogDamagedError as damage:
            self._end(damage)
            return None
        if self._next is None:
            return None
        after = self._next.inputs
        if read_to is not None and any(read_to.get(each, 0) < after.get(each, 0) for each in self._waiting):
            return None
        return self._next.first.record.timestamp_ms

    def step(self) -> None:
        """Judge the next decision, and the silent inputs before it."""
        decided, self._next = self._next, None
        if decided is None:
            raise RuntimeError(f"{self.agent.name}-{self.partition}: nothing is ready to be judged")
        try:
            self._step(decided)
        except LogDamagedError as damage:
            self._end(damage)
        self.seq, self.reached = decided.seq, decided.inputs

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Judge what lies behind the last decision, and refuse what is missing before `settled`."""
        if self.is_over:
            self._counts.not_judged += self._chain.behind_damage
            return
        try:
            self._check_none_waits(settled)
            self._chain.finish(settled)
        except LogDamagedError as damage:
            self._end(damage)
            self._counts.not_judged += self._chain.behind_damage
            return
        for seen in self._before(self.judged, None):
            self._judge_silent(seen)

    def _check_none_waits(self, settled: Mapping[Partition, int]) -> None:
        waits = self._next
        if waits is not None and not waits.is_behind(settled):
            raise LogDamagedError(
                f"the inputs of seq {waits.seq} are not in the log: expected records up to {waits.inputs}",
                where=str(waits.first.record.place),
            )

    def _step(self, decided: Decided) -> None:
        is_wanted = any(self.terms.scope.wants(seen) for seen in decided.records)
        if self.agent.decider is None:
            self._counts.facts += is_wanted
        else:
            cause: Seen | None = None
            for seen in self._before(decided.inputs, 0):
                if decided.cause is not None and seen.is_at(decided.cause):
                    cause = seen
                else:
                    self._judge_silent(seen)
            if is_wanted:
                self._judge_spoken(decided, cause)
            self._state = evolved(self.agent.decider, self._state, tuple(map(self._remembered, decided.records)))

    def _remembered(self, seen: Seen) -> Record:
        """Return the record as it is folded: of a run that is judged under other terms, memory has those terms too."""
        record = _record(seen)
        if self.terms.changed is unchanged or not self.terms.scope.wants(seen):
            return record
        return self.terms.changed(record)

    def _before(self, end: Mapping[Partition, int], unnamed: int | None) -> Iterator[Seen]:
        """Take the waiting inputs before the given positions, topic by topic; None = all there are."""
        for where, waiting in self._waiting.items():
            bound = end.get(where, unnamed)
            while waiting and (bound is None or waiting[0].record.offset < bound):
                yield waiting.popleft()

    def _judge_silent(self, seen: Seen) -> None:
        if not self.terms.scope.wants(seen):
            return
        self._counts.silent += 1
        decided = self._judge(seen)
        if isinstance(decided, str):
            self._differs(DifferenceKind.RAISED, seen, None, "decision", "nothing", decided)
        elif decided:
            said = ", ".join(f"{type(each.record).__name__}({_brief(each.record)})" for each in decided)
            self._differs(DifferenceKind.SPOKE_WHERE_SILENT, seen, None, "events", "nothing", said)

    def _judge_spoken(self, decided: Decided, cause: Seen | None) -> None:
        if _is_beyond_the_view(decided.first):
            self._counts.facts += 1  # the topic ended there when it was judged; it may have grown since
            return
        self._counts.decisions += 1
        if cause is None:
            raise LogDamagedError(
                f"the cause of seq {decided.seq} is not in the log: expected a record at {decided.cause}, was none",
                where=str(decided.first.record.place),
            )
        before = len(self.terms.verdict.differences)
        now = self._judge(cause)
        if isinstance(now, str):
            self._differs(DifferenceKind.RAISED, cause, decided, "decision", f"{len(decided.records)} events", now)
        else:
            self._compare(decided, cause, now)
        self._counts.identical += len(self.terms.verdict.differences) == before

    def _judge(self, seen: Seen) -> tuple[Draft, ...] | str:
        try:
            event = seen.event
        except UndecodableError as error:
            return (dead_letter(seen.record, self.agent.name, cause_of_unreadable(seen.record), error),)
        view, decider = self.agent.view, self.agent.decider
        if decider is None:
            raise TypeError(f"{self.agent.name} has no decider")
        try:
            if self.terms.changed is not unchanged:
                event = Event(event.topic, event.envelope, self.terms.changed(event.record))
            shown = None if view is None or self.view is None else self.view.until(view.bound(event.record))
            return drafts(self.agent, decider, self._state, event, shown)
        except Exception as error:  # today's code may fail where yesterday's did not: that is a difference to show
            return f"{type(error).__name__}: {error}"

    # ---- comparing
    def _compare(self, decided: Decided, cause: Seen, now: Sequence[Draft]) -> None:
        recorded = [each.text("event_type") or "" for each in decided.records]
        again = [type(each.record).__name__ for each in now]
        if not again:
            self._differs(DifferenceKind.SILENT_WHERE_SPOKE, cause, decided, "events", ", ".join(recorded), "nothing")
        elif recorded != again:
            self._differs(DifferenceKind.OTHER_RECORDS, cause, decided, "events", ", ".join(recorded), ", ".join(again))
        else:
            for seen, draft in zip(decided.records, now, strict=True):
                self._compare_one(decided, seen, draft)

    def _compare_one(self, decided: Decided, seen: Seen, draft: Draft) -> None:
        topic, value = seen.record.topic, seen.record.value or b""
        has_key = draft.topic.key_of(draft.record).encode() == seen.record.key
        if has_key and draft.topic.name == topic and _encoded(draft) == value:  # and so in the newest schema
            seen.know(Event(topic, draft.envelope, draft.record))
            return
        schema_id = int.from_bytes(value[1:5], "big")
        if draft.topic.name != topic or schema_id != current_id(topic):
            _record(seen)  # that it can be read at all comes first: its schema may be of another topic, or unknown
        if has_key and draft.value(schema_id) == value:
            return  # not known by its draft: an older schema may lack fields that the draft has
        was, now_value = _event(seen), draft.value()
        again = decode_value(draft.topic, now_value)  # as a reader would see it: 0 and 0E-9 are the same number
        found = [
            *field_differences(was.envelope, again.envelope),
            *field_differences(was.record, again.record),
        ] or [("bytes", value.hex(), now_value.hex())]
        for path, before, now in found:
            self._differs(DifferenceKind.FIELD, seen, decided, path, before, now)

    def _differs(
        self, kind: DifferenceKind, seen: Seen, decided: Decided | None, path: str, was: str, now: str
    ) -> None:
        version = None if decided is None else decided.first.text("agent_version")
        self.terms.verdict.differences.append(
            Difference(
                kind,
                self.agent.name,
                self.partition,
                None if decided is None else decided.seq,
                str(seen.record.place),
                path,
                was,
                now,
                version or self._version,
                self._version,
                seen.text("correlation_id") or "",
            )
        )

    def _end(self, damage: LogDamagedError) -> None:
        self.is_over = True
        self._chain.break_off()
        self._waiting.clear()
        self.terms.verdict.gaps += 1
        self.terms.verdict.add_damage(
            Damage(self.agent.name, self.partition, damage.what, damage.where),
            is_of_hash=isinstance(damage, SealBrokenError),
        )


def _encoded(draft: Draft) -> bytes | None:
    """Return the draft's bytes, or None where only the codec can say what is wrong with it."""
    try:
        return encoded(draft.topic.name, draft.envelope, draft.record)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _is_beyond_the_view(seen: Seen) -> bool:
    if seen.record.topic != DeadLetter.topic:
        return False
    found = _record(seen)
    return isinstance(found, DeadLetter) and found.unreadable is Unreadable.BEYOND_THE_VIEW


def _record(seen: Seen) -> Record:
    return _event(seen).record


def _event(seen: Seen) -> Event:
    try:
        return seen.event
    except UndecodableError as error:
        raise LogDamagedError(f"{error.unreadable}: {error.error}", where=str(seen.record.place)) from error


def _brief(record: Record) -> str:
    names: Iterator[str] = (name for name in ("status", "exec_type", "outcome", "symbol", "strategy_id", "detail"))
    return ", ".join(f"{name}={getattr(record, name)}" for name in names if getattr(record, name, None))
