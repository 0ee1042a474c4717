"""What a strategy sells makes room for what it buys only as far as the sale really trades."""

from decimal import Decimal
from typing import Any

import pytest

from agents.planner import planning
from schemas.ledger import Books
from schemas.plan import ConstraintEffect, LineStatus, Plan, Rule
from schemas.run import CashPolicy
from tests.agents.planner.accounts import books, by_owner, facts, limit, line, planned, quote
from tests.made import limits, rules

LOCKED = [quote("AAPL", 100, 100), quote("IBM", 200, 200), quote("MSFT", 50, 50), quote("ORCL", 25, 25)]
OPEN = [quote("AAPL", 99, 101), quote("IBM", 199, 201), quote("MSFT", 50, 50)]
HALVES: dict[str, dict[str, Any]] = {name: {"allocation": Decimal("0.5")} for name in ("a", "b")}
SHARES_OF_CASH = rules(cash_policy=CashPolicy.PROPORTIONAL)


def part(plan: Plan, symbol: str, owner: str = "a") -> object:
    return by_owner(line(plan, symbol), "wanted allowed ordered rule threshold")[owner]


def test_a_sale_too_small_to_be_made_pays_for_nothing_and_the_sales_of_others_do() -> None:
    wants, holds = {"a": {"AAPL": "0.4"}, "b": {"ORCL": "0.4"}}, {"a": {"IBM": 10}, "b": {"MSFT": 200}}
    asked = {"wants": wants, "holds": holds, "quotes": LOCKED, "own": HALVES, "cash": 20_000, "rules": SHARES_OF_CASH}
    whole = planned(books(**asked))
    assert part(whole, "AAPL") == (400, 120, 120, Rule.CAPITAL, 12_000)
    plan = planned(books(held=limits(trade_value_min=Decimal(3000)), **asked))
    assert facts(line(plan, "IBM"), "status rule") == (LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE)
    assert part(plan, "IBM") == (-10, -10, 0, None, None)
    assert part(plan, "AAPL") == (400, 100, 100, Rule.CAPITAL, 10_000)
    assert part(plan, "ORCL", "b") == part(whole, "ORCL", "b") == (1600, 800, 800, Rule.CAPITAL, 20_000)
    assert limit(plan, "CAPITAL", "a") == (10_000, 40_000, 10_000, ConstraintEffect.SCALED)


def test_a_cross_that_is_deferred_pays_for_nothing_and_what_is_sold_beside_it_does() -> None:
    wants, holds = {"a": {"AAPL": "0.04"}, "b": {"IBM": "0.3"}}, {"b": {"AAPL": 100}}
    asked = {"wants": wants, "holds": holds, "own": HALVES, "cash": 20_000, "rules": SHARES_OF_CASH}
    plan = planned(books(quotes=LOCKED, **asked))
    assert facts(line(plan, "AAPL"), "quantity cross_deferred_quantity cross_rule") == (60, 40, Rule.QUOTE_LOCKED)
    assert part(plan, "IBM", "b") == (150, 80, 80, Rule.CAPITAL, 16_000)
    crossed = planned(books(quotes=OPEN, **asked))
    assert line(crossed, "AAPL").cross_quantity == 40
    assert part(crossed, "IBM", "b") == (150, 99, 99, Rule.CAPITAL, 19_900)


def test_a_sale_that_would_take_the_account_short_pays_for_nothing() -> None:
    wants, holds = {"a": {"IBM": "0.4"}, "bear": {}}, {"a": {"AAPL": 100}, "bear": {"AAPL": -100}}
    own = {"a": {"allocation": Decimal("0.4")}}
    asked = {"wants": wants, "holds": holds, "quotes": LOCKED, "own": own, "silent": ["bear"]}
    plan = planned(books(rules=rules(cash_policy=CashPolicy.RESERVE), **asked))
    assert facts(line(plan, "AAPL"), "status rule") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED)
    # its 40 000 less the 10 000 it still holds
    assert part(plan, "IBM") == (200, 150, 150, Rule.WEIGHT_TOTAL_MAX, 40_000)


def test_what_cannot_be_sold_leaves_no_room_for_other_weights() -> None:
    """The wishes alone are within the limit: it binds once the sale is known to be stopped."""
    wants, holds = {"a": {"IBM": "0.9"}, "bear": {}}, {"a": {"AAPL": 500}, "bear": {"AAPL": -500}}
    asked = {"wants": wants, "holds": holds, "quotes": LOCKED, "cash": 200_000, "silent": ["bear"]}
    plan = planned(books(**asked))
    assert line(plan, "AAPL").rule is Rule.SHORT_NOT_ALLOWED
    assert part(plan, "IBM") == (450, 250, 250, Rule.WEIGHT_TOTAL_MAX, 100_000)
    assert limit(plan, "WEIGHT_TOTAL_MAX", "a") == (100_000, 140_000, 100_000, ConstraintEffect.SCALED)


def test_a_stopped_sale_that_nothing_depends_on_cuts_nothing() -> None:
    wants, holds = {"a": {"AAPL": "0.05"}}, {"a": {"IBM": 10}}
    small = limits(trade_value_min=Decimal(3000))
    plan = planned(books(wants=wants, holds=holds, quotes=LOCKED, held=small, rules=SHARES_OF_CASH))
    assert line(plan, "IBM").rule is Rule.MIN_TRADE_VALUE
    assert part(plan, "AAPL") == (50, 50, 50, None, None)


def asked_in_a_chain(shares: int) -> Books:
    """`a` would buy from `b` with the money of a sale of IBM that is too small, and `b` buys MSFT with that."""
    return books(
        wants={"a": {"AAPL": "0.14"}, "b": {"MSFT": "0.3"}, "c": {}},
        holds={"a": {"IBM": 20}, "b": {"AAPL": shares}},
        quotes=OPEN,
        own={name: {"allocation": Decimal("0.3")} for name in ("a", "b", "c")},
        cash=30_000,
        held=limits(trade_value_min=Decimal(5000)),
        rules=SHARES_OF_CASH,
    )


def test_who_can_no_longer_sell_to_another_is_held_to_what_it_still_sells() -> None:
    plan = planned(asked_in_a_chain(138))
    assert part(plan, "AAPL") == (140, 99, 0, Rule.CAPITAL, 10_000)
    # 99 are crossed, and the 39 that are left are too few to be sold: 10 000 and 99 * 99
    assert by_owner(line(plan, "AAPL"), "allowed crossed ordered")["b"] == (-138, -99, 0)
    assert part(plan, "MSFT", "b") == (600, 396, 396, Rule.CAPITAL, 19_801)


def test_who_is_beyond_its_limit_again_is_held_to_the_money_it_has_without_its_sales(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, made = [], planning.within_own_limits

    def within(sizes: Any, own: Any, run: Any, counted: Any) -> Any:
        seen.append({name: sorted(reductions.values()) for name, reductions in counted.items()})
        return made(sizes, own, run, counted)

    monkeypatch.setattr(planning, "within_own_limits", within)
    plan = planned(asked_in_a_chain(140))
    unit = 10**9
    assert seen == [{}, {"a": [], "b": [138 * unit]}, {"a": [], "b": []}]
    assert part(plan, "MSFT", "b") == (600, 200, 200, Rule.CAPITAL, 10_000)
