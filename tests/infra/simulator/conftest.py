"""A simulated account without a server, on a journal of its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.simulator.engine import Engine
from infra.simulator.journal import Journal
from infra.simulator.settings import START_OF_TIME, Terms

CLOSE = datetime(2026, 1, 2, 21, 0, tzinfo=UTC)


def session_close(at: datetime) -> datetime:
    """Every day has a session that closes at 21:00 UTC."""
    close = at.replace(hour=21, minute=0, second=0, microsecond=0)
    return close if at < close else close + timedelta(days=1)


class Account:
    """An engine, its journal, and every trade update it has published."""

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder = folder
        self.updates: list[str] = []
        self._terms = terms
        self._open()

    def _open(self) -> None:
        self.journal = Journal(self.folder)
        self.engine = Engine(self.journal, self._terms, self.updates.append, session_close)

    def restart(self) -> None:
        """Let the process end and come back."""
        self.journal.close()
        self._open()

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        self.engine.quote(symbol, Decimal(bid), Decimal(ask), None)

    def post(self, client_order_id: str, side: str, qty: str, symbol: str = "AAPL", **more: str) -> str:
        """Submit a market day order unless `more` says otherwise; return the broker's order id."""
        request = {
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
