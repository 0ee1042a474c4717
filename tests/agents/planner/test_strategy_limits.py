"""A strategy's own limits: each on its own wishes, before anything is netted, with its reason in the contribution."""

from decimal import Decimal

import pytest

from schemas.plan import Action, ConstraintEffect, LineStatus, PlanLine, Rule
from schemas.run import BindingRule, CashPolicy
from tests.agents.planner.accounts import books, by_owner, facts, limit, line, planned, quote
from tests.made import limits, rules

AAPL = quote("AAPL", "99.98", "100.02")
IBM = quote("IBM", "199.99", "200.01")
EXACT = [quote("AAPL", 100, 100), quote("IBM", 200, 200)]
BLOCK = limits(binding=BindingRule.BLOCK)
SCALED, BLOCKED = ConstraintEffect.SCALED, ConstraintEffect.BLOCKED


def own(**changed: object) -> dict[str, dict[str, object]]:
    return {"a": changed}


def part(found: PlanLine, owner: str = "a") -> object:
    return by_owner(found, "wanted allowed ordered rule threshold")[owner]


def test_the_sum_of_its_weights_scales_all_its_increases_alike() -> None:
    wants = {"a": {"AAPL": "0.6", "IBM": "0.4"}}
    plan = planned(books(wants=wants, quotes=[AAPL, IBM], own=own(weight_total_max=Decimal("0.5"))))
    assert part(line(plan, "AAPL")) == (600, 300, 300, Rule.WEIGHT_TOTAL_MAX, 50_000)
    assert part(line(plan, "IBM")) == (200, 100, 100, Rule.WEIGHT_TOTAL_MAX, 50_000)
    assert limit(plan, "WEIGHT_TOTAL_MAX", "a") == (50_000, 100_000, 50_000, SCALED)
    cut = line(plan, "AAPL")
    assert facts(cut, "status rule threshold quantity intended_quantity") == (
        LineStatus.PLANNED,
        Rule.WEIGHT_TOTAL_MAX,
        50_000,
        300,
        600,
    )


def test_its_maximum_is_of_its_own_capital_and_the_runs_where_it_has_none() -> None:
    wants, allocation = {"a": {"AAPL": "0.3"}}, Decimal("0.2")
    plan = planned(books(wants=wants, quotes=[AAPL], own=own(allocation=allocation)))
    assert part(line(plan, "AAPL")) == (300, 200, 200, Rule.WEIGHT_TOTAL_MAX, 20_000)
    wider = own(allocation=allocation, weight_total_max=Decimal("1.5"))
    assert part(line(planned(books(wants=wants, quotes=[AAPL], own=wider)), "AAPL")) == (300, 300, 300, None, None)


def test_a_book_is_held_to_its_own_capital() -> None:
    wants = {"a": {"AAPL": "0.8", "IBM": "-0.8"}}
    held = limits(is_short_allowed=True, weight_total_max=Decimal("0.8"))
    plan = planned(books(wants=wants, capital={"a": 50_000}, quotes=[AAPL, IBM], held=held))
    assert part(line(plan, "AAPL", "a")) == (400, 200, 200, Rule.WEIGHT_TOTAL_MAX, 40_000)
    assert part(line(plan, "IBM", "a")) == (-200, -100, -100, Rule.WEIGHT_TOTAL_MAX, 40_000)


def test_what_it_holds_and_cannot_trade_leaves_less_room() -> None:
    wants = {"a": {"AAPL": "0.9"}}
    stale = [AAPL, quote("IBM", "199.99", "200.01", 61)]
    plan = planned(books(wants=wants, holds={"a": {"IBM": 250}}, quotes=stale))
    assert part(line(plan, "AAPL")) == (900, 500, 500, Rule.WEIGHT_TOTAL_MAX, 100_000)


def test_a_reduction_is_never_cut_by_a_limit_on_increases() -> None:
    tight = own(weight_total_max=Decimal("0.1"), position_weight_max=Decimal("0.1"))
    wants, holds = {"a": {"AAPL": "0.3", "IBM": "0.2"}}, {"a": {"AAPL": 500, "IBM": 50}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], own=tight, cash=-50_000))
    assert part(line(plan, "AAPL")) == (-200, -200, -200, None, None)
    assert part(line(plan, "IBM")) == (50, 0, 0, Rule.POSITION_WEIGHT_MAX, 10_000)
    assert limit(plan, "POSITION_WEIGHT_MAX", "a", "IBM") == (10_000, 20_000, 10_000, BLOCKED)


def test_one_symbol_is_held_to_its_greatest_weight_and_the_others_are_not_touched() -> None:
    wants = {"a": {"AAPL": "0.3", "IBM": "0.1"}}
    asked = {"wants": wants, "quotes": [AAPL, IBM], "own": own(position_weight_max=Decimal("0.20055"))}
    plan = planned(books(**asked))
    assert part(line(plan, "AAPL")) == (300, 200, 200, Rule.POSITION_WEIGHT_MAX, 20_055)
    assert part(line(plan, "IBM")) == (50, 50, 50, None, None)
    assert limit(plan, "POSITION_WEIGHT_MAX", "a", "AAPL") == (20_055, 30_000, 20_000, SCALED)
    dropped = planned(books(held=BLOCK, **asked))
    assert part(line(dropped, "AAPL")) == (300, 0, 0, Rule.POSITION_WEIGHT_MAX, 20_055)
    assert limit(dropped, "POSITION_WEIGHT_MAX", "a", "AAPL") == (20_055, 30_000, 0, BLOCKED)


def test_a_line_that_its_owners_limits_leave_nothing_of_is_blocked_by_the_first_of_them() -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.3"}}, quotes=[AAPL], own=own(weight_total_max=Decimal(0))))
    empty = line(plan, "AAPL")
    assert facts(empty, "status rule threshold action") == (
        LineStatus.BLOCKED,
        Rule.WEIGHT_TOTAL_MAX,
        0,
        Action.BUY,
    )
    assert facts(empty, "quantity intended_quantity delta_quantity") == (0, 300, 300)


def test_block_drops_all_the_increases_a_total_binds() -> None:
    wants, holds = {"a": {"AAPL": "0.6", "IBM": "0.1"}}, {"a": {"IBM": 150}}
    tight = own(weight_total_max=Decimal("0.5"))
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], own=tight, held=BLOCK))
    assert part(line(plan, "AAPL")) == (600, 0, 0, Rule.WEIGHT_TOTAL_MAX, 50_000)
    assert part(line(plan, "IBM")) == (-100, -100, -100, None, None)
    assert limit(plan, "WEIGHT_TOTAL_MAX", "a") == (50_000, 70_000, 10_000, BLOCKED)


def test_trade_value_counts_both_sides_and_what_was_traded_and_serves_reductions_first() -> None:
    wants, holds = {"a": {"AAPL": "0.3"}}, {"a": {"IBM": 100}}
    asked = {"wants": wants, "holds": holds, "quotes": EXACT, "traded": {"a": 5000}}
    enough = planned(books(own=own(trade_value_max=Decimal(55_000)), **asked))
    assert [part(line(enough, symbol))[1] for symbol in ("AAPL", "IBM")] == [300, -100]
    less = planned(books(own=own(trade_value_max=Decimal(40_000)), **asked))
    assert part(line(less, "AAPL")) == (300, 150, 150, Rule.TRADE_VALUE_MAX, 40_000)
    assert part(line(less, "IBM")) == (-100, -100, -100, None, None)
    assert limit(less, "TRADE_VALUE_MAX", "a") == (40_000, 55_000, 40_000, SCALED)
    least = planned(books(own=own(trade_value_max=Decimal(15_000)), **asked))
    assert part(line(least, "AAPL"))[1] == 0
    assert part(line(least, "IBM")) == (-100, -50, -50, Rule.TRADE_VALUE_MAX, 15_000)
    spent = planned(books(own=own(trade_value_max=Decimal(4000)), **asked))
    assert [part(line(spent, symbol))[1] for symbol in ("AAPL", "IBM")] == [0, 0]
    assert limit(spent, "TRADE_VALUE_MAX", "a") == (4000, 55_000, 5000, BLOCKED)


def test_what_is_cut_short_of_zero_does_not_go_on_beyond_it() -> None:
    wants, holds = {"a": {"AAPL": "-0.1"}, "b": {"AAPL": "0.2"}}, {"a": {"AAPL": 100}, "b": {"AAPL": 200}}
    asked = {"wants": wants, "holds": holds, "quotes": EXACT}
    plan = planned(books(own=own(trade_value_max=Decimal(5000)), **asked))
    assert part(line(plan, "AAPL")) == (-200, -50, -50, Rule.TRADE_VALUE_MAX, 5000)
    beyond = planned(books(own=own(trade_value_max=Decimal(15_000)), **asked))
    assert part(line(beyond, "AAPL")) == (-200, -150, -150, Rule.TRADE_VALUE_MAX, 15_000)
    little = {**asked, "wants": {"a": {"AAPL": "-0.01"}, "b": {"AAPL": "0.2"}}}
    dropped = planned(books(own=own(trade_value_max=Decimal(5000)), held=BLOCK, **little))
    assert part(line(dropped, "AAPL")) == (-110, 0, 0, Rule.TRADE_VALUE_MAX, 5000)


def test_proportional_cash_is_a_share_by_allocation_and_its_own_sales() -> None:
    wants = {"a": {"AAPL": "0.4"}, "b": {"AAPL": "0.4"}}
    shares = {"a": {"allocation": Decimal("0.6")}, "b": {"allocation": Decimal("0.4")}}
    asked = {"wants": wants, "own": shares, "cash": 50_000, "rules": rules(cash_policy=CashPolicy.PROPORTIONAL)}
    plan = planned(books(quotes=EXACT, **asked))
    assert part(line(plan, "AAPL"), "a") == (400, 300, 300, Rule.CAPITAL, 30_000)
    assert part(line(plan, "AAPL"), "b") == (400, 200, 200, Rule.CAPITAL, 20_000)
    assert limit(plan, "CAPITAL", "a") == (30_000, 40_000, 30_000, SCALED)
    sold = planned(books(quotes=EXACT, holds={"b": {"IBM": 50}}, **asked))
    assert part(line(sold, "AAPL"), "a")[1] == 300
    assert part(line(sold, "AAPL"), "b") == (400, 300, 300, Rule.CAPITAL, 30_000)


def test_the_reserve_policy_spends_its_own_unspent_capital() -> None:
    wants, holds = {"a": {"AAPL": "0.5", "IBM": "0.4"}}, {"a": {"IBM": 250}}
    asked = {"wants": wants, "holds": holds, "own": own(allocation=Decimal("0.8"), weight_total_max=Decimal(2))}
    held, policy = limits(cash_reserve=Decimal("0.1")), rules(cash_policy=CashPolicy.RESERVE)
    plan = planned(books(quotes=EXACT, held=held, rules=policy, **asked))
    # 80 000 less a tenth less 50 000 held, and 10 000 of its own sale
    assert part(line(plan, "AAPL")) == (500, 320, 320, Rule.CAPITAL, 32_000)
    assert part(line(plan, "IBM")) == (-50, -50, -50, None, None)


def test_the_reserve_policy_counts_no_proceeds_of_shorts_and_covers_from_them() -> None:
    held, policy = limits(is_short_allowed=True, weight_total_max=Decimal(3)), rules(cash_policy=CashPolicy.RESERVE)
    roomy, holds = own(weight_total_max=Decimal(3)), {"a": {"IBM": -250}}
    more = {"holds": holds, "quotes": EXACT, "cash": 150_000, "held": held, "rules": policy, "own": roomy}
    keeps = books(wants={"a": {"AAPL": "1.2", "IBM": "-0.5"}}, **more)
    covers = books(wants={"a": {"AAPL": "1.2"}}, **more)

    # 100 000 of capital, whatever the short brought
    assert part(line(planned(keeps), "AAPL")) == (1200, 1000, 1000, Rule.CAPITAL, 100_000)
    assert part(line(planned(covers), "AAPL"))[1] == 1000


def test_what_has_no_price_leaves_the_reserve_policy_its_own_sales_only() -> None:
    wants, holds = {"a": {"AAPL": "0.5"}}, {"a": {"IBM": 5, "MSFT": 1}}
    plan = planned(books(wants=wants, holds=holds, quotes=EXACT, rules=rules(cash_policy=CashPolicy.RESERVE)))
    assert part(line(plan, "AAPL")) == (500, 10, 10, Rule.CAPITAL, 1000)


def test_a_pool_is_shared_without_a_limit_of_its_own() -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.9"}, "b": {}}, quotes=EXACT, own=own(allocation=Decimal("0.9"))))
    assert part(line(plan, "AAPL")) == (900, 900, 900, None, None)


def test_what_a_limit_takes_from_one_side_is_missing_in_the_cross() -> None:
    wants, holds = {"a": {"AAPL": "0.1"}, "b": {}}, {"b": {"AAPL": 40}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL], own=own(position_weight_max=Decimal("0.01"))))
    turned = line(plan, "AAPL")
    assert facts(turned, "delta_quantity action quantity cross_quantity") == (60, Action.SELL, 30, 10)
    assert by_owner(turned, "wanted allowed crossed ordered") == {"a": (100, 10, 10, 0), "b": (-40, -40, -10, -30)}
    assert facts(turned, "intended_quantity rule") == (30, None)


@pytest.mark.parametrize("capital", [None, 0])
def test_a_limit_of_a_book_without_capital_cuts_no_exit(capital: int | None) -> None:
    tight = own(position_weight_max=Decimal("0.1"), weight_total_max=Decimal(0))
    plan = planned(books(wants={"a": {}}, holds={"a": {"IBM": 5}}, capital={"a": capital}, quotes=[IBM], own=tight))
    assert part(line(plan, "IBM", "a")) == (-5, -5, -5, None, None)
