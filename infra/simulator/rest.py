"""The part of Alpaca's REST interface that tradetape uses, over one engine; it decides nothing."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from aiohttp import web

from infra.simulator import render, sessions
from infra.simulator.book import Activity, Book, Order
from infra.simulator.engine import Engine, simulated_id
from infra.simulator.exact import stamp
from infra.simulator.rules import RefusalError, is_symbol, malformed, not_found

ORDERS_LIMIT_DEFAULT = 50
ORDERS_LIMIT_MAX = 500
ACTIVITIES_PAGE_MAX = 100

Row = TypeVar("Row")


def json_text(text: str) -> web.Response:
    """Answer 200 with JSON text."""
    return web.Response(text=text, content_type="application/json", charset="utf-8")


def json_answer(value: object) -> web.Response:
    """Answer 200 with a value as JSON."""
    return json_text(render.to_json(value))


class AlpacaRest:
    """Handlers of /v2."""

    def __init__(self, engine: Engine) -> None:
        """Serve the account of `engine`."""
        self._engine = engine

    @property
    def _book(self) -> Book:
        return self._engine.book

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, more specific ones first."""
        return [
            web.get("/v2/account", self.account),
            web.get("/v2/account/activities", self.activities),
            web.get("/v2/account/activities/{activity_type}", self.activities),
            web.get("/v2/positions", self.positions),
            web.get("/v2/positions/{symbol}", self.position),
            web.get("/v2/assets/{symbol_or_asset_id}", self.asset),
            web.get("/v2/clock", self.clock),
            web.post("/v2/orders", self.submit),
            web.get("/v2/orders", self.orders),
            web.delete("/v2/orders", self.cancel_all),
            web.get("/v2/orders:by_client_order_id", self.order_by_client_id),
            web.get("/v2/orders/{order_id}", self.order),
            web.delete("/v2/orders/{order_id}", self.cancel),
            web.get("/v2/stocks/quotes/latest", self.quotes),
        ]

    async def account(self, _: web.Request) -> web.Response:
        return json_answer(render.account(self._book, simulated_id))

    async def positions(self, _: web.Request) -> web.Response:
        symbols = sorted(self._book.positions)
        return json_answer([render.position(self._book, symbol, simulated_id) for symbol in symbols])

    async def position(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        if symbol not in self._book.positions:
            raise not_found("position does not exist")
        return json_answer(render.position(self._book, symbol, simulated_id))

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol_or_asset_id"]
        known = (*self._book.quotes, *self._book.assets, *(each.terms.symbol for each in self._book.orders.values()))
        by_id = {render.asset_id(symbol, simulated_id): symbol for symbol in known}
        symbol = by_id.get(name, name)
        found = render.asset(self._book, symbol, simulated_id) if is_symbol(symbol) else None
        if found is None:
            raise not_found(f"asset not found for {name}")
        return json_answer(found)

    async def submit(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.text(), parse_float=Decimal, parse_int=Decimal)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise malformed("request body format is invalid")
        return json_answer(render.order(self._engine.submit(body), simulated_id))

    async def order(self, request: web.Request) -> web.Response:
        return json_answer(render.order(self._engine.order(request.match_info["order_id"]), simulated_id))

    async def order_by_client_id(self, request: web.Request) -> web.Response:
        found = self._engine.order_by_client_id(request.query.get("client_order_id", ""))
        return json_answer(render.order(found, simulated_id))

    async def cancel(self, request: web.Request) -> web.Response:
        self._engine.cancel(request.match_info["order_id"])
        return web.Response(status=204)

    async def cancel_all(self, _: web.Request) -> web.Response:
        ids = [order.terms.order_id for order in self._book.open_orders()]
        for order_id in ids:
            self._engine.cancel(order_id)
        answer = json_answer([{"id": order_id, "status": 200} for order_id in ids])
        answer.set_status(207)
        return answer

    async def orders(self, request: web.Request) -> web.Response:
        query = request.query
        wanted = query.get("status", "open")
        if wanted not in ("open", "closed", "all"):
            raise malformed(f"invalid status: {wanted}")
        found: Sequence[Order] = list(self._book.orders.values())
        if "symbols" in query:
            found = [order for order in found if order.terms.symbol in query["symbols"].split(",")]
        if "side" in query:
            found = [order for order in found if order.terms.side == query["side"]]
        found = _between(found, lambda order: order.terms.at, query.get("after"), query.get("until"))
        found = _beside(found, query.get("after_order_id"), query.get("before_order_id"))
        found = [order for order in found if wanted == "all" or order.is_open is (wanted == "open")]
        if query.get("direction", "desc") == "desc":
            found = found[::-1]
        limit = min(_count(query.get("limit"), ORDERS_LIMIT_DEFAULT, "limit"), ORDERS_LIMIT_MAX)
        return json_answer([render.order(order, simulated_id) for order in found[:limit]])

    async def activities(self, request: web.Request) -> web.Response:
        query = request.query
        asked = request.match_info.get("activity_type", query.get("activity_types"))
        found: Sequence[Activity] = self._book.activities
        if asked:
            found = [item for item in found if render.activity_type(item) in asked.split(",")]
        found = _between(found, render.activity_time, query.get("after"), query.get("until"))
        if query.get("direction", "desc") == "desc":
            found = found[::-1]
        token = query.get("page_token")
        if token:
            ids = [render.activity_id(item, simulated_id) for item in found]
            if token not in ids:
                raise malformed(f"invalid page_token: {token}")
            found = found[ids.index(token) + 1 :]
        size = _count(query.get("page_size"), ACTIVITIES_PAGE_MAX, "page_size")
        if size > ACTIVITIES_PAGE_MAX:
            raise malformed(f"page_size must be no more than {ACTIVITIES_PAGE_MAX}")
        return json_answer([render.activity(item, simulated_id) for item in found[:size]])

    async def clock(self, _: web.Request) -> web.Response:
        await asyncio.to_thread(sessions.calendar)
        now = self._book.now
        try:
            hours = sessions.market_hours(now)
        except ValueError as error:
            raise RefusalError(500, None, str(error)) from error
        return json_answer(
            {
                "timestamp": stamp(now),
                "is_open": hours.is_open,
                "next_open": stamp(hours.next_open),
                "next_close": stamp(hours.next_close),
            }
        )

    async def quotes(self, request: web.Request) -> web.Response:
        symbols = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol]
        if not symbols:
            raise RefusalError(400, None, "symbols is required")
        known = self._book.quotes
        return json_text(render.quotes([known[symbol] for symbol in dict.fromkeys(symbols) if symbol in known]))


def _between(
    rows: Sequence[Row], time_of: Callable[[Row], datetime], after: str | None, until: str | None
) -> Sequence[Row]:
    """Keep the rows strictly between two times."""
    if after:
        start = _instant(after)
        rows = [row for row in rows if time_of(row) > start]
    if until:
        end = _instant(until)
        rows = [row for row in rows if time_of(row) < end]
    return rows


def _beside(orders: Sequence[Order], after_id: str | None, before_id: str | None) -> Sequence[Order]:
    """Keep the orders submitted after, or before, the one with an id; the list is in the order of submission."""
    ids = [order.terms.order_id for order in orders]
    for order_id in (after_id, before_id):
        if order_id and order_id not in ids:
            raise not_found(f"order not found for {order_id}")
    if after_id:
        return orders[ids.index(after_id) + 1 :]
    return orders[: ids.index(before_id)] if before_id else orders


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed(f"invalid time: {text}") from error
    return found if found.utcoffset() is not None else found.replace(tzinfo=UTC)


def _count(text: str | None, default: int, name: str) -> int:
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise malformed(f"invalid {name}: {text}")
    return int(text)
