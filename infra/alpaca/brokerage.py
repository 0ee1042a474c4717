"""One Alpaca account behind the broker agent's port. alpaca-py does the talking; nothing here decides."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from agents.broker.ports import NewOrder, OrderStatusFilter, Reply, Subscription
from infra.alpaca.budget import RequestBudget
from infra.alpaca.rest import Params, RestCalls, instant_text
from infra.alpaca.session import RecordingSession
from infra.alpaca.settings import AlpacaSettings
from infra.alpaca.stream import RawTradingStream, StreamThread
from schemas.account import TRANSFERS
from schemas.quantities import plain

#: The largest pages Alpaca gives (OpenAPI trading spec 2.0.1).
ORDERS_PAGE = 500
ACTIVITIES_PAGE = 100


class AlpacaBrokerage:
    """The `Brokerage` port over Alpaca, or over the local simulator where the settings name its addresses.

    Safe to call from several threads. The keys appear in no repr, log or error text.
    """

    def __init__(self, settings: AlpacaSettings, budget: RequestBudget | None = None) -> None:
        """Prepare the clients; nothing is connected yet. `budget` is of the trading API's requests."""
        self._settings = settings
        per_minute = settings.requests_per_minute
        #: Alpaca counts requests of the two APIs apart.
        self._budgets = [
            budget or RequestBudget(per_minute, settings.requests_for_orders),
            RequestBudget(per_minute, kept_for_orders=0),
        ]
        key_id, secret_key = settings.key_id.get_secret_value(), settings.secret_key.get_secret_value()
        self._sessions = [RecordingSession(settings.connect_timeout, settings.read_timeout) for _ in range(2)]
        self._trading = RestCalls(
            TradingClient(key_id, secret_key, paper=settings.paper, raw_data=True, url_override=settings.trading_url),
            self._sessions[0],
            self._hidden,
            self._budgets[0],
        )
        self._data = RestCalls(
            StockHistoricalDataClient(key_id, secret_key, raw_data=True, url_override=settings.data_url),
            self._sessions[1],
            self._hidden,
            self._budgets[1],
        )

    def __repr__(self) -> str:
        """Name the account's address, not its keys."""
        where = self._settings.trading_url or ("paper" if self._settings.paper else "live")
        return f"AlpacaBrokerage({where})"

    def _hidden(self, text: str) -> str:
        for secret in (self._settings.secret_key, self._settings.key_id):
            text = text.replace(secret.get_secret_value(), "***")
        return text

    def submit(self, order: NewOrder) -> Reply:
        """POST the order once, all numbers as strings, without zeros that Alpaca would count as decimals."""
        body: dict[str, object] = {
            "symbol": order.symbol,
            "qty": plain(order.order_qty),
            "side": order.side.lower(),
            "type": order.ord_type.lower(),
            "time_in_force": order.time_in_force.lower(),
            "client_order_id": order.client_order_id,
        }
        if order.limit_price is not None:
            body["limit_price"] = plain(order.limit_price)
        if order.extended_hours:
            body["extended_hours"] = True
        return self._trading.post("/orders", body, self._settings.total_timeout)

    def cancel(self, broker_order_id: str) -> Reply:
        """DELETE the order."""
        return self._trading.delete(f"/orders/{quote(broker_order_id, safe='')}", self._settings.total_timeout)

    def cancel_all(self) -> Reply:
        """DELETE all open orders."""
        return self._trading.delete("/orders", self._settings.total_timeout)

    def suspend_trade(self, suspended: bool) -> Reply:
        """PATCH the account's configuration."""
        body = {"suspend_trade": suspended}
        return self._trading.patch("/account/configurations", body, self._settings.total_timeout)

    def order_by_client_id(self, client_order_id: str) -> Reply:
        """GET the order by our id."""
        return self._read("/orders:by_client_order_id", {"client_order_id": client_order_id})

    def order_by_broker_id(self, broker_order_id: str) -> Reply:
        """GET the order by Alpaca's id."""
        return self._read(f"/orders/{quote(broker_order_id, safe='')}", {})

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:
        """GET the orders, 500 a page; pages are linked by order id, as times may be equal at their edge."""
        params = {"status": status, "limit": str(ORDERS_PAGE), "direction": "asc"}
        first = params | ({} if after is None else {"after": instant_text(after)})
        return self._listing("/orders", first, lambda order_id: {**params, "after_order_id": order_id}, ORDERS_PAGE)

    def fill_activities(self, after: datetime | None) -> Reply:
        """GET the FILL activities, 100 a page."""
        return self._activities("/account/activities/FILL", after)

    def activities(self, after: datetime | None) -> Reply:
        """GET all activities, 100 a page."""
        return self._activities("/account/activities", after)

    def transfers(self, after: datetime | None) -> Reply:
        """GET the activities of transfers of cash, 100 a page."""
        return self._activities("/account/activities", after, {"activity_types": ",".join(TRANSFERS)})

    def _activities(self, path: str, after: datetime | None, more: Mapping[str, str] | None = None) -> Reply:
        params = {"page_size": str(ACTIVITIES_PAGE), "direction": "asc", **(more or {})}
        if after is not None:
            params["after"] = instant_text(after)
        return self._listing(path, params, lambda activity_id: {**params, "page_token": activity_id}, ACTIVITIES_PAGE)

    def account(self) -> Reply:
        """GET the account."""
        return self._read("/account", {})

    def positions(self) -> Reply:
        """GET the positions; Alpaca does not page them."""
        return self._read("/positions", {})

    def quotes(self, symbols: Sequence[str]) -> Reply:
        """GET the latest quotes."""
        params = {"symbols": ",".join(symbols)}
        if self._settings.feed is not None:
            params["feed"] = self._settings.feed
        return self._data.get("/stocks/quotes/latest", params, self._settings.total_timeout)

    def asset(self, symbol: str) -> Reply:
        """GET the asset."""
        return self._read(f"/assets/{quote(symbol, safe='')}", {})

    def clock(self) -> Reply:
        """GET the clock."""
        return self._read("/clock", {})

    def listen(self, on_message: Callable[[str], None], on_gap: Callable[[str], None]) -> Subscription:
        """Open the stream of trade updates; see the port for what the callbacks get."""
        return StreamThread(RawTradingStream(self._settings, on_message, on_gap))

    def close(self) -> None:
        """Close the kept connections and end all waiting; subscriptions are closed by whoever opened them."""
        for budget in self._budgets:
            budget.close()
        for session in self._sessions:
            session.close()

    def _read(self, path: str, params: Params) -> Reply:
        return self._trading.get(path, params, self._settings.total_timeout)

    def _listing(self, path: str, params: Params, next_page: Callable[[str], Params], size: int) -> Reply:
        return self._trading.listing(path, params, next_page, size, self._settings.listing_timeout)
