"""The stream of market data as alpaca-py's StockDataStream reads it: quotes, trades, bars and statuses as they come.

Frames are JSON text, or msgpack for a client that asks with that Content-Type. One connection for each account.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgpack
from aiohttp import web

from infra.simulator import market_json
from infra.simulator.bars import DAY, MINUTE
from infra.simulator.connection import Connection, is_key_pair, understood
from infra.simulator.delivery import Delivery
from infra.simulator.events import Halted
from infra.simulator.exact import stamp
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.market_data import MarketData, Said
from infra.simulator.market_json import Message, exact_json
from infra.simulator.market_rows import BarRow, TradeRow

CHANNELS = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "corrections",
    "cancelErrors",
)
#: Who hears a symbol's trades hears what becomes of them, too.
FOLLOW_TRADES = ("corrections", "cancelErrors")
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    500: "internal error",
}
AUTH_TIMEOUT_S = 10.0
MARGIN = timedelta(microseconds=1)


class Subscriber:
    """A client of the stream, and what it wants to hear."""

    def __init__(self, connection: Connection) -> None:
        """Begin with one that has neither authenticated nor asked for anything."""
        self.is_authenticated = False
        self.wants: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        self._connection = connection

    def say(self, message: Message) -> None:
        """Send one message; a frame is a list of them."""
        packs = self._connection.speaks_msgpack
        self._connection.send(packed([message]) if packs else exact_json([message]))

    def refuse(self, code: int) -> None:
        """Send an error."""
        self.say({"T": "error", "code": code, "msg": ERRORS[code]})

    def hears(self, channel: str, symbol: str) -> bool:
        """Say whether it wants what a channel says of a symbol."""
        return bool({symbol, "*"} & self.wants[channel])

    def change(self, message: Mapping[str, object], limit: int | None) -> None:
        """Subscribe or unsubscribe as a message asks, and say what is wanted now."""
        asked = {channel: _symbols(message.get(channel)) for channel in CHANNELS}
        for channel in FOLLOW_TRADES:
            asked[channel] |= asked["trades"]
        is_more = message["action"] == "subscribe"
        wants = {
            channel: old | asked[channel] if is_more else old - asked[channel] for channel, old in self.wants.items()
        }
        if limit is not None and len(wants["trades"]) + len(wants["quotes"]) > limit:
            self.refuse(405)
            return
        self.wants = wants
        self.say({"T": "subscription", **{channel: sorted(symbols) for channel, symbols in wants.items()}})


def packed(value: object) -> bytes:
    """Return msgpack in which an instant is a Timestamp, and a Decimal a float: the format has no exact numbers."""
    frame: bytes = msgpack.packb(value, default=_packable)
    return frame


def _packable(value: object) -> object:
    match value:
        case Decimal():
            return float(value)
        case datetime():
            return msgpack.Timestamp.from_datetime(value)
        case _:
            raise TypeError(f"cannot pack {value!r}")


def _symbols(asked: object) -> set[str]:
    return {str(symbol) for symbol in asked} if isinstance(asked, list) else set()


class DataStream:
    """All clients of the stream."""

    def __init__(self, faults: FaultLedger, market: MarketData, symbols_max: Callable[[], int | None]) -> None:
        """Begin without clients; `symbols_max` says to how many trades and quotes one may subscribe."""
        self._market = market
        self._symbols_max = symbols_max
        self._subscribers: dict[Connection, Subscriber] = {}
        self._delivery = Delivery(faults, self._subscribers.keys())

    def say(self, said: Said) -> None:
        """Send a quote or a trade to those who want it."""
        if isinstance(said.row, TradeRow):
            self._send("trades", {"T": "t", "S": said.symbol, **market_json.trade(said.row)})
        else:
            self._send("quotes", {"T": "q", "S": said.symbol, **market_json.quote(said.row)})

    def say_status(self, event: Halted) -> None:
        """Send that trading stopped or went on."""
        code, text = ("H", "Trading Halt") if event.is_halted else ("T", "Trading Resumption")
        message = {"sc": code, "sm": text, "rc": event.reason, "rm": event.reason, "t": event.at, "z": "C"}
        self._send("statuses", {"T": "s", "S": event.symbol, **message})

    def say_bars(self, before: datetime, now: datetime) -> None:
        """Send the bars of the minutes that ended after `before`, up to `now`, and of the days they are of."""
        first, last = MINUTE.start_of(before), MINUTE.start_of(now) - MARGIN
        if last < first:
            return
        for symbol in self._symbols_of("bars", "dailyBars"):
            for bar in self._market.bars(symbol, MINUTE, first, last, now):
                self._say_bar("bars", "b", symbol, bar)
        for symbol in self._symbols_of("dailyBars"):
            for bar in self._market.bars(symbol, DAY, DAY.start_of(first), last, now):
                self._say_bar("dailyBars", "d", symbol, bar)

    def say_updated(self, said: Said, now: datetime) -> None:
        """Send the bar of a minute that had ended before a trade of it became known."""
        if MINUTE.end_of(said.row.time) <= now:
            for bar in self._market.bars(said.symbol, MINUTE, MINUTE.start_of(said.row.time), said.row.time, now):
                self._say_bar("updatedBars", "u", said.symbol, bar)

    def _say_bar(self, channel: str, kind: str, symbol: str, bar: BarRow) -> None:
        self._send(channel, {"T": kind, "S": symbol, **market_json.bar(bar)})

    def _symbols_of(self, *channels: str) -> list[str]:
        """Return the symbols that somebody wants to hear of on one of these channels."""
        wants = (each.wants[channel] for each in self._subscribers.values() for channel in channels)
        wanted: set[str] = set().union(*wants)
        return sorted(self._market.symbols() if "*" in wanted else wanted)

    def _send(self, channel: str, message: Message) -> None:
        symbol = message["S"]

        def listeners() -> list[Subscriber]:
            return [each for each in self._subscribers.values() if each.hears(channel, symbol)]

        def send() -> None:
            for subscriber in listeners():
                subscriber.say(message)

        def refuse(code: int) -> None:
            for subscriber in listeners():
                subscriber.refuse(code)

        if listeners():
            self._delivery.deliver(f"DATA {channel} {symbol}", stamp(message["t"]), send, refuse)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves or is sent away."""
        connection = Connection(request)
        socket = await connection.open()
        subscriber = Subscriber(connection)
        subscriber.say({"T": "success", "msg": "connected"})
        expiry = asyncio.get_running_loop().call_later(AUTH_TIMEOUT_S, self._expire, subscriber, connection)
        try:
            async for data in connection.messages():
                if not self._answer(connection, subscriber, understood(data) or {}):
                    await connection.close()
                    break
        finally:
            expiry.cancel()
            self._subscribers.pop(connection, None)
        return socket

    def _answer(self, connection: Connection, subscriber: Subscriber, message: Mapping[str, object]) -> bool:
        """React to what a client says; False sends it away."""
        match message.get("action"):
            case "auth" if subscriber.is_authenticated:
                subscriber.refuse(403)
            case "auth" if not is_key_pair(message.get("key"), message.get("secret")):
                subscriber.refuse(402)
            case "auth" if self._subscribers:
                subscriber.refuse(406)
                return False
            case "auth":
                subscriber.is_authenticated = True
                self._subscribers[connection] = subscriber
                subscriber.say({"T": "success", "msg": "authenticated"})
            case "subscribe" | "unsubscribe" if not subscriber.is_authenticated:
                subscriber.refuse(401)
            case "subscribe" | "unsubscribe":
                subscriber.change(message, self._symbols_max())
            case _:
                subscriber.refuse(400)
        return True

    def _expire(self, subscriber: Subscriber, connection: Connection) -> None:
        if not subscriber.is_authenticated:
            subscriber.refuse(404)
            connection.drop_soon()

    def drop_all(self) -> None:
        """Tear down every connection, as at the end of the process."""
        self._delivery.drop_all()
