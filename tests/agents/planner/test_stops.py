"""What stops a line whatever it wants: a decision a person owes, a halt, a symbol that is gone; and a run's scope."""

from decimal import Decimal

import pytest

from schemas.account import InstrumentStatus
from schemas.plan import Action, LineStatus, PlanStatus, Rule
from tests.agents.planner.accounts import books, by_owner, facts, line, planned, quote

AAPL = quote("AAPL", "99.98", "100.02")
IBM = quote("IBM", "199.99", "200.01")
OPPOSITE = {"a": {"AAPL": "0.1"}, "b": {}}
B_HOLDS = {"b": {"AAPL": 40}}


@pytest.mark.parametrize("status", list(InstrumentStatus))
def test_a_halt_or_a_symbol_that_is_gone_blocks_the_order_and_the_cross(status: InstrumentStatus) -> None:
    plan = planned(books(wants=OPPOSITE, holds=B_HOLDS, quotes=[AAPL], stopped={"AAPL": status}))
    stopped = line(plan, "AAPL")
    rule = Rule(status.value)
    assert facts(stopped, "status rule threshold quantity phase") == (LineStatus.BLOCKED, rule, None, 0, None)
    assert facts(stopped, "action intended_quantity intended_value") == (Action.BUY, 60, 6000)
    assert facts(stopped, "cross_quantity cross_deferred_quantity cross_rule") == (0, 40, rule)
    assert by_owner(stopped, "wanted crossed ordered") == {"a": (100, 0, 0), "b": (-40, 0, 0)}


def test_a_symbol_that_is_gone_is_named_so_although_it_has_no_price_either() -> None:
    gone = {"AAPL": InstrumentStatus.NOT_TRADABLE}
    assert line(planned(books(wants=OPPOSITE, holds=B_HOLDS, stopped=gone)), "AAPL").rule is Rule.NOT_TRADABLE


def test_a_stopped_sale_brings_no_money_for_others() -> None:
    wants, holds = {"a": {"IBM": "0.5"}}, {"a": {"AAPL": 500}}
    free = books(wants=wants, holds=holds, quotes=[AAPL, IBM], cash=0)
    halted = books(wants=wants, holds=holds, quotes=[AAPL, IBM], cash=0, stopped={"AAPL": InstrumentStatus.HALTED})
    assert line(planned(free), "IBM").quantity == 249
    assert facts(line(planned(halted), "IBM"), "quantity rule") == (0, Rule.CAPITAL)


@pytest.mark.parametrize(
    ("bid", "ask", "rule"),
    [(100, 100, Rule.QUOTE_LOCKED), ("100.02", "99.98", Rule.QUOTE_CROSSED)],
    ids=["locked", "crossed"],
)
def test_a_cross_that_is_deferred_says_how_much_and_why(bid: str, ask: str, rule: Rule) -> None:
    waiting = line(planned(books(wants=OPPOSITE, holds=B_HOLDS, quotes=[quote("AAPL", bid, ask)])), "AAPL")
    assert facts(waiting, "status rule quantity") == (LineStatus.PLANNED, None, 60)
    assert facts(waiting, "cross_deferred_quantity cross_rule") == (40, rule)


def test_wishes_that_only_wait_for_their_cross_are_blocked_by_the_quote() -> None:
    wants = {"a": {"AAPL": "0.04"}, "b": {}}
    waiting = line(planned(books(wants=wants, holds=B_HOLDS, quotes=[quote("AAPL", 100, 100)])), "AAPL")
    assert facts(waiting, "status rule threshold action") == (
        LineStatus.BLOCKED,
        Rule.QUOTE_LOCKED,
        None,
        Action.HOLD,
    )
    assert facts(waiting, "quantity intended_quantity cross_deferred_quantity") == (0, 0, 40)


def test_a_stale_quote_defers_the_cross_and_names_itself() -> None:
    stale = line(planned(books(wants=OPPOSITE, holds=B_HOLDS, quotes=[quote("AAPL", 99, 101, 61)])), "AAPL")
    assert facts(stale, "rule cross_deferred_quantity cross_rule") == (Rule.QUOTE_STALE, 40, Rule.QUOTE_STALE)


def test_a_flagged_symbol_shows_what_each_wants_and_trades_nothing_until_a_person_decides() -> None:
    flagged = {"AAPL": {"bear": "-0.04", "bull": "0.1"}}
    wants = {"bear": {"IBM": "0.1"}, "bull": {}, "other": {}}
    kept = [(name, "AAPL") for name in ("bear", "bull", "other")]
    plan = planned(books(wants=wants, holds={"other": {"AAPL": 7}}, flagged=flagged, kept=kept, quotes=[AAPL, IBM]))
    held = line(plan, "AAPL")
    assert facts(held, "status rule threshold") == (LineStatus.HELD, Rule.CONFLICT_FLAGGED, None)
    assert facts(held, "quantity reducing_quantity cross_quantity notional") == (0, 0, 0, 0)
    assert facts(held, "target_weight action intended_quantity") == (Decimal("0.06"), Action.BUY, 60)
    assert facts(held, "cross_deferred_quantity cross_rule") == (40, Rule.CONFLICT_FLAGGED)
    assert by_owner(held, "weight wanted ordered") == {
        "bear": (Decimal("-0.04"), -40, 0),
        "bull": (Decimal("0.1"), 100, 0),
        "other": (0, 0, 0),
    }
    assert line(plan, "IBM").status is LineStatus.PLANNED


def test_a_flagged_symbol_uses_no_money() -> None:
    wants = {"a": {"IBM": "0.5"}}
    plan = planned(books(wants=wants, flagged={"AAPL": {"a": "0.9"}}, quotes=[AAPL, IBM], cash=50_010))
    assert facts(line(plan, "IBM"), "quantity rule") == (250, None)


def test_only_symbols_in_scope_are_judged_and_everything_else_is_kept_without_a_line() -> None:
    wants, holds = {"a": {"AAPL": "0.1"}}, {"a": {"AAPL": 40, "IBM": 5}, "b": {"IBM": 3}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], scope=["AAPL"]))
    assert [each.symbol for each in plan.lines] == ["AAPL"]
    assert facts(line(plan, "AAPL"), "quantity delta_quantity") == (60, 60)
    assert facts(plan, "line_count status") == (1, PlanStatus.READY)
    everything = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM]))
    assert line(everything, "IBM").delta_quantity == -5


def test_holdings_outside_the_scope_count_against_the_limits() -> None:
    wants, holds = {"a": {"AAPL": "0.9"}}, {"a": {"IBM": 250}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], scope=["AAPL"]))
    assert facts(line(plan, "AAPL"), "quantity rule intended_quantity") == (500, Rule.WEIGHT_TOTAL_MAX, 900)


def test_books_that_differ_outside_the_scope_block_the_plan_too() -> None:
    asked = books(wants={"a": {"AAPL": "0.1"}}, broker={"IBM": 1}, quotes=[AAPL, IBM], scope=["AAPL"])
    assert facts(planned(asked), "rule detail line_count") == (
        Rule.BOOKS_DIFFER,
        "IBM: books 0.000000000, broker 1.000000000",
        1,
    )
