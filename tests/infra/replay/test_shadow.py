"""A shadow of an agent judges what it is handed in the recorded order, finds what changed, and publishes nothing."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.decider import Message
from agents.declaration import Agent
from infra.replay import part, shadow
from infra.replay.find import Found
from infra.replay.shadow_worker import ShadowKeeper, Task
from infra.replay.verdict import DifferenceKind, Verdict
from infra.runtime.recovery import recovered
from infra.runtime.snapshots import written
from infra.runtime.state_form import form_of_states
from schemas.identity import derived
from schemas.record import Envelope, Record
from schemas.run import ClockReading, Run, RunRequest
from tests.infra.runtime.paper import INPUTS, Log, PaperWorker
from tests.infra.runtime.toy import AGENT, START, State, Toy, inputs, request
from topics.codec import encode
from topics.registry import BY_RECORD
from topics.wire import Incoming, Outgoing, Partition, header, identity_headers, sealed

COUNT = 30
RUN = request(18).run_id
"""Asked for twice, and with a reading that is judged long after: it is decided about twice, and silent once."""


def told(number: int, record: Record, run: UUID) -> Outgoing:
    event = derived("outside", number)
    envelope = Envelope(event_id=event, correlation_id=run, causation_id=event, occurred_at=START)
    topic = BY_RECORD[type(record)]
    headers = identity_headers((event, run, event), type(record).__name__, "toy", "test")
    return sealed(topic.name, 0, topic.key_of(record).encode(), encode(topic, envelope, record), headers)


def recorded() -> Log:
    """Return what a toy left that judged one clock reading after every fourth request."""
    log = Log()
    for number, record in enumerate(inputs(COUNT)):
        assert isinstance(record, RunRequest | ClockReading)
        log.write(told(number, record, record.run_id))
    worker = PaperWorker(log)
    for number in range(COUNT):
        worker.judge_next("clock-readings.v1" if number % 5 == 4 else "run-requests.v1")
        worker.commit(len(worker.committer.open))
    worker.finish()
    worker.close()
    return log


LOG = recorded()


class Listening(Toy):
    """Remembers in which order it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        self.asked.append(f"{state.decided} {message.record!r}")
        return super().decide(state, message)


class OtherWords(Toy):
    """Says the same in other words about one run."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        return [
            each.model_copy(update={"detail": "changed"}) if isinstance(each, Run) and each.run_id == RUN else each
            for each in super().decide(state, message)
        ]


FORM = form_of_states(AGENT.decider)
SNAPSHOTS: list[Incoming] = []


def read(_: str, start: Mapping[Partition, int], end: Mapping[Partition, int] | None = None) -> Iterator[Incoming]:
    for each in (*LOG.records, *SNAPSHOTS):
        where = (each.topic, each.partition)
        if where in start and start[where] <= each.offset < (end or {}).get(where, each.offset + 1):
            yield each


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "read", read)
    SNAPSHOTS.clear()


def ours() -> Found:
    records = tuple(each for each in LOG.records if header(each.headers, "correlation_id") == str(RUN))
    return Found(str(RUN), records, len(records))


def task(agent: Agent = AGENT) -> Task:
    found = shadow._task("nowhere", agent, ours(), Path("found"))
    assert found is not None
    return found


def write_down(seq: int, state_of: int | None = None) -> None:
    """Put a snapshot of the toy after one of its decisions where shadows look; its state may be that of another."""
    at, other = (recovered(AGENT, LOG.decisions()[:number]) for number in (seq, state_of or seq))
    for each in written(AGENT.name, 0, at, FORM.to_text(other.state)):
        SNAPSHOTS.append(Incoming(each.topic, 0, len(SNAPSHOTS), 0, each.key, each.value, each.headers))


def last_before_the_run() -> int:
    (work,) = part.parts_of(AGENT, ours().records)
    return max(each.seq for each in LOG.decisions() if work.is_ahead_of(each.seq, each.inputs))


def judged(agent: Agent, work: Task, interleaving: Iterable[str]) -> list[Verdict]:
    """Return what a keeper says when its topics are handed over so, each from where the keeper wants it."""
    said: list[Verdict] = []
    keeper = ShadowKeeper(agent, work, said.append)
    wanted = keeper.take_over([(topic, 0) for topic in INPUTS])
    waiting = {topic: [each for each in LOG.of(topic) if each.offset >= wanted[topic, 0]] for topic in INPUTS}
    rest = [topic for topic in INPUTS for _ in LOG.of(topic)]
    for topic in (*interleaving, *rest):
        if waiting[topic]:
            asyncio.run(keeper.handle(waiting[topic].pop(0)))
    assert keeper.durable().keys() >= {each for each, end in work.until.items() if end}
    return said


@given(st.lists(st.sampled_from(INPUTS), max_size=2 * COUNT))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_topics_interleave_the_inputs_are_judged_in_the_recorded_order(interleaving: list[str]) -> None:
    usual, listening = Listening(), Listening()
    judged(Agent(AGENT.name, decider=usual), task(), ())
    (verdict,) = judged(Agent(AGENT.name, decider=listening), task(), interleaving)

    assert listening.asked == usual.asked
    whole = LOG.rejudged(correlation_id=str(RUN))
    assert (verdict.decisions, verdict.identical) == (whole.decisions, whole.decisions)
    assert verdict.decisions == 2
    assert verdict.silent == whole.silent == 1
    assert verdict.exit_code == 0


@given(st.lists(st.sampled_from(INPUTS), max_size=2 * COUNT))
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_decider_that_was_changed_shows_as_the_same_difference_whatever_the_order(interleaving: list[str]) -> None:
    changed = Agent(AGENT.name, decider=OtherWords())
    (verdict,) = judged(changed, task(), interleaving)

    assert verdict.exit_code == 1
    assert verdict.identical == verdict.decisions - 1
    (difference,) = verdict.differences
    assert (difference.kind, difference.field) == (DifferenceKind.FIELD, "detail")
    assert difference.recorded.startswith("decision ")
    assert difference.decided_again == "changed"


def test_a_shadow_begins_behind_what_was_decided_before_the_run_and_ends_with_its_last_input() -> None:
    work = task()
    for topic in INPUTS:
        offsets = [each.offset for each in ours().records if each.topic == topic]
        if offsets:
            assert 0 < work.starts[topic, 0] <= offsets[0]
            assert work.until[topic, 0] > offsets[-1]
    keeper = ShadowKeeper(AGENT, work, lambda _: None)
    assert keeper.take_over([("run-requests.v1", 0)]) == {("run-requests.v1", 0): work.starts["run-requests.v1", 0]}


def test_nothing_is_said_before_the_last_input_was_handed_over_and_only_once_then() -> None:
    said: list[Verdict] = []
    work = task()
    keeper = ShadowKeeper(AGENT, work, said.append)
    wanted = keeper.take_over([(topic, 0) for topic in INPUTS])
    handed = [
        each
        for topic in INPUTS
        for each in LOG.of(topic)
        if wanted[topic, 0] <= each.offset < work.until.get((topic, 0), 0)
    ]
    for each in handed[:-1]:
        asyncio.run(keeper.handle(each))
    assert said == []
    for each in (handed[-1], *handed):
        asyncio.run(keeper.handle(each))
    assert len(said) == 1


def test_an_agent_that_had_no_part_in_the_run_has_nothing_to_do() -> None:
    nothing = Found(str(derived("run", "unknown")), (), 0)
    assert shadow._task("nowhere", AGENT, nothing, Path("found")) is None


def test_a_shadow_that_begins_with_a_snapshot_has_the_same_task_and_finds_the_same() -> None:
    before = last_before_the_run()
    from_zero = task()
    write_down(before - 3)

    work = task()

    assert (from_zero.after, work.after) == ({}, {0: before - 3})
    assert (work.starts, work.until, work.last) == (from_zero.starts, from_zero.until, from_zero.last)
    (found,), (expected,) = judged(AGENT, work, ()), judged(AGENT, from_zero, ())
    assert found.as_json() == expected.as_json()
    assert found.decisions == found.identical == 2


def test_a_snapshot_of_the_middle_of_the_run_is_too_late_for_a_shadow() -> None:
    write_down(last_before_the_run() + 1)

    assert task().after == {}


def test_a_snapshot_that_has_gone_since_the_task_was_made_costs_nothing_but_time() -> None:
    write_down(last_before_the_run())
    work = task()
    SNAPSHOTS.clear()

    (verdict,) = judged(AGENT, work, ())

    assert work.after
    assert (verdict.identical, verdict.exit_code) == (2, 0)


class NoGroups:
    """Groups that nobody looks at."""

    def __init__(self, _: str) -> None:
        pass

    def set_positions(self, group: str, positions: Mapping[Partition, int]) -> None:
        pass

    def forget(self, groups: Sequence[str]) -> None:
        pass


@pytest.mark.parametrize("from_zero", [False, True])
def test_a_difference_that_a_snapshot_may_have_made_is_judged_again_from_zero(
    monkeypatch: pytest.MonkeyPatch, from_zero: bool
) -> None:
    before = last_before_the_run()
    write_down(before, state_of=before - 5)
    begun: list[Mapping[int, int]] = []

    def run(tasks: Sequence[Task], _: float) -> Iterator[Verdict]:
        for work in tasks:
            begun.append(work.after)
            yield from judged(AGENT, work, ())

    monkeypatch.setattr(shadow, "_run", run)
    monkeypatch.setattr(shadow, "Groups", NoGroups)
    verdict = shadow.shadowed("nowhere", [AGENT], ours(), from_zero=from_zero)

    assert begun == ([{}] if from_zero else [{0: before}, {}])
    assert (verdict.decisions, verdict.identical, verdict.exit_code) == (2, 2, 0)


def test_a_task_survives_being_text() -> None:
    write_down(last_before_the_run())
    work = task()
    assert work.starts
    assert work.last
    assert work.after
    assert Task.parsed(work.as_json()) == work
