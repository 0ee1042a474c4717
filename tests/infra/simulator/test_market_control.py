"""What a demo steers: parts of an order, orders by hand, and what a symbol is."""

import json
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator import render
from infra.simulator.client import SimulatorControl, SimulatorRefusedError
from infra.simulator.events import Hold
from infra.simulator.process import SimulatorProcess
from infra.simulator.recorder import simulated_id
from tests.infra.simulator.refusals import refused

ACCOUNT = Any


def test_thirty_of_an_order_are_filled_now_and_then_the_rest(account: ACCOUNT) -> None:
    account.engine.hold("AAPL", Hold.ALL)
    order_id = account.post("b", "buy", "100")
    account.engine.fill("b", Decimal(30))
    assert (account.engine.order(order_id).status, account.engine.order(order_id).filled_qty) == (
        "partially_filled",
        30,
    )
    account.quote("AAPL", "101", "102")
    account.engine.fill("b", Decimal("0.5"))
    account.engine.hold("AAPL", Hold.NONE)

    order = account.engine.order(order_id)
    assert (order.status, order.filled_value) == ("filled", 30 * 101 + 70 * 102)
    updates = [json.loads(each)["data"] for each in account.updates]
    assert [each.get("qty") for each in updates] == [None, "30", "0.5", "69.5"]


@pytest.mark.parametrize(("qty", "left"), [("11", "10"), ("10.1", "10"), ("-1", "10")])
def test_more_than_is_left_cannot_be_filled(account: ACCOUNT, qty: str, left: str) -> None:
    account.engine.hold("AAPL", Hold.ALL)
    account.post("b", "buy", "10")
    status, message = refused(lambda: account.engine.fill("b", Decimal(qty)))
    assert (status, message) == (422, f"order b: {left} left, cannot fill {qty}")


def test_what_has_ended_is_unknown_or_has_no_price_cannot_be_filled(account: ACCOUNT) -> None:
    assert refused(lambda: account.engine.fill("ghost", Decimal(1)))[0] == 404
    account.post("done", "buy", "1")
    assert refused(lambda: account.engine.fill("done", Decimal(1))) == (422, "order done: 0 left, cannot fill 1")
    account.post("waits", "buy", "1", symbol="MSFT")
    assert "quote MSFT first" in str(refused(lambda: account.engine.fill("waits", Decimal(1)))[1])


def test_a_symbol_is_an_active_asset_until_it_is_told_otherwise(account: ACCOUNT) -> None:
    found = render.asset(account.engine.book, "AAPL", simulated_id)
    assert found is not None
    assert (found["status"], found["tradable"], found["fractionable"]) == ("active", True, True)

    account.engine.list_asset("AAPL", None, True, True)
    assert render.asset(account.engine.book, "AAPL", simulated_id) is None


@pytest.mark.parametrize(
    ("listed", "qty", "status", "message"),
    [
        ((None, True, True), "1", 422, 'asset "AAPL" not found'),
        (("inactive", True, True), "1", 422, "asset AAPL is not active"),
        (("active", False, True), "1", 422, "asset AAPL is not tradable"),
        (("active", True, False), "0.5", 403, 'asset "AAPL" is not fractionable'),
    ],
)
def test_what_an_asset_does_not_allow_is_refused(
    account: ACCOUNT, listed: tuple[Any, ...], qty: str, status: int, message: str
) -> None:
    account.engine.list_asset("AAPL", *listed)
    assert refused(lambda: account.post("b", "buy", qty)) == (status, message)
    account.restart()
    assert refused(lambda: account.post("b2", "buy", qty)) == (status, message)


def test_whole_shares_of_an_asset_without_fractions_are_traded(account: ACCOUNT) -> None:
    account.engine.list_asset("AAPL", "active", True, False)
    account.post("b", "buy", "1")


def test_all_of_it_can_be_steered_from_outside(tmp_path: Any) -> None:
    process = SimulatorProcess(tmp_path)
    control = SimulatorControl(process.start().url)
    try:
        control.reset(partial_rate=0, multiplier=2)
        control.set_quote("AAPL", "100", "101")
        control.hold("AAPL")
        placed = control.place_order("buy", "AAPL", "10", "by-phone")
        control.fill("by-phone", "3")
        (order,) = control.orders()
        assert (placed["status"], order.order and order.order["filled_qty"]) == ("new", "3")
        assert control.place_order("buy", "AAPL", "1")["client_order_id"]
        control.list_asset("AAPL", "inactive")
        with pytest.raises(SimulatorRefusedError, match="not active"):
            control.place_order("buy", "AAPL", "1")
        with pytest.raises(SimulatorRefusedError, match="7 left"):
            control.fill("by-phone", "8")
    finally:
        process.stop()
