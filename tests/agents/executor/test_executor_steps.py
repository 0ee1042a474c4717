"""Orders that are canceled from outside: what is left of them goes again, as the next step of its leg."""

from datetime import timedelta
from decimal import Decimal

import pytest

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Outcome
from schemas.identity import intent_id, plan_id
from schemas.order import NET, OrderIntent, OrdStatus, Phase, Refusal, Side
from tests.agents.executor.made import VALID_UNTIL, event, line, outcomes, plan, portfolio, run, statuses
from tests.agents.executor.words import own, planned, sent, shapes, the_outcome
from tests.made import execution

TWICE = execution(steps_max=2)
BUY_10 = line("AAPL", {"core": 6, "trend": 4})


def canceled(story: Story, cum: int) -> tuple[Story, OrderIntent]:
    """Return the story after its one order was canceled from outside, and the order that goes for the rest."""
    (first,) = sent(story.said)
    story = story.when(event(first, OrdStatus.CANCELED, cum))
    (again,) = sent(story.said)
    return story, again


def test_what_a_cancel_from_outside_left_goes_again_under_another_name() -> None:
    story = planned(BUY_10, rules=TWICE)
    (first,) = sent(story.said)
    story, second = canceled(story, 4)

    assert (second.order.order_qty, second.order.leg, second.order.step) == (6, 2, 2)
    assert second.order.intent_id == intent_id(plan_id(run("first")), NET, "AAPL", 2, 2)
    assert second.client_order_id != first.client_order_id
    assert (second.order.line_qty, second.order.contributions) == (10, first.order.contributions)
    assert (statuses(story.said), outcomes(story.said)) == (["REDUCED"], {})


@pytest.mark.parametrize(
    ("end", "cum", "outcome"),
    [
        (OrdStatus.FILLED, 6, Outcome.FILLED),
        (OrdStatus.CANCELED, 1, Outcome.PARTLY_FILLED),
        (OrdStatus.REJECTED, 0, Outcome.PARTLY_FILLED),
    ],
)
def test_the_outcome_counts_all_steps(end: OrdStatus, cum: int, outcome: Outcome) -> None:
    first_story = planned(BUY_10, rules=TWICE)
    (first,) = sent(first_story.said)
    story, second = canceled(first_story, 4)
    story = story.when(event(second, end, cum, price="11"))

    found = the_outcome(story.said)
    assert (found.outcome, found.order_qty, found.cum_qty) == (outcome, 10, 4 + cum)
    assert found.gross_trade_amt == 4 * 10 + cum * 11
    assert found.client_order_ids == (first.client_order_id, second.client_order_id)
    assert statuses(story.said) == ["FINISHED"]


def test_a_leg_has_no_more_orders_than_the_run_allows() -> None:
    story, second = canceled(planned(BUY_10, rules=TWICE), 0)
    story = story.when(event(second, OrdStatus.CANCELED, 0))

    assert (shapes(story.said), outcomes(story.said)) == ([], {(NET, "AAPL"): Outcome.CANCELED})


@pytest.mark.parametrize("end", [OrdStatus.REJECTED, OrdStatus.EXPIRED])
def test_only_a_cancel_is_tried_again(end: OrdStatus) -> None:
    story = planned(BUY_10, rules=TWICE)
    story = story.when(event(sent(story.said)[0], end, 4))

    assert (shapes(story.said), outcomes(story.said)) == ([], {(NET, "AAPL"): Outcome.PARTLY_FILLED})


def test_nothing_goes_again_after_the_plan_is_not_valid_any_more() -> None:
    story = planned(BUY_10, rules=TWICE)
    end = event(sent(story.said)[0], OrdStatus.CANCELED, 4)

    assert shapes(story.when(end, at=VALID_UNTIL).said) == [(NET, "AAPL", Side.BUY, 6)]
    late = story.when(end, at=VALID_UNTIL + timedelta(microseconds=1))
    assert (shapes(late.said), the_outcome(late.said).outcome) == ([], Outcome.PARTLY_FILLED)


def test_an_order_canceled_for_a_newer_run_does_not_go_again() -> None:
    story = planned(BUY_10, rules=TWICE)
    (buy,) = sent(story.said)
    story = story.when(portfolio("second")).when(event(buy, OrdStatus.CANCELED, 0))

    assert (shapes(story.said), outcomes(story.said)) == ([], {(NET, "AAPL"): Outcome.SUPERSEDED})
    assert the_outcome(story.said).reason == f"superseded by run {run('second')}"


def test_a_newer_run_ends_what_waits_to_go_again() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0), rules=TWICE, cash=1000)
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    (sell,) = sent(story.said)
    assert shapes(story.when(event(sell, OrdStatus.CANCELED, 1)).said) == [("beta", "AAPL", Side.SELL, 3)]

    waiting = planned(own("alpha", "AAPL", 10, priority=2), own("beta", "AAPL", 5, priority=1), rules=TWICE)
    first, second = sent(waiting.said)
    waiting = waiting.when(event(first, OrdStatus.CANCELED, 2))
    (again,) = sent(waiting.said)
    waiting = waiting.when(portfolio("second")).when(event(second, OrdStatus.FILLED))
    waiting = waiting.when(event(again, OrdStatus.CANCELED, 0))
    assert outcomes(waiting.said) == {("beta", "AAPL"): Outcome.PARTLY_FILLED}


def test_increasing_orders_wait_until_the_last_step_of_the_reducing_ones() -> None:
    story = planned(line("IBM", {"core": -10}), BUY_10, rules=TWICE, cash=1000)
    story, again = canceled(story, 7)
    assert (again.order.phase, again.order.order_qty, statuses(story.said)) == (Phase.REDUCING, 3, ["ACCEPTED"])

    story = story.when(event(again, OrdStatus.FILLED))
    assert (shapes(story.said), statuses(story.said)) == ([(NET, "AAPL", Side.BUY, 10)], ["REDUCED"])


def test_a_line_crosses_zero_once_the_steps_before_it_are_executed_in_full() -> None:
    turns_short = own("alpha", "AAPL", -15, reducing=10)
    story, again = canceled(planned(turns_short, rules=TWICE), 7)
    story = story.when(event(again, OrdStatus.FILLED))
    (second,) = sent(story.said)
    assert (second.order.leg, second.order.step, second.order.order_qty) == (2, 1, 5)

    story, last = canceled(story, 1)
    assert (last.order.leg, last.order.step, last.order.order_qty) == (2, 2, 4)
    found = the_outcome(story.when(event(last, OrdStatus.FILLED)).said)
    assert (found.outcome, found.order_qty, found.cum_qty, len(found.client_order_ids)) == (Outcome.FILLED, 15, 15, 4)


def test_a_reducing_leg_that_ends_short_after_its_steps_names_all_it_did() -> None:
    turns_short = own("alpha", "AAPL", -15, reducing=10)
    story, again = canceled(planned(turns_short, rules=TWICE), 7)
    story = story.when(event(again, OrdStatus.CANCELED, 1))

    assert the_outcome(story.said).reason == (
        "its increasing order of 5 was not sent: the reducing one ended CANCELED with 8 of 10"
    )


def test_what_goes_again_waits_for_an_opposite_order_like_any_other() -> None:
    story = planned(own("alpha", "AAPL", 10, priority=2), own("beta", "AAPL", -4, reducing=0, priority=3), rules=TWICE)
    story, again = canceled(story, 4)
    assert (again.order.book, again.order.order_qty) == ("alpha", 6)

    story = story.when(event(again, OrdStatus.FILLED))
    assert shapes(story.said) == [("beta", "AAPL", Side.SELL, 4)]


def test_an_order_canceled_because_of_a_halt_ends_halted_when_the_gate_refuses_the_rest() -> None:
    story, again = canceled(planned(BUY_10, rules=TWICE), 0)
    story = story.when(event(again, OrdStatus.REJECTED, refusal=Refusal.HALTED, reason="account, by op"))

    assert the_outcome(story.said).outcome is Outcome.HALTED


def test_a_receipt_is_remembered_from_the_log_alone() -> None:
    accepted = planned(BUY_10, rules=TWICE)
    (first,) = sent(accepted.said)
    story = accepted.when(event(first, OrdStatus.CANCELED, 4))
    told = given(executor, *given(executor).when(portfolio()).said, *accepted.said, *story.said)
    end = event(sent(story.said)[0], OrdStatus.CANCELED, 6)

    assert told.state == story.state
    assert told.when(end).said == story.when(end).said


def test_the_next_run_names_every_step_with_what_it_executed() -> None:
    story, again = canceled(planned(BUY_10, rules=TWICE), 4)
    story = story.when(event(again, OrdStatus.FILLED)).when(portfolio("second"))
    (step,) = story.said

    named = [(each.cum_qty, each.gross_trade_amt) for each in step.ended_orders]  # type: ignore[attr-defined]
    assert sorted(named) == [(4, 40), (6, 60)]
    assert Decimal(10) == sum(cum for cum, _ in named)
    assert statuses(story.when(plan(BUY_10, name="second")).said) == ["ACCEPTED", "REDUCED"]
