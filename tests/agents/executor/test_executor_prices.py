"""What orders may cost: the styles of a run, in the ticks the broker takes, computed once when a plan is accepted."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from agents.executor.prices import limit_price
from schemas.execution import Outcome
from schemas.order import NET, OrdStatus, OrdType
from schemas.plan import LineStatus, Rule
from schemas.run import OrderStyle
from tests.agents.executor.made import event, line, outcomes
from tests.agents.executor.words import crossed, planned, sent, the_outcome
from tests.made import execution

HALF_PERCENT = Decimal("0.005")


def limits(style: OrderStyle, **more: Any) -> dict[str, Any]:
    return {"rules": execution(order_style=style, **more)}


@pytest.mark.parametrize(
    ("style", "buy", "sell"),
    [
        (OrderStyle.MARKET, None, None),
        (OrderStyle.LIMIT, "10.05", "9.95"),
        (OrderStyle.MARKETABLE_LIMIT, "10.25", "9.76"),
    ],
)
def test_a_style_says_the_worst_price_of_each_side(style: OrderStyle, buy: str | None, sell: str | None) -> None:
    offset = Decimal(0) if style is OrderStyle.MARKET else HALF_PERCENT
    bought, sold = line("AAPL", {"core": 5}, spread="0.4"), line("IBM", {"core": -5}, spread="0.4")
    story = planned(bought, sold, cash=1000, **limits(style, limit_offset=offset))
    (first,) = sent(story.said)
    (second,) = sent(story.when(event(first, OrdStatus.FILLED)).said)

    expected = [None if each is None else Decimal(each) for each in (sell, buy)]
    assert [each.order.limit_price for each in (first, second)] == expected
    kind = OrdType.MARKET if buy is None else OrdType.LIMIT
    assert {each.order.ord_type for each in (first, second)} == {kind}
    assert {each.order.is_extended_hours for each in (first, second)} == {False}


def test_a_far_touch_of_a_crossed_quote_is_its_worse_side() -> None:
    (buy,) = sent(planned(line("AAPL", {"core": 5}, spread="-0.4"), **limits(OrderStyle.MARKETABLE_LIMIT)).said)

    assert buy.order.limit_price == Decimal("10.2")


@pytest.mark.parametrize(
    ("price", "sign", "limit"),
    [
        ("10.005", 1, "10.00"),
        ("10.005", -1, "10.01"),
        ("1.000001", 1, "1"),
        ("1.000001", -1, "1.01"),
        ("0.99999", 1, "0.9999"),
        ("0.99999", -1, "1"),
        ("0.43215", 1, "0.4321"),
        ("0.43215", -1, "0.4322"),
    ],
)
def test_a_limit_is_in_cents_and_below_a_dollar_in_hundredths_of_them(price: str, sign: int, limit: str) -> None:
    made = line("ZOM", {"core": 5 * sign}, price=price)

    assert limit_price(made, execution(order_style=OrderStyle.LIMIT)) == Decimal(limit)


@for_all(
    st.decimals(min_value=Decimal("0.0002"), max_value=Decimal(5000), places=6),
    st.decimals(min_value=Decimal(0), max_value=Decimal("0.999999999999"), places=12),
    st.sampled_from([1, -1]),
)
def test_a_limit_is_never_worse_than_the_rule_says_and_within_one_tick_of_it(
    price: Decimal, offset: Decimal, sign: int
) -> None:
    made = line("ZOM", {"core": 5 * sign}, price=str(price))
    found = limit_price(made, execution(order_style=OrderStyle.LIMIT, limit_offset=offset))
    rule = price * (1 + sign * offset)

    assert found is not None
    assert 0 <= sign * (rule - found) < (Decimal("0.01") if rule >= 1 else Decimal("0.0001"))
    assert found == found.quantize(Decimal("0.01") if found >= 1 else Decimal("0.0001"))


def test_a_cross_has_no_limit_and_no_hours() -> None:
    both = line("FB", {"core": 2}, {"core": 3, "trend": -3})
    story = planned(both, **limits(OrderStyle.LIMIT, is_extended_hours=True))
    (cross,) = crossed(story.said)
    (buy,) = sent(story.when(event(cross, OrdStatus.FILLED)).said)

    assert (cross.order.ord_type, cross.order.limit_price, cross.order.is_extended_hours) == (
        OrdType.MARKET,
        None,
        False,
    )
    assert (buy.order.ord_type, buy.order.is_extended_hours) == (OrdType.LIMIT, True)


# --- what the broker would not take


def test_a_limit_that_rounds_to_nothing_is_not_sent() -> None:
    story = planned(line("ZOM", {"core": 5}, price="0.00004"), **limits(OrderStyle.LIMIT))

    found = the_outcome(story.said)
    assert (found.outcome, found.rule, sent(story.said)) == (Outcome.BLOCKED, Rule.ORDER_FORM, [])
    assert found.reason == "expected a limit price of at least 0.0001, was less at a midpoint of 0.000040"


def test_parts_of_a_share_are_not_sent_outside_the_regular_session() -> None:
    parts = line("AAPL", {"core": 5}).model_copy(update={"quantity": Decimal("4.5")})
    within = planned(parts, **limits(OrderStyle.LIMIT))
    outside = planned(parts, **limits(OrderStyle.LIMIT, is_extended_hours=True))

    assert [each.order.order_qty for each in sent(within.said)] == [Decimal("4.5")]
    found = the_outcome(outside.said)
    assert (found.outcome, found.rule) == (Outcome.BLOCKED, Rule.ORDER_FORM)
    assert found.reason == "expected whole shares outside the regular session, was 4.5"


def test_a_cross_stands_when_the_broker_would_not_take_the_order_of_its_line() -> None:
    both = line("ZOM", {"core": 2}, {"core": 3, "trend": -3}, price="0.00004")
    story = planned(both, **limits(OrderStyle.LIMIT))
    (cross,) = crossed(story.said)
    story = story.when(event(cross, OrdStatus.FILLED))

    found = the_outcome(story.said)
    assert (found.outcome, found.rule, found.cross_quantity) == (Outcome.BLOCKED, Rule.ORDER_FORM, 3)


def test_lines_that_are_stopped_already_keep_their_own_rule() -> None:
    stopped = line("ZOM", status=LineStatus.BLOCKED, rule=Rule.CAPITAL, price="0.00004")

    assert the_outcome(planned(stopped, **limits(OrderStyle.LIMIT)).said).rule is Rule.CAPITAL


def test_the_others_of_the_plan_go_on() -> None:
    story = planned(line("ZOM", {"core": 5}, price="0.00004"), line("AAPL", {"core": 5}), **limits(OrderStyle.LIMIT))

    assert [each.order.symbol for each in sent(story.said)] == ["AAPL"]
    assert outcomes(story.said) == {(NET, "ZOM"): Outcome.BLOCKED}
