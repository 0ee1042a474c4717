"""Why a run is planned only on a quiet account: on a snapshot from before that it would buy twice."""

from collections.abc import Mapping
from decimal import Decimal

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Execution, ExecutionStatus
from schemas.order import IntentAction, OrderIntent, OrdStatus
from schemas.plan import Plan
from schemas.portfolio import Portfolio
from tests.agents.executor.made import event, portfolio, run
from tests.agents.executor.words import sent
from tests.agents.planner.accounts import books, planned, quote

HALF_OF_THE_ACCOUNT = 500
"""Shares: 50,000 of 100,000 dollars at a midpoint of 100."""


def wished(name: str) -> Portfolio:
    return portfolio(name).model_copy(update={"account_id": "paper-1"})


def planned_on(name: str, held: int) -> Plan:
    """Return the plan of a run that wants half of the account in AAPL, when the snapshot shows what is held."""
    holds: Mapping[str, Mapping[str, int]] = {"core": {"AAPL": held}} if held else {}
    asked = books(wants={"core": {"AAPL": "0.5"}}, holds=holds, quotes=[quote("AAPL", 99, 101)])
    return planned(asked.model_copy(update={"run_id": run(name)}))


def interrupted() -> tuple[Story, OrderIntent]:
    """Return the story in which the first run has bought 200 shares when a second one is wished for; and its order."""
    story = given(executor).when(wished("first")).when(planned_on("first", 0))
    (buy,) = sent(story.said)
    assert buy.order.order_qty == HALF_OF_THE_ACCOUNT
    return story.when(event(buy, OrdStatus.PARTIALLY_FILLED, 200)).when(wished("second")), buy


def test_a_newer_run_is_cleared_for_its_snapshot_when_the_older_ones_orders_have_ended_and_buys_the_rest() -> None:
    story, first = interrupted()
    assert [each.status for each in story.said if isinstance(each, Execution)] == [ExecutionStatus.CLEARING]
    assert [each.action for each in story.said if isinstance(each, OrderIntent)] == [IntentAction.CANCEL]

    story = story.when(event(first, OrdStatus.CANCELED, 300))  # 100 more while the cancel was on its way
    superseded, cleared = (each for each in story.said if isinstance(each, Execution))
    assert (superseded.status, cleared.status) == (ExecutionStatus.SUPERSEDED, ExecutionStatus.CLEARED)
    executed = int(cleared.ended_orders[0].cum_qty)

    (rest,) = sent(story.when(planned_on("second", executed)).said)
    assert executed == 300
    assert executed + rest.order.order_qty == HALF_OF_THE_ACCOUNT


def test_planned_on_the_snapshot_of_before_it_would_have_bought_twice() -> None:
    story, first = interrupted()
    stale = planned_on("second", 200)
    bought_in_the_end = first.order.order_qty + sum((each.quantity for each in stale.lines), Decimal(0))

    assert bought_in_the_end == HALF_OF_THE_ACCOUNT + 300
    assert sent(story.when(stale).said) == []
