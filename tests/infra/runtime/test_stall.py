"""The broker stands still for longer than a record may wait for its delivery, then goes on."""

import os
import signal

from infra.embedded.stack import Stack
from infra.embedded.state import load_state
from infra.runtime.exits import CRASHED, FENCED
from tests.infra.runtime.bench import Bench, undisturbed, until
from tests.infra.runtime.toy import request

DELIVERY_MS = 1500


def test_a_broker_that_stalls_longer_than_a_delivery_may_take_forks_and_loses_nothing(
    bench: Bench, own_kafka: Stack
) -> None:
    settings = {"TOY_DELIVERY_MS": str(DELIVERY_MS), "TOY_SLOW_S": "0.002"}
    fed = bench.feed(request(number) for number in range(600))
    first = bench.worker(**settings)
    until("something was said", lambda: bench.written() > 0)

    broker = load_state(own_kafka.home).service("kafka").pid
    assert broker is not None
    os.kill(broker, signal.SIGSTOP)
    try:
        first.process.join(DELIVERY_MS / 1000 * 2)
    finally:
        os.kill(broker, signal.SIGCONT)

    second = None
    if not first.is_running:
        assert first.wait() in {CRASHED, FENCED}
        second = bench.worker(**settings)
    bench.judged(second or first)
    assert (second or first).stop() == 0
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 600
