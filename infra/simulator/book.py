"""The state of the simulated account: a fold of its events. Knows no HTTP and decides nothing."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from infra.simulator.events import (
    Accepted,
    AnyEvent,
    ClockSet,
    Ended,
    Filled,
    Held,
    Hold,
    Listed,
    MovedCash,
    Opened,
    Posted,
    Quoted,
)
from infra.simulator.exact import ZERO, product, total
from infra.simulator.settings import Terms
from schemas.quantities import CONTEXT

OrderStatus = Literal["new", "partially_filled", "filled", "canceled", "expired", "rejected"]
OPEN: frozenset[OrderStatus] = frozenset({"new", "partially_filled"})
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Order:
    """An order and where it stands; `filled_value` is the exact sum of quantity times price."""

    terms: Accepted
    status: OrderStatus = "new"
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    updated_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether more can happen to it."""
        return self.status in OPEN

    @property
    def leaves_qty(self) -> Decimal:
        """What may still be executed: 0 once the order has ended."""
        return self.terms.qty - self.filled_qty if self.is_open else ZERO


@dataclass(frozen=True)
class Position:
    """A holding, negative when it is short; `cost` is its average cost, rounded only where a part of it was closed."""

    qty: Decimal
    cost: Decimal


@dataclass(frozen=True)
class Execution:
    """A fill with what the activity row says about its order at that moment."""

    fill: Filled
    order: Order


Activity = Execution | MovedCash


@dataclass
class Book:
    """Everything the simulator remembers of one account."""

    terms: Terms
    now: datetime
    cash: Decimal = ZERO
    clock_set_to: datetime | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    order_ids: dict[str, str] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    quotes: dict[str, Quoted] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    assets: dict[str, Listed] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)

    @staticmethod
    def opened(event: Opened) -> "Book":
        """Return the state right after the account was opened; the deposit is an event of its own."""
        return Book(terms=event.terms, now=event.at)

    def apply(self, event: AnyEvent) -> None:
        """Fold one event; raises ValueError when time would not advance."""
        if event.at <= self.now:
            raise ValueError(f"event {event.kind} at {event.at} is not after the book's clock {self.now}")
        self.now = event.at
        match event:
            case Opened():
                raise ValueError("an account is opened once; begin a new book instead")
            case Posted():
                self.posts[event.client_order_id] = self.posts.get(event.client_order_id, 0) + 1
            case Quoted():
                self.quotes[event.symbol] = event
            case Held():
                self.holds[event.symbol] = event.hold
            case Listed():
                self.assets[event.symbol] = event
            case ClockSet():
                self.clock_set_to = event.now
            case MovedCash():
                self.cash = total(self.cash, event.net_amount)
                self.activities.append(event)
            case Accepted() | Filled() | Ended():
                self._apply_to_order(event)

    def _apply_to_order(self, event: Accepted | Filled | Ended) -> None:
        match event:
            case Accepted():
                self._put(Order(event, updated_at=event.at))
                self.order_ids[event.client_order_id] = event.order_id
            case Filled():
                self._fill(event)
            case Ended():
                self._put(replace(self.orders[event.order_id], status=event.status, updated_at=event.at))

    def _put(self, order: Order) -> None:
        order_id = order.terms.order_id
        self.orders[order_id] = order
        if order.is_open:
            self.open_ids[order_id] = None
        else:
            self.open_ids.pop(order_id, None)

    def _fill(self, event: Filled) -> None:
        order = self.orders[event.order_id]
        if not order.is_open or event.qty <= 0 or total(order.filled_qty, event.qty) != event.cum_qty:
            raise ValueError(f"order {event.order_id}: filled {order.filled_qty}, then {event.qty} to {event.cum_qty}")
        if event.cum_qty > order.terms.qty:
            raise ValueError(f"order {event.order_id}: filled {event.cum_qty} of {order.terms.qty}")
        value = product(event.qty, event.price)
        order = replace(
            order,
            status="filled" if event.cum_qty == order.terms.qty else "partially_filled",
            filled_qty=event.cum_qty,
            filled_value=total(order.filled_value, value),
            updated_at=event.at,
        )
        self._put(order)
        sign = 1 if order.terms.side == "buy" else -1
        self.cash = total(self.cash, -sign * value)
        self._trade(order.terms.symbol, sign * event.qty, sign * value)
        self.activities.append(Execution(event, order))

    def _trade(self, symbol: str, qty: Decimal, value: Decimal) -> None:
        """Change a holding; an execution that crosses zero closes it and opens the rest at its own price."""
        held = self.positions.get(symbol, Position(ZERO, ZERO))
        rest = total(held.qty, qty)
        if held.qty == 0 or (held.qty > 0) is (qty > 0):
            self.positions[symbol] = Position(rest, CONTEXT.add(held.cost, value))
        elif rest == 0:
            del self.positions[symbol]
        else:
            cost, of = (held.cost, held.qty) if (rest > 0) is (held.qty > 0) else (value, qty)
            self.positions[symbol] = Position(rest, CONTEXT.divide(CONTEXT.multiply(cost, rest), of))

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the orders that may still be executed, oldest first."""
        orders = (self.orders[order_id] for order_id in self.open_ids)
        return [order for order in orders if symbol in (None, order.terms.symbol)]

    def held_qty(self, symbol: str) -> Decimal:
        """Return the quantity held, negative when short, 0 without a position."""
        return self.positions[symbol].qty if symbol in self.positions else ZERO

    def reserved_qty(self, symbol: str) -> Decimal:
        """Return the quantity that open orders have claimed of a holding: sells of a long one, buys of a short one."""
        closing = "sell" if self.held_qty(symbol) > 0 else "buy"
        return total(*(order.leaves_qty for order in self.open_orders(symbol) if order.terms.side == closing))

    def reserve_price(self, symbol: str, limit_price: Decimal | None) -> Decimal:
        """Return the dollars per share an order claims: its limit, else ask * `reserve_rate`, 0 without a quote."""
        if limit_price is not None:
            return limit_price
        return product(self.quotes[symbol].ask, self.terms.reserve_rate) if symbol in self.quotes else ZERO
