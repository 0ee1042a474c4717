"""The executor's memory: how far a run has come, and the one outcome of every plan line."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.account import OrderProgress
from schemas.order import Side
from schemas.plan import LineStatus, Rule
from schemas.portfolio import PortfolioContent
from schemas.quantities import Money, Price, Quantity
from schemas.record import AccountRecord, Instant, Value
from schemas.run import ExecutionRules


class ExecutionStatus(StrEnum):
    """How far a run has come."""

    CLEARING = "CLEARING"
    CLEARED = "CLEARED"
    ACCEPTED = "ACCEPTED"
    REDUCED = "REDUCED"
    FINISHED = "FINISHED"
    SUPERSEDED = "SUPERSEDED"
    ABANDONED = "ABANDONED"


class LinePart(Value):
    """One strategy's part in a line under way."""

    strategy_id: str = Field(description="The strategy.")
    crossed: Quantity = Field(description="Crossed inside the account, signed shares.")
    ordered: Quantity = Field(description="Ordered at the broker, signed shares.")
    position: Quantity = Field(description="What it owned of the symbol before the plan, signed shares.")
    gross_value: Money = Field(
        description="What it owned of all symbols before the plan, longs and shorts added up, dollars.", ge=0
    )


class LineUnderWay(Value):
    """A plan line with work to do: a cross, an order, or both."""

    book: str = Field(description="net, or the strategy whose own book the line is of.")
    symbol: str = Field(description="Ticker, upper case.")
    side: Side | None = Field(description="Side of its order at the broker; null when it has none.")
    order_qty: Quantity = Field(description="Shares to order at the broker, unsigned.")
    reducing_qty: Quantity = Field(description="Part of them that goes first: it reduces the account's position.")
    cross_qty: Quantity = Field(description="Shares to cross inside the account, unsigned.")
    price: Price = Field(description="Midpoint used: the price of the cross.")
    limit_price: Price | None = Field(description="Worst price of its orders, dollars per share; null = at the market.")
    notional: Money = Field(description="What its orders would trade at the far touch, dollars.", ge=0)
    priority: int = Field(description="Lower goes first.")
    status: LineStatus = Field(description="The line's status in the plan.")
    rule: Rule | None = Field(description="The rule that acted on the line; null when none did.")
    threshold: Money | None = Field(description="The rule's threshold; null when it has none.")
    intended_value: Money = Field(description="What the line would have traded, dollars.")
    parts: tuple[LinePart, ...] = Field(description="Who has which part in it, sorted by strategy_id.")


class AcceptedPlan(Value):
    """What the executor remembers of a plan it has accepted, by value."""

    as_of: Instant = Field(description="The run's valuation instant.")
    valid_until: Instant = Field(description="Its orders are not sent after this instant.")
    execution: ExecutionRules = Field(description="How its orders are sent.")
    cash_available: Money = Field(description="What buys may spend before anything is sold, dollars.")
    is_leverage_allowed: bool = Field(description="Whether that is buying power, which new shorts use as buys do.")
    lines: tuple[LineUnderWay, ...] = Field(description="Lines with work to do, sorted by symbol and book.")


class Execution(AccountRecord):
    """A step of a run on its way to the broker."""

    topic: ClassVar[str] = "executions.v1"

    run_id: UUID = Field(description="The run.")
    plan_id: UUID | None = Field(description="Its plan; null before there is one.")
    status: ExecutionStatus = Field(description="How far the run has come.")
    detail: str = Field(description="For a person: counts, or what it waits for; may be empty.")
    portfolio: PortfolioContent | None = Field(description="What the run wants; with CLEARING and CLEARED, else null.")
    plan: AcceptedPlan | None = Field(description="With the first ACCEPTED: the lines with work to do, else null.")
    ended_orders: tuple[OrderProgress, ...] = Field(
        description="With CLEARED: the ended orders of the last plan with work to do, until the next such plan is"
        " accepted; otherwise those this step ended. Sorted."
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
    HELD = "HELD"
    SUPERSEDED = "SUPERSEDED"
    HALTED = "HALTED"


class LineOutcome(AccountRecord):
    """The one terminal outcome of a plan line."""

    topic: ClassVar[str] = "line-outcomes.v1"

    plan_id: UUID = Field(description="The plan.")
    run_id: UUID = Field(description="The run.")
    book: str = Field(description="The line's book: net or a strategy id.")
    symbol: str = Field(description="The line's symbol.")
    outcome: Outcome = Field(description="How it ended.")
    rule: Rule | None = Field(description="The rule that acted on the line; null when none did.")
    threshold: Money | None = Field(description="The rule's threshold; null when it has none.")
    intended_value: Money = Field(description="What the line would have traded, dollars.")
    client_order_ids: tuple[str, ...] = Field(description="Its orders at the broker, in the order they ended.")
    order_qty: Quantity = Field(
        description="Shares ordered at the broker; what is sent again after a cancel counts once."
    )
    cum_qty: Quantity = Field(description="Shares executed at the broker.")
    gross_trade_amt: Money = Field(
        description="Sum of executed quantity times price at the broker, dollars, unsigned (FIX GrossTradeAmt 381)."
    )
    cross_quantity: Quantity = Field(description="Shares crossed inside the account.")
    reason: str = Field(
        description="For a person: the broker's message, the refusal and its values, what superseded or blocked it; may"
        " be empty."
    )
