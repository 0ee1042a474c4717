"""The simulator seen by alpaca-py as it comes, typed models included."""

import asyncio
import threading
from uuid import UUID

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Asset, Clock, Order, Position, TradeAccount, TradeUpdate
from alpaca.trading.requests import GetOrdersRequest, LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream

from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls

pytestmark = pytest.mark.usefixtures("control")


@pytest.fixture
def client(simulator: SimulatorUrls) -> TradingClient:
    return TradingClient(KEY_ID, SECRET_KEY, url_override=simulator.url)


def buy(client_order_id: str, qty: float = 2) -> MarketOrderRequest:
    return MarketOrderRequest(
        symbol="AAPL", qty=qty, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id=client_order_id
    )


def test_an_order_makes_a_position(client: TradingClient) -> None:
    taken = client.submit_order(buy("a"))
    assert isinstance(taken, Order)

    found = client.get_order_by_id(taken.id)
    positions = client.get_all_positions()
    account = client.get_account()

    assert isinstance(found, Order)
    assert isinstance(account, TradeAccount)
    assert found == client.get_order_by_client_id("a")
    assert (found.status, found.filled_qty, found.filled_avg_price) == (OrderStatus.FILLED, "2", "101")
    assert [position.qty for position in positions if isinstance(position, Position)] == ["2"]
    assert isinstance(client.get_open_position("AAPL"), Position)
    assert account.cash == "99798"


def test_an_asset_is_read(client: TradingClient) -> None:
    asset = client.get_asset("AAPL")
    assert isinstance(asset, Asset)
    assert (asset.symbol, asset.tradable, asset.fractionable) == ("AAPL", True, True)


def test_open_orders_are_listed_and_canceled(client: TradingClient) -> None:
    limit = LimitOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=90.5, client_order_id="a"
    )
    client.submit_order(limit)
    open_orders = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["AAPL"]))

    assert [order.limit_price for order in open_orders if isinstance(order, Order)] == ["90.5"]
    client.cancel_orders()
    assert client.get_orders() == []


def test_errors_are_alpacas(client: TradingClient) -> None:
    client.submit_order(buy("a"))

    with pytest.raises(APIError) as refused:
        client.submit_order(buy("a"))

    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    with pytest.raises(APIError, match="position does not exist"):
        client.get_open_position("MSFT")


def test_the_clock_knows_the_session(client: TradingClient) -> None:
    clock = client.get_clock()

    assert isinstance(clock, Clock)
    assert clock.is_open
    assert clock.next_close.isoformat() == "2026-01-02T21:00:00+00:00"


def test_quotes_are_read(simulator: SimulatorUrls) -> None:
    client = StockHistoricalDataClient(KEY_ID, SECRET_KEY, url_override=simulator.url)

    quotes = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))

    assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_price) == (100, 101)


def test_the_stream_is_understood(simulator: SimulatorUrls, client: TradingClient) -> None:
    stream = TradingStream(KEY_ID, SECRET_KEY, url_override=simulator.stream_url)
    heard: list[TradeUpdate] = []
    filled = threading.Event()

    async def handle(update: TradeUpdate) -> None:
        heard.append(update)
        if update.event == "fill":
            filled.set()

    async def subscribed() -> None:
        stream.subscribe_trade_updates(handle)
        await stream._start_ws()  # type: ignore[no-untyped-call]
        assert stream._ws is not None
        await stream._ws.recv()
        await asyncio.to_thread(client.submit_order, buy("a"))
        reader = asyncio.create_task(stream._consume())
        await asyncio.to_thread(filled.wait, 10)
        reader.cancel()
        await stream.close()

    asyncio.run(subscribed())

    assert [update.event for update in heard] == ["new", "fill"]
    assert isinstance(heard[1].execution_id, UUID)
    assert (heard[1].qty, heard[1].price) == (2, 101)
