"""Orders of several books: two opposite ones never meet at the broker, and a line that crosses zero has two orders."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

import pytest

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.client_order_id import parsed
from schemas.execution import Execution, ExecutionStatus, Outcome
from schemas.identity import intent_id, plan_id
from schemas.order import NET, IntentAction, OrderIntent, OrdStatus, Phase, Side
from schemas.plan import LineStatus, Rule
from schemas.portfolio import Portfolio, PortfolioStatus
from tests.agents.executor.made import event, line, outcomes, plan, portfolio, run, statuses
from tests.agents.executor.words import own, planned, sent, shapes, the_outcome

WASH_TRADE = "HTTP 403: potential wash trade detected. use complex orders"


# --- opposite orders


def test_reducing_orders_of_all_books_go_before_increasing_ones_whichever_side_they_are() -> None:
    covers = own("alpha", "IBM", 5, reducing=5)
    shorts = own("beta", "AAPL", -4, reducing=0)
    story = planned(covers, shorts)
    assert shapes(story.said) == [("alpha", "IBM", Side.BUY, 5)]
    assert [each.order.phase for each in sent(story.said)] == [Phase.REDUCING]

    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert statuses(story.said) == ["REDUCED"]
    assert shapes(story.said) == [("beta", "AAPL", Side.SELL, 4)]
    assert [each.order.phase for each in sent(story.said)] == [Phase.INCREASING]


def test_the_opposite_order_of_another_book_waits_until_the_first_has_ended() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0), own("beta", "IBM", -3, reducing=0))
    assert shapes(story.said) == [("alpha", "AAPL", Side.BUY, 10), ("beta", "IBM", Side.SELL, 3)]
    buy, other = sent(story.said)

    story = story.when(event(other, OrdStatus.FILLED))
    assert shapes(story.said) == []
    story.when(event(buy, OrdStatus.PARTIALLY_FILLED, 9)).then()

    story = story.when(event(buy, OrdStatus.FILLED))
    assert shapes(story.said) == [("beta", "AAPL", Side.SELL, 4)]
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert statuses(story.said) == ["FINISHED"]


@pytest.mark.parametrize("end", [OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED])
def test_however_the_first_ends_the_waiting_one_is_sent_in_the_same_decision(end: OrdStatus) -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0))
    story = story.when(event(sent(story.said)[0], end))

    assert shapes(story.said) == [("beta", "AAPL", Side.SELL, 4)]


def test_an_order_of_unknown_fate_keeps_the_opposite_one_waiting() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0))

    story.when(event(sent(story.said)[0], OrdStatus.UNKNOWN)).then()


def test_orders_of_the_same_side_go_together() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", 4), line("AAPL", {"core": 1}))

    assert [book for book, *_ in shapes(story.said)] == ["alpha", "beta", NET]


def test_within_a_phase_the_order_is_priority_then_symbol_then_book() -> None:
    story = planned(
        own("beta", "IBM", 1, priority=2),
        own("alpha", "IBM", 1, priority=2),
        own("alpha", "AAPL", 1, priority=2),
        own("zeta", "MSFT", 1, priority=1),
    )

    assert [(book, symbol) for book, symbol, *_ in shapes(story.said)] == [
        ("zeta", "MSFT"),
        ("alpha", "AAPL"),
        ("alpha", "IBM"),
        ("beta", "IBM"),
    ]


def test_nobody_overtakes_an_opposite_order_that_waits() -> None:
    story = planned(
        own("alpha", "AAPL", 1, priority=1),
        own("beta", "AAPL", -2, priority=2, reducing=0),
        own("gamma", "AAPL", 3, priority=3),
    )
    assert shapes(story.said) == [("alpha", "AAPL", Side.BUY, 1)]

    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert shapes(story.said) == [("beta", "AAPL", Side.SELL, 2)]
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert shapes(story.said) == [("gamma", "AAPL", Side.BUY, 3)]


def test_reduced_is_not_said_while_a_reducing_order_waits() -> None:
    story = planned(
        own("alpha", "AAPL", -5, priority=1), own("beta", "AAPL", 5, priority=2, reducing=5), own("beta", "IBM", 1)
    )
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert statuses(story.said) == []
    assert shapes(story.said) == [("beta", "AAPL", Side.BUY, 5)]

    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert statuses(story.said) == ["REDUCED"]
    assert shapes(story.said) == [("beta", "IBM", Side.BUY, 1)]


def test_two_books_have_two_lines_of_one_symbol_and_two_outcomes() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", 4))
    alpha, beta = sent(story.said)
    assert [each.order.intent_id for each in (alpha, beta)] == [
        intent_id(plan_id(run("first")), book, "AAPL", 2, 1) for book in ("alpha", "beta")
    ]
    story = story.when(event(beta, OrdStatus.REJECTED, reason="no"))
    assert outcomes(story.said) == {("beta", "AAPL"): Outcome.REJECTED}

    story = story.when(event(alpha, OrdStatus.FILLED))
    assert outcomes(story.said) == {("alpha", "AAPL"): Outcome.FILLED}
    assert the_outcome(story.said).client_order_ids == (alpha.client_order_id,)


def test_a_wash_trade_the_broker_saw_all_the_same_is_the_lines_end_and_nothing_is_sent_again() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "IBM", 1))
    alpha, beta = sent(story.said)
    story = story.when(event(alpha, OrdStatus.REJECTED, reason=WASH_TRADE))

    assert (the_outcome(story.said).outcome, the_outcome(story.said).reason) == (Outcome.REJECTED, WASH_TRADE)
    assert shapes(story.said) == []
    story = story.when(event(beta, OrdStatus.FILLED))
    assert (statuses(story.said), shapes(story.said)) == (["FINISHED"], [])


def test_an_order_is_named_after_its_book() -> None:
    (order,) = sent(planned(own("mean-rev", "BRK.B", 1)).said)
    name = parsed(order.client_order_id)

    assert name is not None
    assert (name.owner, name.symbol, order.order.book) == ("mean-rev", "BRK.B", "mean-rev")


def test_a_name_that_no_run_may_have_stops_the_process() -> None:
    with pytest.raises(AssertionError, match="expected at most 64 characters of an owner, was 65"):
        planned(own("x" * 65, "AAPL", 1))


# --- a line with two orders


TURNS_SHORT = own("alpha", "AAPL", -15, reducing=10)


def turned(end: OrdStatus = OrdStatus.FILLED, cum: int | None = None, reason: str = "") -> Story:
    """Return the story after the first order of a line of fifteen has ended; ten of them reduce."""
    story = planned(TURNS_SHORT)
    return story.when(event(sent(story.said)[0], end, cum, reason))


def test_a_line_that_crosses_zero_goes_in_two_orders_and_is_filled_when_both_are() -> None:
    story = planned(TURNS_SHORT)
    (first,) = sent(story.said)
    assert (first.order.order_qty, first.order.leg, first.order.phase) == (Decimal(10), 1, Phase.REDUCING)

    story = story.when(event(first, OrdStatus.FILLED))
    assert statuses(story.said) == ["ACCEPTED", "REDUCED"]
    assert outcomes(story.said) == {}
    (second,) = sent(story.said)
    assert (second.order.order_qty, second.order.leg, second.order.phase) == (Decimal(5), 2, Phase.INCREASING)
    assert second.client_order_id != first.client_order_id
    assert second.order.contributions == first.order.contributions
    assert [each.quantity for each in second.order.contributions] == [15]

    story = story.when(event(second, OrdStatus.FILLED))
    found = the_outcome(story.said)
    assert (found.outcome, found.order_qty, found.cum_qty) == (Outcome.FILLED, 15, 15)
    assert found.client_order_ids == (first.client_order_id, second.client_order_id)
    assert statuses(story.said) == ["FINISHED"]


@pytest.mark.parametrize(
    ("end", "cum", "outcome"),
    [
        (OrdStatus.CANCELED, 4, Outcome.PARTLY_FILLED),
        (OrdStatus.CANCELED, 0, Outcome.CANCELED),
        (OrdStatus.REJECTED, 0, Outcome.REJECTED),
        (OrdStatus.EXPIRED, 0, Outcome.EXPIRED),
    ],
)
def test_after_a_reducing_order_that_ended_short_the_increasing_one_is_not_sent(
    end: OrdStatus, cum: int, outcome: Outcome
) -> None:
    story = turned(end, cum, "why")

    found = the_outcome(story.said)
    assert (found.outcome, found.order_qty, found.cum_qty) == (outcome, 10, cum)
    assert found.reason == (
        f"why; its increasing order of 5 was not sent: the reducing one ended {end} with {cum} of 10"
    )
    assert shapes(story.said) == []
    assert statuses(story.said) == ["REDUCED", "FINISHED"]


@pytest.mark.parametrize(("end", "cum"), [(OrdStatus.REJECTED, 0), (OrdStatus.CANCELED, 2)])
def test_a_line_whose_second_order_fails_is_partly_filled_by_its_first(end: OrdStatus, cum: int) -> None:
    story = turned()
    story = story.when(event(sent(story.said)[0], end, cum, "why"))

    found = the_outcome(story.said)
    assert (found.outcome, found.order_qty, found.cum_qty) == (Outcome.PARTLY_FILLED, 15, 10 + cum)
    assert found.reason == "why"


def test_a_line_may_have_a_cross_and_two_orders() -> None:
    story = planned(line("AAPL", {"core": -15}, {"core": -3, "trend": 3}, reducing=10))
    crosses = [each for each in story.said if isinstance(each, OrderIntent) and each.action is IntentAction.CROSS]
    (first,) = sent(story.said)
    story = story.when(event(crosses[0], OrdStatus.FILLED)).when(event(first, OrdStatus.FILLED))
    (second,) = sent(story.said)
    assert len({crosses[0].client_order_id, first.client_order_id, second.client_order_id}) == 3

    found = the_outcome(story.when(event(second, OrdStatus.REJECTED)).said)
    assert (found.outcome, found.cum_qty, found.cross_quantity) == (Outcome.PARTLY_FILLED, 10, 3)
    assert found.client_order_ids == (first.client_order_id, second.client_order_id)


def test_a_cross_stands_when_the_order_of_its_line_is_rejected() -> None:
    story = planned(line("AAPL", {"core": 6}, {"core": 4, "trend": -4}))
    (cross,) = [each for each in story.said if isinstance(each, OrderIntent)]
    story = story.when(event(cross, OrdStatus.FILLED))
    story = story.when(event(sent(story.said)[0], OrdStatus.REJECTED, reason="insufficient buying power"))

    found = the_outcome(story.said)
    assert (found.outcome, found.cum_qty, found.cross_quantity) == (Outcome.REJECTED, 0, 4)


def test_a_reducing_quantity_above_the_quantity_stops_the_process() -> None:
    wrong = TURNS_SHORT.model_copy(update={"reducing_quantity": Decimal(16)})

    with pytest.raises(ValueError, match="line AAPL of alpha: expected a reducing_quantity of at most 15"):
        planned(wrong)


# --- held lines, runs without a quorum


def test_a_held_line_ends_held_with_its_rule() -> None:
    story = planned(line("AAPL", status=LineStatus.HELD, rule=Rule.CONFLICT_FLAGGED))

    assert (the_outcome(story.said).outcome, the_outcome(story.said).rule) == (Outcome.HELD, Rule.CONFLICT_FLAGGED)
    assert statuses(story.said) == ["ACCEPTED", "FINISHED"]


def test_a_run_that_missed_its_quorum_is_abandoned_and_nothing_else_happens() -> None:
    story = planned(own("alpha", "AAPL", 10))
    (buy,) = sent(story.said)
    missed = portfolio("second", status=PortfolioStatus.QUORUM_MISSED).model_copy(
        update={"missing": ("trend",), "is_partial": True}
    )

    story = story.when(missed)
    (step,) = story.said
    assert isinstance(step, Execution)
    assert (step.status, step.run_id, step.portfolio) == (ExecutionStatus.ABANDONED, run("second"), None)
    assert "missing: trend" in step.detail
    story.when(missed).then()

    assert statuses(story.when(event(buy, OrdStatus.FILLED)).said) == ["FINISHED"]


def test_a_run_that_waits_for_its_plan_goes_on_when_a_newer_one_missed_its_quorum() -> None:
    story = given(executor).when(portfolio()).when(portfolio("second", status=PortfolioStatus.QUORUM_MISSED))

    assert statuses(story.when(plan(own("alpha", "AAPL", 10))).said) == ["ACCEPTED", "REDUCED"]


# --- superseding


def test_orders_that_wait_for_their_turn_are_superseded_unsent() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0))
    (buy,) = sent(story.said)
    story = story.when(portfolio("second")).when(event(buy, OrdStatus.CANCELED, 3))

    assert outcomes(story.said) == {
        ("alpha", "AAPL"): Outcome.PARTLY_FILLED,
        ("beta", "AAPL"): Outcome.SUPERSEDED,
    }
    assert shapes(story.said) == []
    assert statuses(story.said) == ["SUPERSEDED", "CLEARED"]


def test_what_becomes_free_while_a_newer_run_waits_is_not_sent() -> None:
    story = planned(own("alpha", "AAPL", 10), own("beta", "AAPL", -4, reducing=0), own("gamma", "IBM", 1))
    buy, other = sent(story.said)
    story = story.when(portfolio("second")).when(event(buy, OrdStatus.CANCELED))
    assert shapes(story.said) == []

    story = story.when(event(other, OrdStatus.CANCELED))
    assert shapes(story.said) == []
    assert outcomes(story.said) == {
        ("beta", "AAPL"): Outcome.SUPERSEDED,
        ("gamma", "IBM"): Outcome.SUPERSEDED,
    }


def test_a_second_order_is_not_sent_once_a_newer_run_waits() -> None:
    story = planned(TURNS_SHORT)
    (first,) = sent(story.said)
    story = story.when(portfolio("second")).when(event(first, OrdStatus.FILLED))

    found = the_outcome(story.said)
    assert (found.outcome, found.order_qty, found.cum_qty) == (Outcome.PARTLY_FILLED, 10, 10)
    assert found.client_order_ids == (first.client_order_id,)
    assert found.reason == f"superseded by run {run('second')} before the last 5 was sent"
    assert statuses(story.said) == ["ACCEPTED", "SUPERSEDED", "CLEARED"]
    last = story.said[-1]
    assert isinstance(last, Execution)
    assert [(each.client_order_id, each.cum_qty) for each in last.ended_orders] == [
        (first.client_order_id, Decimal(10))
    ]


def test_a_reducing_order_canceled_for_a_newer_run_ends_its_line_superseded() -> None:
    story = planned(TURNS_SHORT)
    story = story.when(portfolio("second")).when(event(sent(story.said)[0], OrdStatus.CANCELED, 0))

    found = the_outcome(story.said)
    assert (found.outcome, found.reason) == (Outcome.SUPERSEDED, f"superseded by run {run('second')}")


def test_the_next_run_names_both_orders_of_a_line_with_what_each_executed() -> None:
    story = turned()
    (second,) = sent(story.said)
    story = story.when(event(second, OrdStatus.CANCELED, 2)).when(portfolio("second"))
    (cleared,) = story.said
    assert isinstance(cleared, Execution)

    assert sorted(each.cum_qty for each in cleared.ended_orders) == [2, 10]
    assert {each.client_order_id: each.cum_qty for each in cleared.ended_orders}[second.client_order_id] == 2


def test_a_first_leg_that_has_ended_is_remembered_from_the_log_alone() -> None:
    accepted = planned(TURNS_SHORT)
    (first,) = sent(accepted.said)
    story = accepted.when(event(first, OrdStatus.FILLED))
    told = given(executor, *given(executor).when(portfolio()).said, *accepted.said, *story.said)
    end = event(sent(story.said)[0], OrdStatus.FILLED)

    assert told.when(end).said == story.when(end).said


# --- runs of a scope


def decided(name: str = "decided", symbol: str = "AAPL") -> Portfolio:
    """Return the wish of a run that trades what a person decided about one symbol."""
    return portfolio(name, scope=(symbol,))


def steps(said: Iterable[object]) -> list[tuple[str, UUID]]:
    return [(each.status.value, each.run_id) for each in said if isinstance(each, Execution)]


def test_a_run_of_a_scope_cancels_nothing_and_is_cleared_when_the_run_under_way_has_finished() -> None:
    story = planned(own("alpha", "IBM", 10), own("beta", "IBM", -4, reducing=0))
    (buy,) = sent(story.said)
    story = story.when(decided())
    assert steps(story.said) == [("CLEARING", run("decided"))]
    assert len(story.said) == 1

    story = story.when(event(buy, OrdStatus.FILLED))
    assert shapes(story.said) == [("beta", "IBM", Side.SELL, 4)]
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED))
    assert steps(story.said) == [("FINISHED", run("first")), ("CLEARED", run("decided"))]
    assert outcomes(story.said) == {("beta", "IBM"): Outcome.FILLED}


def test_runs_of_a_scope_take_turns() -> None:
    story = given(executor).when(portfolio()).when(decided("one")).when(decided("two", "IBM"))
    assert steps(story.said) == [("CLEARING", run("two"))]

    story = story.when(plan())
    assert steps(story.said)[-2:] == [("FINISHED", run("first")), ("CLEARED", run("one"))]
    story = story.when(plan(name="one"))
    assert steps(story.said)[-2:] == [("FINISHED", run("one")), ("CLEARED", run("two"))]
    assert steps(given(executor).when(decided()).said) == [("CLEARED", run("decided"))]


def test_a_whole_run_supersedes_those_of_a_scope_whether_they_wait_or_come_later() -> None:
    story = planned(own("alpha", "IBM", 10))
    (buy,) = sent(story.said)
    story = story.when(decided("one")).when(portfolio("second"))
    assert steps(story.said) == [("SUPERSEDED", run("one")), ("CLEARING", run("second"))]
    assert [each.action for each in story.said if isinstance(each, OrderIntent)] == [IntentAction.CANCEL]

    story = story.when(decided("two"))
    assert steps(story.said) == [("SUPERSEDED", run("two"))]
    story = story.when(event(buy, OrdStatus.CANCELED))
    assert steps(story.said) == [("SUPERSEDED", run("first")), ("CLEARED", run("second"))]


def test_a_whole_run_supersedes_the_one_that_waits_for_its_plan_and_all_behind_it() -> None:
    story = given(executor).when(portfolio()).when(decided("one")).when(portfolio("second"))

    assert steps(story.said) == [
        ("SUPERSEDED", run("first")),
        ("SUPERSEDED", run("one")),
        ("CLEARED", run("second")),
    ]
