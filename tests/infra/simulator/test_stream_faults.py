"""Troubles of the stream of trade updates: what a listener hears, and what the account really did."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from infra.simulator.client import SimulatorControl
from infra.simulator.faults import FaultKind
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls
from tests.infra.simulator.http import ask, new_order

PATIENCE_S = 10


class Listener:
    """A client that listens to trade updates, as JSON or msgpack."""

    def __init__(self, socket: ClientConnection, packed: bool = False) -> None:
        self.socket, self._packed = socket, packed
        self.say({"action": "authenticate", "data": {"key_id": KEY_ID, "secret_key": SECRET_KEY}})
        self.say({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert self.hear()["data"]["status"] == "authorized"
        assert self.hear() == {"stream": "listening", "data": {"streams": ["trade_updates"]}}

    def say(self, message: object) -> None:
        self.socket.send(msgpack.packb(message) if self._packed else json.dumps(message))

    def hear(self) -> Any:
        frame = self.socket.recv(PATIENCE_S)
        assert isinstance(frame, bytes)
        return msgpack.unpackb(frame) if self._packed else json.loads(frame)

    def events(self, count: int) -> list[tuple[str, str]]:
        """Return the next updates: what happened, and to which order."""
        heard = [self.hear()["data"] for _ in range(count)]
        return [(data["event"], data["order"]["client_order_id"]) for data in heard]


@contextmanager
def listening(urls: SimulatorUrls, packed: bool = False) -> Iterator[Listener]:
    headers = {"Content-Type": "application/msgpack"} if packed else {}
    with connect(urls.stream_url, additional_headers=headers, proxy=None, close_timeout=0.2) as socket:
        yield Listener(socket, packed)


def buy(urls: SimulatorUrls, *names: str) -> None:
    for name in names:
        assert ask(urls, "POST", "/v2/orders", new_order(name)).status == 200


def struck(control: SimulatorControl) -> dict[str, int]:
    return {kind.value: count for kind, count in control.struck().items()}


def test_msgpack_is_spoken_to_who_asks_for_it(urls: SimulatorUrls, control: SimulatorControl) -> None:
    with listening(urls, packed=True) as packed, listening(urls) as plain:
        buy(urls, "a")

        assert packed.hear() == plain.hear()
        assert packed.events(1) == plain.events(1) == [("fill", "a")]


def test_a_lost_event_is_heard_by_nobody(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("lose_event", "EVENT fill")
    with listening(urls) as one, listening(urls) as two:
        buy(urls, "a", "b")

        assert one.events(3) == two.events(3) == [("new", "a"), ("new", "b"), ("fill", "b")]
    assert struck(control) == {"lose_event": 1}


def test_an_event_can_come_twice(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("duplicate_event", "EVENT fill")
    with listening(urls) as listener:
        buy(urls, "a")

        assert listener.events(3) == [("new", "a"), ("fill", "a"), ("fill", "a")]


def test_an_event_can_overtake_another(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("reorder_event", "EVENT new", seconds=60)
    with listening(urls) as listener:
        buy(urls, "a", "b")

        assert listener.events(4) == [("fill", "a"), ("new", "a"), ("new", "b"), ("fill", "b")]


def test_an_overtaken_event_comes_even_when_no_other_follows(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("reorder_event", "EVENT fill", seconds=0.05)
    with listening(urls) as listener:
        buy(urls, "a")

        assert listener.events(2) == [("new", "a"), ("fill", "a")]


def test_a_dropped_stream_can_be_opened_again_and_repeats_nothing(
    urls: SimulatorUrls, control: SimulatorControl
) -> None:
    control.add_fault("drop_stream", "EVENT fill")
    with listening(urls) as listener:
        buy(urls, "a")
        assert listener.events(1) == [("new", "a")]
        with pytest.raises(ConnectionClosed):
            listener.hear()

    with listening(urls) as again:
        buy(urls, "b")
        assert again.events(2) == [("new", "b"), ("fill", "b")]


def test_a_silent_stream_stays_open_and_answers_not_even_a_ping(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("silent_stream", "EVENT fill")
    with listening(urls) as listener, listening(urls) as other:
        assert listener.socket.ping().wait(PATIENCE_S)
        buy(urls, "a", "b")

        assert listener.events(1) == other.events(1) == [("new", "a")]
        with pytest.raises(TimeoutError):
            listener.socket.recv(0.2)
        assert not listener.socket.ping().wait(0.2)

        with listening(urls) as again:
            buy(urls, "c")
            assert again.events(2) == [("new", "c"), ("fill", "c")]
        with pytest.raises(TimeoutError):
            listener.socket.recv(0.1)
    assert struck(control) == {"silent_stream": 1}


def test_what_is_not_heard_has_happened_all_the_same(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.storm("1", match="EVENT *", kinds=[FaultKind.LOSE_EVENT])
    buy(urls, "a", "b")

    assert [order.order and order.order["status"] for order in control.orders()] == ["filled", "filled"]
    assert struck(control) == {"lose_event": 4}


@pytest.mark.parametrize("action", ["listen", "sing"])
def test_who_is_not_authorized_hears_nothing(urls: SimulatorUrls, control: SimulatorControl, action: str) -> None:
    with connect(urls.stream_url, proxy=None) as socket:
        socket.send(json.dumps({"action": action, "data": {"streams": ["trade_updates"]}}))
        answer = json.loads(socket.recv(PATIENCE_S))
        assert answer.get("data") in (
            {"status": "unauthorized", "action": "listen"},
            {"error_message": "unknown action sing"},
        )
