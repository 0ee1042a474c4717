"""The whole of alpaca-py's TradingClient for stocks, as it comes, against a simulator; only the market is steered."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AccountStatus,
    AssetStatus,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import AccountConfiguration, Asset, Calendar, Order, PortfolioHistory, Position
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from infra.simulator.client import SimulatorControl
from infra.simulator.settings import KEY_ID, SECRET_KEY, START_OF_TIME, SimulatorUrls

AAPL: dict[str, Any] = {"symbol": "AAPL", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}


@pytest.fixture
def market(urls: SimulatorUrls) -> SimulatorControl:
    """A new account that may borrow and be short, and quotes for two symbols."""
    control = SimulatorControl(urls.url)
    control.reset(partial_rate=0, multiplier=2)
    control.set_quote("AAPL", "100", "101")
    control.set_quote("MSFT", "400", "401")
    return control


@pytest.fixture
def client(urls: SimulatorUrls, market: SimulatorControl) -> TradingClient:
    return TradingClient(KEY_ID, SECRET_KEY, url_override=urls.url)


def placed(client: TradingClient, request: Any) -> Order:
    """Submit an order and return it as it stands a moment later."""
    taken = client.submit_order(request)
    assert isinstance(taken, Order)
    return found(client, taken)


def found(client: TradingClient, order: Order) -> Order:
    now = client.get_order_by_id(order.id)
    assert isinstance(now, Order)
    return now


def test_every_type_of_order_is_taken(client: TradingClient, market: SimulatorControl) -> None:
    orders = [
        placed(client, MarketOrderRequest(**AAPL)),
        placed(client, LimitOrderRequest(**AAPL, limit_price=90)),
        placed(client, StopOrderRequest(**AAPL, stop_price=110)),
        placed(client, StopLimitOrderRequest(**AAPL, stop_price=110, limit_price=105)),
        placed(client, TrailingStopOrderRequest(**AAPL, trail_percent=5)),
    ]

    assert [order.type for order in orders] == list(OrderType)[:5]
    assert [order.status for order in orders] == [OrderStatus.FILLED, *[OrderStatus.NEW] * 4]
    assert (orders[4].hwm, orders[4].stop_price) == ("101", "106.05")
    market.set_quote("AAPL", "109", "110")
    assert [found(client, order).status for order in orders[2:]] == ["filled", "new", "filled"]


def test_dollars_fractions_and_immediate_orders(client: TradingClient) -> None:
    dollars = placed(client, MarketOrderRequest(**{**AAPL, "qty": None}, notional=50.5))
    fraction = placed(client, MarketOrderRequest(**{**AAPL, "qty": 0.25}))
    killed = placed(client, LimitOrderRequest(**{**AAPL, "time_in_force": TimeInForce.FOK}, limit_price=90))

    assert (dollars.notional, dollars.qty, dollars.filled_qty) == ("50.5", None, "0.5")
    assert fraction.filled_qty == "0.25"
    assert killed.status == OrderStatus.CANCELED


def test_an_order_is_replaced(client: TradingClient) -> None:
    old = placed(client, LimitOrderRequest(**AAPL, limit_price=90, client_order_id="old"))
    new = client.replace_order_by_id(old.id, ReplaceOrderRequest(qty=2, limit_price=91, client_order_id="new"))

    assert isinstance(new, Order)
    assert (new.qty, new.limit_price, new.replaces, new.client_order_id) == ("2", "91", old.id, "new")
    gone = found(client, old)
    assert (gone.status, gone.replaced_by) == (OrderStatus.REPLACED, new.id)
    with pytest.raises(APIError, match="order is not open"):
        client.replace_order_by_id(old.id, ReplaceOrderRequest(qty=3))


def test_orders_are_listed_by_what_is_asked_for(client: TradingClient) -> None:
    for n, (symbol, side) in enumerate((("AAPL", "buy"), ("MSFT", "buy"), ("AAPL", "sell"))):
        placed(
            client, MarketOrderRequest(**{**AAPL, "symbol": symbol, "side": OrderSide(side)}, client_order_id=str(n))
        )
    open_one = placed(client, LimitOrderRequest(**AAPL, limit_price=90, client_order_id="open"))

    def names(**asked: Any) -> list[str]:
        orders = client.get_orders(GetOrdersRequest(**{"status": QueryOrderStatus.ALL, **asked}))
        return [order.client_order_id for order in orders if isinstance(order, Order)]

    assert names() == ["open", "2", "1", "0"]
    assert names(status=QueryOrderStatus.OPEN) == ["open"]
    assert names(status=QueryOrderStatus.CLOSED, direction="asc") == ["0", "1", "2"]
    assert names(symbols=["AAPL"], limit=2) == ["open", "2"]
    assert names(side=OrderSide.SELL) == ["2"]
    assert names(until=open_one.submitted_at, nested=True) == ["2", "1", "0"]
    assert names(after=open_one.submitted_at - timedelta(microseconds=1)) == ["open"]


def test_positions_are_closed_in_part_and_altogether(client: TradingClient) -> None:
    placed(client, MarketOrderRequest(**{**AAPL, "qty": 11}))
    placed(client, MarketOrderRequest(**{**AAPL, "symbol": "MSFT", "qty": 4, "side": OrderSide.SELL}))

    half = client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    cover = client.close_position("MSFT", ClosePositionRequest(qty="1"))

    assert isinstance(half, Order)
    assert isinstance(cover, Order)
    assert ((half.side, half.qty), (cover.side, cover.qty)) == ((OrderSide.SELL, "5"), (OrderSide.BUY, "1"))
    positions = [each for each in client.get_all_positions() if isinstance(each, Position)]
    assert [(each.symbol, each.qty, each.side) for each in positions] == [
        ("AAPL", "6", PositionSide.LONG),
        ("MSFT", "-3", PositionSide.SHORT),
    ]
    closed = client.close_all_positions(cancel_orders=True)
    assert [each.status for each in closed] == [200, 200]  # type: ignore[union-attr]
    assert client.get_all_positions() == []
    with pytest.raises(APIError, match="position does not exist"):
        client.close_position("AAPL")


def test_a_position_held_by_an_order_says_so_when_all_are_closed(client: TradingClient) -> None:
    placed(client, MarketOrderRequest(**{**AAPL, "qty": 10}))
    placed(client, MarketOrderRequest(**{**AAPL, "symbol": "MSFT"}))
    placed(client, LimitOrderRequest(**{**AAPL, "qty": 4, "side": OrderSide.SELL}, limit_price=150))

    held, closed = client.close_all_positions()

    assert (held.symbol, held.status, held.body.held_for_orders) == ("AAPL", 403, 4)  # type: ignore[union-attr]
    assert (closed.symbol, closed.status) == ("MSFT", 200)  # type: ignore[union-attr]
    client.close_all_positions(cancel_orders=True)
    assert client.get_all_positions() == []


def test_a_position_is_found_by_its_asset_too(client: TradingClient) -> None:
    placed(client, MarketOrderRequest(**AAPL))
    asset = client.get_asset("AAPL")
    assert isinstance(asset, Asset)
    position = client.get_open_position(asset.id)
    assert isinstance(position, Position)
    assert (position.symbol, client.get_asset(str(asset.id))) == ("AAPL", asset)
    assert placed(client, MarketOrderRequest(**{**AAPL, "symbol": str(asset.id)})).symbol == "AAPL"


def test_assets_are_listed_by_status(client: TradingClient, market: SimulatorControl) -> None:
    market.list_asset("MSFT", "inactive")
    every = [each for each in client.get_all_assets() if isinstance(each, Asset)]
    active = client.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE))

    assert [each.symbol for each in every] == ["AAPL", "MSFT"]
    assert [each.symbol for each in active if isinstance(each, Asset)] == ["AAPL"]


def test_the_account_is_suspended_by_its_owner(client: TradingClient) -> None:
    configuration = client.get_account_configurations()
    assert isinstance(configuration, AccountConfiguration)
    changed = client.set_account_configurations(configuration.model_copy(update={"suspend_trade": True}))

    assert isinstance(changed, AccountConfiguration)
    assert changed.suspend_trade
    account = client.get_account()
    assert (account.trade_suspended_by_user, account.status) == (True, AccountStatus.ACTIVE)  # type: ignore[union-attr]
    with pytest.raises(APIError, match="rejected by user request") as refused:
        client.submit_order(MarketOrderRequest(**AAPL))
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    client.set_account_configurations(configuration)
    placed(client, MarketOrderRequest(**AAPL))


def test_the_calendar_knows_holidays_and_early_closes(client: TradingClient) -> None:
    days = client.get_calendar(GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 12, 1)))

    assert [(each.date.day, each.close.hour) for each in days if isinstance(each, Calendar)] == [
        (26, 16),
        (28, 13),
        (1, 16),
    ]


def test_the_history_follows_the_market(client: TradingClient, market: SimulatorControl) -> None:
    placed(client, MarketOrderRequest(**{**AAPL, "qty": 100}))
    for day, price in ((5, "110"), (6, "90")):
        market.set_clock(START_OF_TIME.replace(day=day))
        market.set_quote("AAPL", price, price)
    market.set_clock(START_OF_TIME.replace(day=7))

    history = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1W", timeframe="1D"))

    assert isinstance(history, PortfolioHistory)
    assert [datetime.fromtimestamp(each, START_OF_TIME.tzinfo).day for each in history.timestamp] == [2, 5, 6, 7]
    assert history.equity == [99_950, 100_900, 98_900, 98_900]
    assert history.profit_loss == [-50, 900, -1_100, -1_100]
    assert (history.base_value, history.profit_loss_pct[1]) == (100_000, 0.009)
    position = client.get_open_position("AAPL")
    assert (position.lastday_price, position.change_today) == ("90", "0")  # type: ignore[union-attr]


def test_activities_are_paged_by_their_ids(client: TradingClient, market: SimulatorControl) -> None:
    for _ in range(3):
        placed(client, MarketOrderRequest(**AAPL))
    market.move_cash("DIV", Decimal("1.02"), symbol="AAPL")
    market.set_clock(START_OF_TIME + timedelta(days=3))
    order = placed(client, MarketOrderRequest(**AAPL))

    def kinds(**asked: str) -> list[str]:
        return [row["activity_type"] for row in client.get("/account/activities", asked)]

    assert kinds() == ["FILL", "DIV", "FILL", "FILL", "FILL", "CSD"]
    first = client.get("/account/activities", {"page_size": "2", "direction": "asc"})
    assert kinds(page_token=first[-1]["id"], direction="asc") == ["FILL", "FILL", "DIV", "FILL"]
    assert kinds(category="non_trade_activity") == ["DIV", "CSD"]
    assert kinds(activity_types="TRANS,DIV") == ["DIV", "CSD"]
    assert kinds(date="2026-01-05") == kinds(order_id=str(order.id)) == ["FILL"]
    assert kinds(until="2026-01-03", category="trade_activity") == ["FILL"] * 3
    assert len(client.get("/account/activities/FILL", {"after": "2026-01-03"})) == 1


REFUSED = [
    (MarketOrderRequest(**{**AAPL, "qty": 10_000}), 403, 40310000, "insufficient buying power"),
    (LimitOrderRequest(**AAPL, limit_price=90.001), 422, 42210000, "sub-penny"),
    (MarketOrderRequest(**{**AAPL, "symbol": "no such"}), 422, 42210000, 'asset \\"no such\\" not found'),
    (MarketOrderRequest(**AAPL, client_order_id="x" * 129), 422, 40010001, "no more than 128 characters"),
    (MarketOrderRequest(**{**AAPL, "side": OrderSide.SELL, "qty": 0.5}), 422, 42210000, "cannot be sold short"),
    (MarketOrderRequest(**{**AAPL, "time_in_force": TimeInForce.OPG}), 403, 40310000, "after 7:00pm and before 9:28am"),
    (MarketOrderRequest(**AAPL, extended_hours=True), 422, 42210000, "must be DAY or GTC limit orders"),
]


@pytest.mark.parametrize(("request_", "status", "code", "message"), REFUSED, ids=[row[3] for row in REFUSED])
def test_errors_are_alpacas(client: TradingClient, request_: Any, status: int, code: int, message: str) -> None:
    with pytest.raises(APIError, match=message.replace("\\", "\\\\")) as refused:
        client.submit_order(request_)
    assert (refused.value.status_code, refused.value.code) == (status, code)
