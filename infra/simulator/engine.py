"""The simulated brokerage's decisions: takes requests one at a time, records what follows, then tells about it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid5

from infra.simulator.book import TICK, Book, Order
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
from infra.simulator.exact import plain, total
from infra.simulator.journal import Journal
from infra.simulator.matching import cumulative_quantities, execution_price
from infra.simulator.render import trade_update
from infra.simulator.rules import (
    RefusalError,
    check_against_account,
    checked_client_order_id,
    draft_of,
    invalid,
    malformed,
    not_found,
)
from infra.simulator.settings import Terms

NAMESPACE = UUID("0a6f7a4e-6f0b-5c54-9d0b-6a1f7c1f3f52")


def simulated_id(*parts: str) -> str:
    """Return the uuid5 of what the id stands for, so that the same run gives the same ids."""
    return str(uuid5(NAMESPACE, "/".join(parts)))


class Engine:
    """One account. Every method is one step: its events are on disk before any of them is published or answered."""

    def __init__(
        self,
        journal: Journal,
        terms: Terms,
        publish: Callable[[str], None],
        session_close: Callable[[datetime], datetime],
    ) -> None:
        """Go on where the journal ends, or open an account under `terms` in an empty one.

        `publish` gets every trade update as JSON text; `session_close` returns the close of the session of a time.
        """
        self._journal = journal
        self._publish = publish
        self._session_close = session_close
        self._fresh: list[AnyEvent] = []
        self._updates: list[str] = []
        events = iter(journal)
        first = next(events, None)
        if first is None:
            self.reset(terms)
            return
        if not isinstance(first, Opened):
            raise ValueError(f"{journal.path}: begins with {first.kind}, expected opened; delete it to start over")
        self.book = Book.opened(first)
        for event in events:
            self.book.apply(event)

    def reset(self, terms: Terms) -> None:
        """Forget the account and open one under `terms`."""
        opened = Opened(at=terms.now.astimezone(UTC), terms=terms)
        deposit = MovedCash(
            at=opened.at + TICK,
            activity_id=simulated_id("deposit", terms.account_number),
            activity_type="CSD",
            net_amount=terms.cash,
        )
        self._journal.restart([opened, deposit])
        self.book = Book.opened(opened)
        self.book.apply(deposit)

    @contextmanager
    def _step(self) -> Iterator[None]:
        try:
            yield
        finally:
            events, self._fresh = self._fresh, []
            updates, self._updates = self._updates, []
            self._journal.append(events)
            for update in updates:
                self._publish(update)

    def _happen(self, event: AnyEvent) -> None:
        self.book.apply(event)
        self._fresh.append(event)
        update = trade_update(self.book, event, simulated_id)
        if update is not None:
            self._updates.append(update)

    def _next(self) -> datetime:
        return self.book.now + TICK

    def submit(self, request: Mapping[str, object]) -> Order:
        """Take an order, fill what can be filled, and return it as it was when it was taken; raises RefusalError."""
        with self._step():
            client_order_id = checked_client_order_id(request) or simulated_id("unnamed", str(len(self.book.orders)))
            self._happen(Posted(at=self._next(), client_order_id=client_order_id))
            if client_order_id in self.book.order_ids:
                raise malformed("client_order_id must be unique")
            draft = draft_of(request, client_order_id)
            check_against_account(self.book, draft)
            order_id = simulated_id("order", client_order_id)
            self._happen(
                Accepted(
                    at=self._next(),
                    order_id=order_id,
                    client_order_id=client_order_id,
                    symbol=draft.symbol,
                    side=draft.side,
                    qty=draft.qty,
                    type=draft.type,
                    limit_price=draft.limit_price,
                    time_in_force=draft.time_in_force,
                )
            )
            taken = self.book.orders[order_id]
            self._match(draft.symbol)
            return taken

    def _match(self, symbol: str) -> None:
        hold = self.book.holds.get(symbol, Hold.NONE)
        for order in self.book.open_orders(symbol):
            if hold is Hold.REJECT:
                self._happen(Ended(at=self._next(), order_id=order.terms.order_id, status="rejected"))
            elif hold is not Hold.ALL:
                self._execute(order, hold)

    def _execute(self, order: Order, hold: Hold) -> None:
        price = execution_price(order, self.book.quotes.get(order.terms.symbol))
        if price is None:
            return
        filled_qty = order.filled_qty
        for cum_qty in cumulative_quantities(order, hold, self.book.terms):
            qty = total(cum_qty, -filled_qty)
            fill = Filled(at=self._next(), order_id=order.terms.order_id, qty=qty, price=price, cum_qty=cum_qty)
            self._happen(fill)
            filled_qty = cum_qty

    def order(self, order_id: str) -> Order:
        """Return an order by the broker's id; raises RefusalError (404)."""
        if order_id not in self.book.orders:
            raise not_found(f"order not found for {order_id}")
        return self.book.orders[order_id]

    def order_by_client_id(self, client_order_id: str) -> Order:
        """Return an order by the client's id; raises RefusalError (404)."""
        if client_order_id not in self.book.order_ids:
            raise not_found(f"order not found for {client_order_id}")
        return self.book.orders[self.book.order_ids[client_order_id]]

    def cancel(self, order_id: str) -> None:
        """Cancel an open order; raises RefusalError: 404 unknown, 422 when it has ended."""
        with self._step():
            if not self.order(order_id).is_open:
                raise invalid("order is not cancelable")
            self._happen(Ended(at=self._next(), order_id=order_id, status="canceled"))

    def quote(self, symbol: str, bid: Decimal, ask: Decimal, time: datetime | None) -> None:
        """Take a quote and execute what it makes executable; `time` None is now."""
        with self._step():
            at = self._next()
            self._happen(Quoted(at=at, symbol=symbol, bid=bid, ask=ask, time=time or at))
            self._match(symbol)

    def hold(self, symbol: str, hold: Hold) -> None:
        """Change what the market does with orders of a symbol, open ones included."""
        with self._step():
            self._happen(Held(at=self._next(), symbol=symbol, hold=hold))
            if hold is not Hold.REJECT:
                self._match(symbol)

    def list_asset(
        self, symbol: str, status: Literal["active", "inactive"] | None, tradable: bool, fractionable: bool
    ) -> None:
        """Change what a symbol is; `status` None = it is gone. Orders that rest are left alone."""
        with self._step():
            listed = Listed(at=self._next(), symbol=symbol, status=status, tradable=tradable, fractionable=fractionable)
            self._happen(listed)

    def fill(self, client_order_id: str, qty: Decimal) -> None:
        """Execute a part of an open order now, whatever the market does with its symbol otherwise.

        Raises RefusalError: 404 unknown; 422 when it has ended, is not that large, or has no price to trade at.
        """
        with self._step():
            order = self.order_by_client_id(client_order_id)
            price = execution_price(order, self.book.quotes.get(order.terms.symbol))
            if not 0 < qty <= order.leaves_qty:
                raise invalid(f"order {client_order_id}: {plain(order.leaves_qty)} left, cannot fill {plain(qty)}")
            if price is None:
                raise invalid(f"order {client_order_id}: no price to trade at; quote {order.terms.symbol} first")
            cum_qty = total(order.filled_qty, qty)
            order_id = order.terms.order_id
            self._happen(Filled(at=self._next(), order_id=order_id, qty=qty, price=price, cum_qty=cum_qty))

    def move_cash(
        self,
        activity_type: str,
        net_amount: Decimal,
        *,
        symbol: str | None = None,
        qty: Decimal | None = None,
        per_share_amount: Decimal | None = None,
        description: str = "",
    ) -> str:
        """Book a dividend, a fee, a transfer; return the activity's id."""
        with self._step():
            at = self._next()
            count = len(self.book.activities)
            activity_id = simulated_id("activity", activity_type, symbol or "", plain(net_amount), str(count))
            self._happen(
                MovedCash(
                    at=at,
                    activity_id=activity_id,
                    activity_type=activity_type,
                    net_amount=net_amount,
                    symbol=symbol,
                    qty=qty,
                    per_share_amount=per_share_amount,
                    description=description,
                )
            )
            return activity_id

    def needs_sessions(self) -> bool:
        """Say whether setting the clock has to look up when sessions end."""
        return any(order.terms.time_in_force == "day" for order in self.book.open_orders())

    def set_clock(self, now: datetime) -> datetime:
        """Set the clock and expire the day orders whose session has ended; return the clock.

        The events of one instant advance the clock by a microsecond each, so the same time may be set again; a time
        before the last one set is refused (RefusalError 422).
        """
        now = now.astimezone(UTC)
        before = self.book.clock_set_to or self.book.terms.now
        if now < before:
            raise RefusalError(
                422, None, f"the clock is at {before.isoformat()}, it cannot go back to {now.isoformat()}"
            )
        day_orders = [order.terms for order in self.book.open_orders() if order.terms.time_in_force == "day"]
        expiring = [terms.order_id for terms in day_orders if self._session_close(terms.at) <= now]
        with self._step():
            self._happen(ClockSet(at=max(now, self._next()), now=now))
            for order_id in expiring:
                self._happen(Ended(at=self._next(), order_id=order_id, status="expired"))
        return self.book.now
