"""The simulator's own endpoints under /sim/v1: its market, its clock, its troubles, and what it has received."""

import asyncio
from decimal import Decimal
from typing import Literal, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from infra.simulator import render, sessions
from infra.simulator.engine import Engine, simulated_id
from infra.simulator.events import Hold
from infra.simulator.exact import stamp
from infra.simulator.faults import Fault, Faults
from infra.simulator.rest import json_answer
from infra.simulator.rules import RefusalError
from infra.simulator.settings import Terms

Body = TypeVar("Body")


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuoteRequest(_Request):
    """A quote; `time` is now when left out; a price of 0 empties its side."""

    symbol: str = Field(min_length=1)
    bid: Decimal = Field(ge=0, allow_inf_nan=False)
    ask: Decimal = Field(ge=0, allow_inf_nan=False)
    time: AwareDatetime | None = None


class ClockRequest(_Request):
    """A new time."""

    now: AwareDatetime


class HoldRequest(_Request):
    """A new treatment of a symbol's orders."""

    symbol: str = Field(min_length=1)
    hold: Hold


class AssetRequest(_Request):
    """What a symbol is; `status` null = it is gone."""

    symbol: str = Field(min_length=1)
    status: Literal["active", "inactive"] | None = "active"
    tradable: bool = True
    fractionable: bool = True


class FillRequest(_Request):
    """A part of an open order that is executed now."""

    client_order_id: str = Field(min_length=1)
    qty: Decimal = Field(gt=0, decimal_places=9, allow_inf_nan=False)


class OrderRequest(_Request):
    """A market order placed by hand; the broker names it when it has no name."""

    symbol: str = Field(min_length=1)
    side: Literal["buy", "sell"]
    qty: Decimal = Field(gt=0, decimal_places=9, allow_inf_nan=False)
    client_order_id: str | None = None


class ActivityRequest(_Request):
    """Money that moves without a trade."""

    activity_type: str = Field(min_length=1)
    net_amount: Decimal = Field(allow_inf_nan=False)
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None
    description: str = ""


_QUOTES = TypeAdapter(list[QuoteRequest])
_CLOCK = TypeAdapter(ClockRequest)
_HOLD = TypeAdapter(HoldRequest)
_ASSET = TypeAdapter(AssetRequest)
_FILL = TypeAdapter(FillRequest)
_ORDER = TypeAdapter(OrderRequest)
_ACTIVITY = TypeAdapter(ActivityRequest)
_TERMS = TypeAdapter(dict[str, object])
_FAULTS = TypeAdapter(list[Fault])


class Control:
    """Handlers of /sim/v1."""

    def __init__(self, engine: Engine, faults: Faults, terms: Terms) -> None:
        """Steer `engine` and `faults`; `terms` fill in what a reset leaves out."""
        self._engine = engine
        self._faults = faults
        self._terms = terms

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/sim/v1/quotes", self.quotes),
            web.post("/sim/v1/clock", self.clock),
            web.post("/sim/v1/holds", self.hold),
            web.post("/sim/v1/assets", self.asset),
            web.post("/sim/v1/fills", self.fill),
            web.post("/sim/v1/orders", self.place_order),
            web.post("/sim/v1/activities", self.activity),
            web.post("/sim/v1/reset", self.reset),
            web.get("/sim/v1/orders", self.orders),
            web.post("/sim/v1/faults", self.order_faults),
            web.get("/sim/v1/faults", self.faults),
        ]

    async def quotes(self, request: web.Request) -> web.Response:
        for quote in await _read(request, _QUOTES):
            self._engine.quote(quote.symbol, quote.bid, quote.ask, quote.time)
        return self._now()

    async def clock(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _CLOCK)
        if self._engine.needs_sessions():
            await asyncio.to_thread(sessions.calendar)
        try:
            self._engine.set_clock(wanted.now)
        except ValueError as error:
            raise RefusalError(422, None, str(error)) from error
        return self._now()

    async def hold(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _HOLD)
        self._engine.hold(wanted.symbol, wanted.hold)
        return self._now()

    async def asset(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _ASSET)
        self._engine.list_asset(wanted.symbol, wanted.status, wanted.tradable, wanted.fractionable)
        return self._now()

    async def fill(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _FILL)
        self._engine.fill(wanted.client_order_id, wanted.qty)
        return self._now()

    async def place_order(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _ORDER)
        body = wanted.model_dump(exclude_none=True) | {"type": "market", "time_in_force": "day"}
        return json_answer(render.order(self._engine.submit(body), simulated_id))

    async def activity(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _ACTIVITY)
        return json_answer({"id": self._engine.move_cash(**dict(wanted))})

    async def reset(self, request: web.Request) -> web.Response:
        changes = await _read(request, _TERMS)
        try:
            terms = Terms.model_validate(self._terms.model_dump() | changes)
        except ValidationError as error:
            raise RefusalError(422, None, str(error)) from error
        self._faults.clear()
        self._engine.reset(terms)
        return self._now()

    async def orders(self, _: web.Request) -> web.Response:
        book = self._engine.book
        rows = [
            {
                "client_order_id": client_order_id,
                "posts": posts,
                "order": render.order(book.orders[book.order_ids[client_order_id]], simulated_id)
                if client_order_id in book.order_ids
                else None,
            }
            for client_order_id, posts in book.posts.items()
        ]
        return json_answer({"orders": rows})

    async def order_faults(self, request: web.Request) -> web.Response:
        wanted = await _read(request, _FAULTS)
        self._faults.order(wanted)
        return await self.faults(request)

    async def faults(self, _: web.Request) -> web.Response:
        return json_answer({"faults": [fault.model_dump(mode="json") for fault in self._faults.listed()]})

    def _now(self) -> web.Response:
        return json_answer({"now": stamp(self._engine.book.now)})


async def _read(request: web.Request, adapter: TypeAdapter[Body]) -> Body:
    """Read a body; raises RefusalError (422) that says what is wrong with it."""
    try:
        return adapter.validate_json(await request.read())
    except ValidationError as error:
        raise RefusalError(422, None, f"{request.path}: {error}") from error
