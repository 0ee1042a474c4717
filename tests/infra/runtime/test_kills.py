"""A worker dies at any moment; what it leaves behind is whole, and the next one goes on from there."""

import random
import signal
from collections.abc import Sequence

import pytest

from schemas.record import Record
from tests.infra.runtime.bench import Bench, undisturbed, until
from tests.infra.runtime.toy import inputs, request

KILLED = -signal.SIGKILL
SLOW = {"TOY_SLOW_S": "0.001"}


@pytest.mark.parametrize("place", ["begin", "produced", "committed"])
def test_a_worker_killed_around_its_commit_leaves_no_half_decision(bench: Bench, place: str) -> None:
    fed = bench.feed(request(number) for number in range(120))
    assert bench.worker(TOY_AT=f"{place}:1:SIGKILL", **SLOW).wait() == KILLED
    assert bench.worker(TOY_AT=f"{place}:2:SIGKILL", **SLOW).wait() == KILLED
    last = bench.worker()
    bench.judged(last)
    assert last.stop() == 0
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 120


def test_kills_at_random_moments_while_inputs_arrive_lose_and_double_nothing(bench: Bench) -> None:
    portions = _portions([request(number) for number in range(2000)], 12)
    fed = [each for portion in storm(bench, portions, seed=12) for each in portion]
    assert len(fed) == 2000
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 2000


def test_kills_between_two_input_topics_leave_a_log_that_replays(bench: Bench) -> None:
    portions = _portions(list(inputs(300)), 5)
    list(storm(bench, portions, seed=5))
    assert bench.check().decisions >= 258  # every request that is neither silent nor a repetition


@pytest.mark.storm
@pytest.mark.parametrize("partitions", [1, 3])
def test_a_storm_of_kills_loses_and_doubles_nothing(bench: Bench, partitions: int) -> None:
    bench.make_topics(partitions)
    for _ in storm(bench, _portions(list(inputs(4000)), 50), seed=partitions):
        pass
    bench.check()


def storm(bench: Bench, portions: Sequence[Sequence[Record]], seed: int):
    """Feed a portion to a busy worker and kill it at a random moment, again and again; then let the last one finish.

    One kill in four falls into the start, before the worker has said anything. Every partition gets every portion.
    """
    chance = random.Random(seed)
    for portion in portions:
        before = bench.written()
        worker = bench.worker(**SLOW)
        for partition in range(bench.partitions):
            yield bench.feed(portion, partition, salt=str(partition))
        if chance.random() < 0.75:
            until("it has said something", lambda: bench.written() > before or not worker.is_running)  # noqa: B023
        worker.process.join(chance.uniform(0, 0.15))
        assert worker.kill() == KILLED, worker.text
    last = bench.worker()
    bench.judged(last)
    assert last.stop() == 0


def _portions(records: list[Record], count: int) -> list[list[Record]]:
    size = -(-len(records) // count)
    return [records[start : start + size] for start in range(0, len(records), size)]
