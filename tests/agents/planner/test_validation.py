"""The last look at a finished plan acts: a plan that breaks a rule through a fault of ours is blocked, and says how."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from agents.planner import account_limits, planning
from agents.planner.account import Account
from agents.planner.lines import Line
from schemas.ledger import Books
from schemas.plan import LineStatus, PlanStatus, Rule
from tests.agents.planner.accounts import books, facts, limit, planned, quote
from tests.made import limits

EXACT = [quote("AAPL", 100, 101), quote("IBM", 200, 201)]
HOLDS = {"a": {"AAPL": 100}, "b": {"IBM": 40}}
WANTS = {"a": {"AAPL": "0.05", "IBM": "0.1"}, "b": {}}
UNIT = 10**9


def asked() -> Books:
    held = limits(position_weight_max=Decimal("0.3"), trade_value_max=Decimal(50_000))
    return books(wants=WANTS, holds=HOLDS, quotes=EXACT, held=held)


def order_more(lines: list[Line]) -> None:
    lines[0].quantity += UNIT


def reduce_more(lines: list[Line]) -> None:
    lines[0].reducing = lines[0].quantity + UNIT


def order_what_is_blocked(lines: list[Line]) -> None:
    lines[0].status = LineStatus.SUPPRESSED


def cross_one_side(lines: list[Line]) -> None:
    lines[1].netting = lines[1].netting._replace(crossed=[40 * UNIT, 0])


def give_a_part_to_who_has_had_its_own(lines: list[Line]) -> None:
    lines[1].ordered = [lines[1].quantity + UNIT, -UNIT]


def buy_the_house(lines: list[Line]) -> None:
    lines[1].net = lines[1].quantity = 2000 * UNIT
    lines[1].allowed = lines[1].sized.wanted[:] = [2040 * UNIT, -40 * UNIT]
    lines[1].ordered = [2000 * UNIT, 0]


def sell_what_is_not_there(lines: list[Line]) -> None:
    lines[0].net = lines[0].quantity = 101 * UNIT
    lines[0].allowed = lines[0].sized.wanted[:] = lines[0].ordered = [-101 * UNIT]


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (order_more, "line AAPL of net: expected orders of -52.000000000 together, was -51.000000000"),
        (reduce_more, "expected 0 <= reducing <= quantity <="),
        (order_what_is_blocked, "expected no order on a line that is SUPPRESSED, was"),
        (cross_one_side, "line IBM of net: expected crosses of 0 together, was 40.000000000"),
        (
            give_a_part_to_who_has_had_its_own,
            "line IBM of net: expected a to trade at most 49.000000000 of 49.000000000, was 50.000000000",
        ),
        (buy_the_house, "IBM: expected a position of at most 30000.000000000000000, was 409"),
        (sell_what_is_not_there, "AAPL: expected a position of at least 0, was -1.000000000"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_plan_with_a_fault_is_blocked_and_names_both_values(
    broken: Callable[[list[Line]], None], detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = planning.fault

    def fault(lines: list[Line], account: Account, content: object) -> str | None:
        broken(lines)
        return checked(lines, account, content)

    monkeypatch.setattr(planning, "fault", fault)
    plan = planned(asked())
    assert facts(plan, "status rule") == (PlanStatus.BLOCKED, Rule.PLAN_INVALID)
    assert detail in plan.detail
    assert {facts(each, "status rule quantity cross_quantity") for each in plan.lines} == {
        (LineStatus.BLOCKED, Rule.PLAN_INVALID, 0, 0)
    }
    assert limit(plan, "CAPITAL")[2] > 0


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"cash": 0}, "expected buys of at most 0.000000000000000, was"),
        ({"held": limits(weight_total_max=Decimal("0.1"))}, "WEIGHT_TOTAL_MAX: expected an exposure of at most 10000"),
        ({"held": limits(trade_value_max=Decimal(100))}, "expected to trade at most 100.000000000000000, was"),
    ],
    ids=["cash", "exposure", "trade value"],
)
def test_a_walk_that_overlooks_a_limit_is_caught(
    changed: dict[str, object], detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_limits.Walk, "_room", lambda _self, _line, _position, wanted: (wanted, None, 0))
    roomy = {"a": {"weight_total_max": Decimal(9)}}
    plan = planned(books(wants={"a": {"AAPL": "0.5"}}, quotes=EXACT, own=roomy, **changed))
    assert facts(plan, "status rule") == (PlanStatus.BLOCKED, Rule.PLAN_INVALID)
    assert detail in plan.detail


def test_a_strategys_limit_that_is_overlooked_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "within_own_limits", lambda *_: ({}, []))
    tight = {"a": {"weight_total_max": Decimal("0.1")}}
    plan = planned(books(wants={"a": {"AAPL": "0.5"}}, quotes=EXACT, own=tight))
    assert plan.rule is Rule.PLAN_INVALID
    assert plan.detail.startswith("a: WEIGHT_TOTAL_MAX: expected at most 10000.000000000000000, was 49")


def test_a_sound_plan_passes() -> None:
    assert planned(asked()).status is PlanStatus.READY
