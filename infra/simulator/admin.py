"""The simulator's own endpoints under /admin: its market, its clock, its troubles, and what it has received.

Each is one row of `Admin.routes`: the web server and the OpenAPI document are made of the same rows.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from infra.simulator import render
from infra.simulator.admin_bodies import (
    ActivityRequest,
    AssetRequest,
    BookedActivities,
    BookedActivity,
    ClockRequest,
    CorporateAction,
    Counts,
    Dividend,
    FaultReport,
    FeesRequest,
    FillRequest,
    HaltRequest,
    HoldRequest,
    Now,
    OrderedFault,
    OrderRequest,
    QuoteRequest,
    ReceivedOrder,
    ReceivedOrders,
    Rename,
    Split,
    TradeRequest,
)
from infra.simulator.engine import Engine
from infra.simulator.events import Booked
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.faults import Fault, FaultProfile
from infra.simulator.market import Market
from infra.simulator.recorder import simulated_id
from infra.simulator.rules import RefusalError
from infra.simulator.settings import Terms


@dataclass(frozen=True)
class AdminRoute:
    """One endpoint; `body` is the type of the request's body, None where there is none."""

    method: str
    path: str
    summary: str
    body: Any
    answer: Any
    handle: Callable[[Any], Awaitable[BaseModel | dict[str, object]]]


class Admin:
    """Handlers of /admin."""

    def __init__(
        self,
        engine: Engine,
        market: Market,
        faults: FaultLedger,
        forget_troubles: Callable[[], None],
        arrive: Callable[[], Awaitable[None]],
        terms: Terms,
    ) -> None:
        """Steer an account and its market; `terms` fill in what a reset leaves out.

        `arrive` lets requests that troubles delay arrive before the clock moves.
        """
        self._engine = engine
        self._market = market
        self._faults = faults
        self._forget_troubles = forget_troubles
        self._arrive = arrive
        self._terms = terms

    def routes(self) -> list[AdminRoute]:
        """Return all endpoints."""
        row = AdminRoute
        quotes, trades, faults, profiles = list[QuoteRequest], list[TradeRequest], list[Fault], list[FaultProfile]
        action, ids = CorporateAction, BookedActivities
        return [
            row(
                "POST", "/admin/quotes", "Quote symbols; what becomes executable is executed", quotes, Now, self.quotes
            ),
            row("POST", "/admin/trades", "Print trades of others; bars are made of them", trades, Now, self.trades),
            row("GET", "/admin/clock", "The simulated time", None, Now, self.clock),
            row("POST", "/admin/clock", "Move the simulated time", ClockRequest, Now, self.set_clock),
            row("POST", "/admin/holds", "Let a symbol's orders rest, or reject them", HoldRequest, Now, self.hold),
            row("POST", "/admin/halts", "Stop trading in a symbol, or let it go on", HaltRequest, Now, self.halt),
            row("POST", "/admin/fills", "Execute a part of an open order now", FillRequest, Now, self.fill),
            row(
                "POST", "/admin/orders", "Place a market order by hand", OrderRequest, dict[str, Any], self.place_order
            ),
            row("GET", "/admin/orders", "Every client order id received", None, ReceivedOrders, self.orders),
            row("GET", "/admin/counts", "How many posts and orders", None, Counts, self.counts),
            row("POST", "/admin/assets", "Say what a symbol is", AssetRequest, Now, self.asset),
            row(
                "POST",
                "/admin/activities",
                "Move money without a trade",
                ActivityRequest,
                BookedActivity,
                self.activity,
            ),
            row("POST", "/admin/corporate-actions", "Dividend, split or new name", action, ids, self.corporate_action),
            row("POST", "/admin/fees", "Charge the fees of a day's sells", FeesRequest, ids, self.fees),
            row("POST", "/admin/faults", "Order troubles", faults, FaultReport, self.order_faults),
            row("GET", "/admin/faults", "Troubles, and how often they struck", None, FaultReport, self.report_faults),
            row("DELETE", "/admin/faults", "Forget all troubles", None, FaultReport, self.clear_faults),
            row("PUT", "/admin/fault-profiles", "Draw troubles by seed", profiles, FaultReport, self.stand_faults),
            row("POST", "/admin/reset", "Open a new account; fields of Terms", dict[str, Any], Now, self.reset),
        ]

    async def quotes(self, wanted: Sequence[QuoteRequest]) -> Now:
        for quote in wanted:
            self._engine.quote(quote.symbol, quote.bid, quote.ask, quote.time, quote.bid_size, quote.ask_size)
        return self._now()

    async def trades(self, wanted: Sequence[TradeRequest]) -> Now:
        for trade in wanted:
            self._engine.trade(**dict(trade))
        return self._now()

    async def clock(self, _: None) -> Now:
        return self._now()

    async def set_clock(self, wanted: ClockRequest) -> Now:
        await self._arrive()
        try:
            await self._market.move(self._engine, wanted.now)
        except ValueError as error:
            raise RefusalError(422, None, str(error)) from error
        return self._now()

    async def hold(self, wanted: HoldRequest) -> Now:
        self._engine.hold(wanted.symbol, wanted.hold)
        return self._now()

    async def halt(self, wanted: HaltRequest) -> Now:
        if wanted.is_halted:
            self._engine.halt(wanted.symbol, wanted.reason)
        else:
            self._engine.resume(wanted.symbol)
        return self._now()

    async def corporate_action(self, wanted: Dividend | Split | Rename) -> BookedActivities:
        before = len(self._engine.book.activities)
        match wanted:
            case Dividend():
                self._engine.pay_dividend(wanted.symbol, wanted.per_share)
            case Split():
                self._engine.split(wanted.symbol, wanted.new_rate, wanted.old_rate, wanted.cash_in_lieu_price)
            case Rename():
                self._engine.rename(wanted.symbol, wanted.new_symbol)
        new = self._engine.book.activities[before:]
        return BookedActivities(ids=[activity.activity_id for activity in new if isinstance(activity, Booked)])

    async def fees(self, wanted: FeesRequest) -> BookedActivities:
        return BookedActivities(ids=self._engine.charge_fees(**dict(wanted)))

    async def fill(self, wanted: FillRequest) -> Now:
        self._engine.fill(wanted.client_order_id, wanted.qty)
        return self._now()

    async def place_order(self, wanted: OrderRequest) -> dict[str, object]:
        body = wanted.model_dump(exclude_none=True) | {"type": "market", "time_in_force": "day"}
        return render.order(self._engine.submit(body), simulated_id)

    async def orders(self, _: None) -> ReceivedOrders:
        book = self._engine.book
        rows = []
        for client_order_id, posts in book.posts.items():
            order_id = book.order_ids.get(client_order_id)
            order = None if order_id is None else render.order(book.orders[order_id], simulated_id)
            rows.append(ReceivedOrder(client_order_id=client_order_id, posts=posts, order=order))
        return ReceivedOrders(orders=rows)

    async def counts(self, _: None) -> Counts:
        book = self._engine.book
        return Counts(posts=sum(book.posts.values()), orders=len(book.orders))

    async def asset(self, wanted: AssetRequest) -> Now:
        self._engine.list_asset(wanted.symbol, wanted.status, wanted.tradable, wanted.fractionable)
        return self._now()

    async def activity(self, wanted: ActivityRequest) -> BookedActivity:
        return BookedActivity(id=self._engine.move_cash(**dict(wanted)))

    async def order_faults(self, wanted: Sequence[Fault]) -> FaultReport:
        self._faults.order(wanted)
        return self._report()

    async def stand_faults(self, wanted: Sequence[FaultProfile]) -> FaultReport:
        self._faults.stand(wanted)
        return self._report()

    async def report_faults(self, _: None) -> FaultReport:
        return self._report()

    async def clear_faults(self, _: None) -> FaultReport:
        self._forget_troubles()
        return self._report()

    async def reset(self, changes: dict[str, object]) -> Now:
        try:
            terms = Terms.model_validate(self._terms.model_dump() | changes)
        except ValidationError as error:
            raise RefusalError(422, None, str(error)) from error
        self._forget_troubles()
        self._engine.reset(terms)
        self._market.open(self._engine)
        return self._now()

    def _now(self) -> Now:
        return Now(now=self._engine.book.now)

    def _report(self) -> FaultReport:
        ordered = [OrderedFault(fault=fault, struck=struck) for fault, struck in self._faults.ordered()]
        return FaultReport(ordered=ordered, profiles=self._faults.profiles, struck=self._faults.totals())
