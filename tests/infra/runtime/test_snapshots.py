"""Snapshots are found whole or not at all, and whatever is found, the state is the one that the log folds to."""

import itertools
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runtime import recall as module
from infra.runtime import snapshots
from infra.runtime.folding import form_of_memory
from infra.runtime.recall import Recalled, SnapshotSettings, recall
from infra.runtime.recovery import LogDamagedError, Recovered, recovered
from infra.runtime.snapshots import LATEST, TOPIC, written
from infra.runtime.state_form import form_of_states
from schemas.snapshot import AgentSnapshot
from tests.infra.runtime.paper import Log, resealed, with_header
from tests.infra.runtime.paper import written as log_of
from tests.infra.runtime.toy import AGENT, PERFORMS, inputs
from topics.codec import decode, encode
from topics.registry import written_by
from topics.wire import Incoming, Outgoing, Partition, header

FORM = form_of_states(AGENT.decider)
OUTPUTS = tuple(topic.name for topic in written_by(AGENT.name))
LOG = log_of(inputs(40))


class Paper:
    """A log and a snapshot topic on paper, read as `recall` reads Kafka."""

    def __init__(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = log
        self.records: list[Incoming] = []
        self.reads: list[Mapping[Partition, int]] = []
        self.windows: list[tuple[int, int]] = []
        monkeypatch.setattr(module, "read", self.read)
        monkeypatch.setattr(module, "high_watermarks", lambda _, wanted: {each: self._end(each) for each in wanted})

    def _all(self) -> Iterable[Incoming]:
        return (*self.log.records, *self.records)

    def _end(self, where: Partition) -> int:
        return max((each.offset + 1 for each in self._all() if (each.topic, each.partition) == where), default=0)

    def read(
        self, _: str, start: Mapping[Partition, int], end: Mapping[Partition, int] | None = None
    ) -> Iterator[Incoming]:
        self.reads.append(start)
        if end is not None:
            self.windows += [(start[each], end[each]) for each in start]
        for each in self._all():
            where = (each.topic, each.partition)
            if where in start and start[where] <= each.offset < (end or {}).get(where, each.offset + 1):
                yield each

    def put(self, records: Iterable[Outgoing]) -> list[Incoming]:
        start = self.records[-1].offset + 1 if self.records else 0
        found = [
            Incoming(each.topic, each.partition, start + number, 0, each.key, each.value, each.headers)
            for number, each in enumerate(records)
        ]
        self.records += found
        return found

    def recalled(self, **changed: object) -> Recalled:
        return recall("nowhere", AGENT, 0, SnapshotSettings(**changed))  # type: ignore[arg-type]

    def noted(self, every: int) -> list[Recovered]:
        """Return what a recovery finds worth a snapshot."""
        found: list[Recovered] = []
        recall("nowhere", AGENT, 0, SnapshotSettings(every), found.append)
        return found

    @property
    def folded(self) -> Recovered:
        return self.log.recovered()


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Paper:
    log = Log()
    log.records = list(LOG.records)
    return Paper(log, monkeypatch)


def standing(seq: int) -> Recovered:
    """Return where the toy stood after one of its decisions."""
    return recovered(AGENT, LOG.decisions()[:seq])


def snapshot_of(at_seq: int, slot: int = LATEST, **changed: object) -> tuple[Outgoing, ...]:
    """Return the records of a snapshot after a decision; `changed` is what it says wrongly."""
    at = standing(at_seq)
    return written(AGENT.name, 0, replace(at, **changed), FORM.to_text(at.state), slot)  # type: ignore[arg-type]


def same(now: Recovered, folded: Recovered) -> bool:
    """Say whether both stand at the same place with the same memory."""
    return (now.state, now.seq, now.prev, now.positions) == (folded.state, folded.seq, folded.prev, folded.positions)


def test_recovery_from_any_snapshot_stands_where_folding_everything_does(paper: Paper) -> None:
    for seq in range(1, len(LOG.decisions()) + 1):
        paper.records.clear()
        paper.put(snapshot_of(seq))
        found = paper.recalled()
        assert found.folded_from == seq
        assert same(found.now, paper.folded)


def test_a_performers_recovery_from_any_snapshot_remembers_what_folding_everything_does(paper: Paper) -> None:
    form, folded = form_of_memory(PERFORMS), recovered(PERFORMS, LOG.decisions())
    for seq in range(1, len(LOG.decisions()) + 1, 5):
        paper.records.clear()
        at = recovered(PERFORMS, LOG.decisions()[:seq])
        paper.put(written(PERFORMS.name, 0, at, form.to_text(at.state)))
        found = recall("nowhere", PERFORMS, 0, SnapshotSettings())
        assert found.folded_from == seq
        assert same(found.now, folded)
    assert same(recall("nowhere", PERFORMS, 0, SnapshotSettings(from_zero=True)).now, folded)


def test_only_what_follows_the_snapshot_is_read(paper: Paper) -> None:
    paper.put(snapshot_of(30))
    paper.recalled()

    [_, tail] = paper.reads
    assert tail == {(topic, 0): standing(30).covered.get((topic, 0), 0) for topic in OUTPUTS}
    assert tail["runs.v1", 0] > 20


def test_the_newest_snapshot_is_taken_wherever_it_lies(paper: Paper) -> None:
    for seq, slot in ((20, LATEST), (35, 35), (10, 10), (30, LATEST)):
        paper.put(snapshot_of(seq, slot))

    assert paper.recalled().folded_from == 35


def test_from_zero_reads_no_snapshot_and_comes_to_the_same(paper: Paper) -> None:
    paper.put(snapshot_of(30))
    resumed, folded = paper.recalled(), paper.recalled(from_zero=True)

    assert (resumed.folded_from, folded.folded_from) == (30, 0)
    assert same(resumed.now, folded.now)
    assert all(TOPIC.name not in {topic for topic, _ in start} for start in paper.reads[2:])


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the toy's states come in three or four parts."""
    monkeypatch.setattr(snapshots, "CHUNK_BYTES", 250)


@pytest.mark.usefixtures("small_chunks")
def test_whatever_part_of_two_snapshots_is_left_the_state_is_the_same(paper: Paper) -> None:
    older, newer = snapshot_of(20), snapshot_of(30)
    assert len(older) > 1 < len(newer)
    both = (*older, *newer)
    folded_from = set()
    for kept in itertools.product((False, True), repeat=len(both)):
        paper.records.clear()
        paper.put(itertools.compress(both, kept))
        found = paper.recalled()
        assert same(found.now, paper.folded)
        is_whole = all(kept[: len(older)]), all(kept[len(older) :])
        assert found.folded_from == {(False, False): 0, (True, False): 20}.get(is_whole, 30)
        folded_from.add(found.folded_from)
    assert folded_from == {0, 20, 30}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"prev": "0" * 64}, "a decision of hash and inputs ('0000"),
        ({"positions": {("run-requests.v1", 0): 1}}, "{('run-requests.v1', 0): 1}), was ('"),
        ({"covered": {("runs.v1", 0): 10_000}}, "a record is missing|a decision is missing"),
        ({"seq": 29}, "a decision is missing: seq expected 29, was 30"),
        ({"seq": 31}, "a decision of hash and inputs"),
        ({"seq": 9_999}, "was None"),
    ],
)
def test_a_snapshot_that_does_not_hang_on_the_log_is_passed_over_with_a_warning(
    paper: Paper, caplog: pytest.LogCaptureFixture, wrong: dict[str, object], why: str
) -> None:
    paper.put(snapshot_of(30, **wrong))
    found = paper.recalled()

    assert found.folded_from == 0
    assert same(found.now, paper.folded)
    [warning] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "is passed over" in warning
    assert any(part in warning for part in why.split("|"))


def test_the_next_best_is_taken_when_the_newest_hangs_in_the_air(paper: Paper) -> None:
    paper.put(snapshot_of(20))
    paper.put(snapshot_of(30, prev="0" * 64))

    assert paper.recalled().folded_from == 20


def _cut(record: Incoming) -> Incoming:
    return replace(record, value=(record.value or b"")[:-7])


def _flipped(record: Incoming) -> Incoming:
    value = record.value or b""
    return replace(record, value=value[:-9] + bytes([value[-9] ^ 1]) + value[-8:])


@pytest.mark.parametrize(
    "spoilt",
    [
        _cut,
        _flipped,
        lambda record: replace(record, value=None),
        lambda record: replace(record, value=b"nonsense"),
        lambda record: replace(record, headers=()),
        lambda record: with_header(record, "agent", "executor"),
    ],
)
def test_bytes_that_are_no_snapshot_are_passed_over(paper: Paper, spoilt: Callable[[Incoming], Incoming]) -> None:
    paper.put(snapshot_of(30))
    paper.records = [spoilt(each) for each in paper.records]

    assert paper.recalled().folded_from == 0


def test_a_snapshot_of_other_sources_is_not_read(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "agent_version", lambda _: "an older one")
    snapshots.form_of.cache_clear()
    paper.put(snapshot_of(30))
    monkeypatch.undo()
    snapshots.form_of.cache_clear()
    again = Paper(paper.log, monkeypatch)
    again.records = paper.records

    assert again.recalled().folded_from == 0


def test_a_state_that_is_not_what_its_hash_says_is_passed_over(paper: Paper) -> None:
    [record] = paper.put(snapshot_of(30))
    said = decode(record)
    assert isinstance(said.record, AgentSnapshot)
    forged = said.record.model_copy(update={"state": zlib.compress(FORM.to_text(standing(20).state).encode())})
    paper.records = [resealed(replace(record, value=encode(TOPIC, said.envelope, forged)))]

    assert paper.recalled().folded_from == 0


def test_a_gap_behind_the_snapshot_stops_the_worker_as_ever(paper: Paper) -> None:
    paper.put(snapshot_of(30))
    paper.log.change(next(each for each in paper.log.own() if header(each.headers, "seq") == "40"))

    with pytest.raises(LogDamagedError, match="a decision is missing: seq expected 40, was 41"):
        paper.recalled()


def test_a_gap_before_the_snapshot_is_seen_from_zero_only(paper: Paper) -> None:
    folded = paper.folded
    paper.put(snapshot_of(30))
    paper.log.change(next(each for each in paper.log.own() if header(each.headers, "seq") == "7"))

    assert same(paper.recalled().now, folded)
    with pytest.raises(LogDamagedError, match=r"ordinals expected \[0, 1\], was \[1\]"):
        paper.recalled(from_zero=True)


def test_a_quiet_agent_is_found_behind_the_snapshots_of_busy_ones(paper: Paper) -> None:
    paper.put(snapshot_of(30))
    [busy] = paper.put(snapshot_of(40))
    paper.records.pop()
    busy = with_header(busy, "agent", "executor")
    paper.records += [replace(busy, offset=1 + number) for number in range(1000)]

    assert paper.recalled().folded_from == 30
    windows = [end - start for start, end in paper.windows]
    assert windows == [64, 128, 256, 512, 41]


def test_what_a_fold_passes_by_is_noted_so_that_it_need_not_begin_again(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_EVERY", 10)
    last = len(LOG.decisions())

    assert [each.seq for each in paper.noted(every=5)] == [*range(10, last, 10), last]
    assert all(same(each, standing(each.seq)) for each in paper.noted(every=5))
    assert paper.noted(every=0) == []
    paper.put(snapshot_of(25))
    assert [each.seq for each in paper.noted(every=30)] == [30, 40]
    paper.put(snapshot_of(last))
    assert paper.noted(every=1) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_lies_in_the_snapshot_topic_the_state_is_that_of_the_log(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "CHUNK_BYTES", 250)
        log = Log()
        log.records = list(LOG.records)
        paper = Paper(log, patch)
        for seq in data.draw(st.lists(st.integers(1, len(LOG.decisions())), max_size=5)):
            wrong = data.draw(st.sampled_from([{}, {}, {"prev": "f" * 64}, {"seq": seq + 1}, {"covered": {}}]))
            paper.put(snapshot_of(seq, data.draw(st.sampled_from([LATEST, seq])), **wrong))
        kept = [each for each in paper.records if data.draw(st.integers(0, 4))]
        paper.records = [replace(each, offset=number) for number, each in enumerate(kept)]
        assert same(paper.recalled().now, paper.folded)
