"""Dividends, splits, new names and fees: nothing of worth appears or goes."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator import valuation
from infra.simulator.activities import activity
from infra.simulator.book import Execution
from infra.simulator.events import Hold
from infra.simulator.recorder import simulated_id
from infra.simulator.rules import RefusalError

ACCOUNT = Any
DAY = date(2026, 1, 2)
RATES = (Decimal("20.60"), Decimal("0.000195"), Decimal("9.79"))


def rows(account: ACCOUNT, kind: str) -> list[dict[str, Any]]:
    every = (activity(item, simulated_id) for item in account.engine.book.activities)
    return [row for row in every if row["activity_type"] == kind]


class TestDividends:
    def test_a_long_holding_gets_it_in_whole_cents(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "10.5")
        before = account.engine.book.cash
        account.engine.pay_dividend("AAPL", Decimal("0.2501"))

        assert account.engine.book.cash == before + Decimal("2.63")
        (row,) = rows(account, "DIV")
        assert (row["activity_sub_type"], row["net_amount"], row["qty"], row["per_share_amount"], row["symbol"]) == (
            "CDIV",
            "2.63",
            "10.5",
            "0.2501",
            "AAPL",
        )

    def test_a_short_holding_owes_it(self, lending: ACCOUNT) -> None:
        lending.post("s", "sell", "10")
        lending.engine.pay_dividend("AAPL", Decimal("0.25"))
        (row,) = rows(lending, "DIV")
        assert (row["activity_sub_type"], row["net_amount"]) == ("SPD", "-2.5")
        assert lending.engine.book.cash == 101_000 - Decimal("2.5")

    def test_who_holds_nothing_gets_nothing(self, account: ACCOUNT) -> None:
        assert account.engine.pay_dividend("AAPL", Decimal(1)) is None
        assert rows(account, "DIV") == []


class TestSplits:
    def test_a_forward_split_multiplies_shares_and_divides_prices(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "10")
        before = valuation.equity(account.engine.book)
        account.engine.split("AAPL", Decimal(4), Decimal(1))

        book = account.engine.book
        assert (book.held_qty("AAPL"), book.positions["AAPL"].cost) == (40, 1010)
        assert (book.quotes["AAPL"].bid, book.quotes["AAPL"].ask) == (25, Decimal("25.25"))
        assert valuation.equity(book) == before
        assert [(row["qty"], row["net_amount"], row["activity_sub_type"]) for row in rows(account, "SPLIT")] == [
            ("-10", "0", "FSPLIT"),
            ("40", "0", "FSPLIT"),
        ]
        assert len({row["group_id"] for row in rows(account, "SPLIT")}) == 1

    def test_fractions_of_whole_shares_are_paid_out(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "7")
        cash = account.engine.book.cash
        account.engine.split("AAPL", Decimal(1), Decimal(2), Decimal("201.01"))

        book = account.engine.book
        assert (book.held_qty("AAPL"), book.cash) == (3, cash + Decimal("100.51"))
        assert book.positions["AAPL"].cost == Decimal(707) * 6 / 7
        assert [(row["qty"], row["net_amount"]) for row in rows(account, "SPLIT")] == [("-7", "0"), ("3", "100.51")]

    def test_fractions_are_paid_at_the_mark_when_no_price_is_named(self, account: ACCOUNT) -> None:
        account.quote("AAPL", "100", "100")
        account.post("b", "buy", "7")
        before = valuation.equity(account.engine.book)
        account.engine.split("AAPL", Decimal(1), Decimal(2))
        assert valuation.equity(account.engine.book) == before

    def test_a_holding_in_fractions_stays_in_fractions(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "0.5")
        account.engine.split("AAPL", Decimal(1), Decimal(4))
        assert account.engine.book.held_qty("AAPL") == Decimal("0.125")

    def test_the_last_share_may_go_altogether(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "1")
        account.engine.split("AAPL", Decimal(1), Decimal(10), Decimal(1000))
        assert account.engine.book.positions == {}
        assert account.engine.book.cash == 100_000 - 101 + 100

    def test_a_short_holding_is_split_too_and_pays_for_its_fraction(self, lending: ACCOUNT) -> None:
        lending.post("s", "sell", "7")
        lending.engine.split("AAPL", Decimal(1), Decimal(2), Decimal(200))
        assert (lending.engine.book.held_qty("AAPL"), lending.engine.book.cash) == (-3, 100_700 - 100)

    def test_a_forward_split_restates_open_orders(self, account: ACCOUNT) -> None:
        account.post("h", "buy", "10")
        account.engine.hold("AAPL", Hold.REST)
        buy = account.post("b", "buy", "10", limit_price="90.01")
        account.quote("AAPL", "80", "90")
        account.engine.split("AAPL", Decimal(3), Decimal(2))

        order = account.engine.order(buy)
        assert (order.filled_qty, order.terms.qty, order.leaves_qty) == (5, 12, 7)
        assert order.terms.limit_price == 60
        assert json.loads(account.updates[-1])["data"]["event"] == "restated"
        account.engine.cancel(buy)
        sell = account.post("s", "sell", "1", limit_price="100.01")
        account.engine.split("AAPL", Decimal(2), Decimal(1))
        assert account.engine.order(sell).terms.limit_price == Decimal("50.01")

    def test_a_reverse_split_cancels_open_orders(self, account: ACCOUNT) -> None:
        buy = account.post("b", "buy", "10", limit_price="90")
        account.engine.split("AAPL", Decimal(1), Decimal(2))
        assert account.engine.order(buy).status == "canceled"

    def test_what_was_held_last_night_is_in_new_shares(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "10")
        account.engine.set_clock(account.engine.book.now.replace(day=3))
        account.engine.split("AAPL", Decimal(2), Decimal(1))
        assert account.engine.book.yesterday.quantities["AAPL"] == 20
        assert account.engine.book.yesterday.prices["AAPL"] == Decimal("50.25")

    @pytest.mark.parametrize("rates", [("1", "1"), ("0", "1"), ("1", "-2")])
    def test_a_split_of_nothing_is_refused(self, account: ACCOUNT, rates: tuple[str, str]) -> None:
        with pytest.raises(RefusalError, match="is none"):
            account.engine.split("AAPL", Decimal(rates[0]), Decimal(rates[1]))


class TestNames:
    def test_a_symbol_goes_by_another_one(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "10")
        rests = account.post("r", "buy", "1", limit_price="90")
        account.engine.rename("AAPL", "PEAR")
        account.restart()

        book = account.engine.book
        assert (book.held_qty("AAPL"), book.held_qty("PEAR"), book.quotes["PEAR"].ask) == (0, 10, 101)
        account.quote("PEAR", "80", "90")
        assert account.engine.order(rests).status == "filled"
        assert [(row["symbol"], row["qty"]) for row in rows(account, "NC")] == [("AAPL", "-10"), ("PEAR", "10")]
        with pytest.raises(RefusalError, match="not found"):
            account.post("old", "buy", "1")

    def test_a_name_in_use_is_refused(self, account: ACCOUNT) -> None:
        account.quote("MSFT", "1", "2")
        for name in ("MSFT", "no name"):
            with pytest.raises(RefusalError, match="cannot be renamed"):
                account.engine.rename("AAPL", name)


class TestFees:
    def test_each_fee_of_a_day_is_summed_and_rounded_up(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "100")
        account.post("s", "sell", "30")
        account.post("t", "sell", "20.5")
        before = account.engine.book.cash

        assert len(account.engine.charge_fees(DAY, *RATES)) == 2

        assert [(row["activity_sub_type"], row["net_amount"], row["date"]) for row in rows(account, "FEE")] == [
            ("REG", "-0.11", "2026-01-02"),
            ("TAF", "-0.01", "2026-01-02"),
        ]
        assert account.engine.book.cash == before - Decimal("0.12")

    def test_a_day_is_charged_once_and_buys_not_at_all(self, account: ACCOUNT) -> None:
        account.post("b", "buy", "100")
        assert account.engine.charge_fees(DAY, *RATES) == []
        account.post("s", "sell", "30")
        account.engine.charge_fees(DAY, *RATES)
        account.restart()
        assert account.engine.charge_fees(DAY, *RATES) == []
        assert account.engine.charge_fees(date(2026, 1, 3), *RATES) == []

    def test_the_fee_per_share_is_capped_per_execution(self, lending: ACCOUNT) -> None:
        lending.quote("AAPL", "1", "1")
        lending.post("s", "sell", "60000")
        lending.engine.charge_fees(DAY, Decimal(0), *RATES[1:])
        assert [row["net_amount"] for row in rows(lending, "FEE")] == ["-9.79"]


def test_without_asking_nothing_is_charged(account: ACCOUNT) -> None:
    account.post("b", "buy", "1")
    account.post("s", "sell", "1")
    account.engine.set_clock(account.engine.book.now.replace(day=5))
    assert [type(item) for item in account.engine.book.activities[1:]] == [Execution, Execution]
