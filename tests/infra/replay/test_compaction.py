"""Compaction never takes what a replay needs: forced as hard as Kafka allows while every id is replayed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.decision import agent_version, drafts, stamped
from agents.planner.agent import AGENT
from infra.embedded.stack import Stack
from infra.kafka import admin
from infra.replay.scope import Scope
from infra.replay.whole import replay_log
from schemas.identity import derived
from schemas.ledger import Books
from schemas.plan import Plan
from schemas.record import Envelope
from tests.agents.planner.accounts import books, quote
from tests.made import AS_OF, run_terms
from topics.codec import Event, encode
from topics.registry import BY_RECORD
from topics.wire import GENESIS, Outgoing, Place, Standing, chain_hash, identity_headers, sealed, standing_headers

HARD = {
    "segment.bytes": "1048576",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
    "min.compaction.lag.ms": "0",
}
WISHES = {"core": {"AAPL": "0.4", "IBM": "0.2"}, "trend": {"AAPL": "-0.1", "MSFT": "0.3"}}
QUOTES = (quote("AAPL", "99.95", "100.05"), quote("IBM", "200", "200.02"), quote("MSFT", "30", "30.01"))


@dataclass(frozen=True)
class Planned:
    """A log with one plan per run, and where Kafka keeps it."""

    stack: Stack
    home: Path
    runs: tuple[UUID, ...]

    def compacted_to(self) -> int:
        """Return up to which offset Kafka has compacted the plans, as its own checkpoint says."""
        for checkpoint in self.home.rglob("cleaner-offset-checkpoint"):
            for line in checkpoint.read_text(encoding="utf-8").splitlines():
                if line.startswith(f"{Plan.topic} 0 "):
                    return int(line.rsplit(" ", 1)[1])
        return 0


def runs_and_records(count: int) -> Iterator[tuple[UUID, tuple[Outgoing, ...]]]:
    """Yield runs with their books and the planner's decision on them, chained as the agents do."""
    asked = books(wants=WISHES, quotes=QUOTES)
    prev = books_prev = GENESIS
    for number in range(count):
        terms = run_terms(f"run-{number}", strategies=asked.content.snapshot.portfolio.terms.strategies)
        run = terms.run_id
        portfolio = asked.content.snapshot.portfolio.model_copy(update={"terms": terms})
        snapshot = asked.content.snapshot.model_copy(update={"portfolio": portfolio})
        content = asked.content.model_copy(update={"snapshot": snapshot})
        record = asked.model_copy(update={"run_id": run, "content": content})
        cause = derived("books", run)
        envelope = Envelope(event_id=cause, correlation_id=run, causation_id=cause, occurred_at=AS_OF)
        topic = BY_RECORD[Books]
        headers = (
            *identity_headers((cause, run, cause), "Books", record.account_id, "ledger"),
            *standing_headers(Standing("ledger", "v1", number + 1, books_prev, "outside:test", {}), 0, 1),
        )
        spoken = sealed(topic.name, 0, topic.key_of(record).encode(), encode(topic, envelope, record), headers)
        books_prev = chain_hash([spoken.sha256])
        decided = drafts(AGENT, AGENT.decider, AGENT.decider.initial_state(), Event(topic.name, envelope, record))
        where = str(Place(topic.name, 0, number))
        inputs = {(topic.name, 0): number + 1}
        standing = Standing("planner", agent_version("planner"), number + 1, prev, where, inputs)
        plan = stamped(decided, 0, standing)
        prev = chain_hash(each.sha256 for each in plan)
        yield run, (spoken, *plan)


def planned(home: Path, count: int) -> Planned:
    """Start a Kafka of its own, write the runs, and compact the plans as hard as Kafka allows."""
    stack = Stack(home)
    stack.up({"kafka"})
    admin.apply(stack.bootstrap_servers, 1)
    _configure(stack, HARD)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "enable.idempotence": True})
    runs = []
    for run, records in runs_and_records(count):
        runs.append(run)
        for each in records:
            producer.produce(each.topic, each.value, each.key, partition=0, headers=list(each.headers))
        producer.poll(0)
        if len(runs) % 100 == 0:
            producer.flush()
    producer.flush()
    return Planned(stack, home, tuple(runs))


def _configure(stack: Stack, settings: dict[str, str]) -> None:
    client = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    [done] = client.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, Plan.topic, incremental_configs=entries)]
    ).values()
    done.result()


@pytest.mark.storm
def test_every_plan_is_found_and_identical_while_kafka_compacts_as_hard_as_it_can(tmp_path: Path) -> None:
    count = 5_000
    log = planned(tmp_path / "kafka", count)
    try:
        servers = log.stack.bootstrap_servers
        passes = 0
        while not passes or log.compacted_to() < count // 2:
            whole = replay_log(servers, [AGENT], Scope())
            assert (whole.exit_code, whole.identical, whole.decisions) == (0, count, count)
            passes += 1

        for run in log.runs[:: max(1, count // 20)]:
            one = replay_log(servers, [AGENT], Scope(str(run)))
            assert (one.exit_code, one.identical, one.records) == (0, 1, 2)
    finally:
        log.stack.destroy()
