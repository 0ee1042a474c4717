"""Reading what the gate looks at right before an order is sent: quote, account, transfers, positions, market's hours.

What was read is shared between orders that come right after one another. Nothing of it is understood here, beyond that
it can be read at all: every part is passed on in the broker's words.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from agents.broker.ports import UNAUTHORIZED, Brokerage, Reply
from agents.broker.raw import members_of, rows_of
from agents.broker.tries import REFUSED_QUOTES, UnreadError, tried

CHECK_SHARED_S = 1.0
"""How long what was read is shared, counted from before it was read."""

FINAL = frozenset({UNAUTHORIZED, *REFUSED_QUOTES})
"""What another try does not change."""

TRANSFERS_FOR = timedelta(days=7)
"""How far back transfers of cash are read: beyond the last close, whatever weekend and holidays are in between."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Parts:
    """What was read at one time; `read_s` is of a clock that only goes forward."""

    read_at: datetime
    read_s: float
    asked: frozenset[str]
    quotes: Mapping[str, str]
    account: str
    transfers: str
    positions: str
    clock: str

    def body(self, symbol: str) -> str:
        """Return the check of one symbol, a JSON object; a symbol without a quote has null."""
        return (
            f'{{"read_at":"{self.read_at.isoformat()}","quote":{self.quotes.get(symbol, "null")},'
            f'"account":{self.account},"transfers":{self.transfers},"positions":{self.positions},"clock":{self.clock}}}'
        )


class CheckReader:
    """Reads for the orders of one account; every part is tried three times, with a `pause` between two tries."""

    def __init__(
        self,
        brokerage: Brokerage,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
        pause: Callable[[], None],
    ) -> None:
        self._brokerage = brokerage
        self._now = now
        self._seconds = seconds
        self._pause = pause
        self._shared: Parts | None = None

    def check(self, symbol: str, beside: Collection[str]) -> Reply:
        """Return all parts for an order in `symbol`, or how the first part failed that could not be read.

        Quotes of `beside` are asked for in the same request, for the orders that follow.
        """
        shared = self._shared
        if shared is None or symbol not in shared.asked or self._is_old(shared):
            try:
                shared = self._shared = self._read(symbol, beside)
            except UnreadError as error:
                return Reply(error.http_status, "", str(error))
        return Reply(200, shared.body(symbol), None)

    def _is_old(self, shared: Parts) -> bool:
        """Say whether too much time has passed, by either clock: a simulator's may jump, or stand still."""
        by_now = (self._now() - shared.read_at).total_seconds()
        return self._seconds() - shared.read_s > CHECK_SHARED_S or not 0 <= by_now <= CHECK_SHARED_S

    def _read(self, symbol: str, beside: Collection[str]) -> Parts:
        """Read the broker's clock first: whatever it says happened later may be missing in the parts after it."""
        read_at, read_s = self._now(), self._seconds()
        clock = self._tried("clock", self._brokerage.clock, _object)
        asked, quotes = self._quotes(symbol, beside)
        account = self._tried("account", self._brokerage.account, _object)
        transfers = self._tried("transfers", partial(self._brokerage.transfers, read_at - TRANSFERS_FOR), _array)
        positions = self._tried("positions", self._brokerage.positions, _array)
        return Parts(read_at, read_s, asked, quotes, account, transfers, positions, clock)

    def _quotes(self, symbol: str, beside: Collection[str]) -> tuple[frozenset[str], Mapping[str, str]]:
        """Return who was asked about, and the quotes; where one spoils the request, only the order's own is asked."""
        for symbols in (frozenset({*beside, symbol}), frozenset({symbol})):
            try:
                return symbols, self._tried("quotes", partial(self._brokerage.quotes, sorted(symbols)), _quotes)
            except UnreadError as error:
                if error.http_status not in REFUSED_QUOTES:
                    raise
        return frozenset({symbol}), {}

    def _tried(self, name: str, ask: Callable[[], Reply], reading: Callable[[str], Found]) -> Found:
        return tried(name, ask, reading, self._pause, FINAL)


def _object(body: str) -> str:
    members_of(body)
    return body.strip()


def _array(body: str) -> str:
    rows_of(body)
    return body.strip()


def _quotes(body: str) -> dict[str, str]:
    quotes = members_of(body).get("quotes")
    if quotes is None:
        raise ValueError(f"expected an object with quotes, was {body[:50]!r}")
    return members_of(quotes)
