"""No order is sent before the stream is confirmed and a poll has read what it left out."""

import threading
from dataclasses import dataclass, field

import pytest

from agents.broker.sync import Sync


@dataclass
class Seconds:
    """A clock that is set by hand."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Line:
    """The state of a connection, and nobody who waits."""

    seconds: Seconds = field(default_factory=Seconds)

    def __post_init__(self) -> None:
        self.sync = Sync(self.seconds, patience_s=30.0)

    def missing(self) -> str:
        """What is missing for an order that has waited long enough."""
        self.seconds.at += 31
        return self.sync.missing()

    def polls(self) -> None:
        self.sync.polled(self.sync.connection)


@pytest.fixture
def line() -> Line:
    return Line()


def test_from_the_first_poll_after_the_confirmation_until_the_loss(line: Line) -> None:
    assert "was not confirmed yet" in line.missing()
    line.sync.listening()
    assert "the first poll" in line.missing()
    line.polls()
    assert line.missing() == ""
    line.sync.lost("lost: no heartbeat")
    assert line.missing() == "the stream of trade updates is lost: no heartbeat"


def test_a_poll_without_a_confirmed_stream_does_not_count(line: Line) -> None:
    line.polls()
    assert line.missing() != ""
    line.sync.listening()
    line.sync.lost("lost: closed")
    line.polls()
    assert line.missing() != ""


def test_a_poll_that_began_before_the_latest_confirmation_does_not_count(line: Line) -> None:
    line.sync.listening()
    begun = line.sync.connection
    line.sync.lost("lost: closed")
    line.sync.listening()
    line.sync.polled(begun)
    assert line.missing() != ""
    line.polls()
    assert line.missing() == ""


def test_a_confirmation_out_of_the_blue_wants_a_poll_of_its_own(line: Line) -> None:
    line.sync.listening()
    line.polls()
    line.sync.listening()
    assert "the first poll" in line.missing()


@dataclass
class Order:
    """An order that waits in a thread."""

    sync: Sync

    def __post_init__(self) -> None:
        self._told: list[str] = []
        self._thread = threading.Thread(target=lambda: self._told.append(self.sync.missing()))
        self._thread.start()

    def told(self) -> list[str]:
        self._thread.join(10)
        return self._told


def test_an_order_waits_for_the_poll(line: Line) -> None:
    line.sync.listening()
    order = Order(line.sync)
    line.polls()
    assert order.told() == [""]


def test_an_order_that_waits_is_let_go_when_the_account_is_followed_no_more(line: Line) -> None:
    line.sync.listening()
    order = Order(line.sync)
    line.sync.stop()
    assert order.told() == ["this process follows the account no more"]
