"""Strategies that keep a book of their own: sized by its capital, selling their own shares, never crossed."""

from decimal import Decimal

from schemas.order import Phase
from schemas.plan import Action, LineStatus, Rule
from tests.agents.planner.accounts import books, by_owner, facts, line, planned, quote
from tests.made import limits

AAPL = quote("AAPL", "99.98", "100.02")
IBM = quote("IBM", "199.99", "200.01")
FRACTIONS = limits(quantity_step=Decimal("0.000000001"), trade_value_min=Decimal(0))
SHORTS = limits(quantity_step=Decimal("0.000000001"), trade_value_min=Decimal(0), is_short_allowed=True)


def test_a_book_is_sized_by_its_own_capital_and_the_others_by_equity() -> None:
    wants = {"own": {"AAPL": "0.5"}, "net1": {"AAPL": "0.1"}}
    plan = planned(books(wants=wants, capital={"own": 20_000}, quotes=[AAPL]))
    assert [facts(each, "symbol book") for each in plan.lines] == [("AAPL", "net"), ("AAPL", "own")]
    own = line(plan, "AAPL", "own")
    assert facts(own, "target_weight target_value quantity") == (Decimal("0.5"), 10_000, 100)
    assert by_owner(own, "weight wanted ordered") == {"own": (Decimal("0.5"), 100, 100)}
    assert facts(line(plan, "AAPL"), "target_value quantity") == (10_000, 100)


def test_an_exit_sells_its_own_shares_only() -> None:
    holds = {"leaves": {"AAPL": 30}, "stays": {"AAPL": 50}, "netted": {"AAPL": 20}}
    wants = {"leaves": {}, "stays": {"AAPL": "0.5"}, "netted": {"AAPL": "0.02"}}
    plan = planned(books(wants=wants, holds=holds, capital={"leaves": 3000, "stays": 10_000}, quotes=[AAPL]))
    sold = line(plan, "AAPL", "leaves")
    assert facts(sold, "action quantity reducing_quantity phase") == (Action.SELL, 30, 30, Phase.REDUCING)
    assert facts(sold, "current_quantity account_quantity") == (30, 100)
    assert [line(plan, "AAPL", book).quantity for book in ("stays", "net")] == [0, 0]


def test_two_books_that_disagree_are_not_crossed_and_the_reducing_one_goes_first() -> None:
    wants = {"buyer": {"AAPL": "0.5"}, "seller": {}}
    asked = books(
        wants=wants, holds={"seller": {"AAPL": 40}}, capital={"buyer": 8000, "seller": 4000}, quotes=[AAPL], cash=0
    )
    plan = planned(asked)
    bought, sold = line(plan, "AAPL", "buyer"), line(plan, "AAPL", "seller")
    assert facts(sold, "phase quantity cross_quantity") == (Phase.REDUCING, 40, 0)
    # what the sale brings pays for the purchase: 40 * 99.98 buys 39 at 100.02
    assert facts(bought, "phase quantity rule cross_quantity") == (Phase.INCREASING, 39, Rule.CAPITAL, 0)


def test_a_book_that_has_not_spoken_keeps_what_it_holds() -> None:
    asked = books(
        wants={"a": {"AAPL": "0.1"}}, holds={"quiet": {"IBM": 5}}, capital={"quiet": 1000}, quotes=[AAPL, IBM]
    )
    kept = line(planned(asked), "IBM", "quiet")
    assert facts(kept, "quantity rule delta_quantity") == (0, Rule.KEPT, 0)


def test_a_book_of_an_earlier_run_keeps_its_shares_apart_from_the_net() -> None:
    asked = books(wants={"a": {}}, holds={"former": {"IBM": 5}, "a": {"IBM": 2}}, former=["former"], quotes=[IBM])
    plan = planned(books(wants={"a": {}}, holds={"a": {"IBM": 2}, "manual": {"IBM": 5}}, quotes=[IBM]))
    assert by_owner(line(plan, "IBM"), "wanted") == {"a": -2, "manual": 0}
    plan = planned(asked)
    assert by_owner(line(plan, "IBM"), "wanted") == {"a": -2}
    assert by_owner(line(plan, "IBM", "former"), "wanted") == {"former": 0}


def test_without_capital_a_book_may_leave_a_symbol_and_nothing_else() -> None:
    wants, holds = {"own": {"AAPL": "0.5"}}, {"own": {"AAPL": 3, "IBM": 5}}
    for capital, threshold in ((0, 0), ("-0.01", 0), (None, None)):
        plan = planned(books(wants=wants, holds=holds, capital={"own": capital}, quotes=[AAPL, IBM]))
        stopped = line(plan, "AAPL", "own")
        assert facts(stopped, "status rule threshold quantity") == (
            LineStatus.BLOCKED,
            Rule.CAPITAL_NOT_POSITIVE,
            threshold,
            0,
        )
        assert facts(stopped, "target_quantity delta_quantity") == (3, 0)
        assert facts(line(plan, "IBM", "own"), "status quantity action") == (LineStatus.PLANNED, 5, Action.SELL)


def test_an_exit_that_needs_a_fractional_short_at_the_broker_is_blocked() -> None:
    """The netted group is short 4.5 in its books, so the account holds less than the book that leaves."""
    holds = {"leaves": {"AAPL": 10}, "bear": {"AAPL": "-4.5"}}
    asked = {"holds": holds, "capital": {"leaves": 1000}, "silent": ["bear"], "quotes": [AAPL]}
    wants = {"leaves": {}, "bear": {}}
    blocked = line(planned(books(wants=wants, held=SHORTS, **asked)), "AAPL", "leaves")
    assert facts(blocked, "status rule threshold") == (LineStatus.BLOCKED, Rule.FRACTIONAL_SHORT, 1)
    assert facts(blocked, "quantity reducing_quantity intended_quantity") == (0, 0, 10)
    forbidden = line(planned(books(wants=wants, held=FRACTIONS, **asked)), "AAPL", "leaves")
    assert facts(forbidden, "status rule threshold") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED, 0)


def test_an_exit_below_zero_in_whole_shares_goes_in_two_legs() -> None:
    holds = {"leaves": {"AAPL": "10.5"}, "bear": {"AAPL": -4}}
    asked = books(
        wants={"leaves": {}, "bear": {}},
        holds=holds,
        capital={"leaves": 1000},
        silent=["bear"],
        quotes=[AAPL],
        held=SHORTS,
    )
    sold = line(planned(asked), "AAPL", "leaves")
    assert facts(sold, "status quantity reducing_quantity phase") == (
        LineStatus.PLANNED,
        Decimal("10.5"),
        Decimal("6.5"),
        Phase.REDUCING,
    )


def test_a_blocked_exit_leaves_the_account_to_the_next_line() -> None:
    """`first` would take the account short; once it is blocked, `second` finds the shares that `first` had taken."""
    holds = {"first": {"AAPL": 30}, "second": {"AAPL": 20}, "bear": {"AAPL": -25}}
    asked = books(
        wants={"first": {}, "second": {}, "bear": {}},
        holds=holds,
        capital={"first": 3000, "second": 2000},
        silent=["bear"],
        priorities={"first": 1, "second": 2},
        quotes=[AAPL],
    )
    plan = planned(asked)
    assert facts(line(plan, "AAPL", "first"), "status rule") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED)
    assert facts(line(plan, "AAPL", "second"), "status quantity reducing_quantity") == (LineStatus.PLANNED, 20, 20)


def test_no_sale_takes_the_account_short_where_another_book_buys() -> None:
    """The broker refuses an order that crosses zero, so the purchase must not find a short position."""
    asked = {"capital": {"bear": 10_000, "bull": 10_000}, "quotes": [AAPL], "held": limits(is_short_allowed=True)}
    plan = planned(books(wants={"bear": {"AAPL": "-0.5"}, "bull": {"AAPL": "0.8"}}, **asked))
    assert facts(line(plan, "AAPL", "bear"), "status rule") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED)
    assert line(plan, "AAPL", "bull").quantity == 80
    alone = planned(books(wants={"bear": {"AAPL": "-0.5"}, "bull": {}}, **asked))
    assert facts(line(alone, "AAPL", "bear"), "quantity reducing_quantity phase") == (50, 0, Phase.INCREASING)


def test_covering_a_short_reduces_and_what_goes_beyond_increases() -> None:
    wants, holds = {"own": {"AAPL": "0.5"}}, {"own": {"AAPL": -20}}
    asked = books(wants=wants, holds=holds, capital={"own": 10_000}, quotes=[AAPL], held=limits(is_short_allowed=True))
    bought = line(planned(asked), "AAPL", "own")
    assert facts(bought, "action quantity reducing_quantity") == (Action.BUY, 70, 20)


def test_a_short_cannot_be_covered_to_a_fraction() -> None:
    wants, holds = {"own": {"AAPL": "-0.155"}}, {"own": {"AAPL": -20}}
    asked = books(wants=wants, holds=holds, capital={"own": 10_000}, quotes=[AAPL], held=SHORTS)
    assert facts(line(planned(asked), "AAPL", "own"), "rule intended_quantity quantity") == (
        Rule.FRACTIONAL_SHORT,
        Decimal("4.5"),
        0,
    )


def test_a_small_trade_that_would_go_short_is_blocked_rather_than_suppressed() -> None:
    asked = {"wants": {"own": {}}, "holds": {"own": {"AAPL": 1}, "bear": {"AAPL": -1}}, "quotes": [AAPL]}
    small = limits(trade_value_min=Decimal(1000))
    plan = planned(books(capital={"own": 1000}, held=small, **asked))
    assert line(plan, "AAPL", "own").rule is Rule.SHORT_NOT_ALLOWED


def test_a_sale_does_not_rely_on_a_buy_of_another_book_that_may_be_refused() -> None:
    wants = {"buyer": {"AAPL": "0.5"}, "seller": {"AAPL": "-0.2"}}
    plan = planned(
        books(
            wants=wants,
            capital={"buyer": 50_000, "seller": 50_000},
            priorities={"buyer": 1, "seller": 2},
            quotes=[AAPL],
        )
    )
    assert line(plan, "AAPL", "buyer").status is LineStatus.PLANNED
    short = line(plan, "AAPL", "seller")
    assert facts(short, "status rule quantity") == (LineStatus.BLOCKED, Rule.SHORT_NOT_ALLOWED, 0)
