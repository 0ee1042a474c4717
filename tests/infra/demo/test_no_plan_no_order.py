"""The plan is on the log before any order exists: where the log takes no plan, nothing is ordered."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from infra.demo.asking import set_limits
from infra.demo.configuration import GATE_LIMITS
from infra.demo.driver import Driver
from infra.demo.market import Market
from infra.demo.scenarios import ScenarioName, scenario
from infra.demo.stack import DemoStack, wait_until
from infra.kafka import admin
from infra.kafka.log import read_all
from infra.kafka.publish import Publisher
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


class Said(NamedTuple):
    """How many plans and intents are on the log, and which orders the broker has."""

    plans: int
    intents: int
    ordered: tuple[str, ...]


def said(stack: DemoStack) -> Said:
    plans, intents = (
        sum(1 for _ in read_all(stack.stack.bootstrap_servers, [topic])) for topic in (Plan.topic, OrderIntent.topic)
    )
    return Said(plans, intents, tuple(row["client_order_id"] for row in stack.at_broker().orders))


def test_while_the_plan_topic_refuses_writes_nothing_is_ordered_and_afterwards_everything_once(
    running: DemoStack,
) -> None:
    steps = scenario(ScenarioName.DEFAULT, 2).steps
    history, traded = Market().last(2)
    market = running.start_simulator(keep=False, now=history[-1].as_of, partial_rate=Decimal(0))
    servers = running.stack.bootstrap_servers
    set_limits(Publisher(servers, running.partitions, "demo"), GATE_LIMITS, history[-1].as_of)
    running.start_workers(keep=False)
    driver = Driver(servers, running.partitions, market)
    try:
        driver.history(history)
        list(driver.trade(traded[:1], steps[:1], running.check))  # all agents are up, and one run went through
        before = said(running)
        planner = running.pids()["planner"]
        refuse_plans(servers)
        driver.begin(traded[1])
        run = driver.ask(steps[1], traded[1].as_of)
        wait_until(lambda: running.pids()["planner"] != planner, "the planner's end: it could not write", PATIENCE_S)

        assert said(running) == before

        admin.apply(servers, running.partitions)
        driver.expect_finished(run, running.check)

        plans, intents, ordered = said(running)
        assert plans == before.plans + 1
        assert intents > before.intents
        assert len(ordered) > len(before.ordered)
        assert len(set(ordered)) == len(ordered)
    finally:
        driver.close()
