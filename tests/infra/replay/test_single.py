"""One run judged from its nearest snapshot says what the whole log says of it, and reads no more than it needs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from agents.decider import Message
from agents.declaration import Agent
from infra.replay import part
from infra.replay import single as module
from infra.replay.find import Found
from infra.replay.history import History
from infra.replay.service import replay
from infra.replay.single import Judged, replay_run
from infra.replay.slices import Moment
from infra.runtime.snapshots import LATEST, written
from schemas.record import Record
from schemas.run import Run
from tests.infra.runtime.paper import Log
from tests.infra.runtime.test_snapshots import FORM, LOG, Paper, snapshot_of, standing
from tests.infra.runtime.toy import AGENT, State, Toy
from topics.registry import read_by, written_by
from topics.wire import Incoming, Partition, header

TOPICS = tuple(topic.name for topic in (*read_by(AGENT.name), *written_by(AGENT.name)))
SLICE = 7
RUNS = sorted({header(each.headers, "correlation_id") for each in LOG.records})


class World(Paper):
    """A log and its snapshots on paper, read as a replay of one run reads Kafka."""

    def __init__(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(log, monkeypatch)
        self.sliced: list[Incoming] = []
        ends = {(topic, 0): self._end((topic, 0)) for topic in TOPICS}
        monkeypatch.setattr(part, "read", self.read)
        monkeypatch.setattr(module, "read_slice", self.read_slice)
        monkeypatch.setattr(module, "slices", _slices)
        monkeypatch.setattr(module, "partitions_of", lambda *_: tuple(ends))
        monkeypatch.setattr(module, "moment", lambda *_: Moment(ends, ends))
        monkeypatch.setattr(module, "judged_until", lambda *_: ends)

    def read_slice(self, _: str, start: Mapping[Partition, int], end: Mapping[Partition, int]) -> Iterator[Incoming]:
        for each in self.read("", start, end):
            self.sliced.append(each)
            yield each

    def replayed(self, run: str, agent: Agent = AGENT) -> Judged:
        ours = [each for each in self.log.records if header(each.headers, "correlation_id") == run]
        return replay_run("nowhere", [agent], Found(run, tuple(ours), len(ours)))


def _slices(_: str, start: Mapping[Partition, int], ends: Mapping[Partition, int]) -> Iterator[Mapping[Partition, int]]:
    here = start
    while any(here[each] < ends[each] for each in here):
        here = {each: min(offset + SLICE, ends[each]) for each, offset in here.items()}
        yield here


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    log = Log()
    log.records = list(LOG.records)
    return World(log, monkeypatch)


def last_seq_of(run: str) -> int:
    return max(
        (int(header(each.headers, "seq")) for each in LOG.own() if header(each.headers, "correlation_id") == run),
        default=0,
    )


@pytest.mark.parametrize("snapshots", [(), (1,), (10, 20, 30), (25,), (len(LOG.decisions()),)])
def test_every_run_is_judged_as_the_whole_log_judges_it(world: World, snapshots: tuple[int, ...]) -> None:
    for seq in snapshots:
        world.put(snapshot_of(seq, slot=seq))
    for run in RUNS[::5]:
        found, whole = world.replayed(run).verdict, replay(History.of(LOG.records), [AGENT], correlation_id=run)
        assert found.as_json() == whole.as_json()
        assert found.damages == found.differences == []


def test_only_what_lies_between_the_snapshot_and_the_end_of_the_run_is_read(world: World) -> None:
    run = next(each for each in RUNS if last_seq_of(each) == 31)
    from_zero = world.replayed(run)
    read_from_zero = len(world.sliced)
    world.sliced.clear()
    world.put(snapshot_of(30, slot=30))
    resumed = world.replayed(run)

    assert (from_zero.is_from_snapshot, resumed.is_from_snapshot) == (False, True)
    assert resumed.verdict.as_json() == from_zero.verdict.as_json()
    assert read_from_zero < len(LOG.records)
    assert len(world.sliced) < read_from_zero / 2


def test_a_snapshot_of_the_middle_of_a_run_is_too_late_for_it(world: World) -> None:
    [run, *_] = [each for each in RUNS if last_seq_of(each) == 31]
    world.put(snapshot_of(31, slot=LATEST))

    assert not world.replayed(run).is_from_snapshot


def test_a_difference_that_a_snapshot_may_have_made_is_not_final(world: World) -> None:
    run = next(each for each in RUNS if last_seq_of(each) == 31)
    world.put(written(AGENT.name, 0, standing(30), FORM.to_text(standing(20).state)))
    found = world.replayed(run)
    assert {each.seq for each in found.verdict.differences} == {31}
    assert not found.is_final


class Changed(Toy):
    """A toy that speaks otherwise than it did."""

    def decide(self, state: State, message: Message) -> list[Record]:
        return [
            each.model_copy(update={"detail": "otherwise"}) if isinstance(each, Run) else each
            for each in super().decide(state, message)
        ]


def test_a_difference_that_was_folded_from_zero_is_final(world: World) -> None:
    run = next(each for each in RUNS if last_seq_of(each) == 31)
    found = world.replayed(run, Agent(AGENT.name, decider=Changed()))
    assert {each.seq for each in found.verdict.differences} == {31}
    assert found.is_final


def test_damage_is_never_final(world: World) -> None:
    record = next(each for each in world.log.own() if header(each.headers, "seq") == "31")
    run = header(record.headers, "correlation_id")
    world.log.change(record, replace(record, value=(record.value or b"")[:-1] + b"?"))
    found = world.replayed(run)

    assert found.verdict.damages
    assert not found.is_final
