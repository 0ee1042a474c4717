"""What failed reducing orders do to the increasing ones: too much failed, or too little cash was freed."""

from decimal import Decimal

import pytest

from agents.testing import Story
from schemas.execution import Outcome
from schemas.order import NET, OrdStatus, Phase, Side
from schemas.plan import PlanLine, Rule
from tests.agents.executor.made import event, line, outcomes, portfolio, statuses
from tests.agents.executor.words import crossed, ends, own, planned, sent, shapes, the_detail, the_outcome
from tests.made import execution

SELL_40 = line("IBM", {"core": -40})
SELL_60 = line("MSFT", {"core": -60})
BUY_100 = line("AAPL", {"core": 100})
AT_MOST_HALF = execution(failed_reducing_max=Decimal("0.5"))


def after(story: Story, *executed: int, price: str | None = None) -> Story:
    """Return the story after all its orders have ended; what was not executed of one was rejected."""
    for intent, cum in zip(sent(story.said), executed, strict=True):
        status = OrdStatus.FILLED if cum == intent.order.order_qty else OrdStatus.REJECTED
        story = story.when(event(intent, status, cum, price=price))
    return story


# --- too much failed


def test_buys_are_blocked_with_the_numbers_when_more_failed_than_the_run_allows() -> None:
    story = after(planned(SELL_40, SELL_60, BUY_100, rules=AT_MOST_HALF, cash=5000), 40, 9)

    found = ends(story.said)[-1]
    assert (found.symbol, found.outcome, found.rule, found.threshold) == (
        "AAPL",
        Outcome.BLOCKED,
        Rule.REDUCING_FAILED,
        Decimal("0.5"),
    )
    assert found.reason == (
        "it was not sent: reducing orders: 510 of 1000 dollars failed; freed 490 of 1000; at most 0.5 of them may fail"
    )
    assert the_detail(story.said, "REDUCED") == "510 of 1000 dollars failed; freed 490 of 1000"
    assert shapes(story.said) == []
    assert statuses(story.said) == ["REDUCED", "FINISHED"]


def test_the_failed_sells_say_themselves_why() -> None:
    story = planned(SELL_60, BUY_100, rules=AT_MOST_HALF)
    story = story.when(event(sent(story.said)[0], OrdStatus.REJECTED, reason="asset is halted"))

    assert [(each.symbol, each.outcome, each.reason[:15]) for each in ends(story.said)] == [
        ("MSFT", Outcome.REJECTED, "asset is halted"),
        ("AAPL", Outcome.BLOCKED, "it was not sent"),
    ]


def test_exactly_the_threshold_is_not_beyond_it() -> None:
    story = after(planned(SELL_40, SELL_60, BUY_100, rules=AT_MOST_HALF, cash=5000), 40, 10)

    assert shapes(story.said) == [(NET, "AAPL", Side.BUY, 100)]


def test_without_a_threshold_everything_may_fail_and_what_can_be_paid_goes() -> None:
    story = after(planned(SELL_40, SELL_60, BUY_100, cash=1000), 0, 0)

    assert [symbol for _, symbol, *_ in shapes(story.said)] == ["AAPL"]


def test_a_cover_that_failed_counts_as_any_reducing_order() -> None:
    cover = own("alpha", "IBM", 100, reducing=100)
    story = after(planned(cover, own("beta", "AAPL", -10, reducing=0), rules=AT_MOST_HALF, cash=5000), 10)

    assert outcomes(story.said) == {
        ("alpha", "IBM"): Outcome.PARTLY_FILLED,
        ("beta", "AAPL"): Outcome.BLOCKED,
    }


def test_a_line_whose_first_order_was_executed_is_partly_filled_and_says_what_held_the_second_back() -> None:
    turns_short = own("alpha", "AAPL", -15, reducing=10)
    story = after(planned(turns_short, SELL_60, rules=AT_MOST_HALF), 10, 0)

    found = next(each for each in ends(story.said) if each.symbol == "AAPL")
    assert (found.outcome, found.rule, found.cum_qty, found.order_qty) == (
        Outcome.PARTLY_FILLED,
        Rule.REDUCING_FAILED,
        10,
        10,
    )
    assert found.reason.startswith("its increasing order of 5 was not sent: reducing orders: 600 of 700 dollars")


def test_a_cross_stands_when_the_order_of_its_line_is_held_back() -> None:
    both = line("FB", {"core": 2}, {"core": 3, "trend": -3})
    story = planned(both, SELL_60, rules=AT_MOST_HALF)
    (cross,), (sell,) = crossed(story.said), sent(story.said)
    story = story.when(event(cross, OrdStatus.FILLED)).when(event(sell, OrdStatus.EXPIRED))

    found = next(each for each in ends(story.said) if each.symbol == "FB")
    assert (found.outcome, found.cross_quantity, found.order_qty) == (Outcome.BLOCKED, 3, 0)


def test_a_run_that_is_superseded_says_so_and_nothing_of_what_failed() -> None:
    story = planned(SELL_60, BUY_100, rules=AT_MOST_HALF)
    (sell,) = sent(story.said)
    story = story.when(portfolio("second")).when(event(sell, OrdStatus.CANCELED, 0))

    assert set(outcomes(story.said).values()) == {Outcome.SUPERSEDED}
    assert {each.rule for each in ends(story.said)} == {None}


# --- too little cash


def test_a_buy_that_the_freed_cash_does_not_pay_is_blocked_with_the_numbers() -> None:
    story = after(planned(SELL_60, BUY_100, cash=400), 50)

    found = ends(story.said)[-1]
    assert (found.outcome, found.rule, found.threshold) == (Outcome.BLOCKED, Rule.CASH_NOT_FREED, 900)
    assert found.reason == (
        "it was not sent: it needs 1000 dollars, 900 are left; reducing orders:"
        " 100 of 600 dollars failed; freed 500 of 600"
    )


def test_a_smaller_buy_behind_it_may_still_fit() -> None:
    urgent = line("AAPL", {"core": 50}, priority=1)
    big, small = line("FB", {"core": 30}, priority=2), line("GOOG", {"core": 20}, priority=3)
    story = after(planned(SELL_60, urgent, big, small, cash=400), 35)

    assert [symbol for _, symbol, *_ in shapes(story.said)] == ["AAPL", "GOOG"]
    assert outcomes(story.said)[NET, "FB"] is Outcome.BLOCKED


def test_what_was_really_received_counts_not_what_the_plan_expected() -> None:
    lucky = after(planned(SELL_60, BUY_100, cash=400), 59, price="10.2")
    assert [symbol for _, symbol, *_ in shapes(lucky.said)] == ["AAPL"]

    unlucky = after(planned(SELL_60, BUY_100, cash=410), 59, price="9.9")
    assert ends(unlucky.said)[-1].rule is Rule.CASH_NOT_FREED
    assert ends(unlucky.said)[-1].threshold == Decimal("994.1")


def test_prices_alone_hold_nothing_back() -> None:
    story = after(planned(SELL_60, BUY_100, cash=400), 60, price="9.5")

    assert [symbol for _, symbol, *_ in shapes(story.said)] == ["AAPL"]


def test_room_that_the_plan_left_is_used_before_anything_is_held_back() -> None:
    story = after(planned(SELL_60, BUY_100, cash=1000), 0)

    assert [symbol for _, symbol, *_ in shapes(story.said)] == ["AAPL"]


def test_a_buy_is_counted_at_the_price_its_order_would_meet() -> None:
    wide = line("AAPL", {"core": 100}, spread="0.2")
    assert ends(after(planned(SELL_60, wide, cash=500), 50).said)[-1].rule is Rule.CASH_NOT_FREED
    assert [symbol for _, symbol, *_ in shapes(after(planned(SELL_60, wide, cash=510), 50).said)] == ["AAPL"]


@pytest.mark.parametrize(
    ("is_leveraged", "executed", "price", "left"),
    [
        (True, 0, None, 500),
        (True, 40, "11", 60),
        (False, 0, None, 500),
        (False, 40, "11", 460),
        (False, 40, "9", 540),
    ],
)
def test_a_cover_spends_buying_power_or_its_collateral(
    is_leveraged: bool, executed: int, price: str | None, left: int
) -> None:
    cover = own("alpha", "IBM", 100, reducing=100)
    story = planned(cover, own("beta", "AAPL", 150), cash=500, is_leverage_allowed=is_leveraged)

    found = ends(after(story, executed, price=price).said)[-1]
    assert (found.rule, found.threshold) == (Rule.CASH_NOT_FREED, left)


@pytest.mark.parametrize(
    ("is_leveraged", "cash", "sent_then"), [(True, 500, []), (False, 500, ["AAPL"]), (False, -500, ["AAPL"])]
)
def test_a_new_short_uses_buying_power_and_no_cash(is_leveraged: bool, cash: int, sent_then: list[str]) -> None:
    shorts = own("beta", "AAPL", -100, reducing=0)
    story = after(planned(SELL_60, shorts, cash=cash, is_leverage_allowed=is_leveraged), 40)

    assert [symbol for _, symbol, *_ in shapes(story.said)] == sent_then


def test_orders_of_increasing_lines_are_sent_in_the_phase_they_belong_to() -> None:
    story = after(planned(SELL_60, BUY_100, cash=1000), 50)

    assert [each.order.phase for each in sent(story.said)] == [Phase.INCREASING]
    found = the_outcome(story.when(event(sent(story.said)[0], OrdStatus.FILLED)).said)
    assert (found.outcome, found.cum_qty, found.gross_trade_amt) == (Outcome.FILLED, 100, 1000)


def test_money_of_a_line_is_that_of_its_orders_whatever_they_cost() -> None:
    turns_short = own("alpha", "AAPL", -15, reducing=10)
    story = planned(turns_short)
    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED, price="11"))
    story = story.when(event(sent(story.said)[0], OrdStatus.CANCELED, 2, price="12"))

    assert the_outcome(story.said).gross_trade_amt == 110 + 24


def test_lines_that_may_go_are_not_judged_again() -> None:
    lines: list[PlanLine] = [SELL_60, own("beta", "AAPL", 50, priority=1), own("gamma", "AAPL", -20, reducing=0)]
    story = after(planned(*lines, own("delta", "FB", 40, priority=3), cash=500), 40)
    assert [symbol for _, symbol, *_ in shapes(story.said)] == ["AAPL", "FB"]

    story = story.when(event(sent(story.said)[0], OrdStatus.FILLED, price="13"))
    assert [book for book, *_ in shapes(story.said)] == ["gamma"]
