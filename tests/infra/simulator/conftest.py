"""A simulated account without a server, on a journal of its own; and a simulator process."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import infra.alpaca  # noqa: F401  # before alpaca-py: it silences a notice of the library below it
from infra.simulator.client import SimulatorControl
from infra.simulator.engine import Engine
from infra.simulator.events import AnyEvent
from infra.simulator.journal import Journal
from infra.simulator.process import SimulatorProcess
from infra.simulator.sessions import Session
from infra.simulator.settings import START_OF_TIME, SimulatorUrls, Terms


def session_of(at: datetime) -> Session:
    """Every day has a session from 14:30 to 21:00 UTC, and extended hours from 9:00 to 1:00 the next day."""
    day = (at - timedelta(hours=1)).date()
    midnight = datetime.combine(day, time(), UTC)
    early, opens, closes, late = (midnight + timedelta(hours=hours) for hours in (9, 14.5, 21, 25))
    return Session(day, early, opens, closes, late)


class Account:
    """An engine, its journal, and every trade update it has published."""

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder = folder
        self.updates: list[str] = []
        self.seen: list[AnyEvent] = []
        self._terms = terms
        self._open()

    def _open(self) -> None:
        self.journal = Journal(self.folder)
        self.engine = Engine(self.journal, self._terms, self.updates.append, session_of, self.seen.append)

    def restart(self) -> None:
        """Let the process end and come back."""
        self.journal.close()
        self._open()

    def quote(self, symbol: str, bid: str, ask: str, sizes: tuple[str, str] | None = None) -> None:
        """Set a quote; `sizes` are of bid and ask, None takes any quantity."""
        bid_size, ask_size = (None, None) if sizes is None else map(Decimal, sizes)
        self.engine.quote(symbol, Decimal(bid), Decimal(ask), None, bid_size, ask_size)

    def post(self, client_order_id: str, side: str, qty: str | None, symbol: str = "AAPL", **more: object) -> str:
        """Submit a market day order unless `more` says otherwise; return the broker's order id."""
        request: dict[str, object] = {
            "client_order_id": client_order_id,
            "symbol": symbol,
            "side": side,
            "qty": qty,
            "type": "limit" if "limit_price" in more else "market",
            "time_in_force": "day",
        }
        return self.engine.submit(request | more).terms.order_id


@pytest.fixture
def open_account(tmp_path: Path) -> Iterator[Callable[..., Account]]:
    """Return a function that opens an account under given terms; without chunks unless asked for."""
    accounts: list[Account] = []

    def opened(**terms: object) -> Account:
        wanted = Terms.model_validate({"partial_rate": "0", "now": START_OF_TIME, **terms})
        accounts.append(Account(tmp_path / str(len(accounts)), wanted))
        return accounts[-1]

    yield opened
    for account in accounts:
        account.journal.close()


@pytest.fixture
def account(open_account: Callable[..., Account]) -> Account:
    """An account with 100,000 dollars and a quote for AAPL."""
    account = open_account()
    account.quote("AAPL", "100", "101")
    return account


@pytest.fixture
def lending(open_account: Callable[..., Account]) -> Account:
    """An account of 100,000 dollars that lends as much again, and a quote for AAPL."""
    account = open_account(multiplier=2)
    account.quote("AAPL", "100", "100")
    return account


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorUrls]:
    """A simulator process for all tests of a file."""
    process = SimulatorProcess(tmp_path_factory.mktemp("simulator"))
    yield process.start()
    process.stop()


@pytest.fixture
def control(urls: SimulatorUrls) -> SimulatorControl:
    """A new account with 100,000 dollars, a quote for AAPL, and no chunks."""
    control = SimulatorControl(urls.url)
    control.reset(partial_rate=0)
    control.set_quote("AAPL", "100", "101")
    return control
