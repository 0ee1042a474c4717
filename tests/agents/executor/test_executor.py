"""The executor: crosses, then reducing, then increasing orders; one outcome for every line; nothing left behind."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from agents.executor import decider as executor
from agents.executor.agent import AGENT
from agents.testing import Story, given
from schemas.execution import Execution, ExecutionStatus, LineOutcome, Outcome
from schemas.order import NET, IntentAction, OrderIntent, OrdStatus, Phase, Refusal, Side, Venue
from schemas.plan import LineStatus, Rule
from schemas.record import Record
from tests.agents.executor.made import BLOCKED_DETAIL, event, line, outcomes, plan, portfolio, run, statuses
from tests.made import AS_OF

BUY_AAPL = line("AAPL", ordered={"core": 6, "trend": 4})
SELL_IBM = line("IBM", ordered={"core": -5})
CROSS_MSFT = line("MSFT", crossed={"core": 3, "trend": -3})
CROSS_AND_BUY = line("FB", ordered={"core": 2}, crossed={"core": 3, "trend": -3})
TOO_SMALL = line("GOOG", status=LineStatus.SUPPRESSED, rule=Rule.MIN_TRADE_VALUE)


def cleared(name: str = "first") -> Story:
    return given(executor).when(portfolio(name))


def intents(said: Iterable[Record], action: IntentAction = IntentAction.SUBMIT) -> list[OrderIntent]:
    return [each for each in said if isinstance(each, OrderIntent) and each.action is action]


def the_outcome(said: Iterable[Record]) -> Any:
    (found,) = [each for each in said if isinstance(each, LineOutcome)]
    return found


def wishes(intent: OrderIntent) -> list[tuple[Any, ...]]:
    return [(each.strategy_id, each.side, each.quantity) for each in intent.order.contributions]


def test_the_agent_decides_with_this_decider() -> None:
    assert AGENT.name == "executor"
    assert AGENT.decider is executor


def test_a_quiet_account_is_cleared_at_once() -> None:
    cleared().then(
        Execution(
            account_id="DEMO-1",
            run_id=run("first"),
            plan_id=None,
            status=ExecutionStatus.CLEARED,
            detail="",
            portfolio=portfolio().content,
            plan=None,
            ended_orders=(),
        )
    )


def test_the_same_portfolio_again_says_nothing() -> None:
    cleared().when(portfolio()).then()


def test_sells_and_crosses_are_sent_with_the_plan_and_buys_are_not() -> None:
    story = cleared().when(plan(BUY_AAPL, SELL_IBM, CROSS_MSFT))

    assert statuses(story.said) == ["ACCEPTED"]
    assert [(each.order.symbol, each.order.side) for each in intents(story.said)] == [("IBM", Side.SELL)]
    assert [each.order.symbol for each in intents(story.said, IntentAction.CROSS)] == ["MSFT"]


def test_buys_follow_when_the_last_sell_and_cross_have_ended() -> None:
    story = cleared().when(plan(BUY_AAPL, SELL_IBM, CROSS_MSFT))
    (sell,), (cross,) = intents(story.said), intents(story.said, IntentAction.CROSS)

    story = story.when(event(cross, OrdStatus.FILLED))
    assert statuses(story.said) == []
    assert outcomes(story.said) == {(NET, "MSFT"): Outcome.CROSSED}

    story = story.when(event(sell, OrdStatus.FILLED))
    assert statuses(story.said) == ["REDUCED"]
    (buy,) = intents(story.said)
    assert (buy.order.symbol, buy.order.phase) == ("AAPL", Phase.INCREASING)
    assert buy.order.order_qty == 10

    story = story.when(event(buy, OrdStatus.FILLED))
    assert statuses(story.said) == ["FINISHED"]
    assert outcomes(story.said) == {(NET, "AAPL"): Outcome.FILLED}


def test_buys_go_out_at_once_when_nothing_is_sold() -> None:
    story = cleared().when(plan(BUY_AAPL))

    assert statuses(story.said) == ["ACCEPTED", "REDUCED"]
    assert [each.order.symbol for each in intents(story.said)] == ["AAPL"]


def test_the_most_urgent_buy_goes_first() -> None:
    story = cleared().when(plan(line("AAPL", {"core": 1}, priority=2), line("IBM", {"core": 1}, priority=1)))

    assert [each.order.symbol for each in intents(story.said)] == ["IBM", "AAPL"]


def test_a_plan_without_work_is_finished_at_once() -> None:
    story = cleared().when(plan(TOO_SMALL))

    assert statuses(story.said) == ["ACCEPTED", "FINISHED"]
    assert outcomes(story.said) == {(NET, "GOOG"): Outcome.SUPPRESSED}
    assert (the_outcome(story.said).rule, the_outcome(story.said).threshold) == (Rule.MIN_TRADE_VALUE, 50)
    assert the_outcome(story.said).intended_value == 30


def test_a_plan_without_lines_is_finished_at_once() -> None:
    assert statuses(cleared().when(plan()).said) == ["ACCEPTED", "FINISHED"]


def test_nothing_of_a_blocked_plan_is_sent_and_every_line_gives_its_reason() -> None:
    story = cleared().when(plan(BUY_AAPL, SELL_IBM, CROSS_MSFT, rule=Rule.BOOKS_DIFFER))

    assert statuses(story.said) == ["ACCEPTED", "FINISHED"]
    assert not any(isinstance(each, OrderIntent) for each in story.said)
    assert outcomes(story.said) == dict.fromkeys(((NET, "AAPL"), (NET, "IBM"), (NET, "MSFT")), Outcome.BLOCKED)
    assert {(each.rule, each.reason) for each in story.said if isinstance(each, LineOutcome)} == {
        (Rule.BOOKS_DIFFER, BLOCKED_DETAIL)
    }


def test_a_planned_line_without_work_stops_the_process() -> None:
    with pytest.raises(ValueError, match="line IBM of net: expected a cross or an order of a PLANNED line"):
        cleared().when(plan(line("IBM")))


def test_a_blocked_line_keeps_its_outcome_and_names_the_cross_that_stood() -> None:
    blocked = line("MSFT", crossed={"core": 3, "trend": -3}, status=LineStatus.BLOCKED, rule=Rule.CAPITAL)
    story = cleared().when(plan(blocked))
    (cross,) = intents(story.said, IntentAction.CROSS)
    assert outcomes(story.said) == {}

    found = the_outcome(story.when(event(cross, OrdStatus.FILLED)).said)
    assert (found.outcome, found.rule, found.cross_quantity) == (Outcome.BLOCKED, Rule.CAPITAL, 3)


def test_a_line_with_a_cross_and_an_order_ends_with_its_order() -> None:
    story = cleared().when(plan(CROSS_AND_BUY))
    (cross,) = intents(story.said, IntentAction.CROSS)

    story = story.when(event(cross, OrdStatus.FILLED))
    assert statuses(story.said) == ["ACCEPTED", "REDUCED"]
    assert outcomes(story.said) == {}
    (buy,) = intents(story.said)

    found = the_outcome(story.when(event(buy, OrdStatus.FILLED)).said)
    assert (found.outcome, found.cross_quantity, found.cum_qty) == (Outcome.FILLED, 3, 2)
    assert found.client_order_ids == (buy.client_order_id,)


def test_a_refused_cross_is_not_counted_as_crossed() -> None:
    story = cleared().when(plan(CROSS_AND_BUY))
    (cross,) = intents(story.said, IntentAction.CROSS)
    story = story.when(event(cross, OrdStatus.REJECTED, reason="EXPIRED_INTENT"))
    (buy,) = intents(story.said)

    assert the_outcome(story.when(event(buy, OrdStatus.FILLED)).said).cross_quantity == 0


def test_an_order_that_ends_before_the_cross_of_its_line_stops_the_process() -> None:
    both = line("FB", ordered={"core": -2}, crossed={"core": -3, "trend": 3})
    story = cleared().when(plan(both))
    (sell,) = intents(story.said)

    with pytest.raises(ValueError, match="the cross of its line FB of net has not"):
        story.when(event(sell, OrdStatus.FILLED))


@pytest.mark.parametrize(
    ("status", "cum", "outcome"),
    [
        (OrdStatus.FILLED, 10, Outcome.FILLED),
        (OrdStatus.CANCELED, 4, Outcome.PARTLY_FILLED),
        (OrdStatus.EXPIRED, 4, Outcome.PARTLY_FILLED),
        (OrdStatus.CANCELED, 0, Outcome.CANCELED),
        (OrdStatus.REJECTED, 0, Outcome.REJECTED),
        (OrdStatus.EXPIRED, 0, Outcome.EXPIRED),
        (OrdStatus.CANCELED, 10, Outcome.FILLED),
    ],
)
def test_a_line_ends_as_its_order_did(status: OrdStatus, cum: int, outcome: Outcome) -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)

    found = the_outcome(story.when(event(buy, status, cum, reason="why")).said)
    assert (found.outcome, found.cum_qty, found.order_qty, found.reason) == (outcome, cum, 10, "why")


def test_news_of_open_ended_and_foreign_orders_says_nothing() -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)
    story.when(event(buy, OrdStatus.PARTIALLY_FILLED, 4)).then()
    done = story.when(event(buy, OrdStatus.FILLED))
    done.when(event(buy, OrdStatus.FILLED)).then()
    cleared("other").when(event(buy, OrdStatus.FILLED)).then()


def test_an_order_is_named_after_its_one_strategy_or_the_net() -> None:
    story = cleared().when(plan(line("AAPL", {"core": 1}), line("BRK.B", {"core": 1, "trend": 2})))
    names = [each.client_order_id for each in intents(story.said)]

    stamp = AS_OF.strftime("%Y%m%dT%H%M%S")
    assert [name.rsplit("-", 1)[0] for name in names] == [f"core-AAPL-{stamp}", f"net-BRK.B-{stamp}"]


def test_an_order_carries_the_wishes_it_is_made_of() -> None:
    story = cleared().when(plan(BUY_AAPL, CROSS_MSFT))
    (cross,) = intents(story.said, IntentAction.CROSS)

    assert wishes(cross) == [("core", Side.BUY, 3), ("trend", Side.SELL, 3)]
    assert (cross.order.venue, cross.order.phase, cross.order.leg) == (Venue.INTERNAL, Phase.CROSSES, 0)
    (buy,) = intents(story.when(event(cross, OrdStatus.FILLED)).said)
    assert wishes(buy) == [("core", Side.BUY, 6), ("trend", Side.BUY, 4)]
    assert (buy.order.venue, buy.order.leg, buy.order.reference_price) == (Venue.BROKER, 2, Decimal(10))


def test_a_newer_run_cancels_what_is_open_and_is_cleared_when_that_has_ended() -> None:
    story = cleared().when(plan(BUY_AAPL, SELL_IBM, line("FB", ordered={"core": -2})))
    fb, ibm = intents(story.said)

    story = story.when(portfolio("second"))
    assert statuses(story.said) == ["CLEARING"]
    cancels = intents(story.said, IntentAction.CANCEL)
    assert [each.client_order_id for each in cancels] == sorted([fb.client_order_id, ibm.client_order_id])

    story = story.when(event(ibm, OrdStatus.FILLED))
    assert statuses(story.said) == []
    assert outcomes(story.said) == {(NET, "IBM"): Outcome.FILLED}

    story = story.when(event(fb, OrdStatus.CANCELED, 0))
    assert outcomes(story.said) == {(NET, "FB"): Outcome.SUPERSEDED, (NET, "AAPL"): Outcome.SUPERSEDED}
    assert not intents(story.said)
    assert statuses(story.said) == ["SUPERSEDED", "CLEARED"]
    last = story.said[-1]
    assert isinstance(last, Execution)
    assert last.run_id == run("second")
    assert [(each.client_order_id, each.cum_qty) for each in last.ended_orders] == sorted(
        [(ibm.client_order_id, Decimal(5)), (fb.client_order_id, Decimal(0))]
    )


def test_a_third_run_takes_the_place_of_the_waiting_one_and_cancels_nothing_twice() -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)
    story = story.when(portfolio("second")).when(portfolio("third"))

    assert [(each.status.value, each.run_id) for each in story.said if isinstance(each, Execution)] == [
        ("SUPERSEDED", run("second")),
        ("CLEARING", run("third")),
    ]
    assert not intents(story.said, IntentAction.CANCEL)
    story = story.when(event(buy, OrdStatus.CANCELED, 4))
    assert [(each.status.value, each.run_id) for each in story.said if isinstance(each, Execution)] == [
        ("SUPERSEDED", run("first")),
        ("CLEARED", run("third")),
    ]


def test_superseding_waits_for_a_cross_that_cannot_be_canceled() -> None:
    story = cleared().when(plan(CROSS_MSFT, CROSS_AND_BUY))
    crosses = intents(story.said, IntentAction.CROSS)
    story = story.when(portfolio("second"))
    assert not intents(story.said, IntentAction.CANCEL)

    story = story.when(event(crosses[0], OrdStatus.FILLED))
    assert statuses(story.said) == ["ACCEPTED"]
    story = story.when(event(crosses[1], OrdStatus.FILLED))
    assert statuses(story.said) == ["SUPERSEDED", "CLEARED"]
    assert outcomes(story.said) == {(NET, "MSFT"): Outcome.CROSSED, (NET, "FB"): Outcome.SUPERSEDED}
    last = story.said[-1]
    assert isinstance(last, Execution)
    assert [each.cum_qty for each in last.ended_orders] == [3, 3]


def test_a_plan_that_comes_after_its_run_was_superseded_ends_superseded_once() -> None:
    story = cleared().when(portfolio("second"))
    assert statuses(story.said) == ["SUPERSEDED", "CLEARED"]

    story = story.when(plan(BUY_AAPL, TOO_SMALL))
    assert statuses(story.said) == ["SUPERSEDED"]
    assert set(outcomes(story.said).values()) == {Outcome.SUPERSEDED}
    story.when(plan(BUY_AAPL, TOO_SMALL)).then()
    assert statuses(story.when(plan(BUY_AAPL, name="second")).said) == ["ACCEPTED", "REDUCED"]


def test_the_same_plan_again_says_nothing_also_after_its_end() -> None:
    story = cleared().when(plan(BUY_AAPL))
    story.when(plan(BUY_AAPL)).then()
    (buy,) = intents(story.said)
    story.when(event(buy, OrdStatus.FILLED)).when(plan(BUY_AAPL)).then()


def test_the_next_run_names_the_orders_that_ended_since_the_last() -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)
    story = story.when(event(buy, OrdStatus.FILLED)).when(portfolio("second"))
    (second,) = story.said
    assert isinstance(second, Execution)
    assert [(each.client_order_id, each.cum_qty) for each in second.ended_orders] == [
        (buy.client_order_id, Decimal(10))
    ]


def test_two_accounts_do_not_know_of_each_other() -> None:
    story = cleared().when(plan(BUY_AAPL))
    other = portfolio("second").model_copy(update={"account_id": "DEMO-2"})

    assert statuses(story.when(other).said) == ["CLEARED"]


def test_what_was_accepted_is_remembered_from_the_log_alone() -> None:
    story = cleared().when(plan(BUY_AAPL, SELL_IBM))
    (sell,) = intents(story.said)
    told = given(executor, *cleared().said, *story.said)

    assert told.when(event(sell, OrdStatus.FILLED)).said == story.when(event(sell, OrdStatus.FILLED)).said


# --- refusals of the gate


def test_an_order_that_a_halt_refused_ends_its_line_halted_with_the_values() -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)
    halted = event(buy, OrdStatus.REJECTED, reason="symbol AAPL, by ana: news", refusal=Refusal.HALTED)

    found = the_outcome(story.when(halted).said)
    assert (found.outcome, found.rule, found.threshold) == (Outcome.HALTED, Rule.HALTED, None)
    assert found.reason == "HALTED: symbol AAPL, by ana: news"


@pytest.mark.parametrize("refusal", [each for each in Refusal if each is not Refusal.HALTED])
def test_any_other_refusal_rejects_the_line_and_names_itself_and_its_values(refusal: Refusal) -> None:
    story = cleared().when(plan(BUY_AAPL))
    (buy,) = intents(story.said)

    found = the_outcome(story.when(event(buy, OrdStatus.REJECTED, reason="7 of 5", refusal=refusal)).said)
    assert (found.outcome, found.rule, found.reason) == (Outcome.REJECTED, None, f"{refusal}: 7 of 5")


def test_a_cross_that_a_halt_refused_ends_its_line_halted() -> None:
    story = cleared().when(plan(CROSS_MSFT))
    (cross,) = intents(story.said, IntentAction.CROSS)

    found = the_outcome(story.when(event(cross, OrdStatus.REJECTED, refusal=Refusal.HALTED)).said)
    assert (found.outcome, found.rule, found.reason) == (Outcome.HALTED, Rule.HALTED, "HALTED")


def test_a_line_of_which_some_was_executed_is_partly_filled_whatever_refused_the_rest() -> None:
    story = cleared().when(plan(line("AAPL", {"core": -15}, reducing=10)))
    story = story.when(event(intents(story.said)[0], OrdStatus.FILLED))
    halted = event(intents(story.said)[0], OrdStatus.REJECTED, refusal=Refusal.HALTED)

    found = the_outcome(story.when(halted).said)
    assert (found.outcome, found.rule, found.reason) == (Outcome.PARTLY_FILLED, None, "HALTED")
