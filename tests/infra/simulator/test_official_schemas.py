"""Answers of the simulator against Alpaca's official OpenAPI files, where those are at hand."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator import activities, render
from infra.simulator.recorder import simulated_id
from tests.infra.simulator.openapi import Specification, specification

ACCOUNT = Any


@pytest.fixture(scope="module")
def trading() -> Specification:
    return specification("trading-api.json")


@pytest.fixture
def busy(open_account: Callable[..., ACCOUNT]) -> ACCOUNT:
    """An account with orders in every state, two positions and three kinds of activities."""
    account = open_account(partial_rate="1")
    account.quote("AAPL", "100.01", "100.05")
    account.quote("MSFT", "400", "400.5")
    account.post("bought", "buy", "10")
    account.post("fraction", "buy", "0.123456789", symbol="MSFT")
    account.post("waits", "sell", "3.5", limit_price="150")
    account.engine.cancel(account.post("canceled", "buy", "1", symbol="TSLA"))
    account.engine.move_cash("DIV", Decimal("1.02"), symbol="AAPL", qty=Decimal(10), per_share_amount=Decimal("0.102"))
    return account


def test_orders_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    orders = [render.order(order, simulated_id) for order in busy.engine.book.orders.values()]

    assert {order["status"] for order in orders} == {"filled", "new", "canceled"}
    for order in orders:
        assert trading.problems(order, "Order") == []
        assert set(order) <= set(trading.schema("Order")["properties"])


def test_orders_in_the_stream_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    updates = [json.loads(update)["data"] for update in busy.updates]

    assert {update["event"] for update in updates} == {"new", "partial_fill", "fill", "canceled"}
    for update in updates:
        assert trading.problems(update["order"], "Order") == []


def test_the_account_is_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    account = render.account(busy.engine.book, simulated_id)

    assert trading.problems(account, "Account") == []
    assert set(account) <= set(trading.schema("Account")["properties"])


def test_positions_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    book = busy.engine.book
    positions = [render.position(book, symbol, simulated_id) for symbol in book.positions]

    assert len(positions) == 2
    for position in positions:
        assert trading.problems(position, "Position") == []
    assert positions[0]["qty_available"] == "6.5"


def test_shorts_are_as_specified(open_account: Callable[..., ACCOUNT], trading: Specification) -> None:
    account = open_account(multiplier=2)
    account.quote("AAPL", "100", "101")
    account.post("short", "sell", "10")
    position = render.position(account.engine.book, "AAPL", simulated_id)

    assert trading.problems(position, "Position") == []
    assert trading.problems(render.account(account.engine.book, simulated_id), "Account") == []
    assert position["side"] == "short"


@pytest.mark.parametrize("listed", [None, ("active", True, True), ("inactive", False, False)])
def test_assets_are_as_specified(busy: ACCOUNT, trading: Specification, listed: tuple[Any, ...] | None) -> None:
    if listed is not None:
        busy.engine.list_asset("AAPL", *listed)
    asset = render.asset(busy.engine.book, "AAPL", simulated_id)

    assert asset is not None
    assert trading.problems(asset, "Assets") == []
    assert set(asset) - {"easy_to_borrow"} <= set(trading.schema("Assets")["properties"])


def test_activities_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    rows = [activities.activity(item, simulated_id) for item in busy.engine.book.activities]

    assert {row["activity_type"] for row in rows} == {"CSD", "FILL", "DIV"}
    for row in rows:
        is_fill = row["activity_type"] == "FILL"
        schema = "TradingActivities" if is_fill else "NonTradeActivities"
        known = set(trading.schema(schema)["properties"])
        assert trading.problems({**row, **({} if is_fill else {"date": row["created_at"]})}, schema) == []
        assert known - set(row) <= {"cusip", "group_id", "activity_sub_type", "symbol", "qty", "per_share_amount"}
        assert re.fullmatch(r"\d{17}::[0-9a-f-]{36}", str(row["id"]))
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_deviation_would_be_noticed(busy: ACCOUNT, trading: Specification) -> None:
    position = render.position(busy.engine.book, "AAPL", simulated_id)

    assert trading.problems({**position, "qty": 10}, "Position") == ["Position.qty: expected ['string'], was 10"]
    assert trading.problems({**position, "asset_id": "AAPL"}, "Position") == ["Position.asset_id: 'AAPL' is no uuid"]
    assert trading.problems({**position, "exchange": "MOON"}, "Position")[0].startswith("Position.exchange: 'MOON'")
    del position["qty"]
    assert trading.problems(position, "Position") == ["Position.qty: missing"]
