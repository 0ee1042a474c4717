"""A brokerage in memory that speaks Alpaca's words: exact cash, a stream, and troubles that can be ordered."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from agents.broker.ports import LISTENING, NewOrder, OrderStatusFilter, Reply, Side, Subscription
from schemas.account import TRANSFERS
from schemas.identity import derived

OPENED_AT = datetime(2012, 6, 1, 13, 30, tzinfo=UTC)
QUOTED_AT = "2012-06-01T15:55:00.123456789Z"
ZERO = Decimal(0)
SILENT = Reply(None, "", "ReadTimeout after 10 s")


@dataclass
class FakeOrder:
    """An order as the brokerage keeps it."""

    id: str
    new: NewOrder
    status: str = "new"
    filled_qty: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.status in ("new", "partially_filled")


@dataclass
class FakeBrokerage:
    """One account. `fills_at` lists the cumulative quantities at which a new order is filled at once.

    `assets` are what can be asked about a symbol; a request of quotes that names an `unquotable` one is refused whole.
    `unlisted` orders can be read singly, but are in no listing. `deliveries` says how often the stream sends its next
    message; `is_heard` whether it sends any; `is_confirmed` whether it says at once that it is listening.
    """

    cash: Decimal = Decimal(100_000)
    prices: dict[str, Decimal] = field(default_factory=dict)
    fills_at: Callable[[NewOrder], Sequence[Decimal]] = lambda order: [order.order_qty]
    held: dict[str, Decimal] = field(default_factory=dict)
    book: dict[str, FakeOrder] = field(default_factory=dict)
    activity: list[dict[str, Any]] = field(default_factory=list)
    troubles: dict[str, list[Reply | str]] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    closed_after: list[datetime | None] = field(default_factory=list)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    unquotable: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    is_heard: bool = True
    is_confirmed: bool = True
    deliveries: Callable[[], int] = lambda: 1
    ticks: int = 0
    on_message: Callable[[str], None] | None = None
    on_gap: Callable[[str], None] | None = None

    # --- what a test does with it

    def deposit(self, amount: str, activity_type: str = "CSD") -> None:
        """Move cash from outside; the cash the account opened with counts as booked by this too."""
        self.activity.append(
            {
                "id": f"20120601000000000::{derived('activity', len(self.activity))}",
                "activity_type": activity_type,
                "date": "2012-06-01",
                "net_amount": amount,
            }
        )

    def charge(self, amount: str) -> None:
        """Take a fee."""
        self.cash -= Decimal(amount)
        self.deposit(f"-{amount}", "FEE")

    def trouble(self, request: str, *replies: Reply | str) -> None:
        """Let the next requests of a name go wrong: a Reply instead of doing it, or 'lost' after doing it."""
        self.troubles.setdefault(request, []).extend(replies)

    def listening(self) -> None:
        """Confirm that the stream is sending."""
        assert self.on_gap is not None
        self.on_gap(LISTENING)

    def lost(self) -> None:
        """Lose the stream."""
        assert self.on_gap is not None
        self.on_gap("lost: no heartbeat")

    def fill(self, client_order_id: str, cum_qty: Decimal) -> None:
        """Execute an order up to a cumulative quantity."""
        order = self.book[client_order_id]
        qty, price = cum_qty - order.filled_qty, self.prices[order.new.symbol]
        sign = 1 if order.new.side == "BUY" else -1
        order.filled_qty = cum_qty
        order.status = "filled" if cum_qty == order.new.order_qty else "partially_filled"
        self.cash -= sign * qty * price
        self.held[order.new.symbol] = self.held.get(order.new.symbol, ZERO) + sign * qty
        self.activity.append(
            {
                "id": f"20120601093000000::{derived('execution', client_order_id, cum_qty)}",
                "activity_type": "FILL",
                "order_id": order.id,
                "symbol": order.new.symbol,
                "side": order.new.side.lower(),
                "qty": str(qty),
                "cum_qty": str(cum_qty),
                "price": str(price),
                "transaction_time": self._tick(),
            }
        )
        event = "fill" if order.status == "filled" else "partial_fill"
        self._tell(order, event, {"qty": str(qty), "price": str(price)})

    def submit_late(self, client_order_id: str) -> FakeOrder:
        """Have an order to buy 10 AAPL after all, whose submission seemed lost."""
        new = NewOrder(client_order_id, "AAPL", "BUY", Decimal(10), "MARKET", None, "DAY")
        self.book[client_order_id] = FakeOrder(str(derived("order", client_order_id)), new)
        return self.book[client_order_id]

    def trade_by_hand(self, client_order_id: str, side: Side, symbol: str, quantity: str) -> None:
        """Place and fill an order that is not ours; nothing but the listing of activities tells of it."""
        is_heard, self.is_heard = self.is_heard, False
        new = NewOrder(client_order_id, symbol, side, Decimal(quantity), "MARKET", None, "DAY")
        self.book[client_order_id] = FakeOrder(str(derived("order", client_order_id)), new)
        self.fill(client_order_id, new.order_qty)
        self.is_heard = is_heard

    def forget(self, client_order_id: str) -> None:
        """Know an order no more; what was executed of it stays."""
        del self.book[client_order_id]

    def end(self, client_order_id: str, status: str) -> None:
        """End an order without filling it."""
        order = self.book[client_order_id]
        order.status = status
        self._tell(order, status, {})

    # --- the port

    def submit(self, order: NewOrder) -> Reply:
        self.posts.append(order.client_order_id)
        return self._troubled("submit", lambda: self._submit(order))

    def cancel(self, broker_order_id: str) -> Reply:
        return self._troubled("cancel", lambda: self._cancel(broker_order_id))

    def order_by_client_id(self, client_order_id: str) -> Reply:
        def found() -> Reply:
            order = self.book.get(client_order_id)
            return refusal(404, 40410000, "order not found") if order is None else reply(self._shown(order))

        return self._troubled("order", found)

    def order_by_broker_id(self, broker_order_id: str) -> Reply:
        def found() -> Reply:
            order = next((each for each in self.book.values() if each.id == broker_order_id), None)
            return refusal(404, 40410000, "order not found") if order is None else reply(self._shown(order))

        self.looked_up.append(broker_order_id)
        return self._troubled("order", found)

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:
        wanted = [each for each in self.book.values() if status == "all" or each.is_open is (status == "open")]
        if status == "closed":
            self.closed_after.append(after)
        is_late = after is None or after < OPENED_AT
        rows = [self._shown(each) for each in wanted if is_late and each.new.client_order_id not in self.unlisted]
        return self._troubled("closed" if status == "closed" else "orders", lambda: reply(rows))

    def fill_activities(self, after: datetime | None) -> Reply:
        return self._troubled("fills", lambda: reply([each for each in self._after(after) if "order_id" in each]))

    def activities(self, after: datetime | None) -> Reply:
        return self._troubled("activities", lambda: reply(self._after(after)))

    def transfers(self, after: datetime | None) -> Reply:
        rows = [each for each in self._after(after) if each["activity_type"] in TRANSFERS]
        return self._troubled("transfers", lambda: reply(rows))

    def account(self) -> Reply:
        worth = sum((quantity * self.prices[symbol] for symbol, quantity in self.held.items()), ZERO)
        body = {
            "cash": str(self.cash),
            "equity": str(self.cash + worth),
            "buying_power": str(max(self.cash, ZERO)),
            "initial_margin": str(worth / 2),
            "maintenance_margin": str(worth * 3 / 10),
        }
        return self._troubled("account", lambda: reply(body))

    def positions(self) -> Reply:
        rows = [{"symbol": symbol, "qty": str(qty), "side": "long"} for symbol, qty in self.held.items() if qty]
        return self._troubled("positions", lambda: reply(rows))

    def quotes(self, symbols: Sequence[str]) -> Reply:
        self.asked = list(symbols)
        if self.unquotable & set(symbols):
            return refusal(400, 40010000, "code=400, message=invalid symbol")
        rows = {
            symbol: {"bp": str(self.prices[symbol]), "ap": str(self.prices[symbol]), "t": QUOTED_AT}
            for symbol in symbols
            if symbol in self.prices
        }
        return self._troubled("quotes", lambda: reply({"quotes": rows}))

    def asset(self, symbol: str) -> Reply:
        def found() -> Reply:
            asset = self.assets.get(symbol)
            return refusal(404, 40410000, f"asset not found for {symbol}") if asset is None else reply(asset)

        return self._troubled("asset", found)

    def clock(self) -> Reply:
        body = {"timestamp": QUOTED_AT, "is_open": True, "next_open": "2012-06-04", "next_close": "2012-06-01"}
        return self._troubled("clock", lambda: reply(body))

    def suspend_trade(self, suspended: bool) -> Reply:
        raise NotImplementedError("nobody suspends trading here")

    def cancel_all(self) -> Reply:
        raise NotImplementedError("nobody cancels all orders here")

    def listen(self, on_message: Callable[[str], None], on_gap: Callable[[str], None]) -> Subscription:
        self.on_message, self.on_gap = on_message, on_gap
        if self.is_confirmed:
            self.listening()
        return self

    def close(self) -> None:
        self.on_message = self.on_gap = None

    # --- inside

    def _troubled(self, request: str, done: Callable[[], Reply]) -> Reply:
        trouble = self.troubles.get(request) or []
        if not trouble:
            return done()
        what = trouble.pop(0)
        if isinstance(what, Reply):
            return what
        done()
        return SILENT

    def _submit(self, new: NewOrder) -> Reply:
        if new.client_order_id in self.book:
            return refusal(422, 40010001, "client_order_id must be unique")
        order = self.book[new.client_order_id] = FakeOrder(str(derived("order", new.client_order_id)), new)
        taken = reply(self._shown(order))
        self._tell(order, "new", {})
        for cum_qty in self.fills_at(new):
            self.fill(new.client_order_id, cum_qty)
        return taken

    def _cancel(self, broker_order_id: str) -> Reply:
        order = next((each for each in self.book.values() if each.id == broker_order_id), None)
        if order is None:
            return refusal(404, 40410000, "order not found")
        if not order.is_open:
            return refusal(422, 42210000, "order is not cancelable")
        self.end(order.new.client_order_id, "canceled")
        return Reply(204, "", None)

    def _shown(self, order: FakeOrder) -> dict[str, Any]:
        return {
            "id": order.id,
            "client_order_id": order.new.client_order_id,
            "symbol": order.new.symbol,
            "status": order.status,
            "filled_qty": str(order.filled_qty),
            "submitted_at": OPENED_AT.isoformat(),
            "updated_at": (OPENED_AT + timedelta(seconds=self.ticks)).isoformat(),
        }

    def _tell(self, order: FakeOrder, event: str, more: dict[str, Any]) -> None:
        if not self.is_heard or self.on_message is None:
            return
        execution_id = str(derived("execution", order.new.client_order_id, event, order.filled_qty))
        data = {"event": event, "execution_id": execution_id, "order": self._shown(order), **more}
        data["timestamp"] = self._tick()
        for _ in range(self.deliveries()):
            self.on_message(json.dumps({"stream": "trade_updates", "data": data}))

    def _after(self, after: datetime | None) -> list[dict[str, Any]]:
        def at(row: dict[str, Any]) -> datetime:
            found = datetime.fromisoformat(row.get("transaction_time") or row["date"])
            return found if found.tzinfo else found.replace(tzinfo=UTC)

        return [row for row in self.activity if after is None or at(row) > after]

    def _tick(self) -> str:
        self.ticks += 1
        return (OPENED_AT + timedelta(seconds=self.ticks)).isoformat()


def reply(value: object) -> Reply:
    """Return an answer with a body of JSON."""
    return Reply(200, json.dumps(value), None)


def refusal(status: int, code: int, message: str) -> Reply:
    """Return an answer that says no."""
    return Reply(status, json.dumps({"code": code, "message": message}), None)
