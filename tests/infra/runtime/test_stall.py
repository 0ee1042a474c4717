"""The broker stands still for longer than a record may wait for its delivery, then goes on."""

import os
import signal

import psutil
import pytest

from infra.embedded.stack import Stack
from infra.embedded.state import load_state
from infra.runtime.exits import CRASHED, FENCED
from tests.infra.runtime.bench import Bench, undisturbed, until
from tests.infra.runtime.toy import request

DELIVERY_MS = 1500


@pytest.mark.parametrize("place", ["begin", "produced"])
def test_a_broker_that_stalls_longer_than_a_delivery_may_take_forks_and_loses_nothing(
    bench: Bench, own_kafka: Stack, place: str
) -> None:
    broker = psutil.Process(load_state(own_kafka.home).service("kafka").pid)
    settings = {"TOY_DELIVERY_MS": str(DELIVERY_MS), "TOY_SLOW_S": "0.001"}
    fed = bench.feed(request(number) for number in range(300))
    first = bench.worker(TOY_AT=f"{place}:2:SIGSTOP", TOY_TARGET=str(broker.pid), **settings)
    try:
        until("the broker stands still", lambda: broker.status() == psutil.STATUS_STOPPED)
        first.process.join(DELIVERY_MS / 1000 * 2)
    finally:
        os.kill(broker.pid, signal.SIGCONT)

    last = first
    if place == "begin":  # the records were never delivered; after `produced` only the answer is late
        assert first.wait() == CRASHED
        assert "timed out" in first.text
    if not first.is_running:
        assert first.wait() in {CRASHED, FENCED}
        last = bench.worker(**settings)
    bench.judged(last)
    assert last.stop() == 0
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 300
