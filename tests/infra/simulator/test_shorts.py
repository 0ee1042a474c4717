"""An account that lends: what holdings bind, whole shares sold short, and no order that crosses zero."""

from decimal import Decimal
from typing import Any

import pytest

from infra.simulator import margin, render, valuation
from infra.simulator.events import Hold
from infra.simulator.recorder import simulated_id
from tests.infra.simulator.refusals import refused

ACCOUNT = Any


def shown(account: ACCOUNT) -> dict[str, object]:
    return render.account(account.engine.book, simulated_id)


def test_half_of_what_is_held_is_bound_and_twice_the_rest_can_be_bought(lending: ACCOUNT) -> None:
    lending.post("b", "buy", "1500")

    found = shown(lending)
    assert (found["cash"], found["equity"], found["long_market_value"]) == ("-50000", "100000", "150000")
    assert (found["initial_margin"], found["maintenance_margin"], found["buying_power"]) == ("75000", "45000", "50000")
    assert (found["multiplier"], found["shorting_enabled"]) == ("2", True)
    assert refused(lambda: lending.post("more", "buy", "501"))[1] == "insufficient buying power"


def test_a_cash_account_binds_all_and_lends_nothing(account: ACCOUNT) -> None:
    account.quote("AAPL", "100", "100")
    account.post("b", "buy", "10")

    found = shown(account)
    assert (found["initial_margin"], found["maintenance_margin"], found["buying_power"]) == ("1000", "1000", "99000")


def test_whole_shares_are_sold_short_and_bought_back(lending: ACCOUNT) -> None:
    lending.post("short", "sell", "10")
    lending.quote("AAPL", "110", "110")

    book = lending.engine.book
    assert (book.cash, book.held_qty("AAPL")) == (101_000, -10)
    assert (valuation.equity(book), valuation.short_value(book)) == (99_900, -1_100)
    position = render.position(book, "AAPL", simulated_id)
    assert (position["qty"], position["side"], position["avg_entry_price"]) == ("-10", "short", "100")
    assert (position["cost_basis"], position["market_value"], position["unrealized_pl"]) == ("-1000", "-1100", "-100")
    lending.post("cover", "buy", "10")
    assert (book.cash, book.positions) == (99_900, {})


@pytest.mark.parametrize("qty", ["0.5", "1.000000001"])
def test_fractions_are_never_sold_short(lending: ACCOUNT, qty: str) -> None:
    assert refused(lambda: lending.post("s", "sell", qty)) == (422, "fractional orders cannot be sold short")


@pytest.mark.parametrize(("first", "then"), [("buy", "sell"), ("sell", "buy")])
def test_no_order_crosses_zero(lending: ACCOUNT, first: str, then: str) -> None:
    lending.post("first", first, "10")
    status, message = refused(lambda: lending.post("then", then, "11"))
    assert (status, message) == (403, "insufficient qty available for order (requested: 11, available: 10)")

    lending.engine.hold("AAPL", Hold.ALL)
    lending.post("part", then, "6")
    assert refused(lambda: lending.post("rest", then, "5"))[0] == 403
    qty = render.position(lending.engine.book, "AAPL", simulated_id)["qty_available"]
    assert qty == ("4" if first == "buy" else "-4")


def test_resting_limits_on_both_sides_may_cross_zero_all_the_same(lending: ACCOUNT) -> None:
    lending.post("above", "sell", "4", limit_price="110")
    lending.post("below", "buy", "10", limit_price="90")
    lending.quote("AAPL", "110", "111")
    lending.quote("AAPL", "89", "90")

    held = lending.engine.book.positions["AAPL"]
    assert (held.qty, held.cost) == (6, 540)


def test_what_is_sold_short_claims_buying_power_and_what_covers_claims_none(lending: ACCOUNT) -> None:
    lending.engine.hold("AAPL", Hold.ALL)
    lending.post("short", "sell", "1500")
    assert margin.buying_power(lending.engine.book) == 50_000
    assert refused(lambda: lending.post("more", "sell", "501"))[1] == "insufficient buying power"

    lending.engine.hold("AAPL", Hold.NONE)
    assert margin.buying_power(lending.engine.book) == 50_000
    lending.engine.hold("AAPL", Hold.ALL)
    lending.post("cover", "buy", "1500")
    assert margin.buying_power(lending.engine.book) == 50_000
    assert lending.engine.book.reserved_qty("AAPL") == Decimal(1500)


def test_a_short_account_comes_back_as_it_was(lending: ACCOUNT) -> None:
    lending.post("short", "sell", "10")
    before = shown(lending)
    lending.restart()
    assert shown(lending) == before
