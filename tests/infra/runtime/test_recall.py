"""With a broker: a worker that died goes on from its snapshot, and from zero it would have come to the same."""

import pytest

from agents.declaration import Agent
from infra.kafka.log import read_all
from infra.runtime.recall import Recalled, SnapshotSettings, recall
from schemas.record import Record
from schemas.snapshot import AgentSnapshot
from tests.infra.runtime.bench import SNAPSHOTS, Bench, undisturbed
from tests.infra.runtime.test_kills import KILLED, SLOW, storm
from tests.infra.runtime.toy import AGENT, PERFORMS, request
from topics.codec import decode

#: Every 20 decisions, and slow enough for the asking in between, which takes tens of milliseconds.
OFTEN = {"TOY_SNAPSHOT_EVERY": "20", "TOY_SLOW_S": "0.005"}


def recalled(bench: Bench, from_zero: bool = False, agent: Agent = AGENT) -> Recalled:
    return recall(bench.bootstrap, agent, 0, SnapshotSettings(every=20, from_zero=from_zero))


def expect_the_same(bench: Bench) -> Recalled:
    """Expect the newest snapshot and its tail to say what the whole log says; return where that began."""
    resumed, folded = recalled(bench), recalled(bench, from_zero=True)
    assert folded.folded_from == 0
    now, then = resumed.now, folded.now
    assert (now.state, now.seq, now.prev, now.positions) == (then.state, then.seq, then.prev, then.positions)
    return resumed


def test_a_worker_goes_on_from_its_snapshot(bench: Bench) -> None:
    fed = bench.feed(requests(150))
    worker = bench.worker(**OFTEN)
    bench.judged(worker)
    assert worker.kill() == KILLED
    assert expect_the_same(bench).folded_from > 20

    fed += bench.feed(requests(150, 150))
    last = bench.worker(**OFTEN)
    bench.judged(last)
    assert last.stop() == 0
    assert "is passed over" not in last.text
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == len(bench.decisions())


def test_a_worker_that_folds_from_zero_says_the_same(bench: Bench) -> None:
    fed = bench.feed(requests(100))
    worker = bench.worker(**OFTEN)
    bench.judged(worker)
    assert worker.kill() == KILLED

    fed += bench.feed(requests(100, 100))
    last = bench.worker(**OFTEN, TOY_RECOVERY="from-zero")
    bench.judged(last)
    assert last.stop() == 0
    assert bench.said() == undisturbed(fed)


def test_a_worker_killed_between_two_parts_of_a_snapshot_leaves_none_of_it(bench: Bench) -> None:
    parts = {"TOY_CHUNK_BYTES": "100", **OFTEN}
    fed = bench.feed(requests(200))
    assert bench.worker(TOY_AT="chunk:2:SIGKILL", **parts).wait() == KILLED
    assert bench.snapshots() == []  # read once Kafka has given that transaction up

    last = bench.worker(**parts)
    bench.judged(last)
    assert last.kill() == KILLED
    first = bench.snapshots()[0].seq
    assert expect_the_same(bench).folded_from == first

    fed += bench.feed(requests(100, 200))
    assert bench.worker(TOY_AT="chunk:2:SIGKILL", **parts).wait() == KILLED
    last = bench.worker(**parts)
    bench.judged(last)
    assert last.stop() == 0
    assert bench.said() == undisturbed(fed)
    assert expect_the_same(bench).folded_from > first


def test_a_recovery_that_is_broken_off_goes_on_where_it_was(bench: Bench) -> None:
    fed = bench.feed(requests(200))
    worker = bench.worker(TOY_SNAPSHOT_EVERY="0")
    bench.judged(worker)
    assert worker.kill() == KILLED
    assert bench.snapshots() == []

    folding = {"TOY_KEPT_EVERY": "40", **OFTEN}
    assert bench.worker(TOY_AT="chunk:4:SIGKILL", **folding).wait() == KILLED
    last = bench.worker(**folding)
    fed += bench.feed(requests(10, 200))
    bench.judged(last)
    assert last.stop() == 0
    found = [decode(each).record for each in read_all(bench.bootstrap, [SNAPSHOTS])]
    noted = [each.seq for each in found if isinstance(each, AgentSnapshot) and each.seq <= 200]
    assert noted == [40, 80, 120, 160, 200]
    assert bench.said() == undisturbed(fed)


def test_kills_at_random_moments_with_snapshots_lose_and_double_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SLOW, "TOY_SNAPSHOT_EVERY", "10")
    portions = [requests(100, start) for start in range(0, 500, 100)]
    fed = []
    for portion in storm(bench, portions, seed=7):
        fed += portion
        expect_the_same(bench)
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 500
    assert expect_the_same(bench).folded_from > 0


def test_a_performer_goes_on_from_its_snapshot_with_all_it_has_said(bench: Bench) -> None:
    bench.feed(requests(150))
    worker = bench.worker(TOY_PERFORMS="1", **OFTEN)
    bench.judged(worker)
    assert worker.kill() == KILLED
    resumed, folded = recalled(bench, agent=PERFORMS), recalled(bench, from_zero=True, agent=PERFORMS)
    assert (resumed.folded_from > 20, folded.folded_from) == (True, 0)
    assert (resumed.now.state, resumed.now.seq) == (folded.now.state, 150)

    bench.feed(requests(150, 150))
    last = bench.worker(TOY_PERFORMS="1", **OFTEN)
    bench.judged(last)
    assert last.stop() == 0
    assert "partition 0 remembers 150 facts" in last.text
    assert "is passed over" not in last.text
    assert len(bench.decisions()) == 300


def requests(count: int, start: int = 0) -> list[Record]:
    """Return requests alone: their order is that of one topic, so what is said of them is known."""
    return [request(number) for number in range(start, start + count)]
