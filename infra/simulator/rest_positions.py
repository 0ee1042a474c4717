"""The routes of positions: reading them, and closing them by market orders."""

from aiohttp import web

from infra.simulator import render
from infra.simulator.closing import closing_request
from infra.simulator.recorder import simulated_id
from infra.simulator.routes import AccountRoutes, json_answer, symbol_of
from infra.simulator.rules import RefusalError, not_found


class PositionRoutes(AccountRoutes):
    """Handlers of /v2/positions."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/positions", self.positions),
            web.delete("/v2/positions", self.close_all),
            web.get("/v2/positions/{symbol_or_asset_id}", self.position),
            web.delete("/v2/positions/{symbol_or_asset_id}", self.close),
        ]

    async def positions(self, _: web.Request) -> web.Response:
        symbols = sorted(self._book.positions)
        return json_answer([render.position(self._book, symbol, simulated_id) for symbol in symbols])

    async def position(self, request: web.Request) -> web.Response:
        symbol = symbol_of(self._book, request.match_info["symbol_or_asset_id"])
        if symbol not in self._book.positions:
            raise not_found("position does not exist")
        return json_answer(render.position(self._book, symbol, simulated_id))

    async def close(self, request: web.Request) -> web.Response:
        symbol = symbol_of(self._book, request.match_info["symbol_or_asset_id"])
        taken = self._engine.submit(closing_request(self._book, symbol, request.query))
        return json_answer(render.order(taken, simulated_id))

    async def close_all(self, request: web.Request) -> web.Response:
        """Close every position; each row says how it went, and one that is refused keeps no other one back."""
        if request.query.get("cancel_orders", "").lower() == "true":
            for order in self._book.open_orders():
                self._engine.cancel(order.terms.order_id)
        return json_answer([self._closed(symbol) for symbol in sorted(self._book.positions)], status=207)

    def _closed(self, symbol: str) -> dict[str, object]:
        try:
            taken = self._engine.submit(closing_request(self._book, symbol, {}))
        except RefusalError as refusal:
            return {"symbol": symbol, "status": refusal.status, "body": refusal.body}
        return {"symbol": symbol, "status": 200, "body": render.order(taken, simulated_id)}
