"""The market: which open orders it executes when a quote, a print, a session or a release makes them executable."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from infra.simulator.book import Book
from infra.simulator.drafts import AUCTIONS
from infra.simulator.events import Accepted, Ended, Filled, Hold, Routed, TimeInForce, Triggered
from infra.simulator.exact import total
from infra.simulator.matching import IMMEDIATE, cumulative_quantities, execution_price, leaves
from infra.simulator.orders import Order
from infra.simulator.recorder import Recorder
from infra.simulator.sessions import Session, SessionOf, regular_session

Bell = Literal["open", "close", "late"]
AUCTION_AT: dict[Bell, TimeInForce] = {"open": "opg", "close": "cls"}


@dataclass(frozen=True)
class Moment:
    """A time at which a session opens, closes, or ends its extended hours."""

    bell: Bell
    at: datetime


class Trading:
    """Executes orders of one account; every method is called inside a step."""

    def __init__(self, recorder: Recorder, session_of: SessionOf) -> None:
        """Trade for the account of `recorder`."""
        self._recorder = recorder
        self._session_of = session_of

    @property
    def _book(self) -> Book:
        return self._recorder.book

    def is_queued(self, order: Accepted) -> bool:
        """Say whether an order has to wait for a session."""
        return not self._is_in_session(order)

    def match(self, symbol: str) -> None:
        """Execute what can be executed now of a symbol, oldest orders first."""
        hold = self._book.holds.get(symbol, Hold.NONE)
        for order in self._book.open_orders(symbol):
            if hold is Hold.REJECT:
                self._end(order, "rejected")
                continue
            if hold is not Hold.ALL and self._is_executable(order):
                self._execute(self._triggered(order), hold)
            self._end_immediate(order.terms.order_id)

    def show(self, symbol: str, price: Decimal) -> None:
        """Let a print of the market trigger stop orders, and execute them at the quote."""
        reached = [order for order in self._book.open_orders(symbol) if order.is_reached_by(price)]
        for order in reached:
            if self._is_executable(order):
                self._trigger(order)
        if reached:
            self.match(symbol)

    def fill(self, order: Order, price: Decimal, qty: Decimal) -> None:
        """Execute a part of an open order at a price."""
        fill = Filled(
            at=self._recorder.next(),
            order_id=order.terms.order_id,
            qty=qty,
            price=price,
            cum_qty=total(order.filled_qty, qty),
            leaves_qty=total(leaves(self._book, order, price), -qty),
        )
        self._recorder.happen(fill)

    def check_bounds(self, now: datetime) -> None:
        """Raise ValueError for a time whose session is not known."""
        self._session_of(now)

    def moments(self, before: datetime, now: datetime) -> Iterator[Moment]:
        """Yield what the sessions bring after `before` until `now`, in order; raises ValueError out of bounds."""
        session = self._session_of(before)
        while session.open <= now:
            for moment in _moments_of(session):
                if before < moment.at <= now:
                    yield moment
            session = self._session_of(session.late)

    def ring(self, bell: Bell, at: datetime) -> None:
        """Do what a session's opening, closing or end brings: auctions, queued orders, expirations."""
        if bell == "open":
            for order in self._book.open_orders():
                if order.status == "accepted" and order.terms.time_in_force != "cls":
                    self._recorder.happen(Routed(at=self._recorder.next(), order_id=order.terms.order_id))
        if bell in AUCTION_AT:
            self._auction(AUCTION_AT[bell])
        if bell == "open":
            for symbol in dict.fromkeys(order.terms.symbol for order in self._book.open_orders()):
                self.match(symbol)
        self.expire(at)

    def expire(self, now: datetime) -> None:
        """End the orders whose session has ended; raises ValueError out of the calendar's bounds."""
        for order in self._expiring(now):
            self._end(order, "expired" if order.terms.time_in_force == "day" else "canceled")

    def _expiring(self, now: datetime) -> list[Order]:
        orders = [order for order in self._book.open_orders() if order.terms.time_in_force != "gtc"]
        return [order for order in orders if self._expires_at(order.terms) <= now]

    def _expires_at(self, order: Accepted) -> datetime:
        if order.extended_hours:
            return self._session_of(order.at).late
        return regular_session(self._session_of, order.at).close

    def _auction(self, time_in_force: TimeInForce) -> None:
        """Execute on-open or on-close orders at the standing quote; what is left of them is canceled."""
        for order in self._book.open_orders():
            if order.terms.time_in_force != time_in_force:
                continue
            hold = self._book.holds.get(order.terms.symbol, Hold.NONE)
            if hold is not Hold.ALL and order.terms.symbol not in self._book.halts:
                self._execute(order, hold)
            rest = self._book.orders[order.terms.order_id]
            if rest.is_open:
                self._end(rest, "canceled")

    def _is_executable(self, order: Order) -> bool:
        return order.terms.symbol not in self._book.halts and self._is_in_session(order.terms)

    def _is_in_session(self, order: Accepted) -> bool:
        if not self._book.terms.venue_hours:
            return True
        if order.time_in_force in AUCTIONS:
            return False
        now = self._book.now
        session = self._session_of(now)
        start, end = (session.early, session.late) if order.extended_hours else (session.open, session.close)
        return start <= now < end

    def _triggered(self, order: Order) -> Order:
        price = self._book.touch(order.terms.symbol, order.terms.side)
        if price is not None and order.is_reached_by(price):
            self._trigger(order)
        return self._book.orders[order.terms.order_id]

    def _trigger(self, order: Order) -> None:
        self._recorder.happen(Triggered(at=self._recorder.next(), order_id=order.terms.order_id))

    def _execute(self, order: Order, hold: Hold) -> None:
        price = execution_price(self._book, order)
        if price is None:
            return
        for cum_qty in cumulative_quantities(self._book, order, price, hold):
            now = self._book.orders[order.terms.order_id]
            self.fill(now, price, total(cum_qty, -now.filled_qty))

    def _end_immediate(self, order_id: str) -> None:
        order = self._book.orders[order_id]
        if order.is_open and order.terms.time_in_force in IMMEDIATE:
            self._end(order, "canceled")

    def _end(self, order: Order, status: Literal["canceled", "expired", "rejected"]) -> None:
        self._recorder.happen(Ended(at=self._recorder.next(), order_id=order.terms.order_id, status=status))


def _moments_of(session: Session) -> tuple[Moment, ...]:
    return (Moment("open", session.open), Moment("close", session.close), Moment("late", session.late))
