"""An order of the simulated brokerage and where it stands. Pure: it changes only by the events that happen to it."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from infra.simulator.events import Accepted, Ended, Filled, Restated, Routed, Triggered
from infra.simulator.exact import ZERO, product, shares_for, total

OrderStatus = Literal["accepted", "new", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced"]
OPEN: frozenset[OrderStatus] = frozenset({"accepted", "new", "partially_filled"})
STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})
HUNDREDTH = Decimal("0.01")

OrderEvent = Routed | Triggered | Filled | Restated | Ended


@dataclass(frozen=True)
class Order:
    """An order and where it stands; `filled_value` is the exact sum of quantity times price.

    `terms` are as it was accepted, or as a corporate action restated them. `high_water_mark` is the best price since,
    of an order that trails the market.
    """

    terms: Accepted
    status: OrderStatus = "new"
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    is_triggered: bool = False
    high_water_mark: Decimal | None = None
    replaced_by: str | None = None
    updated_at: datetime | None = None

    @staticmethod
    def accepted(event: Accepted, price: Decimal | None) -> "Order":
        """Return an order right after it was taken; `price` is what it would trade at now."""
        mark = price if event.type == "trailing_stop" else None
        status: OrderStatus = "accepted" if event.is_queued else "new"
        return Order(event, status=status, high_water_mark=mark, updated_at=event.at)

    @property
    def is_open(self) -> bool:
        """Whether more can happen to it."""
        return self.status in OPEN

    @property
    def leaves_qty(self) -> Decimal:
        """What may still be executed: 0 once it has ended, and of an order in dollars, whose price is not known yet."""
        return self.terms.qty - self.filled_qty if self.is_open and self.terms.qty is not None else ZERO

    @property
    def leaves_notional(self) -> Decimal:
        """What an order in dollars may still spend: 0 once it has ended, and of an order in shares."""
        is_counted = self.is_open and self.terms.notional is not None
        return total(self.terms.notional or ZERO, -self.filled_value) if is_counted else ZERO

    def leaves_at(self, price: Decimal) -> Decimal:
        """Return the shares that may still be executed at a price; of dollars as many as they buy, to nine decimals."""
        return self.leaves_qty if self.terms.notional is None else shares_for(self.leaves_notional, price)

    @property
    def waits_for_stop(self) -> bool:
        """Whether the market has yet to reach its stop price."""
        return self.terms.type in STOPS and not self.is_triggered

    @property
    def stop_price(self) -> Decimal | None:
        """The price at which it becomes a market or limit order; of one that trails, None until there is a market."""
        if self.terms.type != "trailing_stop":
            return self.terms.stop_price
        if self.high_water_mark is None:
            return None
        trail = self.terms.trail_price
        if trail is None:
            trail = product(self.high_water_mark, self.terms.trail_percent or ZERO, HUNDREDTH)
        return total(self.high_water_mark, trail if self.terms.side == "buy" else -trail)

    def is_reached_by(self, price: Decimal) -> bool:
        """Say whether a price triggers it."""
        stop = self.stop_price
        if not self.waits_for_stop or stop is None:
            return False
        return price >= stop if self.terms.side == "buy" else price <= stop

    def seeing(self, price: Decimal) -> "Order":
        """Return it with a price of the market taken into its high water mark, which is the lowest one of a buy."""
        if self.terms.type != "trailing_stop" or not self.waits_for_stop:
            return self
        mark = price if self.high_water_mark is None else self.high_water_mark
        best = min(mark, price) if self.terms.side == "buy" else max(mark, price)
        return self if best == self.high_water_mark else replace(self, high_water_mark=best)

    def after(self, event: OrderEvent) -> "Order":
        """Return it after something happened to it; raises ValueError for an execution that cannot be."""
        match event:
            case Routed():
                return replace(self, status="new", updated_at=event.at)
            case Triggered():
                return replace(self, is_triggered=True, updated_at=event.at)
            case Filled():
                return self._filled(event)
            case Restated():
                change = event.model_dump(include={"symbol", "qty", "limit_price", "stop_price"})
                return replace(self, terms=self.terms.model_copy(update=change), updated_at=event.at)
            case Ended():
                return replace(self, status=event.status, replaced_by=event.replaced_by, updated_at=event.at)

    def _filled(self, event: Filled) -> "Order":
        if not self.is_open or event.qty <= 0 or total(self.filled_qty, event.qty) != event.cum_qty:
            raise ValueError(f"order {event.order_id}: filled {self.filled_qty}, then {event.qty} to {event.cum_qty}")
        ordered = self.terms.qty
        if event.leaves_qty < 0 or (ordered is not None and total(event.cum_qty, event.leaves_qty) != ordered):
            raise ValueError(f"order {event.order_id}: {event.cum_qty} and {event.leaves_qty} left, of {ordered}")
        return replace(
            self,
            status="filled" if event.leaves_qty == 0 else "partially_filled",
            filled_qty=event.cum_qty,
            filled_value=total(self.filled_value, product(event.qty, event.price)),
            updated_at=event.at,
        )
