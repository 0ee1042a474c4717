"""The state of the simulated account: a fold of its events. Knows no HTTP and decides nothing."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from infra.simulator.events import (
    Accepted,
    AnyEvent,
    Booked,
    ClockSet,
    Configuration,
    Configured,
    Ended,
    Filled,
    Halted,
    Held,
    Hold,
    Listed,
    Opened,
    Posted,
    Quoted,
    Renamed,
    Restated,
    Routed,
    Side,
    Split,
    Traded,
    Triggered,
)
from infra.simulator.exact import SHARE_UNIT, ZERO, product, ratio, rounded_up, total
from infra.simulator.orders import Order, OrderEvent
from infra.simulator.sessions import new_york_day
from infra.simulator.settings import Terms
from infra.simulator.valuation import DayEnd, Position, Sample, day_end, equity
from schemas.quantities import CONTEXT

TICK = timedelta(microseconds=1)

#: Money that comes from outside and goes there: no profit and no loss.
TRANSFERS = frozenset({"CSD", "CSW", "JNLC", "TRANS"})


@dataclass(frozen=True)
class Execution:
    """A fill with what the activity row says about its order at that moment."""

    fill: Filled
    order: Order


Activity = Execution | Booked
AccountEvent = Opened | Configured | Booked | Split | Renamed | Posted | ClockSet


@dataclass
class Book:
    """Everything the simulator remembers of one account."""

    terms: Terms
    now: datetime
    cash: Decimal = ZERO
    deposits: Decimal = ZERO
    clock_set_to: datetime | None = None
    configuration: Configuration = field(default_factory=Configuration)
    orders: dict[str, Order] = field(default_factory=dict)
    order_ids: dict[str, str] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    quotes: dict[str, Quoted] = field(default_factory=dict)
    sizes: dict[tuple[str, Side], Decimal] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    halts: dict[str, Halted] = field(default_factory=dict)
    assets: dict[str, Listed] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    yesterday: DayEnd | None = None

    @staticmethod
    def opened(event: Opened) -> "Book":
        """Return the state right after the account was opened; the deposit is an event of its own."""
        return Book(terms=event.terms, now=event.at)

    @property
    def today(self) -> date:
        """The date in New York."""
        return new_york_day(self.now)

    @property
    def multiplier(self) -> int:
        """How often what is free may be spent: as the account allows and its owner wants."""
        return min(self.terms.multiplier, int(self.configuration.max_margin_multiplier))

    def apply(self, event: AnyEvent) -> None:
        """Fold one event; raises ValueError when time would not advance."""
        if event.at <= self.now:
            raise ValueError(f"event {event.kind} at {event.at} is not after the book's clock {self.now}")
        self._look_back(event.at)
        self.now = event.at
        match event:
            case Accepted() | Routed() | Triggered() | Filled() | Restated() | Ended():
                self._apply_to_order(event)
            case Quoted() | Traded() | Held() | Halted() | Listed():
                self._apply_to_market(event)
            case _:
                self._apply_to_account(event)

    def _apply_to_account(self, event: AccountEvent) -> None:
        match event:
            case Opened():
                raise ValueError("an account is opened once; begin a new book instead")
            case Configured():
                self.configuration = event.configuration
            case Booked():
                self._book(event)
            case Split():
                self._split(event)
            case Renamed():
                self._rename(event)
            case Posted():
                self.posts[event.client_order_id] = self.posts.get(event.client_order_id, 0) + 1
            case ClockSet():
                self.clock_set_to = event.now

    def _apply_to_order(self, event: Accepted | OrderEvent) -> None:
        match event:
            case Accepted():
                self._put(Order.accepted(event, self.touch(event.symbol, event.side)))
                self.order_ids[event.client_order_id] = event.order_id
            case Filled():
                self._fill(event)
            case _:
                self._put(self.orders[event.order_id].after(event))

    def _look_back(self, at: datetime) -> None:
        """Keep what the account is worth at the end of a minute and of a day, before the next one begins."""
        if at.replace(second=0, microsecond=0) <= self.now:
            return
        minute = self.now.replace(second=0, microsecond=0)
        self.samples.append(Sample(minute, equity(self), self.deposits))
        if new_york_day(at) > self.today:
            self.yesterday = day_end(self, self.today)

    def _apply_to_market(self, event: Quoted | Traded | Held | Halted | Listed) -> None:
        match event:
            case Quoted():
                self.quotes[event.symbol] = event
                self._set_size(event.symbol, "buy", event.ask_size)
                self._set_size(event.symbol, "sell", event.bid_size)
                self._show(event.symbol, event.ask, event.bid)
            case Traded():
                self._show(event.symbol, event.price, event.price)
            case Held():
                self.holds[event.symbol] = event.hold
            case Halted(is_halted=True):
                self.halts[event.symbol] = event
            case Halted():
                self.halts.pop(event.symbol, None)
            case Listed():
                self.assets[event.symbol] = event

    def _set_size(self, symbol: str, side: Side, size: Decimal | None) -> None:
        if size is None:
            self.sizes.pop((symbol, side), None)
        else:
            self.sizes[symbol, side] = size

    def _show(self, symbol: str, to_buys: Decimal, to_sells: Decimal) -> None:
        """Let the orders that trail the market see its prices."""
        for order in self.open_orders(symbol):
            price = to_buys if order.terms.side == "buy" else to_sells
            if price > 0:
                self.orders[order.terms.order_id] = order.seeing(price)

    def _book(self, event: Booked) -> None:
        self.cash = total(self.cash, event.net_amount)
        if event.activity_type in TRANSFERS:
            self.deposits = total(self.deposits, event.net_amount)
        self.activities.append(event)

    def _put(self, order: Order) -> None:
        order_id = order.terms.order_id
        self.orders[order_id] = order
        if order.is_open:
            self.open_ids[order_id] = None
        else:
            self.open_ids.pop(order_id, None)

    def _fill(self, event: Filled) -> None:
        order = self.orders[event.order_id].after(event)
        self._put(order)
        symbol, side = order.terms.symbol, order.terms.side
        sign = 1 if side == "buy" else -1
        value = product(event.qty, event.price)
        self.cash = total(self.cash, -sign * value)
        self._trade(symbol, sign * event.qty, sign * value)
        if (symbol, side) in self.sizes:
            self.sizes[symbol, side] = max(total(self.sizes[symbol, side], -event.qty), ZERO)
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

    def _split(self, event: Split) -> None:
        if event.qty == 0:
            self.positions.pop(event.symbol, None)
        else:
            self.positions[event.symbol] = Position(event.qty, event.cost)
        if self.yesterday is not None:
            self.yesterday = self.yesterday.split(event.symbol, event.new_rate, event.old_rate)

    def _rename(self, event: Renamed) -> None:
        if event.symbol in self.positions:
            self.positions[event.new_symbol] = self.positions.pop(event.symbol)
        if self.yesterday is not None:
            self.yesterday = self.yesterday.renamed(event.symbol, event.new_symbol)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the orders that may still be executed, oldest first."""
        orders = (self.orders[order_id] for order_id in self.open_ids)
        return [order for order in orders if symbol in (None, order.terms.symbol)]

    def touch(self, symbol: str, side: Side) -> Decimal | None:
        """Return the price an order of a side would trade at: the ask for a buy, the bid for a sell."""
        quote = self.quotes.get(symbol)
        price = ZERO if quote is None else quote.ask if side == "buy" else quote.bid
        return price if price > 0 else None

    def held_qty(self, symbol: str) -> Decimal:
        """Return the quantity held, negative when short, 0 without a position."""
        return self.positions[symbol].qty if symbol in self.positions else ZERO

    def reserved_qty(self, symbol: str) -> Decimal:
        """Return the quantity that open orders have claimed of a holding: sells of a long one, buys of a short one."""
        closing = "sell" if self.held_qty(symbol) > 0 else "buy"
        return total(*(self.claimed_qty(order) for order in self.open_orders(symbol) if order.terms.side == closing))

    def claimed_qty(self, order: Order) -> Decimal:
        """Return the shares an open order claims; one in dollars claims their worth, at most what is held."""
        if order.terms.notional is None:
            return order.leaves_qty
        held, price = abs(self.held_qty(order.terms.symbol)), self.touch(order.terms.symbol, order.terms.side)
        return held if price is None else min(held, rounded_up(ratio(order.leaves_notional, price), SHARE_UNIT))

    def reserve_price(self, order: Accepted, stop_price: Decimal | None) -> Decimal:
        """Return the dollars per share an order claims: its limit, else ask * `reserve_rate`, at least its stop."""
        if order.limit_price is not None:
            return order.limit_price
        quote = self.quotes.get(order.symbol)
        ask = ZERO if quote is None else product(quote.ask, self.terms.reserve_rate)
        return max(ask, stop_price or ZERO)
