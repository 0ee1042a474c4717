"""The simulated brokerage's decisions: takes requests one at a time, records what follows, then tells about it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import ValidationError

from infra.simulator import corporate
from infra.simulator.book import Book
from infra.simulator.checks import check_against_account
from infra.simulator.drafts import Draft, draft_of
from infra.simulator.events import (
    Accepted,
    AnyEvent,
    ClockSet,
    Configuration,
    Configured,
    Ended,
    Halted,
    Held,
    Hold,
    Listed,
    Posted,
    Quoted,
    Traded,
)
from infra.simulator.exact import plain
from infra.simulator.journal import Journal
from infra.simulator.matching import execution_price, leaves
from infra.simulator.orders import Order
from infra.simulator.recorder import Recorder, simulated_id
from infra.simulator.replacing import replacement_of
from infra.simulator.rules import RefusalError, checked_client_order_id, invalid, malformed, not_found
from infra.simulator.sessions import SessionOf
from infra.simulator.settings import Terms
from infra.simulator.trading import Trading


class Engine:
    """One account. Every method is one step: its events are on disk before any of them is published or answered."""

    def __init__(
        self,
        journal: Journal,
        terms: Terms,
        publish: Callable[[str], None],
        session_of: SessionOf,
        observe: Callable[[AnyEvent], None] | None = None,
    ) -> None:
        """Go on where the journal ends, or open an account under `terms` in an empty one.

        `publish` gets every trade update as JSON text; `observe` gets every event, those of the journal included.
        """
        self._recorder = Recorder(journal, terms, publish, observe)
        self._trading = Trading(self._recorder, session_of)

    @property
    def book(self) -> Book:
        """The account as it stands."""
        return self._recorder.book

    def reset(self, terms: Terms) -> None:
        """Forget the account and open one under `terms`."""
        self._recorder.reset(terms)

    def step(self) -> AbstractContextManager[None]:
        """Let several calls be one step."""
        return self._recorder.step()

    def submit(self, request: Mapping[str, object]) -> Order:
        """Take an order, fill what can be filled, and return it as it was when it was taken; raises RefusalError."""
        with self.step():
            client_order_id = self._new_client_order_id(request)
            return self._take(draft_of(request, client_order_id), None)

    def replace(self, order_id: str, request: Mapping[str, object]) -> Order:
        """Take an order in the place of an open one, and return it as it was when it was taken; raises RefusalError."""
        with self.step():
            order = self.order(order_id)
            client_order_id = self._new_client_order_id(request)
            return self._take(replacement_of(order, request, client_order_id), order_id)

    def _new_client_order_id(self, request: Mapping[str, object]) -> str:
        client_order_id = checked_client_order_id(request) or simulated_id("unnamed", str(len(self.book.orders)))
        self._recorder.happen(Posted(at=self._recorder.next(), client_order_id=client_order_id))
        if client_order_id in self.book.order_ids:
            raise malformed("client_order_id must be unique")
        return client_order_id

    def _take(self, draft: Draft, replaces: str | None) -> Order:
        order_id = simulated_id("order", draft.client_order_id)
        at = self._recorder.next()
        order = Accepted(at=at, order_id=order_id, replaces=replaces, **asdict(draft))
        order = order.model_copy(update={"is_queued": self._trading.is_queued(order)})
        check_against_account(_without(self.book, replaces), draft, order)
        if replaces is not None:
            self._recorder.happen(Ended(at=at, order_id=replaces, status="replaced", replaced_by=order_id))
            order = order.model_copy(update={"at": self._recorder.next()})
        self._recorder.happen(order)
        taken = self.book.orders[order_id]
        self._trading.match(draft.symbol)
        return taken

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
        with self.step():
            if not self.order(order_id).is_open:
                raise invalid("order is not cancelable")
            self._recorder.happen(Ended(at=self._recorder.next(), order_id=order_id, status="canceled"))

    def configure(self, changes: Mapping[str, object]) -> Configuration:
        """Change what the account's owner has chosen; raises RefusalError (422). What is None stays as it is.

        `dtbp_check` and `pdt_check`, which Alpaca dropped in 2026, are passed over: clients still send them.
        """
        wanted = {name: value for name, value in changes.items() if value is not None and not name.endswith("_check")}
        try:
            configuration = Configuration.model_validate(self.book.configuration.model_dump() | wanted)
        except ValidationError as error:
            raise malformed(f"invalid configuration: {error.errors()[0]['loc'][0]}") from error
        with self.step():
            self._recorder.happen(Configured(at=self._recorder.next(), configuration=configuration))
        return configuration

    def quote(
        self,
        symbol: str,
        bid: Decimal,
        ask: Decimal,
        time: datetime | None,
        bid_size: Decimal | None = None,
        ask_size: Decimal | None = None,
    ) -> None:
        """Take a quote and execute what it makes executable; `time` None is now, a size of None takes any quantity."""
        with self.step():
            at = self._recorder.next()
            sizes = {"bid_size": bid_size, "ask_size": ask_size}
            self._recorder.happen(Quoted(at=at, symbol=symbol, bid=bid, ask=ask, time=time or at, **sizes))
            self._trading.match(symbol)

    def trade(
        self,
        symbol: str,
        price: Decimal,
        size: Decimal,
        time: datetime | None = None,
        *,
        exchange: str = "V",
        conditions: tuple[str, ...] = ("@",),
        tape: str = "C",
    ) -> None:
        """Take a print of the market: it triggers stop orders, and is executed against nothing here."""
        with self.step():
            at = self._recorder.next()
            how = {"exchange": exchange, "conditions": conditions, "tape": tape}
            self._recorder.happen(Traded(at=at, symbol=symbol, price=price, size=size, time=time or at, **how))
            self._trading.show(symbol, price)

    def hold(self, symbol: str, hold: Hold) -> None:
        """Change what the market does with orders of a symbol, open ones included."""
        with self.step():
            self._recorder.happen(Held(at=self._recorder.next(), symbol=symbol, hold=hold))
            if hold is not Hold.REJECT:
                self._trading.match(symbol)

    def halt(self, symbol: str, reason: str = "") -> None:
        """Stop trading in a symbol: orders are taken and canceled, and none is executed."""
        with self.step():
            self._recorder.happen(Halted(at=self._recorder.next(), symbol=symbol, is_halted=True, reason=reason))

    def resume(self, symbol: str) -> None:
        """Let trading in a symbol go on, and execute what can be."""
        with self.step():
            self._recorder.happen(Halted(at=self._recorder.next(), symbol=symbol, is_halted=False))
            self._trading.match(symbol)

    def list_asset(
        self, symbol: str, status: Literal["active", "inactive"] | None, tradable: bool, fractionable: bool
    ) -> None:
        """Change what a symbol is; `status` None = it is gone. Orders that rest are left alone."""
        with self.step():
            at = self._recorder.next()
            self._recorder.happen(
                Listed(at=at, symbol=symbol, status=status, tradable=tradable, fractionable=fractionable)
            )

    def fill(self, client_order_id: str, qty: Decimal) -> None:
        """Execute a part of an open order now, whatever the market does with its symbol otherwise.

        Raises RefusalError: 404 unknown; 422 when it has ended, is not that large, or has no price to trade at.
        """
        with self.step():
            order = self.order_by_client_id(client_order_id)
            price = execution_price(self.book, order)
            left = order.leaves_qty if price is None else leaves(self.book, order, price)
            if order.is_open and price is None:
                raise invalid(f"order {client_order_id}: no price to trade at; quote {order.terms.symbol} first")
            if price is None or not 0 < qty <= left:
                raise invalid(f"order {client_order_id}: {plain(left)} left, cannot fill {plain(qty)}")
            self._trading.fill(order, price, qty)

    def set_clock(self, now: datetime) -> datetime:
        """Set the clock, let sessions open and close on the way, and return it.

        The events of one instant advance the clock by a microsecond each, so the same time may be set again; a time
        before the last one set is refused (RefusalError 422).
        """
        now = now.astimezone(UTC)
        before = self.book.clock_set_to or self.book.terms.now
        if now < before:
            raise RefusalError(
                422, None, f"the clock is at {before.isoformat()}, it cannot go back to {now.isoformat()}"
            )
        self._trading.check_bounds(now)
        has_moments = self.book.terms.venue_hours and self.book.open_orders()
        moments = list(self._trading.moments(before, now)) if has_moments else []
        with self.step():
            for moment in moments:
                self._recorder.happen(ClockSet(at=max(moment.at, self._recorder.next()), now=moment.at))
                self._trading.ring(moment.bell, moment.at)
            self._recorder.happen(ClockSet(at=max(now, self._recorder.next()), now=now))
            self._trading.expire(now)
        return self.book.now

    def move_cash(
        self,
        activity_type: str,
        net_amount: Decimal,
        *,
        symbol: str | None = None,
        qty: Decimal | None = None,
        per_share_amount: Decimal | None = None,
        activity_sub_type: str | None = None,
        description: str = "",
    ) -> str:
        """Book a dividend, a fee, a transfer; return the activity's id."""
        with self.step():
            return corporate.book(
                self._recorder,
                activity_type,
                net_amount,
                symbol=symbol,
                qty=qty,
                per_share_amount=per_share_amount,
                activity_sub_type=activity_sub_type,
                description=description,
            )

    def pay_dividend(self, symbol: str, per_share: Decimal) -> str | None:
        """Pay a cash dividend on what is held, or charge it on what is short; None when nothing is."""
        with self.step():
            return corporate.pay_dividend(self._recorder, symbol, per_share)

    def split(
        self, symbol: str, new_rate: Decimal, old_rate: Decimal, cash_in_lieu_price: Decimal | None = None
    ) -> None:
        """Make `old_rate` shares `new_rate` shares; see `corporate.split`. Raises RefusalError (422)."""
        with self.step():
            corporate.split(self._recorder, symbol, new_rate, old_rate, cash_in_lieu_price)

    def rename(self, symbol: str, new_symbol: str) -> None:
        """Let a symbol go by another one; raises RefusalError (422) when that one is taken."""
        with self.step():
            corporate.rename(self._recorder, symbol, new_symbol)

    def charge_fees(self, day: date, reg_per_million: Decimal, taf_per_share: Decimal, taf_cap: Decimal) -> list[str]:
        """Charge the regulatory fees on what was sold on a New York day, once; return the activities' ids."""
        with self.step():
            return corporate.charge_fees(self._recorder, day, reg_per_million, taf_per_share, taf_cap)


def _without(book: Book, order_id: str | None) -> Book:
    """Return an account as it would be with an open order gone; for looking at only."""
    if order_id is None:
        return book
    return replace(book, open_ids={each: None for each in book.open_ids if each != order_id})
