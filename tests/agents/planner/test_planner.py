"""The planner: sizes, crosses and rules, one story each."""

from decimal import Decimal

import pytest

from agents.decider import Decider
from agents.planner import decider as planner
from agents.planner.agent import AGENT
from agents.testing import given
from schemas.identity import plan_id
from schemas.ledger import BookDifference, BooksStatus
from schemas.market import Quote
from schemas.order import Phase
from schemas.plan import Action, LineStatus, PlanStatus, Rule
from schemas.portfolio import Contribution
from schemas.run import DeadlinePassed
from tests.agents.planner.accounts import ACCOUNT, AS_OF, RUN, books, by_owner, facts, line, planned, quote
from tests.made import limits, run_terms

AAPL = quote("AAPL", "99.98", "100.02")
IBM = quote("IBM", "199.99", "200.01")
ONE_BUY = books(wants={"carry": {"AAPL": "0.5"}}, quotes=[AAPL])


def test_a_plan_says_what_it_was_made_of_and_where_it_belongs() -> None:
    plan = planned(ONE_BUY)
    assert facts(plan, "plan_id run_id as_of account_id") == (plan_id(RUN), RUN, AS_OF, ACCOUNT)
    assert facts(plan, "status rule detail") == (PlanStatus.READY, None, "")
    assert plan.books == ONE_BUY.content


def test_a_wish_becomes_whole_shares_at_the_midpoint_and_money_at_the_offer() -> None:
    plan = planned(books(wants={"carry": {"AAPL": "0.505"}}, quotes=[AAPL], held=limits(cash_reserve=Decimal("0.1"))))
    bought = line(plan, "AAPL")
    assert facts(bought, "price bid ask") == (100, Decimal("99.98"), Decimal("100.02"))
    assert facts(bought, "quoted_at quote_source") == (AS_OF, "iex")
    assert facts(bought, "action quantity status rule") == (Action.BUY, 505, LineStatus.PLANNED, None)
    assert facts(bought, "book target_value target_quantity delta_quantity") == ("net", 50_500, 505, 505)
    assert facts(bought, "reducing_quantity phase account_quantity") == (0, Phase.INCREASING, 0)
    assert facts(bought, "notional intended_value") == (Decimal("50510.10"), 50_500)
    assert facts(plan, "cash_available sells_expected buys_planned") == (90_000, 0, Decimal("50510.10"))
    assert facts(plan, "trade_value line_count") == (Decimal("50510.10"), 1)


def test_a_sale_is_counted_at_the_bid() -> None:
    plan = planned(books(wants={"carry": {}}, holds={"carry": {"AAPL": 7}}, quotes=[AAPL]))
    sold = line(plan, "AAPL")
    assert facts(sold, "action quantity delta_quantity") == (Action.SELL, 7, -7)
    assert plan.sells_expected == sold.notional == plan.trade_value == Decimal("699.86")
    assert facts(sold, "reducing_quantity phase account_quantity") == (7, Phase.REDUCING, 7)


def test_a_fraction_of_a_step_is_left_out_towards_zero() -> None:
    held = limits(quantity_step=Decimal("0.5"), trade_value_min=Decimal(0))
    plan = planned(
        books(wants={"a": {"AAPL": "0.000149"}, "b": {"AAPL": "0.0000999"}}, quotes=[AAPL], equity=10**6, held=held)
    )
    assert by_owner(line(plan, "AAPL"), "target_quantity") == {
        "a": 1,
        "b": Decimal("0.5"),
    }


def test_the_midpoint_is_rounded_half_even_to_six_decimals() -> None:
    for ask, mid in (("100.000001", "100.000000"), ("100.000003", "100.000002")):
        plan = planned(books(wants={"a": {"AAPL": "0.5"}}, quotes=[quote("AAPL", 100, ask)]))
        assert line(plan, "AAPL").price == Decimal(mid)


def test_opposite_wishes_meet_inside_and_only_the_net_goes_out() -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.1"}, "b": {}}, holds={"b": {"AAPL": 40}}, quotes=[AAPL]))
    netted = line(plan, "AAPL")
    assert facts(netted, "action quantity cross_quantity delta_quantity") == (Action.BUY, 60, 40, 60)
    assert by_owner(netted, "wanted crossed ordered") == {
        "a": (100, 40, 60),
        "b": (-40, -40, 0),
    }
    assert by_owner(netted, "value")["b"] == -4000


def test_the_larger_side_shares_the_cross_by_largest_remainder_ties_by_name() -> None:
    wants = {"a": {"AAPL": "0.01"}, "b": {"AAPL": "0.01"}, "c": {"AAPL": "0.03"}, "z": {}}
    shared = line(planned(books(wants=wants, holds={"z": {"AAPL": 12}}, quotes=[AAPL])), "AAPL")
    # 12 of 50 over 10, 10, 30: 2.4, 2.4, 7.2; the last share goes to a, before b by name
    assert by_owner(shared, "crossed") == {"a": 3, "b": 2, "c": 7, "z": -12}
    assert by_owner(shared, "ordered") == {"a": 7, "b": 8, "c": 23, "z": 0}


def test_wishes_that_cancel_out_are_crossed_and_nothing_is_ordered() -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.04"}, "b": {}}, holds={"b": {"AAPL": 40}}, quotes=[AAPL]))
    crossed = line(plan, "AAPL")
    assert facts(crossed, "action quantity cross_quantity") == (Action.HOLD, 0, 40)
    assert facts(crossed, "status rule phase cross_rule cross_deferred_quantity") == (
        LineStatus.PLANNED,
        None,
        None,
        None,
        0,
    )


@pytest.mark.parametrize(("bid", "ask"), [(100, 100), ("100.02", "99.98")], ids=["locked", "crossed"])
def test_without_an_open_quote_only_the_net_trades_and_the_smaller_side_waits(bid: str, ask: str) -> None:
    wants = {"a": {"AAPL": "0.1"}, "b": {}}
    waiting = line(planned(books(wants=wants, holds={"b": {"AAPL": 40}}, quotes=[quote("AAPL", bid, ask)])), "AAPL")
    assert facts(waiting, "quantity cross_quantity status") == (60, 0, LineStatus.PLANNED)
    assert by_owner(waiting, "crossed ordered") == {"a": (0, 60), "b": (0, 0)}
    assert waiting.notional == 60 * max(Decimal(bid), Decimal(ask))


def test_a_strategy_that_names_a_symbol_twice_wants_the_sum() -> None:
    asked = books(wants={"a": {"AAPL": "0.3"}}, quotes=[AAPL])
    halves = tuple(Contribution(strategy_id="a", weight=Decimal(half)) for half in ("0.1", "0.2"))
    wanted = asked.content.snapshot.portfolio
    target = wanted.targets[0].model_copy(update={"contributions": halves})
    portfolio = wanted.model_copy(update={"targets": (target,)})
    snapshot = asked.content.snapshot.model_copy(update={"portfolio": portfolio})
    twice = asked.model_copy(update={"content": asked.content.model_copy(update={"snapshot": snapshot})})
    assert by_owner(line(planned(twice), "AAPL"), "weight wanted") == {"a": (Decimal("0.3"), 300)}


def test_who_could_not_judge_a_symbol_keeps_what_it_holds_of_it() -> None:
    holds = {"blind": {"AAPL": 5}, "speaks": {"AAPL": 8}}
    plan = planned(books(wants={"blind": {}, "speaks": {}}, holds=holds, kept=[("blind", "AAPL")], quotes=[AAPL]))
    assert by_owner(line(plan, "AAPL"), "wanted") == {"blind": 0, "speaks": -8}


def test_who_does_not_speak_keeps_what_it_holds() -> None:
    holds = {"failed": {"AAPL": 5}, "former": {"AAPL": 6}, "system": {"AAPL": 7}, "speaks": {"AAPL": 8}}
    plan = planned(books(wants={"failed": {}, "speaks": {}}, holds=holds, silent=["failed"], quotes=[AAPL]))
    kept = line(plan, "AAPL")
    assert by_owner(kept, "wanted") == {
        "failed": 0,
        "former": 0,
        "system": 0,
        "speaks": -8,
    }
    assert facts(kept, "current_quantity quantity action") == (26, 8, Action.SELL)


def test_a_symbol_nobody_wants_to_change_is_suppressed_with_a_threshold_of_zero() -> None:
    kept = line(planned(books(wants={"a": {"AAPL": "0.01"}}, holds={"a": {"AAPL": 10}}, quotes=[AAPL])), "AAPL")
    assert facts(kept, "status rule threshold") == (LineStatus.SUPPRESSED, Rule.NO_DIFFERENCE, 0)
    assert facts(kept, "action intended_quantity") == (Action.HOLD, 0)


def test_a_difference_below_one_step_is_none_and_names_the_step() -> None:
    kept = line(planned(books(wants={"a": {}}, holds={"a": {"AAPL": "0.75"}}, quotes=[AAPL])), "AAPL")
    assert facts(kept, "status rule threshold") == (LineStatus.SUPPRESSED, Rule.NO_DIFFERENCE, 1)
    assert facts(kept, "action delta_quantity") == (Action.HOLD, Decimal("-0.75"))


def test_holdings_between_two_steps_are_sold_in_whole_steps_and_split_without_excess() -> None:
    holds = {"a": {"AAPL": "10.5"}, "b": {"AAPL": "0.75"}}
    sold = line(planned(books(wants={"a": {}, "b": {}}, holds=holds, quotes=[AAPL])), "AAPL")
    assert facts(sold, "quantity delta_quantity") == (11, Decimal("-11.25"))
    ordered = by_owner(sold, "ordered")
    assert ordered == {"a": Decimal("-10.266666667"), "b": Decimal("-0.733333333")}


@pytest.mark.parametrize(
    "quotes", [[], [quote("AAPL", 0, 100)], [quote("AAPL", 100, 0)]], ids=["no quote", "no bid", "no offer"]
)
def test_without_a_price_a_line_is_blocked_and_everybody_keeps_what_it_has(quotes: list[Quote]) -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.5"}}, holds={"b": {"AAPL": 3}}, quotes=[*quotes, IBM]))
    blind = line(plan, "AAPL")
    assert facts(blind, "status rule threshold price") == (LineStatus.BLOCKED, Rule.NO_PRICE, None, None)
    assert facts(blind, "target_weight target_quantity quantity") == (Decimal("0.5"), 3, 0)
    assert plan.status is PlanStatus.READY


def test_a_stale_quote_blocks_its_line_and_any_cross() -> None:
    wants, holds = {"a": {"AAPL": "0.1"}, "b": {}}, {"b": {"AAPL": 40}}
    fresh, stale = (books(wants=wants, holds=holds, quotes=[quote("AAPL", 99, 101, age)]) for age in (60, 60.000001))
    assert line(planned(fresh), "AAPL").status is LineStatus.PLANNED
    blocked = line(planned(stale), "AAPL")
    assert facts(blocked, "status rule threshold") == (LineStatus.BLOCKED, Rule.QUOTE_STALE, 60)
    assert facts(blocked, "quantity cross_quantity intended_quantity") == (0, 0, 60)


def test_the_account_never_goes_short_but_a_cross_stands() -> None:
    wants = {"bear": {"AAPL": "-0.3"}, "bull": {"AAPL": "0.1"}}
    short = line(planned(books(wants=wants, holds={"bull": {"AAPL": 50}}, quotes=[AAPL])), "AAPL")
    # bear wants -300, bull +50: 50 cross, and 250 of the 50 held would be sold
    assert facts(short, "status rule threshold") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED, 0)
    assert facts(short, "intended_quantity quantity cross_quantity") == (250, 0, 50)
    assert by_owner(short, "crossed ordered") == {
        "bear": (-50, 0),
        "bull": (50, 0),
    }


def test_a_strategy_may_be_short_while_the_account_is_long() -> None:
    wants = {"bear": {"AAPL": "-0.3"}, "bull": {"AAPL": "0.1"}}
    holds = {"bull": {"AAPL": 100}, "system": {"AAPL": 300}}
    sold = line(planned(books(wants=wants, holds=holds, quotes=[AAPL])), "AAPL")
    assert facts(sold, "status action quantity") == (LineStatus.PLANNED, Action.SELL, 300)
    assert by_owner(sold, "ordered")["bear"] == -300


def test_a_trade_below_the_minimum_is_suppressed_with_what_was_intended_and_its_cross_stands() -> None:
    held = limits(trade_value_min=Decimal("1000.01"))
    wants, holds = {"a": {"AAPL": "0.05"}, "b": {}}, {"b": {"AAPL": 40}}
    small = line(planned(books(wants=wants, holds=holds, quotes=[AAPL], held=held)), "AAPL")
    assert facts(small, "status rule") == (LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE)
    assert facts(small, "threshold intended_quantity intended_value") == (Decimal("1000.01"), 10, 1000)
    assert facts(small, "action quantity notional cross_quantity") == (Action.BUY, 0, 0, 40)
    assert by_owner(small, "crossed ordered") == {"a": (40, 0), "b": (-40, 0)}
    exactly = books(wants=wants, holds=holds, quotes=[AAPL], held=limits(trade_value_min=Decimal(1000)))
    assert line(planned(exactly), "AAPL").status is LineStatus.PLANNED


def test_buys_are_reduced_to_the_money_there_is_in_order_of_priority() -> None:
    wants = {"first": {"IBM": "0.5"}, "second": {"AAPL": "0.5"}}
    plan = planned(
        books(wants=wants, quotes=[AAPL, IBM], cash=60_000, priorities={"first": 1, "second": 2}, held=limits())
    )
    whole, reduced = line(plan, "IBM"), line(plan, "AAPL")
    assert facts(whole, "quantity rule priority") == (250, None, 1)
    left = 60_000 - 250 * Decimal("200.01")
    assert facts(reduced, "status rule threshold") == (LineStatus.PLANNED, Rule.CAPITAL, left)
    assert facts(reduced, "quantity intended_quantity intended_value") == (99, 500, 50_000)
    assert plan.buys_planned == whole.notional + reduced.notional <= 60_000
    turned = planned(books(wants=wants, quotes=[AAPL, IBM], cash=60_000, priorities={"first": 3, "second": 2}))
    assert line(turned, "AAPL").quantity == 500
    assert line(turned, "IBM").rule is Rule.CAPITAL


def test_buys_of_one_priority_are_served_by_symbol_and_a_blocked_one_leaves_its_money() -> None:
    wants = {"a": {"AAPL": "0.1", "IBM": "0.1"}}
    plan = planned(
        books(wants=wants, quotes=[AAPL, quote("IBM", 20, 21)], cash=95, held=limits(trade_value_min=Decimal(60)))
    )
    blocked, reduced = line(plan, "AAPL"), line(plan, "IBM")
    assert facts(blocked, "status rule threshold") == (LineStatus.BLOCKED, Rule.CAPITAL, 95)
    assert facts(blocked, "quantity intended_quantity") == (0, 100)
    assert facts(reduced, "quantity rule notional") == (4, Rule.CAPITAL, 84)


def test_a_reduction_below_the_minimum_trade_is_blocked() -> None:
    plan = planned(
        books(wants={"a": {"AAPL": "0.5"}}, quotes=[AAPL], cash=450, held=limits(trade_value_min=Decimal(401)))
    )
    assert (line(plan, "AAPL").status, line(plan, "AAPL").rule) == (LineStatus.BLOCKED, Rule.CAPITAL)


def test_a_buy_that_takes_the_last_cent_is_not_reduced() -> None:
    for cash, rule in (("10002", None), ("10001.99", Rule.CAPITAL)):
        assert line(planned(books(wants={"a": {"AAPL": "0.1"}}, quotes=[AAPL], cash=cash)), "AAPL").rule is rule


def test_the_reserve_is_rounded_up_and_never_below_nothing() -> None:
    held = limits(cash_reserve=Decimal("0.1"))
    odd = planned(books(wants={}, cash=1, equity="1.000000000000001", held=held))
    assert odd.cash_available == Decimal("0.899999999999999")
    assert planned(books(wants={}, cash=1, equity=-10, held=held)).cash_available == 1


def test_a_reduced_order_is_shared_by_largest_remainder() -> None:
    wants = {"a": {"AAPL": "0.1"}, "b": {"AAPL": "0.1"}}
    reduced = line(planned(books(wants=wants, quotes=[AAPL], cash=1100)), "AAPL")
    assert facts(reduced, "quantity intended_quantity") == (10, 200)
    odd = line(planned(books(wants=wants, quotes=[AAPL], cash=1000)), "AAPL")
    assert by_owner(odd, "ordered") == {"a": 5, "b": 4}


def test_money_from_sales_and_the_reserve_bound_what_is_bought() -> None:
    held = limits(cash_reserve=Decimal("0.05"))
    wants, holds = {"a": {"IBM": "1"}}, {"a": {"AAPL": 1000}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], cash=0, held=held))
    assert facts(plan, "cash_available sells_expected") == (-5000, 99_980)
    assert plan.buys_planned == line(plan, "IBM").notional == 474 * Decimal("200.01")
    poor = planned(books(wants={"a": {"IBM": "1"}}, quotes=[IBM], cash=-1, held=held))
    assert facts(line(poor, "IBM"), "rule threshold quantity") == (Rule.CAPITAL, -5001, 0)


def test_the_priority_of_a_line_is_of_those_that_want_it() -> None:
    wants = {"a": {"AAPL": "0.1"}, "b": {"AAPL": "0.1"}, "seller": {}}
    ranks = {"a": 4, "b": 3, "seller": 1}
    holds = {"seller": {"AAPL": 1, "IBM": 1}, "system": {"MSFT": 1}}
    plan = planned(books(wants=wants, holds=holds, quotes=[AAPL, IBM], priorities=ranks))
    assert [facts(each, "symbol priority") for each in plan.lines] == [("AAPL", 3), ("IBM", 1), ("MSFT", 0)]


@pytest.mark.parametrize("equity", [0, "-0.01"])
def test_without_equity_every_line_is_blocked_and_nothing_is_sized(equity: str) -> None:
    plan = planned(books(wants={"a": {"AAPL": "0.5"}}, holds={"a": {"IBM": 2}}, quotes=[AAPL, IBM], equity=equity))
    assert facts(plan, "status rule") == (PlanStatus.BLOCKED, Rule.EQUITY_NOT_POSITIVE)
    assert plan.detail == f"expected equity above 0, was {Decimal(equity):.15f}"
    assert [facts(each, "status rule threshold") for each in plan.lines] == [
        (LineStatus.BLOCKED, Rule.EQUITY_NOT_POSITIVE, 0)
    ] * 2
    assert [each.delta_quantity for each in plan.lines] == [0, 0]


def test_blocked_books_block_every_line_and_cross_nothing() -> None:
    differences = [BookDifference(item="AAPL", ledger=Decimal(40), broker=Decimal(41))]
    plan = planned(
        books(
            wants={"a": {"AAPL": "0.1"}, "b": {}},
            holds={"b": {"AAPL": 40}},
            broker={"AAPL": 41, "IBM": 3},
            quotes=[AAPL],
            status=BooksStatus.BLOCKED,
            detail="books differ from the broker",
            differences=differences,
        )
    )
    assert facts(plan, "status rule") == (PlanStatus.BLOCKED, Rule.BOOKS_DIFFER)
    assert plan.detail.startswith("books differ from the broker; AAPL: books 40")
    assert [facts(each, "symbol current_quantity account_quantity status rule") for each in plan.lines] == [
        ("AAPL", 40, 41, LineStatus.BLOCKED, Rule.BOOKS_DIFFER),
        ("IBM", 0, 3, LineStatus.BLOCKED, Rule.BOOKS_DIFFER),
    ]
    assert [facts(each, "quantity cross_quantity") for each in plan.lines] == [(0, 0), (0, 0)]
    assert facts(line(plan, "AAPL"), "cross_deferred_quantity cross_rule") == (40, Rule.BOOKS_DIFFER)


def test_a_snapshot_that_failed_is_blocked_books_before_it_is_missing_equity() -> None:
    unread = books(wants={"a": {"AAPL": "0.1"}}, equity=0, cash=0, status=BooksStatus.BLOCKED, detail="HTTP 503")
    assert (planned(unread).rule, planned(unread).detail) == (Rule.ACCOUNT_UNREADABLE, "HTTP 503")


def test_ready_books_that_do_not_add_up_to_the_broker_block_the_plan() -> None:
    plan = planned(books(wants={"a": {}}, holds={"a": {"AAPL": 40}}, broker={"AAPL": 41}, quotes=[AAPL]))
    assert facts(plan, "rule detail") == (Rule.BOOKS_DIFFER, "AAPL: books 40.000000000, broker 41.000000000")


def test_pending_books_are_waited_for() -> None:
    pending = books(
        wants={"carry": {"AAPL": "0.5"}}, quotes=[AAPL], status=BooksStatus.PENDING, detail="1 fill missing"
    )
    story = given(planner).when(pending).then().when(ONE_BUY)
    assert len(story.said) == 1


def test_a_run_is_planned_once() -> None:
    story = given(planner).when(ONE_BUY)
    story.when(ONE_BUY).then()
    story.when(books(wants={}, status=BooksStatus.BLOCKED)).then()
    given(planner, planned(ONE_BUY)).when(ONE_BUY).then()


def test_nothing_wanted_and_nothing_held_is_an_empty_plan() -> None:
    plan = planned(books(wants={"a": {}}))
    assert facts(plan, "status lines") == (PlanStatus.READY, ())


def test_the_declaration_names_the_decider() -> None:
    checked: Decider[planner.State] = planner
    assert facts(AGENT, "name decider view") == ("planner", checked, None)


def test_a_record_of_another_agent_is_a_fault_of_the_wiring() -> None:
    with pytest.raises(TypeError, match="was DeadlinePassed"):
        given(planner).when(DeadlinePassed(account_id=ACCOUNT, run_id=RUN, deadline_at=AS_OF, terms=run_terms()))
    with pytest.raises(TypeError, match="was Books"):
        given(planner, ONE_BUY)
