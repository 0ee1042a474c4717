"""The plan is on the log before any order exists: where the log takes no plan, nothing is ordered."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from infra.demo.broker_truth import broker_truth
from infra.demo.driver import Driver
from infra.demo.market import Market
from infra.demo.scenarios import ScenarioName, scenario
from infra.demo.stack import DemoStack, wait_until
from infra.kafka import admin
from infra.kafka.log import read_all
from schemas.ledger import Books
from schemas.order import OrderIntent
from schemas.plan import Plan

PATIENCE_S = 90.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[DemoStack]:
    """Everything a demo runs on, before its first session."""
    stack = DemoStack(tmp_path / "home")
    try:
        stack.up(lambda _: None)
        yield stack
    finally:
        stack.down()
        stack.wipe()


def refuse_plans(servers: str) -> None:
    """Let the plan topic refuse every record: none is this small."""
    entry = ConfigEntry("max.message.bytes", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, Plan.topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": servers})
    for done in client.incremental_alter_configs([resource]).values():
        done.result()


def count(servers: str, topic: str) -> int:
    return sum(1 for _ in read_all(servers, [topic]))


def test_while_the_plan_topic_refuses_writes_nothing_is_ordered_and_afterwards_everything_once(
    running: DemoStack,
) -> None:
    (step,) = scenario(ScenarioName.DEFAULT, 1).steps
    history, traded = Market().last(1)
    market = running.start_simulator(keep=False, now=history[-1].as_of, partial_rate=Decimal(0))
    servers = running.stack.bootstrap_servers
    running.start_workers(keep=False)
    wait_until(lambda: "planner" in running.pids(), "the planner's start", PATIENCE_S)
    refuse_plans(servers)
    driver = Driver(servers, running.partitions, market)
    try:
        driver.history(history)
        first = running.pids()["planner"]
        driver.begin(traded[0])
        ask = driver.ask(step, traded[0].as_of)
        wait_until(lambda: count(servers, Books.topic) >= 1, "the books of the run", PATIENCE_S)
        wait_until(lambda: running.pids()["planner"] != first, "the planner's end: it could not write", PATIENCE_S)

        assert count(servers, Plan.topic) == 0
        assert count(servers, OrderIntent.topic) == 0
        assert broker_truth(running.environment).client_order_ids == ()

        admin.apply(servers, running.partitions)
        driver.expect_finished(ask, running.check)

        assert count(servers, Plan.topic) == 1
        ordered = broker_truth(running.environment).client_order_ids
        assert ordered
        assert len(set(ordered)) == len(ordered)
    finally:
        driver.close()
