"""The stream of market data: heard by an unmodified StockDataStream, and frame by frame."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from aiohttp.test_utils import TestClient, TestServer
from alpaca.data.enums import DataFeed
from alpaca.data.live.stock import StockDataStream
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from infra.simulator import data_stream
from infra.simulator.client import SimulatorControl
from infra.simulator.journal import Journal
from infra.simulator.server import Server
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorSettings, SimulatorUrls

PATIENCE_S = 10
OPEN = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
CHANNELS = data_stream.CHANNELS


@pytest.fixture
def control(urls: SimulatorUrls) -> SimulatorControl:
    control = SimulatorControl(urls.url)
    control.reset(now=OPEN)
    return control


class Client:
    """A client of the data stream that speaks JSON or msgpack."""

    def __init__(self, socket: ClientConnection, packed: bool) -> None:
        self.socket, self._packed = socket, packed

    def say(self, **message: object) -> None:
        self.socket.send(msgpack.packb(message) if self._packed else json.dumps(message))

    def hear(self) -> dict[str, Any]:
        frame = self.socket.recv(PATIENCE_S)
        assert isinstance(frame, bytes) is self._packed
        (message,) = msgpack.unpackb(frame) if self._packed else json.loads(frame, parse_float=Decimal)
        assert isinstance(message, dict)
        return message

    def refused(self) -> tuple[int, str]:
        message = self.hear()
        assert message["T"] == "error"
        return message["code"], message["msg"]

    def enter(self) -> None:
        assert self.hear() == {"T": "success", "msg": "connected"}
        self.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
        assert self.hear() == {"T": "success", "msg": "authenticated"}

    def subscribe(self, **channels: list[str]) -> dict[str, Any]:
        self.say(action="subscribe", **channels)
        return self.hear()


@contextmanager
def connected(urls: SimulatorUrls, packed: bool = False, path: str = "iex") -> Iterator[Client]:
    headers = {"Content-Type": "application/msgpack"} if packed else {}
    url = urls.data_stream_url.replace("iex", path)
    with connect(url, additional_headers=headers, proxy=None, close_timeout=0.2) as socket:
        yield Client(socket, packed)


@contextmanager
def entered(urls: SimulatorUrls, packed: bool = False, path: str = "iex") -> Iterator[Client]:
    with connected(urls, packed, path) as client:
        client.enter()
        yield client


class Heard:
    """What an unmodified StockDataStream tells its handlers, running on a thread of its own."""

    def __init__(self, urls: SimulatorUrls, feed: DataFeed, subscribe: Callable[[StockDataStream, Any], None]) -> None:
        self.messages: list[Any] = []
        self._arrived = threading.Condition()
        url = urls.data_stream_url.replace("iex", feed.value)
        self.stream = StockDataStream(KEY_ID, SECRET_KEY, feed=feed, url_override=url)
        subscribe(self.stream, self._handle)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)
        self._thread.start()

    async def _listen(self) -> None:
        self._task = asyncio.create_task(self.stream._run_forever())
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.stream.close()

    async def _handle(self, message: Any) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count, PATIENCE_S), self.messages
            return self.messages

    def wait_until_subscribed(self) -> None:
        while not self.stream._running:
            pass

    def stop(self) -> None:
        """End it at once: it looks only every five seconds whether it should."""
        assert self.stream._loop is not None
        self.stream._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE_S)


@pytest.fixture
def listen(urls: SimulatorUrls, control: SimulatorControl) -> Iterator[Callable[..., Heard]]:
    made: list[Heard] = []

    def listening(subscribe: Callable[[StockDataStream, Any], None], feed: DataFeed = DataFeed.IEX) -> Heard:
        made.append(Heard(urls, feed, subscribe))
        made[-1].wait_until_subscribed()
        return made[-1]

    yield listening
    for heard in made:
        heard.stop()


@pytest.mark.parametrize("feed", [DataFeed.IEX, DataFeed.SIP])
def test_quotes_and_trades_are_heard(listen: Callable[..., Heard], control: SimulatorControl, feed: DataFeed) -> None:
    def subscribe(stream: StockDataStream, handler: Any) -> None:
        stream.subscribe_quotes(handler, "AAPL")
        stream.subscribe_trades(handler, "*")

    heard = listen(subscribe, feed)
    control.set_quote("MSFT", "1", "2")
    control.set_quote("AAPL", "100", "100.5")
    control.trade("MSFT", "400.25", "7", conditions=["F", "I"], exchange="Q")

    quote, trade = heard.wait(2)
    assert (quote.symbol, quote.bid_price, quote.ask_price) == ("AAPL", 100, 100.5)
    assert quote.timestamp == OPEN + timedelta(microseconds=3)
    assert (trade.symbol, trade.price, trade.size, trade.conditions) == ("MSFT", 400.25, 7, ["F", "I"])


def test_a_bar_is_heard_when_its_minute_is_over_and_again_when_it_changes(
    listen: Callable[..., Heard], control: SimulatorControl
) -> None:
    def subscribe(stream: StockDataStream, handler: Any) -> None:
        stream.subscribe_bars(handler, "AAPL")
        stream.subscribe_updated_bars(handler, "AAPL")
        stream.subscribe_daily_bars(handler, "AAPL")

    heard = listen(subscribe)
    control.trade("AAPL", "100", "10")
    control.set_clock(OPEN + timedelta(seconds=59))
    control.trade("AAPL", "101", "10")
    control.set_clock(OPEN + timedelta(minutes=1))
    control.trade("AAPL", "99", "1", time=OPEN + timedelta(seconds=30))
    control.trade("AAPL", "98", "1")
    control.set_clock(OPEN + timedelta(minutes=3))

    seen = [(bar.timestamp - OPEN, bar.open, bar.close, bar.volume) for bar in heard.wait(5)]
    minute, midnight = timedelta(minutes=1), timedelta(hours=-9.5)
    assert seen == [
        (0 * minute, 100, 101, 20),
        (midnight, 100, 101, 20),
        (0 * minute, 100, 101, 21),
        (1 * minute, 98, 98, 1),
        (midnight, 100, 98, 22),
    ]


def test_halts_are_heard(listen: Callable[..., Heard], control: SimulatorControl) -> None:
    heard = listen(lambda stream, handler: stream.subscribe_trading_statuses(handler, "AAPL"))
    control.halt("AAPL", "T1")
    control.resume("AAPL")

    halted, resumed = heard.wait(2)
    assert (halted.status_code, halted.status_message, halted.reason_code) == ("H", "Trading Halt", "T1")
    assert (resumed.status_code, resumed.status_message) == ("T", "Trading Resumption")


def test_a_subscription_in_many_fragments_is_understood(
    listen: Callable[..., Heard], control: SimulatorControl
) -> None:
    symbols = [f"S{n:05d}" for n in range(9000)]
    heard = listen(lambda stream, handler: stream.subscribe_quotes(handler, *symbols))

    control.set_quote(symbols[-1], "1", "2")

    assert heard.wait(1)[0].symbol == symbols[-1]


def test_the_client_comes_back_after_a_drop(listen: Callable[..., Heard], control: SimulatorControl) -> None:
    heard = listen(lambda stream, handler: stream.subscribe_quotes(handler, "AAPL"))
    control.add_fault("drop_stream", "DATA quotes *")
    control.set_quote("AAPL", "1", "2")

    while not heard.messages:
        control.set_quote("AAPL", "3", "4")

    assert heard.messages[0].bid_price == 3


def test_both_formats_say_the_same(urls: SimulatorUrls, control: SimulatorControl) -> None:
    frames = []
    for packed in (False, True):
        control.reset(now=OPEN)
        with entered(urls, packed) as client:
            client.subscribe(quotes=["AAPL"])
            control.set_quote("AAPL", "100.01", "100.05")
            frames.append(client.hear())

    plain, packed_one = frames
    assert plain["t"] == "2026-01-02T14:30:00.000002Z"
    assert packed_one["t"] == msgpack.Timestamp.from_datetime(OPEN + timedelta(microseconds=2))
    assert (plain["bp"], packed_one["bp"]) == (Decimal("100.01"), 100.01)
    assert {**plain, "t": 0, "bp": 0, "ap": 0} == {**packed_one, "t": 0, "bp": 0, "ap": 0}


def test_a_subscription_is_answered_with_all_of_it(urls: SimulatorUrls, control: SimulatorControl) -> None:
    with entered(urls) as client:
        assert set(client.subscribe(trades=["B"])) == {"T", *CHANNELS}
        found = client.subscribe(trades=["A"], lulds=["*"], statuses=["C"])
        assert {name: symbols for name, symbols in found.items() if symbols and name != "T"} == {
            "trades": ["A", "B"],
            "corrections": ["A", "B"],
            "cancelErrors": ["A", "B"],
            "lulds": ["*"],
            "statuses": ["C"],
        }
        client.say(action="unsubscribe", trades=["B"], statuses=["C"])
        assert (client.hear()["trades"], found["statuses"]) == (["A"], ["C"])


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_wrong_is_said_with_its_code(urls: SimulatorUrls, control: SimulatorControl, packed: bool) -> None:
    control.reset(now=OPEN, stream_symbols_max=2)
    with connected(urls, packed) as client:
        client.hear()
        client.say(action="subscribe", quotes=["A"])
        assert client.refused() == (401, "not authenticated")
        client.say(action="auth", key=KEY_ID, secret="wrong")
        assert client.refused() == (402, "auth failed")
        client.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
        client.hear()
        client.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
        assert client.refused() == (403, "already authenticated")
        client.say(action="sing")
        assert client.refused() == (400, "invalid syntax")
        client.socket.send("{")
        assert client.refused() == (400, "invalid syntax")
        client.say(action="subscribe", quotes=["A", "B"], trades=["A"])
        assert client.refused() == (405, "symbol limit exceeded")
        assert client.subscribe(quotes=["A"], trades=["A"], bars=["B", "C"])["quotes"] == ["A"]


def gets_in(urls: SimulatorUrls) -> bool:
    with connected(urls) as client:
        client.hear()
        client.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
        return bool(client.hear()["T"] == "success")


def test_an_account_has_one_connection(urls: SimulatorUrls, control: SimulatorControl) -> None:
    with entered(urls), connected(urls, path="sip") as second:
        second.hear()
        second.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
        assert second.refused() == (406, "connection limit exceeded")
        with pytest.raises(ConnectionClosed):
            second.socket.recv(PATIENCE_S)
    while not gets_in(urls):  # until the first one is seen to have left
        pass


@pytest.mark.parametrize("code", [405, 407, 408, 409, 500])
def test_any_error_comes_on_demand(urls: SimulatorUrls, control: SimulatorControl, code: int) -> None:
    control.add_fault("stream_error", "DATA quotes AAPL", code=code)
    with entered(urls) as client:
        client.subscribe(quotes=["AAPL", "MSFT"])
        control.set_quote("AAPL", "1", "2")
        control.set_quote("MSFT", "1", "2")

        assert client.refused() == (code, data_stream.ERRORS[code])
        assert client.hear()["S"] == "MSFT"


@pytest.mark.parametrize(
    ("kind", "prices"),
    [("lose_event", [2, 3]), ("duplicate_event", [1, 1, 2, 3]), ("reorder_event", [2, 1, 3])],
)
def test_messages_get_lost_come_twice_or_overtake_each_other(
    urls: SimulatorUrls, control: SimulatorControl, kind: str, prices: list[int]
) -> None:
    control.add_fault(kind, "DATA trades AAPL", seconds=60)
    with entered(urls) as client:
        client.subscribe(trades=["AAPL"])
        for price in (1, 2, 3):
            control.trade("AAPL", str(price), "1")

        assert [client.hear()["p"] for _ in prices] == prices


def test_a_silent_connection_keeps_its_place(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("silent_stream", "DATA quotes AAPL")
    with entered(urls) as client:
        client.subscribe(quotes=["AAPL"])
        control.set_quote("AAPL", "1", "2")
        control.set_quote("AAPL", "3", "4")
        with pytest.raises(TimeoutError):
            client.socket.recv(0.2)
        assert not client.socket.ping().wait(0.2)

        with connected(urls) as second:
            second.hear()
            second.say(action="auth", key=KEY_ID, secret=SECRET_KEY)
            assert second.refused()[0] == 406


def test_who_does_not_say_its_keys_is_sent_away(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_stream, "AUTH_TIMEOUT_S", 0.05)

    async def story() -> list[Any]:
        journal = Journal(tmp_path)
        server = Server(SimulatorSettings(state=tmp_path), journal)
        async with TestClient(TestServer(server.app)) as client, client.ws_connect("/v2/iex") as socket:
            heard = [json.loads((await socket.receive()).data) for _ in range(2)]
            await socket.receive()
            assert socket.closed
        journal.close()
        return heard

    assert asyncio.run(story())[1] == [{"T": "error", "code": 404, "msg": "auth timeout"}]
