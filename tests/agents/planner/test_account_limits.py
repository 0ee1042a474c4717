"""The account's own limits, each alone: how much is left of a line, why, and what the plan says of the limit."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.plan import ConstraintEffect, LineStatus, Rule
from schemas.run import BindingRule
from tests.agents.planner.accounts import books, facts, limit, line, planned, quote
from tests.made import limits

EXACT = [quote("AAPL", 100, 100), quote("IBM", 200, 200)]
ROOMY: dict[str, dict[str, Any]] = {name: {"weight_total_max": Decimal(9)} for name in ("a", "b")}
SCALED, BLOCKED, WITHIN = ConstraintEffect.SCALED, ConstraintEffect.BLOCKED, ConstraintEffect.WITHIN
BOTH = {"a": {"AAPL": "0.6", "IBM": "0.4"}}


@pytest.mark.parametrize(
    ("changed", "rule", "threshold"),
    [
        ({"position_weight_max": Decimal("0.25")}, Rule.POSITION_WEIGHT_MAX, 25_000),
        ({"weight_total_max": Decimal("0.25")}, Rule.WEIGHT_TOTAL_MAX, 25_000),
        ({"margin_utilisation_max": Decimal("0.125")}, Rule.MARGIN_UTILISATION, 12_500),
        ({"maintenance_buffer": Decimal("0.925")}, Rule.MAINTENANCE_BUFFER, 7_500),
        ({"trade_value_max": Decimal(25_000)}, Rule.TRADE_VALUE_MAX, 25_000),
        ({"cash_reserve": Decimal("0.75")}, Rule.CAPITAL, 25_000),
    ],
    ids=lambda value: value.value if isinstance(value, Rule) else "",
)
def test_every_limit_scales_an_increase_to_what_fits_or_blocks_it(
    changed: dict[str, Any], rule: Rule, threshold: int
) -> None:
    asked = {"wants": {"a": {"AAPL": "0.6"}}, "quotes": EXACT, "own": ROOMY}
    scaled = line(planned(books(held=limits(**changed), **asked)), "AAPL")
    assert facts(scaled, "status rule threshold quantity") == (LineStatus.PLANNED, rule, threshold, 250)
    assert facts(scaled, "intended_quantity intended_value") == (600, 60_000)
    blocked = line(planned(books(held=limits(**changed, binding=BindingRule.BLOCK), **asked)), "AAPL")
    assert facts(blocked, "status rule threshold quantity") == (LineStatus.BLOCKED, rule, threshold, 0)
    assert facts(blocked, "intended_quantity phase notional") == (600, None, 0)


def test_the_plan_lists_its_own_limits_also_when_they_do_not_bind() -> None:
    held = limits(
        position_weight_max=Decimal(1),
        margin_utilisation_max=Decimal(1),
        maintenance_buffer=Decimal("0.1"),
        trade_value_max=Decimal(200_000),
    )
    plan = planned(books(wants=BOTH, quotes=EXACT, held=held, traded={"a": 7}))
    assert limit(plan, "POSITION_WEIGHT_MAX", symbol="AAPL") == (100_000, 60_000, 60_000, WITHIN)
    assert limit(plan, "WEIGHT_TOTAL_MAX") == (100_000, 100_000, 100_000, WITHIN)
    assert limit(plan, "MARGIN_UTILISATION") == (100_000, 50_000, 50_000, WITHIN)
    assert limit(plan, "MAINTENANCE_BUFFER") == (90_000, 30_000, 30_000, WITHIN)
    assert limit(plan, "TRADE_VALUE_MAX") == (200_000, 100_007, 100_007, WITHIN)
    assert limit(plan, "CAPITAL") == (100_000, 100_000, 100_000, WITHIN)
    assert [facts(each, "rule scope symbol") for each in plan.constraints] == sorted(
        (facts(each, "rule scope symbol") for each in plan.constraints), key=str
    )


def test_the_limits_of_a_plan_say_what_was_wanted_and_what_is_used() -> None:
    held = limits(weight_total_max=Decimal("0.7"), position_weight_max=Decimal("0.5"))
    plan = planned(books(wants=BOTH, quotes=EXACT, held=held, own=ROOMY))
    assert limit(plan, "POSITION_WEIGHT_MAX", symbol="AAPL") == (50_000, 60_000, 50_000, SCALED)
    assert limit(plan, "WEIGHT_TOTAL_MAX") == (70_000, 100_000, 70_000, SCALED)
    assert facts(line(plan, "IBM"), "quantity rule") == (100, Rule.WEIGHT_TOTAL_MAX)


def test_no_reduction_is_cut_by_a_limit_on_increases() -> None:
    held = limits(
        position_weight_max=Decimal(0),
        weight_total_max=Decimal(0),
        margin_utilisation_max=Decimal(0),
        maintenance_buffer=Decimal(1),
    )
    asked = books(wants={"a": {"AAPL": "0.1"}}, holds={"a": {"AAPL": 400}}, quotes=EXACT, held=held, cash=-40_000)
    assert facts(line(planned(asked), "AAPL"), "status quantity rule") == (LineStatus.PLANNED, 300, None)


def test_a_sale_makes_room_for_an_increase_of_the_same_plan() -> None:
    wants, holds = {"a": {"IBM": "0.8"}}, {"a": {"AAPL": 1000}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, cash=0))
    assert facts(line(plan, "IBM"), "quantity rule") == (400, None)


def test_trade_value_serves_reductions_first_and_cuts_them_too() -> None:
    wants, holds = {"a": {"IBM": "0.8"}}, {"a": {"AAPL": 1000}, "b": {}}
    asked = {"wants": wants, "holds": holds, "quotes": EXACT, "cash": 0}
    some = planned(books(held=limits(trade_value_max=Decimal(130_000)), traded={"b": 10_000}, **asked))
    assert facts(line(some, "AAPL"), "quantity rule") == (1000, None)
    assert facts(line(some, "IBM"), "quantity rule threshold") == (100, Rule.TRADE_VALUE_MAX, 130_000)
    assert limit(some, "TRADE_VALUE_MAX") == (130_000, 190_000, 130_000, SCALED)
    few = planned(books(held=limits(trade_value_max=Decimal(50_050)), **asked))
    assert facts(line(few, "AAPL"), "status quantity rule") == (LineStatus.PLANNED, 500, Rule.TRADE_VALUE_MAX)
    assert facts(line(few, "IBM"), "status quantity") == (LineStatus.BLOCKED, 0)
    none = planned(books(held=limits(trade_value_max=Decimal(9000)), traded={"b": 10_000}, **asked))
    assert facts(line(none, "AAPL"), "status quantity rule") == (LineStatus.BLOCKED, 0, Rule.TRADE_VALUE_MAX)
    assert limit(none, "TRADE_VALUE_MAX") == (9000, 190_000, 10_000, BLOCKED)


def test_a_reduction_that_is_cut_does_not_go_on_beyond_zero() -> None:
    held = limits(trade_value_max=Decimal(5000), is_short_allowed=True)
    asked = books(wants={"a": {"AAPL": "-0.3"}}, holds={"a": {"AAPL": 100}}, quotes=EXACT, held=held)
    assert facts(line(planned(asked), "AAPL"), "quantity reducing_quantity rule") == (50, 50, Rule.TRADE_VALUE_MAX)


def test_a_limit_on_increases_leaves_the_reducing_leg_of_a_line_that_crosses_zero() -> None:
    held = limits(position_weight_max=Decimal("0.05"), is_short_allowed=True)
    asked = {"wants": {"a": {"AAPL": "-0.3"}}, "holds": {"a": {"AAPL": 100}}, "quotes": EXACT}
    scaled = line(planned(books(held=held, **asked)), "AAPL")
    assert facts(scaled, "quantity reducing_quantity rule") == (150, 100, Rule.POSITION_WEIGHT_MAX)
    blocked = line(planned(books(held=held.model_copy(update={"binding": BindingRule.BLOCK}), **asked)), "AAPL")
    assert facts(blocked, "status quantity reducing_quantity") == (LineStatus.PLANNED, 100, 100)


def test_a_short_that_is_scaled_stays_in_whole_shares() -> None:
    held = limits(
        position_weight_max=Decimal("0.1005"), is_short_allowed=True, quantity_step=Decimal("0.5"), trade_value_min=0
    )
    plan = planned(books(wants={"a": {"AAPL": "-0.3"}, "b": {"IBM": "0.3"}}, quotes=EXACT, held=held))
    assert facts(line(plan, "AAPL"), "quantity rule") == (100, Rule.POSITION_WEIGHT_MAX)
    assert facts(line(plan, "IBM"), "quantity rule") == (50, Rule.POSITION_WEIGHT_MAX)


def test_buying_power_counts_where_leverage_is_allowed_for_shorts_too() -> None:
    held = limits(is_leverage_allowed=True, is_short_allowed=True, weight_total_max=Decimal(4))
    wants = {"a": {"AAPL": "1.5"}, "b": {"IBM": "-0.8"}}
    plan = planned(books(wants=wants, quotes=EXACT, held=held, own=ROOMY, buying_power=200_000, cash=100_000))
    assert plan.cash_available == 200_000
    assert facts(line(plan, "AAPL"), "quantity rule") == (1500, None)
    assert facts(line(plan, "IBM"), "quantity rule threshold") == (250, Rule.CAPITAL, 50_000)
    assert limit(plan, "CAPITAL") == (200_000, 230_000, 200_000, SCALED)


def test_the_proceeds_of_a_short_buy_nothing() -> None:
    held = limits(is_short_allowed=True)
    wants = {"a": {"AAPL": "-0.5"}, "b": {"IBM": "0.5"}}
    plan = planned(books(wants=wants, quotes=EXACT, held=held, cash=10_000, priorities={"a": 1, "b": 2}))
    assert facts(line(plan, "AAPL"), "quantity rule") == (500, None)
    assert facts(line(plan, "IBM"), "quantity rule threshold") == (50, Rule.CAPITAL, 10_000)


def test_the_proceeds_of_a_short_that_is_held_buy_nothing_either() -> None:
    held = limits(is_short_allowed=True, weight_total_max=Decimal(2))
    wants, holds = {"a": {"AAPL": "-0.5"}, "b": {"IBM": "1.2"}}, {"a": {"AAPL": -500}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, cash=150_000, held=held, own=ROOMY))
    assert plan.cash_available == 100_000
    assert facts(line(plan, "IBM"), "quantity rule threshold") == (500, Rule.CAPITAL, 100_000)


def test_what_covers_a_short_is_paid_from_its_collateral() -> None:
    wants, holds = {"a": {}, "b": {"IBM": "0.5"}}, {"a": {"AAPL": -500}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, cash=90_000, held=limits(is_short_allowed=True)))
    assert facts(line(plan, "AAPL"), "quantity reducing_quantity rule") == (500, 500, None)
    assert facts(line(plan, "IBM"), "quantity rule threshold") == (200, Rule.CAPITAL, 40_000)
    assert limit(plan, "CAPITAL") == (40_000, 50_000, 40_000, SCALED)


def test_beside_a_short_without_a_price_nothing_is_bought() -> None:
    asked = books(wants={"a": {"AAPL": "0.5"}}, holds={"b": {"GONE": -1}}, quotes=EXACT)
    assert facts(line(planned(asked), "AAPL"), "status rule threshold") == (LineStatus.BLOCKED, Rule.CAPITAL, 0)


def test_with_leverage_the_brokers_buying_power_knows_of_the_shorts() -> None:
    held = limits(is_leverage_allowed=True, is_short_allowed=True, weight_total_max=Decimal(4))
    wants, holds = {"a": {"AAPL": "-0.5"}, "b": {"IBM": "1.2"}}, {"a": {"AAPL": -500}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, buying_power=130_000, held=held, own=ROOMY))
    assert plan.cash_available == 130_000
    assert facts(line(plan, "IBM"), "quantity rule") == (600, None)


def test_covering_a_short_is_never_cut_and_leaves_less_for_others() -> None:
    wants, holds = {"a": {}, "b": {"IBM": "0.3"}}, {"a": {"AAPL": -100}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, cash=5000, held=limits(is_short_allowed=True)))
    assert facts(line(plan, "AAPL"), "quantity reducing_quantity rule") == (100, 100, None)
    assert facts(line(plan, "IBM"), "status rule threshold") == (LineStatus.BLOCKED, Rule.CAPITAL, -5000)


def test_lines_of_several_books_share_one_limit_of_a_symbol_by_priority() -> None:
    wants = {"own": {"AAPL": "0.9"}, "netted": {"AAPL": "0.3"}}
    asked = books(
        wants=wants,
        capital={"own": 50_000},
        quotes=EXACT,
        held=limits(position_weight_max=Decimal("0.5")),
        priorities={"own": 2, "netted": 1},
        own={"own": {"position_weight_max": None}},
    )
    plan = planned(asked)
    assert facts(line(plan, "AAPL"), "quantity rule") == (300, None)
    assert facts(line(plan, "AAPL", "own"), "quantity rule") == (200, Rule.POSITION_WEIGHT_MAX)
    assert limit(plan, "POSITION_WEIGHT_MAX", symbol="AAPL") == (50_000, 75_000, 50_000, SCALED)


def test_prices_below_a_dollar_and_nine_decimals_are_exact() -> None:
    held = limits(quantity_step=Decimal("0.000000001"), trade_value_min=Decimal(0))
    penny = [quote("PNY", "0.000300", "0.000301")]
    plan = planned(books(wants={"a": {"PNY": "0.000001"}}, quotes=penny, cash="0.05", equity=1000, held=held))
    bought = line(plan, "PNY")
    # the midpoint 0.0003005 is rounded half-even to 0.000300, and 0.001 dollars of it are 3.333333333 shares
    assert facts(bought, "price quantity notional") == (
        Decimal("0.0003"),
        Decimal("3.333333333"),
        Decimal("0.001003333333233"),
    )
    assert facts(bought, "intended_value") == (Decimal("0.0009999999999"),)


def test_a_cut_order_costs_no_more_than_there_is_to_the_last_unit() -> None:
    held = limits(quantity_step=Decimal("0.000000001"), trade_value_min=Decimal(0))
    plan = planned(books(wants={"a": {"AAPL": "0.9"}}, quotes=[quote("AAPL", 3, 3)], cash=1, held=held))
    assert facts(line(plan, "AAPL"), "quantity rule") == (Decimal("0.333333333"), Rule.CAPITAL)
    assert 0 <= plan.cash_available - plan.buys_planned < 3 * Decimal("0.000000001")


def test_a_remainder_below_the_smallest_trade_is_blocked_by_the_limit() -> None:
    held = limits(position_weight_max=Decimal("0.004"), trade_value_min=Decimal(500))
    blocked = line(planned(books(wants={"a": {"AAPL": "0.3"}}, quotes=EXACT, held=held)), "AAPL")
    assert facts(blocked, "status rule threshold") == (LineStatus.BLOCKED, Rule.POSITION_WEIGHT_MAX, 400)


def test_what_has_no_price_counts_nothing_against_the_sum() -> None:
    asked = books(wants={"a": {"AAPL": "0.5"}}, holds={"b": {"GONE": 10**6}}, quotes=EXACT)
    assert facts(line(planned(asked), "AAPL"), "quantity rule") == (500, None)


def test_with_leverage_a_short_leaves_less_buying_power_for_what_comes_after_it() -> None:
    held = limits(is_leverage_allowed=True, is_short_allowed=True, weight_total_max=Decimal(4))
    wants, first = {"a": {"AAPL": "1.5"}, "b": {"IBM": "-0.8"}}, {"b": 1, "a": 2}
    asked = books(wants=wants, quotes=EXACT, held=held, own=ROOMY, buying_power=200_000, priorities=first)
    plan = planned(asked)
    assert facts(line(plan, "IBM"), "quantity rule") == (400, None)
    assert facts(line(plan, "AAPL"), "quantity rule threshold") == (1200, Rule.CAPITAL, 120_000)


def test_a_cover_that_is_cut_stops_at_whole_shares_short() -> None:
    held = limits(trade_value_max=Decimal(1050), is_short_allowed=True, quantity_step=Decimal("0.5"))
    asked = books(wants={"a": {"AAPL": "0.01"}}, holds={"a": {"AAPL": -20}}, quotes=EXACT, held=held)
    assert facts(line(planned(asked), "AAPL"), "quantity reducing_quantity rule") == (10, 10, Rule.TRADE_VALUE_MAX)
