"""Stops, immediate orders, auctions and dollars: what each kind of order waits for, and what it takes."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator import margin
from infra.simulator.events import Hold
from infra.simulator.settings import START_OF_TIME
from tests.infra.simulator.refusals import refused

ACCOUNT = Any
OPG = "opg orders must be submitted after 7:00pm and before 9:28am"
CLS = "cls orders must be submitted after 7:00pm and before 3:50pm"


def told(account: ACCOUNT) -> list[str]:
    return [json.loads(update)["data"]["event"] for update in account.updates]


def order(account: ACCOUNT, order_id: str) -> Any:
    return account.engine.order(order_id)


class TestStops:
    def test_a_buy_stop_waits_for_the_ask_and_then_takes_it(self, account: ACCOUNT) -> None:
        stop = account.post("s", "buy", "1", type="stop", stop_price="105")
        account.quote("AAPL", "104", "104.99")
        assert order(account, stop).status == "new"

        account.quote("AAPL", "104", "106")

        assert (order(account, stop).status, order(account, stop).filled_value) == ("filled", 106)

    def test_a_sell_stop_waits_for_the_bid(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "1")
        stop = account.post("s", "sell", "1", type="stop", stop_price="99")
        account.quote("AAPL", "99.01", "101")
        assert order(account, stop).is_open

        account.quote("AAPL", "99", "101")

        assert order(account, stop).filled_value == 99

    def test_a_print_triggers_a_stop_that_is_executed_at_the_quote(self, account: ACCOUNT) -> None:
        stop = account.post("s", "buy", "1", type="stop", stop_price="105")

        account.engine.trade("AAPL", Decimal("104.99"), Decimal(100))
        assert order(account, stop).waits_for_stop
        account.engine.trade("AAPL", Decimal(105), Decimal(100))

        assert order(account, stop).filled_value == 101

    def test_a_stop_limit_is_a_limit_order_once_it_is_triggered(self, account: ACCOUNT) -> None:
        stop = account.post("s", "buy", "1", type="stop_limit", stop_price="105", limit_price="105.5")
        account.quote("AAPL", "105", "106")
        assert (order(account, stop).is_triggered, order(account, stop).status) == (True, "new")

        account.quote("AAPL", "104", "104.5")

        assert order(account, stop).filled_value == Decimal("104.5")

    @pytest.mark.parametrize(
        ("trail", "stops"),
        [({"trail_price": "2"}, ["98", "103", "103"]), ({"trail_percent": "10"}, ["90", "94.5", "94.5"])],
    )
    def test_a_trailing_stop_follows_the_best_bid(
        self, account: ACCOUNT, trail: dict[str, str], stops: list[str]
    ) -> None:
        account.post("b", "buy", "1")
        sell = account.post("s", "sell", "1", type="trailing_stop", **trail)
        seen = [order(account, sell).stop_price]
        for bid in ("105", "104"):
            account.quote("AAPL", bid, "106")
            seen.append(order(account, sell).stop_price)

        assert seen == [Decimal(each) for each in stops]
        assert order(account, sell).high_water_mark == 105
        account.quote("AAPL", stops[-1], "106")
        assert order(account, sell).filled_value == Decimal(stops[-1])

    def test_a_trailing_buy_follows_the_lowest_ask(self, account: ACCOUNT) -> None:
        buy = account.post("s", "buy", "1", type="trailing_stop", trail_price="2")
        account.quote("AAPL", "97", "98")
        account.quote("AAPL", "98", "99")
        assert order(account, buy).stop_price == 100

        account.quote("AAPL", "99", "100")

        assert order(account, buy).filled_value == 100

    def test_a_trailing_stop_begins_with_the_first_market_it_sees(self, account: ACCOUNT) -> None:
        buy = account.post("s", "buy", "1", symbol="MSFT", type="trailing_stop", trail_price="2")
        assert order(account, buy).stop_price is None
        account.quote("MSFT", "399", "400")
        assert order(account, buy).stop_price == 402

    def test_a_buy_stop_claims_its_stop_price(self, account: ACCOUNT) -> None:
        account.post("s", "buy", "500", type="stop", stop_price="150")
        assert margin.buying_power(account.engine.book) == 100_000 - 500 * 150

    def test_an_open_stop_could_meet_anything_and_one_that_trails_nothing(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "10")
        account.post("stop", "sell", "1", type="stop", stop_price="50")
        status, message = refused(lambda: account.post("x", "buy", "1", limit_price="10"))
        assert (status, message) == (403, "potential wash trade detected. use complex orders")

        account.post("trailing", "buy", "1", type="trailing_stop", trail_price="5")


class TestImmediate:
    def test_immediate_or_cancel_takes_what_is_shown(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "101", sizes=("10", "30"))
        ioc = account.post("i", "buy", "100", time_in_force="ioc")

        assert (order(account, ioc).status, order(account, ioc).filled_qty) == ("canceled", 30)
        assert told(account) == ["new", "partial_fill", "canceled"]

    def test_fill_or_kill_takes_all_or_nothing(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "101", sizes=("10", "30"))
        killed = account.post("k", "buy", "31", time_in_force="fok")
        filled = account.post("f", "buy", "30", time_in_force="fok")

        assert (order(account, killed).status, order(account, killed).filled_qty) == ("canceled", 0)
        assert order(account, filled).status == "filled"

    @pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
    def test_what_cannot_trade_at_once_is_canceled(self, account: ACCOUNT, time_in_force: str) -> None:
        far = account.post("far", "buy", "1", limit_price="90", time_in_force=time_in_force)
        blind = account.post("blind", "buy", "1", symbol="MSFT", time_in_force=time_in_force)
        account.engine.halt("AAPL")
        halted = account.post("halted", "buy", "1", time_in_force=time_in_force)

        assert {order(account, each).status for each in (far, blind, halted)} == {"canceled"}
        assert margin.buying_power(account.engine.book) == 100_000


class TestDollars:
    def test_an_order_in_dollars_buys_what_they_are_good_for(self, account: ACCOUNT) -> None:
        bought = account.post("n", "buy", None, notional="500")

        found = order(account, bought)
        assert (found.status, found.filled_qty) == ("filled", Decimal("4.950495049"))
        assert found.filled_value == Decimal("4.950495049") * 101 <= 500

    def test_it_claims_its_dollars_until_they_are_spent(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "101", sizes=("1", "2"))
        part = account.post("n", "buy", None, notional="500")

        assert (order(account, part).status, order(account, part).filled_qty) == ("partially_filled", 2)
        assert margin.buying_power(account.engine.book) == 100_000 - 500
        account.quote("AAPL", "99", "100")
        assert order(account, part).filled_qty == 2 + Decimal("2.98")

    def test_an_order_in_dollars_sells_no_more_than_is_held(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "5")
        status, message = refused(lambda: account.post("too-much", "sell", None, notional="501"))
        assert (status, message) == (
            403,
            "insufficient qty available for order (requested: 5.01, available: 5)",
        )
        account.engine.halt("AAPL")
        sold = account.post("n", "sell", None, notional="500")
        assert account.engine.book.reserved_qty("AAPL") == 5
        account.quote("AAPL", "50", "51")
        account.engine.resume("AAPL")

        assert (order(account, sold).status, order(account, sold).filled_qty) == ("filled", 5)
        assert account.engine.book.positions == {}

    def test_dollars_are_never_sold_short(self, open_account: Callable[..., ACCOUNT]) -> None:
        lending = open_account(multiplier=2)
        lending.quote("AAPL", "100", "101")
        assert refused(lambda: lending.post("n", "sell", None, notional="500")) == (
            422,
            "fractional orders cannot be sold short",
        )


class TestAuctions:
    @pytest.mark.parametrize(
        ("time_in_force", "new_york", "message"),
        [
            ("opg", "09:27:59", None),
            ("opg", "09:28:00", OPG),
            ("opg", "18:59:59", OPG),
            ("opg", "19:00:00", None),
            ("cls", "15:49:59", None),
            ("cls", "15:50:00", CLS),
            ("cls", "18:59:59", CLS),
            ("cls", "19:00:00", None),
        ],
    )
    def test_auction_orders_are_refused_when_it_is_too_late(
        self, open_account: Callable[..., ACCOUNT], time_in_force: str, new_york: str, message: str | None
    ) -> None:
        account = open_account(now=datetime.fromisoformat(f"2026-01-05T{new_york}-05:00"))
        if message is None:
            account.post("a", "buy", "1", time_in_force=time_in_force)
        else:
            assert refused(lambda: account.post("a", "buy", "1", time_in_force=time_in_force)) == (403, message)

    def test_they_are_executed_as_on_paper_at_the_quote_and_not_in_the_auction(self, account: ACCOUNT) -> None:
        on_close = account.post("c", "buy", "1", time_in_force="cls")
        assert order(account, on_close).filled_value == 101

    def test_what_is_left_of_them_is_canceled_and_not_expired(self, account: ACCOUNT) -> None:
        on_close = account.post("c", "buy", "1", limit_price="90", time_in_force="cls")
        account.engine.set_clock(START_OF_TIME + timedelta(hours=6))
        assert order(account, on_close).status == "canceled"

    def test_they_are_of_whole_shares(self, account: ACCOUNT) -> None:
        assert refused(lambda: account.post("c", "buy", "0.5", time_in_force="cls"))[0] == 422


class TestHalts:
    def test_orders_are_taken_and_canceled_in_a_halt_and_none_is_executed(self, account: ACCOUNT) -> None:
        account.engine.halt("AAPL", "LUDP")
        waits = account.post("w", "buy", "1")
        gone = account.post("g", "buy", "1")
        account.quote("AAPL", "90", "91")
        account.engine.cancel(gone)
        other = account.post("o", "buy", "1", symbol="MSFT")
        account.quote("MSFT", "10", "11")
        assert [order(account, each).status for each in (waits, gone, other)] == ["new", "canceled", "filled"]

        account.restart()
        account.engine.resume("AAPL")

        assert order(account, waits).filled_value == 91

    def test_a_print_in_a_halt_triggers_nothing(self, account: ACCOUNT) -> None:
        stop = account.post("s", "buy", "1", type="stop", stop_price="105")
        account.engine.halt("AAPL")
        account.engine.trade("AAPL", Decimal(110), Decimal(1))
        assert not order(account, stop).is_triggered


class TestSizes:
    def test_what_a_quote_shows_is_consumed_and_the_rest_waits_for_the_next(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "101", sizes=("50", "60"))
        first = account.post("first", "buy", "40")
        second = account.post("second", "buy", "40")
        third = account.post("third", "buy", "40", limit_price="101")
        assert [order(account, each).filled_qty for each in (first, second, third)] == [40, 20, 0]

        account.quote("AAPL", "100", "100.5", sizes=("50", "30"))
        assert [order(account, each).filled_qty for each in (second, third)] == [40, 10]
        account.quote("AAPL", "101", "101.5", sizes=("50", "1000"))
        assert order(account, third).filled_qty == 10
        account.quote("AAPL", "100", "101", sizes=("50", "1000"))

        assert order(account, third).filled_value == 10 * Decimal("100.5") + 30 * 101

    def test_a_sell_consumes_the_bid_and_leaves_the_ask(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "100")
        account.quote("AAPL", "100", "101", sizes=("30", "60"))
        sell = account.post("s", "sell", "50", limit_price="99")

        assert (order(account, sell).filled_qty, account.engine.book.sizes) == (
            30,
            {("AAPL", "buy"): 60, ("AAPL", "sell"): 0},
        )
        account.restart()
        account.engine.hold("AAPL", Hold.NONE)
        assert order(account, sell).filled_qty == 30

    def test_chunks_end_where_the_size_does(self, open_account: Callable[..., ACCOUNT]) -> None:
        account = open_account(partial_rate="1")
        account.quote("AAPL", "100", "101", sizes=("7", "7"))
        buy = account.post("b", "buy", "12")

        assert order(account, buy).filled_qty == 7
        assert told(account)[0] == "new"
        assert set(told(account)[1:]) == {"partial_fill"}

    def test_a_quote_without_sizes_takes_any_quantity(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "101", sizes=("1", "1"))
        account.quote("AAPL", "100", "101")
        assert order(account, account.post("b", "buy", "900")).status == "filled"
