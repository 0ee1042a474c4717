"""When the broker does not answer, or something else answers: what the adapter says, and what it does not do."""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from agents.broker.ports import NewOrder
from infra.alpaca import AlpacaBrokerage
from infra.simulator.client import SimulatorControl

MakeOrder = Callable[..., NewOrder]


@pytest.mark.parametrize("kind", ["timeout_after_accept", "reset_after_accept", "half_body"])
def test_an_order_whose_answer_is_lost_exists_and_cannot_be_made_twice(
    hasty: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder, kind: str
) -> None:
    control.add_fault(kind, "POST /v2/orders")

    lost = hasty.submit(order("a"))
    again = hasty.submit(order("a"))
    found = hasty.order_by_client_id("a")

    assert (lost.http_status, lost.body) == (None, "")
    assert lost.error
    assert (again.http_status, json.loads(again.body)["code"]) == (422, 40010001)
    assert (found.http_status, json.loads(found.body)["status"]) == (200, "filled")
    assert [row.posts for row in control.orders()] == [2]


def test_an_order_that_never_arrived_is_made_by_the_second_attempt(
    hasty: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.add_fault("timeout_before", "POST /v2/orders")

    lost = hasty.submit(order("a"))

    assert lost.http_status is None
    assert "ReadTimeout" in (lost.error or "")
    assert hasty.order_by_client_id("a").http_status == 404
    assert hasty.submit(order("a")).http_status == 200
    assert [row.posts for row in control.orders()] == [1]


@pytest.mark.parametrize("answer", [("http_504_after_accept", 504, [1]), ("http_429", 429, []), ("http_500", 500, [])])
def test_a_post_is_sent_once_whatever_the_answer(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder, answer: tuple[str, int, list[int]]
) -> None:
    kind, status, posts = answer
    control.add_fault(kind, "POST /v2/orders")

    reply = brokerage.submit(order("a"))

    assert (reply.http_status, reply.error) == (status, None)
    assert [row.posts for row in control.orders()] == posts


def test_an_error_in_html_comes_back_as_it_is(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.add_fault("http_504_after_accept", "POST /v2/orders")

    assert brokerage.submit(order("a")).body.startswith("<html>")


def test_the_broker_may_not_know_an_order_yet_that_it_refuses_to_make_twice(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    brokerage.submit(order("a"))
    control.add_fault("http_404", "GET /v2/orders:by_client_order_id")

    assert brokerage.submit(order("a")).http_status == 422
    assert brokerage.order_by_client_id("a").http_status == 404
    assert brokerage.order_by_client_id("a").http_status == 200


def test_a_late_answer_within_the_time_is_an_answer(brokerage: AlpacaBrokerage, control: SimulatorControl) -> None:
    control.add_fault("delay", "GET /v2/positions", seconds=0.05)

    assert brokerage.positions().http_status == 200


class Impostor:
    """A server that answers every connection with given bytes, then with one more at a time for 1.5 seconds."""

    def __init__(self, answer: bytes, trickle: bytes = b"") -> None:
        self._answer, self._trickle = answer, trickle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(self._answer)
            for _ in range(30 if self._trickle else 0):
                if self._over.wait(0.05):
                    return
                client.sendall(self._trickle)

    def close(self) -> None:
        self._over.set()
        self._listener.close()


@pytest.fixture
def impostor() -> Iterator[Callable[..., Impostor]]:
    """Return a function that starts a server which is no broker."""
    made: list[Impostor] = []

    def started(answer: bytes, trickle: bytes = b"") -> Impostor:
        made.append(Impostor(answer, trickle))
        return made[-1]

    yield started
    for server in made:
        server.close()


@pytest.mark.parametrize(
    ("answer", "trickle"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n", b" "),
    ],
    ids=["headers", "body"],
)
def test_an_answer_that_comes_byte_by_byte_does_not_outlast_the_total_time(
    connect: Callable[..., AlpacaBrokerage],
    impostor: Callable[..., Impostor],
    order: MakeOrder,
    answer: bytes,
    trickle: bytes,
) -> None:
    slow = connect(trading_url=impostor(answer, trickle).url, connect_timeout=0.2, read_timeout=0.2, total_timeout=0.4)

    reply = slow.submit(order("a"))

    assert (reply.http_status, reply.error) == (None, "no answer within 0.4 s")


def test_a_success_that_is_not_json_is_silence_with_its_text(
    connect: Callable[..., AlpacaBrokerage], impostor: Callable[..., Impostor], order: MakeOrder
) -> None:
    portal = impostor(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Type: text/html\r\n\r\n<html>hi</html>")

    reply = connect(trading_url=portal.url).submit(order("a"))

    assert (reply.http_status, reply.body) == (None, "<html>hi</html>")
    assert reply.error == "HTTP 200 with a body that is not JSON"


def test_a_listing_that_is_no_list_is_silence(
    connect: Callable[..., AlpacaBrokerage], impostor: Callable[..., Impostor]
) -> None:
    odd = impostor(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    reply = connect(trading_url=odd.url).orders("all", None)

    assert (reply.http_status, reply.error) == (None, "HTTP 200 with a body that is not a JSON array")


def test_a_redirect_is_not_followed_with_the_keys(
    connect: Callable[..., AlpacaBrokerage], impostor: Callable[..., Impostor]
) -> None:
    trap = impostor(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")

    assert connect(trading_url=trap.url).account().http_status == 302


def test_a_closed_port_is_silence(connect: Callable[..., AlpacaBrokerage], order: MakeOrder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    reply = connect(trading_url=url).submit(order("a"))

    assert reply.http_status is None
    assert "ConnectionError" in (reply.error or "")


def test_neither_a_proxy_nor_netrc_of_the_environment_comes_between(
    connect: Callable[..., AlpacaBrokerage], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert connect().account().http_status == 200


def test_keys_appear_in_no_repr_log_or_error(
    connect: Callable[..., AlpacaBrokerage], caplog: pytest.LogCaptureFixture, order: MakeOrder
) -> None:
    caplog.set_level(logging.DEBUG)
    # The path stands for any library text that quotes what it was given.
    private = connect(key_id="AKVERYPRIVATE", secret_key="VERYSECRET", trading_url="http://127.0.0.1:9/AKVERYPRIVATE")
    stranger = connect(key_id="AKVERYPRIVATE", secret_key="VERYSECRET")

    silent = private.submit(order("a"))
    refused = stranger.submit(order("a"))

    assert (silent.http_status, refused.http_status) == (None, 401)
    assert "/***/v2/orders" in (silent.error or "")
    said = [silent.error, refused.body, repr(stranger), repr(stranger._settings), repr(vars(stranger._settings))]
    for text in [*map(str, said), caplog.text]:
        assert "AKVERYPRIVATE" not in text
        assert "VERYSECRET" not in text
