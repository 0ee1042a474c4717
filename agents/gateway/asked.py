"""What a check of the gate is given: an order, when it is judged, and what is known by then."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import cached_property

from agents.gateway import exposure
from agents.gateway.account import Account
from agents.gateway.checks import Checked, Quoted
from agents.gateway.exposure import Exposure
from agents.gateway.orders import Order
from schemas.gate import GateLimits
from schemas.order import OrdType, Phase, PreTradeCheck, Side, Venue

PRICE_UNIT = Decimal(1).scaleb(-6)


@dataclass(frozen=True)
class Asked:
    """An order to be judged at a time; `checked` is None in the first half of the gate, and of a cross.

    With a quote, `order` has the check it would be let pass on.
    """

    account: Account
    order: Order
    at: datetime
    is_cross: bool = False
    checked: Checked | None = None

    @property
    def limits(self) -> GateLimits:
        """The limits of the account; ValueError when none are set, which is judged before any of them."""
        if self.account.limits is None:
            raise ValueError(f"account {self.order.account_id}: a limit was asked for, none is set")
        return self.account.limits.limits

    @property
    def reading(self) -> Checked:
        """What was read; ValueError in the first half."""
        if self.checked is None:
            raise ValueError(f"order {self.order.client_order_id}: its market was asked for before it was read")
        return self.checked

    @property
    def quote(self) -> Quoted:
        """The quote; ValueError when there is none, which is judged before anything needs it."""
        if self.reading.quote is None:
            raise ValueError(f"order {self.order.client_order_id}: its quote was asked for, {self.reading.no_quote}")
        return self.reading.quote

    @property
    def touch(self) -> Decimal:
        """The price it would be executed at now, dollars per share."""
        return self.quote.ask if self.order.terms.side is Side.BUY else self.quote.bid

    @cached_property
    def others(self) -> tuple[Order, ...]:
        """The other orders under way, sorted by id."""
        name = self.order.client_order_id
        return tuple(each for each in self.account.live_orders if each.client_order_id != name)

    @cached_property
    def counted(self) -> tuple[Order, ...]:
        """This order and all others that were let pass and may change what was read of the account."""
        passed = (each for each in self.others if each.was_handed_over)
        return (*passed, *self.account.ended_since(self.reading.settled_at), self.order)

    @cached_property
    def exposure(self) -> Exposure:
        """What the account may come to hold of the order's symbol."""
        return exposure.of_symbol(self.order.terms.symbol, self.reading, self.counted)

    @property
    def is_reducing(self) -> bool:
        """Whether it brings the account's position nearer to zero: as its intent says, then as the broker's does."""
        if self.checked is None:
            return self.order.terms.phase is Phase.REDUCING
        return self.exposure.is_reducing(self.order.terms.side)

    @cached_property
    def plan_orders(self) -> tuple[Order, ...]:
        """The orders of its plan that were let pass, crosses included, and this one."""
        name = self.order.client_order_id
        others = (each for each in self.account.of_plan(self.order.terms.plan_id) if each.client_order_id != name)
        passed = (each for each in others if each.was_handed_over or each.terms.venue is Venue.INTERNAL)
        return (*passed, self.order)


def asked_on_reading(account: Account, order: Order, checked: Checked) -> Asked:
    """Return what is asked in the second half; the time is that before the reading."""
    quote, limits = checked.quote, account.limits
    if quote is not None and limits is not None:
        held = checked.positions.get(order.terms.symbol)
        check = PreTradeCheck(
            read_at=checked.read_at,
            bid=quote.bid,
            ask=quote.ask,
            quoted_at=quote.quoted_at,
            position=Decimal(0) if held is None else held.quantity,
            worst_price=_worst_price(order, quote, limits.limits.price_collar or Decimal(0)),
        )
        order = replace(order, check=check)
    return Asked(account, order, checked.read_at, checked=checked)


def _worst_price(order: Order, quote: Quoted, collar: Decimal) -> Decimal:
    """Return the dollars per share an order is counted at: its limit, or the far touch and the collar on top.

    A sale is counted at what it opens a short with: at least the bid, whatever its limit.
    """
    terms = order.terms
    touch = quote.ask if terms.side is Side.BUY else quote.bid
    if terms.ord_type is OrdType.LIMIT and terms.limit_price is not None:
        return terms.limit_price if terms.side is Side.BUY else max(terms.limit_price, touch)
    return (touch * (1 + collar)).quantize(PRICE_UNIT, ROUND_CEILING)
