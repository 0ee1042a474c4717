"""The account as the broker sees it: a snapshot per run, and what happened outside orders."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.market import Quote
from schemas.portfolio import PortfolioContent
from schemas.quantities import Money, Quantity
from schemas.record import AccountRecord, Instant, Value

TRANSFERS = ("ACATC", "CSD", "CSW", "JNLC")
"""Activities of cash that comes from outside or goes there (Alpaca: account transfer, deposit, withdrawal, journal)."""


class OrderProgress(Value):
    """How much of an order was executed when it ended."""

    client_order_id: str = Field(description="The order.")
    cum_qty: Quantity = Field(description="Executed quantity, shares.")
    gross_trade_amt: Money = Field(
        description="Sum of executed quantity times price, dollars, unsigned (FIX GrossTradeAmt 381)."
    )


class Position(Value):
    """What the broker holds of one symbol."""

    symbol: str = Field(description="Ticker, upper case.")
    quantity: Quantity = Field(description="Signed shares.")


class Activity(Value):
    """Something that happened in the account outside our orders, raw."""

    activity_id: str = Field(description="The broker's own id of the activity.")
    activity_type: str = Field(description="The broker's own word: CSD, FEE, DIV, FILL, ...")
    client_order_id: str | None = Field(
        description="Of an execution that is not of our orders: the order's client order id, empty when the order is"
        " gone at the broker; null for all others."
    )
    body: str = Field(description="The activity as the broker sent it, JSON.")


class InstrumentStatus(StrEnum):
    """Why a symbol cannot be traded now."""

    HALTED = "HALTED"
    NOT_TRADABLE = "NOT_TRADABLE"


class InstrumentState(Value):
    """A symbol that cannot be traded now."""

    symbol: str = Field(description="Ticker, upper case.")
    status: InstrumentStatus = Field(description="HALTED, or NOT_TRADABLE: inactive, delisted or unknown.")
    detail: str = Field(description="What was said of it, for a person.")


class SnapshotStatus(StrEnum):
    """Whether the account could be read."""

    READ = "READ"
    FAILED = "FAILED"


class SnapshotContent(Value):
    """Account, positions and quotes at one instant, with what the run wants, carried by value."""

    taken_at: Instant = Field(description="The broker agent's clock when the reads were complete.")
    cash: Money = Field(description="Cash as the broker states it, dollars.")
    equity: Money = Field(description="Equity as the broker states it, dollars.")
    buying_power: Money = Field(description="Buying power as the broker states it, dollars.")
    initial_margin: Money = Field(description="Initial margin as the broker states it, dollars.")
    maintenance_margin: Money = Field(description="Maintenance margin as the broker states it, dollars.")
    positions: tuple[Position, ...] = Field(description="Open positions, sorted by symbol.")
    quotes: tuple[Quote, ...] = Field(description="Latest quotes of all symbols wanted or held, sorted by symbol.")
    instruments: tuple[InstrumentState, ...] = Field(
        description="Symbols wanted or held that cannot be traded now, sorted by symbol."
    )
    activities: tuple[Activity, ...] = Field(
        description="Recent activities, executions of our own orders aside, sorted by activity_id."
    )
    ended_orders: tuple[OrderProgress, ...] = Field(
        description="Orders ended since the last cleared run: the books must hold their fills."
    )
    portfolio: PortfolioContent = Field(description="What the run wants, by value.")


class AccountSnapshot(AccountRecord):
    """The account, read once for one run, after everything older was cleared."""

    topic: ClassVar[str] = "account-snapshots.v1"

    run_id: UUID = Field(description="The run.")
    status: SnapshotStatus = Field(description="READ or FAILED.")
    detail: str = Field(description="What the broker said when it failed; else empty.")
    content: SnapshotContent = Field(description="What was read; empty lists and zeros when it failed.")


class AccountActivity(AccountRecord):
    """Something that happened in the account outside our orders, raw."""

    topic: ClassVar[str] = "account-activities.v1"

    activity_id: str = Field(description="The broker's own id of the activity.")
    activity_type: str = Field(description="The broker's own word: CSD, FEE, DIV, FILL, ...")
    client_order_id: str | None = Field(
        description="Of an execution that is not of our orders: the order's client order id, empty when the order is"
        " gone at the broker; null for all others."
    )
    body: str = Field(description="The activity as the broker sent it, JSON.")
