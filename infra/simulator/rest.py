"""Alpaca's trading routes over one engine: every page of them, and those of orders and the account. Decides nothing."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from aiohttp import web

from infra.simulator import activities, render
from infra.simulator.orders import Order
from infra.simulator.paging import between, choice, count
from infra.simulator.recorder import simulated_id
from infra.simulator.rest_positions import PositionRoutes
from infra.simulator.rest_reference import ReferenceRoutes
from infra.simulator.routes import AccountRoutes, json_answer, symbol_of
from infra.simulator.rules import malformed, not_found

ORDERS_LIMIT_DEFAULT = 50
ORDERS_LIMIT_MAX = 500


class AlpacaRest(AccountRoutes):
    """Handlers of /v2."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, more specific ones first."""
        return [
            web.get("/v2/account", self.account),
            web.get("/v2/account/configurations", self.configuration),
            web.patch("/v2/account/configurations", self.configure),
            web.get("/v2/account/activities", self.activities),
            web.get("/v2/account/activities/{activity_type}", self.activities),
            web.post("/v2/orders", self.submit),
            web.get("/v2/orders", self.orders),
            web.delete("/v2/orders", self.cancel_all),
            web.get("/v2/orders:by_client_order_id", self.order_by_client_id),
            web.get("/v2/orders/{order_id}", self.order),
            web.patch("/v2/orders/{order_id}", self.replace),
            web.delete("/v2/orders/{order_id}", self.cancel),
            *PositionRoutes(self._engine).routes(),
            *ReferenceRoutes(self._engine).routes(),
        ]

    async def account(self, _: web.Request) -> web.Response:
        return json_answer(render.account(self._book, simulated_id))

    async def configuration(self, _: web.Request) -> web.Response:
        return json_answer(self._book.configuration.model_dump())

    async def configure(self, request: web.Request) -> web.Response:
        return json_answer(self._engine.configure(await _body(request)).model_dump())

    async def activities(self, request: web.Request) -> web.Response:
        only_type = request.match_info.get("activity_type")
        found = activities.asked_for(self._book.activities, request.query, only_type, simulated_id)
        return json_answer([activities.activity(item, simulated_id) for item in found])

    async def submit(self, request: web.Request) -> web.Response:
        body = await _body(request)
        if isinstance(body.get("symbol"), str):
            body["symbol"] = symbol_of(self._book, str(body["symbol"]))
        return json_answer(render.order(self._engine.submit(body), simulated_id))

    async def replace(self, request: web.Request) -> web.Response:
        taken = self._engine.replace(request.match_info["order_id"], await _body(request))
        return json_answer(render.order(taken, simulated_id))

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
        return json_answer([{"id": order_id, "status": 200} for order_id in ids], status=207)

    async def orders(self, request: web.Request) -> web.Response:
        found = _asked_for(list(self._book.orders.values()), request.query)
        return json_answer([render.order(order, simulated_id) for order in found])


async def _body(request: web.Request) -> dict[str, object]:
    try:
        body = json.loads(await request.text(), parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise malformed("request body format is invalid")
    return body


def _asked_for(orders: Sequence[Order], query: Mapping[str, str]) -> Sequence[Order]:
    wanted = choice(query.get("status"), ("open", "closed", "all"), "status")
    direction = choice(query.get("direction"), ("desc", "asc"), "direction")
    limit = min(count(query.get("limit"), ORDERS_LIMIT_DEFAULT, "limit"), ORDERS_LIMIT_MAX)
    if not {"us_equity", "all"} & set(query.get("asset_class", "all").split(",")):
        return []
    found = orders
    if query.get("symbols"):
        found = [order for order in found if order.terms.symbol in query["symbols"].split(",")]
    if query.get("side"):
        found = [order for order in found if order.terms.side == query["side"]]
    found = between(found, lambda order: order.terms.at, query.get("after"), query.get("until"))
    found = _beside(found, query.get("after_order_id"), query.get("before_order_id"))
    found = [order for order in found if wanted == "all" or order.is_open is (wanted == "open")]
    return (found[::-1] if direction == "desc" else found)[:limit]


def _beside(orders: Sequence[Order], after_id: str | None, before_id: str | None) -> Sequence[Order]:
    """Keep the orders submitted after, or before, the one with an id; the list is in the order of submission."""
    ids = [order.terms.order_id for order in orders]
    for order_id in (after_id, before_id):
        if order_id and order_id not in ids:
            raise not_found(f"order not found for {order_id}")
    if after_id:
        return orders[ids.index(after_id) + 1 :]
    return orders[: ids.index(before_id)] if before_id else orders
