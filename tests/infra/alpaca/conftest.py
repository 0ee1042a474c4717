"""A simulator process, and the adapter under test talking to it through alpaca-py."""

import queue
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from agents.broker.ports import NewOrder, OrdType, Side, Subscription, TimeInForce
from infra.alpaca import AlpacaBrokerage, AlpacaSettings
from infra.simulator.client import SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls

PATIENCE = timedelta(seconds=10).total_seconds()


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorUrls]:
    """One simulator for all tests; each test opens a new account in it."""
    process = SimulatorProcess(tmp_path_factory.mktemp("simulator"))
    yield process.start()
    process.stop()


@pytest.fixture
def control(simulator: SimulatorUrls) -> SimulatorControl:
    """A new account with 100,000 dollars, a quote for AAPL, and no chunks."""
    control = SimulatorControl(simulator.url)
    control.reset(partial_rate=0)
    control.set_quote("AAPL", "100", "101")
    return control


@pytest.fixture
def connect(simulator: SimulatorUrls, request: pytest.FixtureRequest) -> Iterator[Callable[..., AlpacaBrokerage]]:
    """Return a function that makes a brokerage, to another simulator or with other settings if given."""
    request.getfixturevalue("control")
    made: list[AlpacaBrokerage] = []

    def connected(urls: SimulatorUrls = simulator, **changes: object) -> AlpacaBrokerage:
        settings = {"key_id": KEY_ID, "secret_key": SECRET_KEY, "backoff_min": 0.02, "backoff_max": 0.1}
        addresses = {"trading_url": urls.url, "data_url": urls.url, "stream_url": urls.stream_url}
        made.append(AlpacaBrokerage(AlpacaSettings.model_validate({**settings, **addresses, **changes})))
        return made[-1]

    yield connected
    for brokerage in made:
        brokerage.close()


@pytest.fixture
def brokerage(connect: Callable[..., AlpacaBrokerage]) -> AlpacaBrokerage:
    """The adapter under test."""
    return connect()


@pytest.fixture
def hasty(connect: Callable[..., AlpacaBrokerage]) -> AlpacaBrokerage:
    """The adapter under test, with half a second of patience."""
    return connect(connect_timeout=0.2, read_timeout=0.3, total_timeout=0.5, listing_timeout=0.5)


@pytest.fixture
def order() -> Callable[..., NewOrder]:
    """Return a function that makes a market order to buy one AAPL unless told otherwise."""

    def made(
        client_order_id: str,
        side: Side = "BUY",
        qty: str = "1",
        symbol: str = "AAPL",
        ord_type: OrdType = "MARKET",
        limit_price: str | None = None,
        time_in_force: TimeInForce = "DAY",
    ) -> NewOrder:
        price = None if limit_price is None else Decimal(limit_price)
        return NewOrder(client_order_id, symbol, side, Decimal(qty), ord_type, price, time_in_force)

    return made


class Listener:
    """What a subscription has said."""

    def __init__(self) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        self.gaps: queue.Queue[str] = queue.Queue()

    def message(self) -> str:
        return self.messages.get(timeout=PATIENCE)

    def gap(self) -> str:
        return self.gaps.get(timeout=PATIENCE)


@pytest.fixture
def listen(brokerage: AlpacaBrokerage) -> Iterator[Callable[..., Listener]]:
    """Return a function that subscribes (to another brokerage if given) and waits until the broker is sending."""
    open_ones: list[Subscription] = []

    def listening(other: AlpacaBrokerage | None = None) -> Listener:
        listener = Listener()
        open_ones.append((other or brokerage).listen(listener.messages.put, listener.gaps.put))
        assert listener.gap() == "listening"
        return listener

    yield listening
    for subscription in open_ones:
        subscription.close()
