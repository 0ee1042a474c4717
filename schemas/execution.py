"""The executor's memory: how far a run has come, and the one outcome of every plan line."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.account import OrderProgress
from schemas.plan import Rule
from schemas.portfolio import PortfolioContent
from schemas.quantities import Money, Quantity
from schemas.record import AccountRecord


class ExecutionStatus(StrEnum):
    """How far a run has come."""

    CLEARING = "CLEARING"
    CLEARED = "CLEARED"
    ACCEPTED = "ACCEPTED"
    SELLS_DONE = "SELLS_DONE"
    FINISHED = "FINISHED"
    SUPERSEDED = "SUPERSEDED"


class Execution(AccountRecord):
    """A step of a run on its way to the broker."""

    topic: ClassVar[str] = "executions.v1"

    run_id: UUID = Field(description="The run.")
    plan_id: UUID | None = Field(description="Its plan; null before there is one.")
    status: ExecutionStatus = Field(description="How far the run has come.")
    detail: str = Field(description="For a person: counts, or what it waits for; may be empty.")
    portfolio: PortfolioContent | None = Field(description="What the run wants; with CLEARING and CLEARED, else null.")
    ended_orders: tuple[OrderProgress, ...] = Field(
        description="With CLEARED: orders ended since the last CLEARED, sorted."
    )


class Outcome(StrEnum):
    """How a plan line ended; every line ends in exactly one of these."""

    FILLED = "FILLED"
    PARTLY_FILLED = "PARTLY_FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CROSSED = "CROSSED"
    SUPPRESSED = "SUPPRESSED"
    BLOCKED = "BLOCKED"
    SUPERSEDED = "SUPERSEDED"
    HALTED = "HALTED"


class LineOutcome(AccountRecord):
    """The one terminal outcome of a plan line."""

    topic: ClassVar[str] = "line-outcomes.v1"

    plan_id: UUID = Field(description="The plan.")
    run_id: UUID = Field(description="The run.")
    symbol: str = Field(description="The line.")
    outcome: Outcome = Field(description="How it ended.")
    rule: Rule | None = Field(description="The rule that acted on the line; null when none did.")
    threshold: Money | None = Field(description="The rule's threshold; null when it has none.")
    intended_value: Money = Field(description="What the line would have traded, dollars.")
    client_order_id: str | None = Field(description="Its order at the broker; null when there was none.")
    order_qty: Quantity = Field(description="Shares ordered at the broker.")
    cum_qty: Quantity = Field(description="Shares executed at the broker.")
    cross_quantity: Quantity = Field(description="Shares crossed inside the account.")
    reason: str = Field(description="For a person: the broker's message, or what superseded it; may be empty.")
