"""Trade updates: the text as sent, and no gap that goes unsaid."""

import base64
import contextlib
import hashlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.broker.ports import NewOrder
from infra.alpaca import AlpacaBrokerage
from infra.alpaca.stream import RawTradingStream, StreamLostError
from infra.simulator.client import SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import SimulatorUrls

MakeOrder = Callable[..., NewOrder]
Listen = Callable[..., Any]

#: What RFC 6455 has a server append to the key of a client.
WEBSOCKET_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def update(listener: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(listener.message(), parse_float=Decimal)["data"]
    return data


def test_a_fill_is_told_in_order_and_exactly(listen: Listen, brokerage: AlpacaBrokerage, order: MakeOrder) -> None:
    listener = listen()

    brokerage.submit(order("a", qty="0.123456789"))

    new, fill = update(listener), update(listener)
    assert (new["event"], new["order"]["status"], new["order"]["filled_qty"]) == ("new", "new", "0")
    assert (fill["event"], fill["order"]["status"]) == ("fill", "filled")
    assert (fill["qty"], fill["price"], fill["position_qty"]) == ("0.123456789", "101", "0.123456789")
    assert fill["timestamp"] > new["timestamp"]


def test_a_message_is_passed_on_as_the_text_received(
    listen: Listen, brokerage: AlpacaBrokerage, order: MakeOrder
) -> None:
    listener = listen()

    brokerage.submit(order("a"))

    text = listener.message()
    assert text.startswith('{"stream":"trade_updates","data":{"event":"new",')
    assert text == json.dumps(json.loads(text), separators=(",", ":"))


def test_the_parts_of_a_chunked_fill_add_up(
    listen: Listen, brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.reset(partial_rate=1)
    control.set_quote("AAPL", "100", "101")
    listener = listen()

    brokerage.submit(order("a", qty="10"))

    assert update(listener)["event"] == "new"
    fills = [update(listener)]
    while fills[-1]["event"] == "partial_fill":
        fills.append(update(listener))
    assert len(fills) > 1
    assert sum(Decimal(fill["qty"]) for fill in fills) == 10
    assert [Decimal(fill["order"]["filled_qty"]) for fill in fills] == sorted(
        Decimal(fill["position_qty"]) for fill in fills
    )


def test_an_event_may_come_twice(
    listen: Listen, brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.add_fault("duplicate_event", "EVENT fill")
    listener = listen()

    brokerage.submit(order("a"))

    assert update(listener)["event"] == "new"
    assert update(listener) == update(listener)


def test_a_lost_connection_is_told_and_what_was_missed_can_be_read(
    listen: Listen, brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.add_fault("drop_stream", "EVENT fill")
    listener = listen()

    brokerage.submit(order("a"))

    assert listener.gap().startswith("lost: ")
    assert listener.gap() == "listening"
    assert len(json.loads(brokerage.fill_activities(None).body)) == 1
    brokerage.submit(order("b"))
    while (missed := update(listener))["order"]["client_order_id"] == "a":
        assert missed["event"] == "new"
    assert missed["event"] == "new"


def test_a_receiver_that_fails_is_a_gap_and_not_the_end(
    brokerage: AlpacaBrokerage, listen: Listen, order: MakeOrder
) -> None:
    healthy, failed_on = listen(), threading.Event()
    gaps: list[str] = []
    open_now, back = threading.Event(), threading.Event()

    def fail_once(_: str) -> None:
        if not failed_on.is_set():
            failed_on.set()
            raise RuntimeError("disk full")

    def gap(reason: str) -> None:
        gaps.append(reason)
        open_now.set()
        if gaps.count("listening") == 2:
            back.set()

    subscription = brokerage.listen(fail_once, gap)
    assert open_now.wait(10)
    brokerage.submit(order("a"))

    assert back.wait(10)
    assert gaps == ["listening", "lost: RuntimeError: disk full", "listening"]
    assert update(healthy)["event"] == "new"
    subscription.close()


def test_nothing_is_said_after_close(brokerage: AlpacaBrokerage, listen: Listen, order: MakeOrder) -> None:
    said: list[str] = []
    opened = threading.Event()
    subscription = brokerage.listen(said.append, lambda _: opened.set())
    assert opened.wait(10)
    other = listen()

    subscription.close()
    subscription.close()
    brokerage.submit(order("a"))

    assert update(other)["event"] == "new"
    assert said == []


def test_wrong_keys_are_a_loss_that_says_so_and_keeps_them_secret(
    connect: Callable[..., AlpacaBrokerage], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gaps: list[str] = []
    refused = threading.Event()
    stranger = connect(key_id="AKREALKEY", secret_key="real-secret")

    def gap(reason: str) -> None:
        gaps.append(reason)
        refused.set()

    subscription = stranger.listen(lambda _: None, gap)
    assert refused.wait(10)
    subscription.close()

    assert gaps[0] == "lost: ValueError: failed to authenticate"
    assert "AKREALKEY" not in caplog.text
    assert "real-secret" not in caplog.text


class Proxy:
    """Stands between client and broker and can fall silent without hanging up, as a broken network does."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_silent: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                silent = threading.Event()
                self._is_silent.append(silent)
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink, silent), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not silent.is_set():
                    sink.sendall(data)
            if not silent.is_set():
                sink.shutdown(socket.SHUT_WR)

    def fall_silent(self) -> None:
        """Swallow everything on the connections of now; later ones work."""
        for silent in self._is_silent:
            silent.set()

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()


@pytest.fixture
def proxy(simulator: SimulatorUrls) -> Iterator[Proxy]:
    """A proxy in front of the simulator's port."""
    proxy = Proxy(int(simulator.url.rpartition(":")[2]))
    yield proxy
    proxy.close()


def test_a_connection_that_dies_silently_is_noticed(
    connect: Callable[..., AlpacaBrokerage], listen: Listen, proxy: Proxy, order: MakeOrder
) -> None:
    watchful = connect(stream_url=f"ws://127.0.0.1:{proxy.port}/stream", ping_interval=0.1, ping_timeout=0.2)
    listener = listen(watchful)

    proxy.fall_silent()

    assert listener.gap().startswith("lost: ")
    assert listener.gap() == "listening"
    watchful.submit(order("a"))
    assert update(listener)["event"] == "new"


NOT_UPDATES = [
    ('{"stream":"authorization","data":{"status":"authorized"}}', None),
    ('{"stream":"listening","data":{"streams":["trade_updates"]}}', None),
    ('{"stream":"weather","data":{}}', None),
    ('{"stream":"listening","data":{"streams":[]}}', "stopped sending"),
    ('{"stream":"trade_upd', "not JSON"),
    ("[]", "not a JSON object"),
]


@pytest.mark.parametrize(("frame", "loss"), NOT_UPDATES, ids=[row[0] for row in NOT_UPDATES])
def test_only_trade_updates_are_passed_on_and_what_cannot_be_read_is_a_loss(
    brokerage: AlpacaBrokerage, frame: str, loss: str | None
) -> None:
    passed_on: list[str] = []
    stream = RawTradingStream(brokerage._settings, passed_on.append, lambda _: None)

    if loss is None:
        stream._take(frame)
    else:
        with pytest.raises(StreamLostError, match=loss):
            stream._take(frame)

    assert passed_on == []


def _refuse_to_talk(client: socket.socket) -> None:
    client.recv(65536)


def _upgrade_and_say_no_more(client: socket.socket) -> None:
    request = client.recv(65536).decode()
    key = request.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    accept = base64.b64encode(hashlib.sha1((key + WEBSOCKET_MAGIC).encode()).digest()).decode()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    client.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())


@pytest.mark.parametrize("talk", [_refuse_to_talk, _upgrade_and_say_no_more])
def test_a_broker_that_accepts_and_says_nothing_is_noticed(
    connect: Callable[..., AlpacaBrokerage], talk: Callable[[socket.socket], None]
) -> None:
    gaps: list[str] = []
    told = threading.Event()

    def gap(reason: str) -> None:
        gaps.append(reason)
        told.set()

    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/stream"
        subscription = connect(stream_url=url, handshake_timeout=0.2).listen(lambda _: None, gap)
        client, _ = mute.accept()
        with client:
            talk(client)
            assert told.wait(10)
        subscription.close()

    assert gaps[0].startswith("lost: TimeoutError")


def test_a_restarted_broker_is_found_again_with_the_same_books(
    tmp_path: Path, connect: Callable[..., AlpacaBrokerage], order: MakeOrder, listen: Listen
) -> None:
    process = SimulatorProcess(tmp_path)
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.set_quote("AAPL", "100", "101")
    brokerage = connect(urls)
    listener = listen(brokerage)
    brokerage.submit(order("before", qty="3"))
    before = [brokerage.account(), brokerage.positions(), brokerage.orders("all", None), brokerage.activities(None)]

    process.kill()
    assert listener.gap().startswith("lost: ")
    assert brokerage.account().http_status is None
    assert process.start() == urls
    while listener.gap() != "listening":
        pass

    after = [brokerage.account(), brokerage.positions(), brokerage.orders("all", None), brokerage.activities(None)]
    assert after == before
    assert brokerage.submit(order("before")).http_status == 422
    brokerage.submit(order("after"))
    while update(listener)["order"]["client_order_id"] != "after":
        pass
    process.stop()
