"""The routes of what is there to trade and when, and of how the account has fared: assets, clock, calendar, history."""

from datetime import date

from aiohttp import web

from infra.simulator import portfolio_history, render, sessions
from infra.simulator.exact import stamp
from infra.simulator.paging import choice
from infra.simulator.recorder import simulated_id
from infra.simulator.routes import AccountRoutes, json_answer, json_text, known_symbols, symbol_of
from infra.simulator.rules import RefusalError, is_symbol, malformed, not_found


class ReferenceRoutes(AccountRoutes):
    """Handlers of assets, clock, calendar and portfolio history."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/assets", self.assets),
            web.get("/v2/assets/{symbol_or_asset_id}", self.asset),
            web.get("/v2/clock", self.clock),
            web.get("/v2/calendar", self.calendar),
            web.get("/v2/account/portfolio/history", self.history),
        ]

    async def assets(self, request: web.Request) -> web.Response:
        """Return the assets that were ever heard of, by symbol: any other one is active all the same."""
        query = request.query
        rows = [render.asset(self._book, symbol, simulated_id) for symbol in known_symbols(self._book)]
        wanted = {"status": query.get("status"), "exchange": query.get("exchange"), "class": query.get("asset_class")}
        found = [
            row
            for row in rows
            if row is not None
            and all(value in (None, "all", row[name]) for name, value in wanted.items())
            and not query.get("attributes")
        ]
        return json_answer(found)

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol_or_asset_id"]
        symbol = symbol_of(self._book, name)
        found = render.asset(self._book, symbol, simulated_id) if is_symbol(symbol) else None
        if found is None:
            raise not_found(f"asset not found for {name}")
        return json_answer(found)

    async def clock(self, _: web.Request) -> web.Response:
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

    async def calendar(self, request: web.Request) -> web.Response:
        query = request.query
        first, last = _day(query.get("start"), "start"), _day(query.get("end"), "end")
        if choice(query.get("date_type"), ("TRADING", "SETTLEMENT"), "date_type") == "TRADING":
            days = sessions.sessions_between(first, last)
        else:
            every = sessions.sessions_between(None, None)
            settled = ((sessions.settlement_day(each.day), each) for each in every)
            days = [each for day, each in settled if (first is None or day >= first) and (last is None or day <= last)]
        return json_answer([_calendar_day(each) for each in days])

    async def history(self, request: web.Request) -> web.Response:
        asked = portfolio_history.question_of(request.query, self._book.now)
        return json_text(portfolio_history.answer(self._book, asked))


def _calendar_day(session: sessions.Session) -> dict[str, object]:
    early, opens, closes, late = (
        each.astimezone(sessions.NEW_YORK) for each in (session.early, session.open, session.close, session.late)
    )
    return {
        "date": session.day.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": f"{early:%H%M}",
        "session_close": f"{late:%H%M}",
        "settlement_date": sessions.settlement_day(session.day).isoformat(),
    }


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise malformed(f"invalid {name}: {text}") from error
