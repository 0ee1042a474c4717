"""Market data as Alpaca's REST interface shows it: history in pages, the latest, snapshots and auctions.

Every feed says the same; each answer is asked for with several symbols in the query, or with one in the path.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from infra.simulator import market_json
from infra.simulator.auctions import auctions_of
from infra.simulator.bars import DAY, MINUTE, Timeframe
from infra.simulator.market_data import MarketData
from infra.simulator.market_json import Message, exact_json
from infra.simulator.market_query import DELAY, LATEST_FEEDS, Query, bad, checked, feed_of, symbols_of
from infra.simulator.market_rows import Timed
from infra.simulator.routes import json_text
from infra.simulator.rules import RefusalError

ROOT = "/v2/stocks"
SHOWN: Mapping[str, Callable[[Any], Message]] = {
    "bars": market_json.bar,
    "quotes": market_json.quote,
    "trades": market_json.trade,
    "auctions": lambda row: row.message,
}
LATEST = {"bars": "bar", "quotes": "quote", "trades": "trade"}


class MarketRest:
    """Handlers of /v2/stocks."""

    def __init__(self, market: MarketData, now: Callable[[], datetime]) -> None:
        """Serve `market`, as far as it is known at `now`."""
        self._market = market
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        found = [
            web.get(f"{ROOT}/snapshots", self.snapshots),
            web.get(f"{ROOT}/{{symbol}}/snapshot", self.snapshots),
        ]
        for noun in SHOWN:
            handle = partial(self.history, noun)
            found += [web.get(f"{ROOT}/{noun}", handle), web.get(f"{ROOT}/{{symbol}}/{noun}", handle)]
        for noun in LATEST:
            handle = partial(self.latest, noun)
            found += [web.get(f"{ROOT}/{noun}/latest", handle), web.get(f"{ROOT}/{{symbol}}/{noun}/latest", handle)]
        return found

    async def history(self, noun: str, request: web.Request) -> web.Response:
        now, one = self._now(), request.match_info.get("symbol")
        query = Query.of(request.query, _symbols(request), now)
        timeframe = _timeframe(request) if noun == "bars" else None
        page, token = query.page({symbol: self._rows(noun, symbol, query, timeframe) for symbol in query.symbols})
        shown = {symbol: [SHOWN[noun](row) for row in rows] for symbol, rows in page.items()}
        if one is None:
            return _answer({noun: shown, "next_page_token": token})
        return _answer({"symbol": one, noun: shown.get(one, []), "next_page_token": token})

    def _rows(self, noun: str, symbol: str, query: Query, timeframe: Timeframe | None) -> Sequence[Timed]:
        if timeframe is not None:
            return self._market.bars(symbol, timeframe, query.start, query.end, self._now())
        if noun == "quotes":
            return self._market.quotes(symbol, query.start, query.end)
        trades = self._market.trades(symbol, query.start, query.end)
        return auctions_of(trades) if noun == "auctions" else trades

    async def latest(self, noun: str, request: web.Request) -> web.Response:
        now, one = self._seen_at(request), request.match_info.get("symbol")
        found = {symbol: row for symbol in _symbols(request) if (row := self._latest(noun, symbol, now)) is not None}
        if one is None:
            return _answer({noun: found})
        if one not in found:
            raise RefusalError(404, None, f"no {LATEST[noun]} found for {one}")
        return _answer({"symbol": one, LATEST[noun]: found[one]})

    def _latest(self, noun: str, symbol: str, now: datetime) -> Message | None:
        match noun:
            case "quotes":
                quote = self._market.latest_quote(symbol)
                return None if quote is None else market_json.quote(quote)
            case "trades":
                trade = self._market.latest_trade(symbol, now)
                return None if trade is None else market_json.trade(trade)
            case _:
                return self._bar(symbol, MINUTE, now)

    def _bar(self, symbol: str, timeframe: Timeframe, now: datetime, before: datetime | None = None) -> Message | None:
        found = self._market.latest_bar(symbol, timeframe, now, before)
        return None if found is None else market_json.bar(found)

    async def snapshots(self, request: web.Request) -> web.Response:
        now, one = self._seen_at(request), request.match_info.get("symbol")
        found = {symbol: shot for symbol in _symbols(request) if (shot := self._snapshot(symbol, now))}
        if one is None:
            return _answer(found)
        if one not in found:
            raise RefusalError(404, None, f"no snapshot found for {one}")
        return _answer({"symbol": one, **found[one]})

    def _snapshot(self, symbol: str, now: datetime) -> Message:
        day = self._bar(symbol, DAY, now)
        parts = {
            "latestTrade": self._latest("trades", symbol, now),
            "latestQuote": self._latest("quotes", symbol, now),
            "minuteBar": self._bar(symbol, MINUTE, now),
            "dailyBar": day,
            "prevDailyBar": None if day is None else self._bar(symbol, DAY, now, before=day["t"]),
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _seen_at(self, request: web.Request) -> datetime:
        delayed = feed_of(request.query, LATEST_FEEDS) == "delayed_sip"
        return self._now() - DELAY if delayed else self._now()


def _symbols(request: web.Request) -> tuple[str, ...]:
    one = request.match_info.get("symbol")
    return symbols_of(request.query) if one is None else checked((one,))


def _timeframe(request: web.Request) -> Timeframe:
    if request.query.get("adjustment", "raw") != "raw":
        raise bad(f"adjustment {request.query['adjustment']} is not simulated, only raw")
    try:
        return Timeframe.parsed(request.query.get("timeframe", ""))
    except ValueError as error:
        raise bad(str(error)) from error


def _answer(value: Message) -> web.Response:
    return json_text(exact_json(value))
