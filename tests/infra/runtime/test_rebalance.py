"""Partitions move between workers, in order and by force; each has one author at a time."""

import random
import signal

import pytest

from infra.runtime.exits import CRASHED, FENCED
from tests.infra.runtime.bench import Bench, undisturbed, until
from tests.infra.runtime.toy import inputs, request

DYNAMIC = {"TOY_INSTANCE": "", "TOY_SESSION_MS": "3000"}


def test_a_second_worker_joins_and_the_first_leaves_while_both_are_busy(bench: Bench) -> None:
    bench.make_topics(4)
    for partition in range(4):
        bench.feed(inputs(250), partition, salt=str(partition))
    busy = {"TOY_SLOW_S": "0.002", "TOY_FAUST_DELAY_S": "0.2", **DYNAMIC}
    first = bench.worker(**busy)
    until("the first has said something", lambda: bench.written() > 0)
    second = bench.worker(**busy)
    until("both have two partitions", lambda: bench.members() == [[0, 1], [2, 3]])
    assert sum(bench.shown().values()) < bench.fed  # moved while busy
    said = bench.written()
    until("both go on", lambda: bench.written() > said + 20)
    assert first.stop() == 0
    until("the second has all", lambda: bench.members() == [[0, 1, 2, 3]])
    bench.judged(second)
    assert second.stop() == 0
    bench.check()
    runs = [sum(topic == "runs.v1" for topic, _, _ in bench.said(partition)) for partition in range(4)]
    assert runs == [218] * 4  # of 250 requests 35 are silent, and three of those speak when they come again


def test_a_worker_that_vanishes_is_replaced_when_its_session_ends(bench: Bench) -> None:
    fed = bench.feed(request(number) for number in range(300))
    first = bench.worker(TOY_SLOW_S="0.002", **DYNAMIC)
    second = bench.worker(**DYNAMIC)
    until("both are members", lambda: len(bench.members()) == 2)
    until("something was said", lambda: bench.written() > 0)
    first.kill()  # one of the two is idle: one partition
    bench.judged(second)
    assert second.stop() == 0
    assert bench.said() == undisturbed(fed)
    bench.check()


@pytest.mark.parametrize("place", ["begin", "produced"])
def test_a_former_owner_that_wakes_up_after_its_replacement_is_refused(bench: Bench, place: str) -> None:
    fed = bench.feed(request(number) for number in range(200))
    sleeper = bench.worker(TOY_AT=f"{place}:2:SIGSTOP", TOY_SLOW_S="0.002", **DYNAMIC)
    until("it has stopped in the middle of a transaction", lambda: sleeper.is_stopped)
    successor = bench.worker(**DYNAMIC)
    bench.judged(successor)
    fed += bench.feed(request(number) for number in range(200, 260))
    bench.judged(successor)
    before = bench.said()

    sleeper.signal(signal.SIGCONT)
    assert sleeper.wait() in {FENCED, CRASHED}, sleeper.text
    fed += bench.feed(request(number) for number in range(260, 300))
    bench.judged(successor)
    assert successor.stop() == 0
    assert bench.said()[: len(before)] == before
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 300


def test_a_second_process_of_the_same_instance_replaces_the_first(bench: Bench) -> None:
    fed = bench.feed(request(number) for number in range(200))
    first = bench.worker(TOY_SLOW_S="0.002")
    until("the first has said something", lambda: bench.written() > 0)
    second = bench.worker()
    assert first.wait() == FENCED
    bench.judged(second)
    assert second.stop() == 0
    assert bench.said() == undisturbed(fed)
    bench.check()


@pytest.mark.storm
def test_a_storm_of_workers_that_join_leave_and_vanish_loses_and_doubles_nothing(bench: Bench) -> None:
    chance = random.Random(20)
    busy = {"TOY_SLOW_S": "0.001", "TOY_FAUST_DELAY_S": "0.05", **DYNAMIC}
    records = list(inputs(1500))
    bench.make_topics(4)
    workers = [bench.worker(**busy)]
    for start in range(0, len(records), 100):
        for partition in range(4):
            bench.feed(records[start : start + 100], partition, salt=str(partition))
        if len(workers) < 3 and chance.random() < 0.6:
            workers.append(bench.worker(**busy))
        elif len(workers) > 1:
            leaving = workers.pop(chance.randrange(len(workers)))
            assert leaving.stop() == 0 if chance.random() < 0.5 else leaving.kill() < 0
        workers[0].process.join(chance.uniform(0, 1.5))
    for worker in workers[1:]:
        assert worker.stop() == 0
    bench.judged(workers[0])
    assert workers[0].stop() == 0
    bench.check()
