"""What the broker agent asks of a brokerage. Typing only: an adapter under infra does the talking.

A reply is what the brokerage said, word for word: reading it is a decision, for a decider that can be replayed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

Side = Literal["BUY", "SELL"]
OrdType = Literal["MARKET", "LIMIT"]
TimeInForce = Literal["DAY", "GTC", "OPG", "CLS", "IOC", "FOK"]
OrderStatusFilter = Literal["open", "closed", "all"]

UNAUTHORIZED = 401
"""What a request is answered with whose keys are wrong, or of the other environment: every later one will be, too."""

RATE_LIMITED = 429
"""What a request is answered with that came too soon: it had no effect."""

LISTENING = "listening"
"""What `on_gap` is told when the brokerage has confirmed that it is sending again."""

LOST = "lost"
"""What the text `on_gap` is told at a loss starts with; the reason follows after ': '."""


@dataclass(frozen=True)
class Reply:
    """What came back from one request.

    `http_status` is None when there is no answer to act on: timeout, reset, cut short, a success that cannot be read.
    Whether the request had an effect is then unknown. `body` is the text as received, possibly empty; `error` is the
    reason for the silence, None when the brokerage answered.

    RATE_LIMITED with an `error` was not sent at all, because the brokerage would have refused it: `body` is then that
    of the last request it did refuse, if any.
    """

    http_status: int | None
    body: str
    error: str | None

    @property
    def problem(self) -> str:
        """What was said instead of what was asked for, cut off where it grows long."""
        return self.error or f"HTTP {self.http_status} {self.body[:200]}"


@dataclass(frozen=True)
class NewOrder:
    """An order to place. `client_order_id` is its identity: a retry is sent under the same one, never under another."""

    client_order_id: str
    symbol: str
    side: Side
    order_qty: Decimal
    ord_type: OrdType
    limit_price: Decimal | None
    time_in_force: TimeInForce
    extended_hours: bool = False


class Subscription(Protocol):
    """A running stream of trade updates."""

    def close(self) -> None:
        """Stop the stream and wait until no callback runs any more. Closing twice is harmless."""
        ...


class Brokerage(Protocol):
    """One account at one brokerage.

    Every method blocks for a bounded time and never raises for trouble on the network: silence is a Reply too. Methods
    may be called from any thread, several at once. Nothing is retried here: the caller knows what a second try means.
    """

    def submit(self, order: NewOrder) -> Reply:
        """Place an order; body: the order. One attempt; another one with the same id cannot make a second order."""
        ...

    def cancel(self, broker_order_id: str) -> Reply:
        """Ask to cancel an order; 204 and an empty body mean that the request was taken, not that it is canceled."""
        ...

    def order_by_client_id(self, client_order_id: str) -> Reply:
        """Read one order by our id; body: the order. A 404 does not prove that a lost submission never arrives."""
        ...

    def order_by_broker_id(self, broker_order_id: str) -> Reply:
        """Read one order by the broker's id, whoever placed it; body: the order."""
        ...

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:
        """Read the orders submitted strictly after `after`, oldest first; body: one JSON array of all pages."""
        ...

    def fill_activities(self, after: datetime | None) -> Reply:
        """Read the executions strictly after `after`, oldest first; body: one JSON array of all pages.

        Ask with an overlap and filter by id: an execution may be recorded later than its time says.
        """
        ...

    def activities(self, after: datetime | None) -> Reply:
        """Read the activities of every type (fills, fees, dividends, transfers), otherwise as `fill_activities`."""
        ...

    def transfers(self, after: datetime | None) -> Reply:
        """Read the activities of cash that came from outside or went there, otherwise as `fill_activities`."""
        ...

    def account(self) -> Reply:
        """Read cash, equity, buying power and margins; body: the account."""
        ...

    def positions(self) -> Reply:
        """Read the open positions; body: one JSON array."""
        ...

    def quotes(self, symbols: Sequence[str]) -> Reply:
        """Read the latest bid and ask of each symbol; body: `{"quotes": {symbol: {"bp": .., "ap": .., "t": ..}}}`."""
        ...

    def asset(self, symbol: str) -> Reply:
        """Read what a symbol is and whether it can be traded; body: the asset; 404: there is none."""
        ...

    def clock(self) -> Reply:
        """Read the brokerage's time and the next session; body: `timestamp`, `is_open`, `next_open`, `next_close`."""
        ...

    def suspend_trade(self, suspended: bool) -> Reply:
        """Let the brokerage refuse every new order of the account, or take them again; body: the configuration."""
        ...

    def cancel_all(self) -> Reply:
        """Ask to cancel every open order, whoever placed it; body: one row with `id` and `status` for each."""
        ...

    def listen(self, on_message: Callable[[str], None], on_gap: Callable[[str], None]) -> Subscription:
        """Start the stream of trade updates and return at once; it connects, and reconnects for ever, by itself.

        `on_message` gets each trade update as the JSON text received. `on_gap` gets LISTENING after every (re)connect,
        once the brokerage has confirmed it: only now can a read close the gap. At a loss it gets "lost: reason".
        Both run on the stream's own thread, one call at a time, and must return quickly. An `on_message` that raises
        counts as a loss: the stream reconnects, so the caller is told to read what it missed.
        """
        ...
