"""One account at a brokerage in memory, as faithful as money asks for.

It speaks Alpaca's words through the port the real adapter implements, so snapshots and reports are read by the code
that reads the real ones. It refuses what Alpaca refuses: a used client order id, an order that could meet an open
opposite one, a short in parts of a share or where none is allowed, a position turned over in one order.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from agents.broker.ports import NewOrder, OrderStatusFilter, Reply, Subscription
from schemas.account import TRANSFERS
from schemas.identity import derived
from tests.simulation.chance import SYMBOLS, Chance
from tests.simulation.market import CENT, ZERO, Shown, drawn_quote, two_sided

SILENT = Reply(None, "", "ReadTimeout after 10 s")
FORBIDDEN = 40310000


@dataclass
class Clock:
    """The one clock of a world; it only goes forward."""

    now: datetime

    def tick(self, seconds: float = 0.01) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@dataclass
class Order:
    """An order as the brokerage keeps it; `accepted_at` is the length of the log when it arrived."""

    id: str
    new: NewOrder
    accepted_at: int
    is_by_hand: bool = False
    status: str = "new"
    filled: Decimal = ZERO
    at: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in ("new", "partially_filled")

    @property
    def left(self) -> Decimal:
        return self.new.order_qty - self.filled


@dataclass(frozen=True)
class Refusal:
    """An order the brokerage did not take, why, and whether something else had changed the account meanwhile."""

    client_order_id: str
    why: str
    is_disturbed: bool


@dataclass(frozen=True)
class Arrival:
    """What an order found when the brokerage took it.

    `left` is what is open on its side of its symbol, itself included; `traded_by_hand_at` when somebody traded the
    symbol by hand the last time.
    """

    client_order_id: str
    held: Decimal
    left: Decimal
    traded_by_hand_at: datetime


@dataclass
class Exchange:
    """The account, its orders, and everything that was ever said of them."""

    chance: Chance
    time: Clock
    log_length: Callable[[], int]
    cash: Decimal = ZERO
    held: dict[str, Decimal] = field(default_factory=dict)
    orders_by_name: dict[str, Order] = field(default_factory=dict)
    activity: list[dict[str, Any]] = field(default_factory=list)
    unposted: list[dict[str, Any]] = field(default_factory=list)
    stream: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    deposits: Decimal = ZERO
    feed: dict[str, Shown] = field(default_factory=dict)
    is_calm: bool = False
    is_out: bool = False
    is_planned_on: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    disturbed: set[str] = field(default_factory=set)
    arrivals: list[Arrival] = field(default_factory=list)
    by_hand_at: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for symbol in self.chance.symbols:
            self.feed[symbol] = two_sided(Decimal(SYMBOLS[symbol]), 10)

    # --- what happens at the brokerage by itself

    @property
    def open_orders(self) -> list[Order]:
        return [each for each in self.orders_by_name.values() if each.is_open]

    def move(self) -> None:
        """Let one open order go on: an execution of some of it, or its end."""
        order = self.chance.pick(self.open_orders)
        profile = self.chance.profile
        if self.chance.happens(0.04 + profile.reject / 3):
            self.end(order, self.chance.one("canceled", "expired", "rejected"))
            return
        unit = Decimal(1) if order.left == order.left.to_integral_value() else Decimal("0.000000001")
        is_rest = profile.chunks == 1 or self.chance.happens(1 / profile.chunks)
        self.execute(order, order.left if is_rest else self.chance.part_of(order.left, unit))

    def execute(self, order: Order, qty: Decimal) -> None:
        """Execute some of an order at a price near the quote, and move shares and cash."""
        symbol, sign = order.new.symbol, 1 if order.new.side == "BUY" else -1
        price = self._price(symbol, sign)
        order.filled += qty
        order.status = "filled" if order.left == 0 else "partially_filled"
        cost = qty * price
        rounding = self.chance.profile.rounding
        self.cash -= sign * (cost if rounding is None else cost.quantize(CENT, rounding))
        self.held[symbol] = self.held.get(symbol, ZERO) + sign * qty
        self.counts["partial fills" if order.left else "last fills"] += 1
        row = {
            "activity_type": "FILL",
            "order_id": order.id,
            "symbol": symbol,
            "side": "buy" if sign > 0 else "sell",
            "type": "partial_fill" if order.left else "fill",
            "qty": plain(qty),
            "cum_qty": plain(order.filled),
            "leaves_qty": plain(order.left),
            "price": plain(price),
            "transaction_time": self._stamp(),
        }
        self._note(row)
        event = "partial_fill" if order.left else "fill"
        self._tell(order, event, {"qty": plain(qty), "price": plain(price)})

    def end(self, order: Order, status: str) -> None:
        """End an order without executing more of it."""
        order.status = status
        self.disturbed.add(order.new.symbol)
        self._tell(order, status, {})

    def by_hand(self) -> None:
        """A person trades at the brokerage, at once, perhaps in two parts; never into a short of parts of a share."""
        symbol = self.chance.pick(self.chance.symbols)
        held = self.held.get(symbol, ZERO)
        if any(each.new.symbol == symbol for each in self.open_orders):
            return
        side = self.chance.one("BUY", "SELL") if held > 0 else "BUY"
        quantity = Decimal(self.chance.random.randint(1, 40))
        quantity = min(quantity, held) if side == "SELL" else min(quantity, -held) if held < 0 else quantity
        name = f"hand-{len(self.orders_by_name)}"
        new = NewOrder(name, symbol, side, quantity, "MARKET", None, "DAY")  # type: ignore[arg-type]
        order = Order(str(derived("order", name)), new, self.log_length(), is_by_hand=True, at=self._stamp())
        self.orders_by_name[name] = order
        self.disturbed.add(symbol)
        self.by_hand_at[symbol] = self.time.now
        if quantity > 1 and self.chance.happens(0.3):
            self.execute(order, Decimal(1))
        self.execute(order, order.left)

    def cash_moves(self) -> None:
        """Money comes or goes without a trade; sometimes the cash shows it before the activity does."""
        kind, amount = self.chance.one(
            ("CSD", "5000"), ("JNLC", "120.5"), ("CSW", "-700"), ("FEE", "-0.03"), ("DIV", "12.34"), ("INT", "-1.07")
        )
        self.book_cash(kind, Decimal(amount), is_late=self.chance.happens(0.2))

    def book_cash(self, kind: str, amount: Decimal, is_late: bool = False) -> None:
        self.cash += amount
        self.deposits += amount if kind in ("CSD", "CSW", "JNLC") else ZERO
        row = {"activity_type": kind, "date": self.time.now.date().isoformat(), "net_amount": plain(amount)}
        if is_late and not self.is_calm:
            self.unposted.append(row)
        else:
            self._note(row)

    def post(self) -> None:
        """Record what the cash has shown already."""
        for row in self.unposted:
            self._note(row)
        self.unposted.clear()

    def prices_move(self) -> None:
        """Draw what the feed says, and whether nothing can be read for a while."""
        for symbol in self.chance.symbols:
            self.feed[symbol] = drawn_quote(self.chance, symbol)
        self.is_out = self.chance.happens(self.chance.profile.silence / 4)

    def calm(self) -> None:
        """From now on everything works: no silence, no refusal, quotes with two sides, activities posted at once."""
        self.is_calm = True
        self.post()
        for symbol in self.chance.symbols:
            self.feed[symbol] = two_sided(Decimal(SYMBOLS[symbol]), 10)

    def _price(self, symbol: str, sign: int) -> Decimal:
        shown = self.feed[symbol]
        near = shown.ask if sign > 0 else shown.bid
        base = near or Decimal(SYMBOLS[symbol])
        slip = 1 + Decimal(self.chance.random.randint(-20, 20)) / 10_000
        return max((base * slip).quantize(Decimal("0.000001" if base < 1 else "0.0001")), Decimal("0.0001"))

    # --- the port

    def submit(self, order: NewOrder) -> Reply:
        return self._troubled("submit", lambda: self._submit(order))

    def cancel(self, broker_order_id: str) -> Reply:
        return self._troubled("cancel", lambda: self._cancel(broker_order_id))

    def order_by_client_id(self, client_order_id: str) -> Reply:
        return self._troubled("read", lambda: self._shown(self.orders_by_name.get(client_order_id)))

    def order_by_broker_id(self, broker_order_id: str) -> Reply:
        found = (each for each in self.orders_by_name.values() if each.id == broker_order_id)
        return self._troubled("read", lambda: self._shown(next(found, None)))

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:
        shown = [each for each in self.orders_by_name.values() if status == "all" or each.is_open is (status == "open")]
        if status == "closed" and after is not None:
            shown = [each for each in shown if datetime.fromisoformat(each.at) > after]
        return self._troubled("read", lambda: reply([_order_json(each) for each in shown]))

    def fill_activities(self, after: datetime | None) -> Reply:
        rows = [each for each in self._after(after) if each["activity_type"] == "FILL"]
        return self._troubled("read", lambda: reply(rows))

    def activities(self, after: datetime | None) -> Reply:
        return self._troubled("read", lambda: reply(self._after(after)))

    def transfers(self, after: datetime | None) -> Reply:
        rows = [each for each in self._after(after) if each["activity_type"] in TRANSFERS]
        return self._troubled("read", lambda: reply(rows))

    def account(self) -> Reply:
        worth = sum((quantity * self.mark(symbol) for symbol, quantity in self.held.items()), ZERO)
        exposure = sum((abs(quantity) * self.mark(symbol) for symbol, quantity in self.held.items()), ZERO)
        body = {
            "cash": plain(self.cash),
            "equity": plain(self.cash + worth),
            "last_equity": "0",
            "balance_asof": (self.time.now - timedelta(days=1)).date().isoformat(),
            "buying_power": plain(max(self.cash, ZERO) * 2),
            "initial_margin": plain(exposure / 2),
            "maintenance_margin": plain(exposure * 3 / 10),
        }
        return self._troubled("read", lambda: reply(body))

    def positions(self) -> Reply:
        """Show the positions; now and then something happens after the account was read, and before they are."""
        self._interrupted()
        if self.is_planned_on:
            self.disturbed.clear()
        rows = [
            {
                "symbol": symbol,
                "qty": plain(quantity),
                "side": "long" if quantity > 0 else "short",
                "current_price": plain(self.mark(symbol)),
            }
            for symbol, quantity in sorted(self.held.items())
            if quantity
        ]
        return self._troubled("read", lambda: reply(rows))

    def quotes(self, symbols: Sequence[str]) -> Reply:
        """Show the quotes; what happens now is in nothing of the account that was read before."""
        self._interrupted()
        rows = {
            symbol: {"bp": plain(shown.bid), "ap": plain(shown.ask), "t": self._stamp(-shown.age_s)}
            for symbol, shown in self.feed.items()
            if symbol in symbols and (shown.bid or shown.ask)
        }
        return self._troubled("read", lambda: reply({"quotes": rows}))

    def asset(self, symbol: str) -> Reply:
        shown = self.feed.get(symbol)
        if shown is None:
            return refusal(404, 40410000, f"asset not found for {symbol}")
        status = "active" if shown.is_tradable else "inactive"
        body = {"symbol": symbol, "status": status, "tradable": shown.is_tradable}
        return self._troubled("read", lambda: reply(body))

    def clock(self) -> Reply:
        body = {
            "timestamp": self._stamp(),
            "is_open": True,
            "next_open": (self.time.now + timedelta(days=1)).isoformat(),
            "next_close": (self.time.now + timedelta(hours=6)).isoformat(),
        }
        return self._troubled("read", lambda: reply(body))

    def suspend_trade(self, suspended: bool) -> Reply:
        raise NotImplementedError("nobody suspends trading here")

    def cancel_all(self) -> Reply:
        raise NotImplementedError("nobody cancels all orders here")

    def listen(self, on_message: Callable[[str], None], on_gap: Callable[[str], None]) -> Subscription:
        raise NotImplementedError("the hands hear what the story lets them hear")

    # --- inside

    def _interrupted(self) -> None:
        if not self.is_calm and self.chance.happens(self.chance.profile.outside / 5):
            self.chance.one(self.by_hand, self.cash_moves)()

    def mark(self, symbol: str) -> Decimal:
        shown = self.feed[symbol]
        if shown.bid and shown.ask:
            return (shown.bid + shown.ask) / 2
        return Decimal(SYMBOLS[symbol])

    def _troubled(self, request: str, done: Callable[[], Reply]) -> Reply:
        """Answer; or fall silent before or after doing what was asked, or say that it is too much."""
        if self.is_out and request == "read" and not self.is_calm:
            return SILENT
        silence = self.chance.profile.silence * (0.3 if request == "read" else 1)
        if self.is_calm or not silence or not self.chance.happens(silence):
            return done()
        self.counts["silences"] += 1
        match int(self.chance.random.random() * 4):
            case 0:
                return refusal(429, 42910000, "too many requests")
            case 1:
                return SILENT
            case 2:
                done()
                return SILENT
            case _:
                done()
                return Reply(200, '{"id": "61e6', None)

    def _submit(self, new: NewOrder) -> Reply:
        if new.client_order_id in self.orders_by_name:
            return refusal(422, 40010001, "client_order_id must be unique")
        if why := self._forbidden(new):
            self.refusals.append(Refusal(new.client_order_id, why, new.symbol in self.disturbed))
            self.disturbed.add(new.symbol)
            return refusal(403, FORBIDDEN, why)
        if not self.is_calm and self.chance.happens(self.chance.profile.reject):
            self.counts["rejects"] += 1
            self.disturbed.add(new.symbol)
            return refusal(403, FORBIDDEN, "insufficient buying power")
        order = Order(str(derived("order", new.client_order_id)), new, self.log_length(), at=self._stamp())
        self.orders_by_name[new.client_order_id] = order
        self.arrivals.append(self._arrival(new))
        taken = self._shown(order)
        self._tell(order, "new", {})
        return taken

    def _arrival(self, new: NewOrder) -> Arrival:
        same = (each for each in self.open_orders if (each.new.symbol, each.new.side) == (new.symbol, new.side))
        never = datetime(1970, 1, 1, tzinfo=UTC)
        return Arrival(
            client_order_id=new.client_order_id,
            held=self.held.get(new.symbol, ZERO),
            left=sum((each.left for each in same), ZERO),
            traded_by_hand_at=self.by_hand_at.get(new.symbol, never),
        )

    def _forbidden(self, new: NewOrder) -> str:
        """Return why Alpaca would not take an order, nothing when it would."""
        same = [each for each in self.open_orders if each.new.symbol == new.symbol]
        if any(each.new.side != new.side for each in same):
            return "potential wash trade detected. use complex orders"
        held = self.held.get(new.symbol, ZERO)
        reserved = sum((each.left for each in same), ZERO)
        sign = 1 if new.side == "BUY" else -1
        before, after = held + sign * reserved, held + sign * (reserved + new.order_qty)
        if before * after < 0:
            return "insufficient qty available for order: the position would turn over"
        if sign < 0 and after < 0:
            if not self.chance.profile.is_short:
                return "account is not allowed to short"
            if new.order_qty != new.order_qty.to_integral_value():
                return "fractional orders cannot be sold short"
        return ""

    def _cancel(self, broker_order_id: str) -> Reply:
        order = next((each for each in self.orders_by_name.values() if each.id == broker_order_id), None)
        if order is None:
            return refusal(404, 40410000, "order not found")
        if not order.is_open:
            return refusal(422, 42210000, "order is not cancelable")
        self.end(order, "canceled")
        return Reply(204, "", None)

    def _shown(self, order: Order | None) -> Reply:
        return refusal(404, 40410000, "order not found") if order is None else reply(_order_json(order))

    def _tell(self, order: Order, event: str, more: Mapping[str, str]) -> None:
        order_json = {**_order_json(order), "updated_at": self._stamp()}
        execution_id = str(derived("execution", order.id, event, order.filled))
        data = {"event": event, "execution_id": execution_id, "order": order_json, "timestamp": self._stamp(), **more}
        self.stream.append(json.dumps({"stream": "trade_updates", "data": data}))

    def _note(self, row: Mapping[str, Any]) -> None:
        number = len(self.activity)
        stamp = self.time.now.strftime("%Y%m%d%H%M%S%f")[:17]
        self.activity.append({"id": f"{stamp}::{derived('activity', number)}", **row})

    def _after(self, after: datetime | None) -> list[dict[str, Any]]:
        day = "" if after is None else after.date().isoformat()
        return [each for each in self.activity if (each.get("transaction_time") or each["date"])[:10] >= day]

    def _stamp(self, offset_s: int = 0) -> str:
        return (self.time.tick(0.001) + timedelta(seconds=offset_s)).isoformat()


def plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def reply(value: object) -> Reply:
    return Reply(200, json.dumps(value), None)


def refusal(status: int, code: int, message: str) -> Reply:
    return Reply(status, json.dumps({"code": code, "message": message}), None)


def _order_json(order: Order) -> dict[str, str]:
    return {
        "id": order.id,
        "client_order_id": order.new.client_order_id,
        "symbol": order.new.symbol,
        "side": order.new.side.lower(),
        "qty": plain(order.new.order_qty),
        "status": order.status,
        "filled_qty": plain(order.filled),
        "submitted_at": order.at,
        "updated_at": order.at,
    }
