"""`tape bench`: the demo's sessions, then one hop and bare chains on the same broker; every figure with its ratio."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from infra.background import STOP_TIMEOUT_S
from infra.bench.probe import Latency, Probe
from infra.bench.replaying import compared, measure
from infra.clock import system_clock
from infra.demo.configuration import request
from infra.demo.demo import Demo, Wishes
from infra.demo.stack import ROOT
from infra.embedded.processes import spawn, stop
from infra.embedded.progress import Progress
from infra.kafka.publish import from_outside
from infra.replay.history import History
from infra.replay.sharing import cores
from infra.worker import AGENTS
from schemas.identity import derived
from topics.wire import Outgoing, header_or_none

RATE = 100.0
"""Records a second in latency measurements: busy, and far from saturation on two cores."""

SAMPLES = 1000
BACKLOG = 5000
CHAIN = (
    "signals.v1",
    "portfolios.v1",
    "executions.v1",
    "account-snapshots.v1",
    "books.v1",
    "plans.v1",
    "order-intents.v1",
)
"""From a run's last signal to its first order intent: six hops, one of them through the broker's HTTP."""


class Bench:
    """One measurement on one machine; `run` takes about two minutes."""

    def __init__(self, home: Path, sessions: int, say: Callable[[Progress], None]) -> None:
        self._sessions = sessions
        self._say = say
        self._demo = Demo(Wishes(home, sessions, keep=True), say, lambda _done, _total: None)

    def run(self) -> dict[str, Any]:
        """Measure everything and return it by name, with ratios."""
        outcome = self._demo.run()
        stack = self._demo.stack
        try:
            stack.background.stop()
            servers = stack.stack.bootstrap_servers
            history = outcome.reckoning.history
            found: dict[str, Any] = {
                "sessions": self._sessions,
                "run_seconds": round(outcome.seconds["run"], 2),
                "events_per_second_in_the_run": round(history.count / outcome.seconds["run"]),
                "replay": self._replay(servers),
                "signal_to_order_intent_ms": _as_dict(Latency.of(signal_to_intent(history))),
                "hops_in_the_run_ms": _as_dict(Latency.of(list(hop_latencies(history)))),
            }
            found |= self._hop(servers)
            found |= self._bare(servers, hops=1) | self._bare(servers, hops=len(CHAIN) - 1)
            return found | {"ratios": ratios(found)}
        finally:
            stack.down()

    def _replay(self, servers: str) -> dict[str, Any]:
        self._say(Progress("reading the whole log, and judging it again"))
        one, every = measure(servers, 1), measure(servers, cores())
        share = compared(one, every)
        return {"one_process": one, "all_cores": every, "all_cores_over_a_consumer_in_one_process": share}

    def _hop(self, servers: str) -> dict[str, Any]:
        self._say(Progress("one hop through an agent"))
        with self._scheduler():
            latency = self._through("runs.v1", servers, lambda probe: probe.latency(_requests("hop", SAMPLES), RATE))
        probe = Probe(servers, "runs.v1")
        with self._scheduler(started=False) as start:
            rate = probe.throughput(_requests("bulk", BACKLOG), start)
        probe.close()
        return {"agent_1_hop_ms": _as_dict(latency), "agent_1_hop_per_second": round(rate)}

    def _bare(self, servers: str, hops: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for mode in ("plain", "transactions"):
            self._say(Progress(f"bare confluent-kafka, {hops} hops, {mode}"))
            topics = [f"bare-{mode}-{hops}-{number}" for number in range(hops + 1)]
            _make(servers, topics)
            copies = [_moved(record, topics[0]) for record in _requests(f"{mode}{hops}", SAMPLES)]
            with self._hops(servers, topics, mode):
                latency = self._through(topics[-1], servers, partial(Probe.latency, records=copies, rate=RATE))
            found[f"bare_{hops}_hops_{mode}_ms"] = _as_dict(latency)
            if hops == 1:
                found[f"bare_1_hop_{mode}_per_second"] = self._bare_rate(servers, mode)
        return found

    def _bare_rate(self, servers: str, mode: str) -> int:
        topics = [f"bare-{mode}-bulk-{number}" for number in range(2)]
        _make(servers, topics)
        probe = Probe(servers, topics[1])
        copies = [_moved(record, topics[0]) for record in _requests(f"{mode}bulk", BACKLOG)]
        started: list[Any] = []

        def start() -> None:
            started.append(_start_hop(servers, topics[0], topics[1], mode))

        try:
            return round(probe.throughput(copies, start))
        finally:
            probe.close()
            for process in started:
                _end(process)

    def _through(self, target: str, servers: str, measure: Callable[[Probe], Latency]) -> Latency:
        probe = Probe(servers, target)
        try:
            return measure(probe)
        finally:
            probe.close()

    @contextmanager
    def _scheduler(self, started: bool = True) -> Iterator[Callable[[], None]]:
        stack = self._demo.stack
        running: list[Any] = []

        def start() -> None:
            command = (sys.executable, "-m", "infra.worker", AGENTS[0])
            running.append(
                spawn(command, log=stack.home / "logs" / "bench.log", environment=stack.worker_environment())
            )

        if started:
            start()
            time.sleep(8)  # the group's session timeout of the stopped demo, and the start; nothing is asserted on it
        try:
            yield start
        finally:
            for identity in running:
                stop(identity, signal.SIGTERM, STOP_TIMEOUT_S)

    @contextmanager
    def _hops(self, servers: str, topics: Sequence[str], mode: str) -> Iterator[None]:
        processes = [_start_hop(servers, a, b, mode) for a, b in pairwise(topics)]
        time.sleep(1.5)  # let the processes come up, so that the first samples are not their start
        try:
            yield
        finally:
            for process in processes:
                _end(process)


def hop_latencies(history: History) -> Iterator[float]:
    """Yield seconds from the append of an event to the append of what it caused, for all agents but the broker."""
    appended = {_id(record): record for records in history.by_partition.values() for record in records}
    for record in appended.values():
        cause = appended.get(header_or_none(record.headers, "causation_id") or "")
        if cause is not None and cause is not record and header_or_none(record.headers, "agent") != "broker":
            yield (record.timestamp_ms - cause.timestamp_ms) / 1000


def signal_to_intent(history: History) -> list[float]:
    """Return seconds from a run's last signal to its first order intent, for every run that sent one."""
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    for (topic, _), records in history.by_partition.items():
        for record in records:
            run = header_or_none(record.headers, "correlation_id") or ""
            if topic == CHAIN[0]:
                last[run] = max(last.get(run, 0), record.timestamp_ms)
            elif topic == CHAIN[-1]:
                first[run] = min(first.get(run, record.timestamp_ms), record.timestamp_ms)
    return [(at - last[run]) / 1000 for run, at in first.items() if run in last]


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Return our figures over the bare ones of the same length."""
    hops = len(CHAIN) - 1
    chain = f"bare_{hops}_hops_"
    return {
        "1_hop_p50_over_bare": _over(found, "agent_1_hop_ms", "bare_1_hops_plain_ms", "p50"),
        "1_hop_p99_over_bare": _over(found, "agent_1_hop_ms", "bare_1_hops_plain_ms", "p99"),
        "1_hop_p50_over_bare_with_transactions": _over(found, "agent_1_hop_ms", "bare_1_hops_transactions_ms", "p50"),
        "1_hop_p99_over_bare_with_transactions": _over(found, "agent_1_hop_ms", "bare_1_hops_transactions_ms", "p99"),
        "signal_to_intent_p50_over_bare": _over(found, "signal_to_order_intent_ms", f"{chain}plain_ms", "p50"),
        "signal_to_intent_p99_over_bare": _over(found, "signal_to_order_intent_ms", f"{chain}plain_ms", "p99"),
        "signal_to_intent_p50_over_bare_with_transactions": _over(
            found, "signal_to_order_intent_ms", f"{chain}transactions_ms", "p50"
        ),
        "signal_to_intent_p99_over_bare_with_transactions": _over(
            found, "signal_to_order_intent_ms", f"{chain}transactions_ms", "p99"
        ),
        "throughput_over_bare": round(found["agent_1_hop_per_second"] / found["bare_1_hop_plain_per_second"], 3),
        "throughput_over_bare_with_transactions": round(
            found["agent_1_hop_per_second"] / found["bare_1_hop_transactions_per_second"], 3
        ),
    }


def _over(found: dict[str, Any], ours: str, bare: str, which: str) -> float:
    ratio: float = found[ours][which] / max(found[bare][which], 1e-9)
    return round(ratio, 2)


def _as_dict(latency: Latency) -> dict[str, float]:
    return {"p50": latency.p50, "p99": latency.p99}


def _id(record: Any) -> str:
    return header_or_none(record.headers, "event_id") or str(record.place)


def _requests(salt: str, count: int) -> list[Outgoing]:
    start = system_clock()
    asked = (request(start + timedelta(seconds=number), (), f"{salt}-{number}") for number in range(count))
    return [
        from_outside(each, derived("bench", each.run_id), each.as_of, each.run_id, partitions=1, name="bench")
        for each in asked
    ]


def _moved(record: Outgoing, topic: str) -> Outgoing:
    return Outgoing(topic, 0, record.key, record.value, record.headers)


def _make(servers: str, topics: Sequence[str]) -> None:
    client = AdminClient({"bootstrap.servers": servers})
    for future in client.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        future.result()


def _start_hop(servers: str, source: str, target: str, mode: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "infra.bench.bare", servers, source, target, mode]
    return subprocess.Popen(command, cwd=ROOT)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
