"""Orders: the intent before the gate, what became of it, what the broker said, and the fills."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.quantities import Money, Price, Quantity
from schemas.record import AccountRecord, Instant, Value


class Side(StrEnum):
    """FIX Side (54)."""

    BUY = "BUY"
    SELL = "SELL"


class OrdType(StrEnum):
    """FIX OrdType (40)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(StrEnum):
    """FIX TimeInForce (59)."""

    DAY = "DAY"


class Venue(StrEnum):
    """Where an intent is executed: at the broker, or crossed between strategies inside the account."""

    BROKER = "BROKER"
    INTERNAL = "INTERNAL"


class IntentAction(StrEnum):
    """What the executor asks the gateway to do."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    CROSS = "CROSS"


NET = "net"
"""The book of all netted strategies together, and the owner of an order that several strategies have a part in."""


class Phase(StrEnum):
    """Crosses go first, then orders that bring the account's position nearer to zero, then all others."""

    CROSSES = "CROSSES"
    REDUCING = "REDUCING"
    INCREASING = "INCREASING"


class OrderContribution(Value):
    """One strategy's part in an order: its share of every fill follows from it."""

    strategy_id: str = Field(description="The strategy.")
    side: Side = Field(description="Its side; differs from the order's only in a cross.")
    quantity: Quantity = Field(description="Shares, unsigned.", gt=0)
    position: Quantity = Field(description="What it owned of the symbol before the plan, signed shares.")
    gross_value: Money = Field(
        description="What it owned of all symbols before the plan, longs and shorts added up, dollars.", ge=0
    )


class OrderTerms(Value):
    """An order, carried by value wherever it is spoken of."""

    intent_id: UUID = Field(description="Derived from plan, book, symbol, leg and step.")
    plan_id: UUID = Field(description="The plan.")
    run_id: UUID = Field(description="The run.")
    book: str = Field(description="The plan line's book: net or a strategy id.")
    symbol: str = Field(description="Ticker, upper case.")
    side: Side = Field(description="BUY or SELL; BUY for a cross.")
    order_qty: Quantity = Field(description="Shares, unsigned.", gt=0)
    line_qty: Quantity = Field(
        description="Shares that all broker orders of the plan line may execute together, unsigned.", ge=0
    )
    ord_type: OrdType = Field(description="MARKET or LIMIT.")
    limit_price: Price | None = Field(description="Worst price of a LIMIT order, dollars per share; else null.")
    is_extended_hours: bool = Field(description="Whether it may be executed outside the regular session.")
    time_in_force: TimeInForce = Field(description="DAY.")
    venue: Venue = Field(description="BROKER or INTERNAL.")
    leg: int = Field(description="0 the cross, 1 the reducing order of the plan line, 2 the increasing one.", ge=0)
    step: int = Field(description="Which try of the leg after a cancel, from 1.", ge=1)
    phase: Phase = Field(description="CROSSES, REDUCING or INCREASING.")
    valid_until: Instant = Field(description="Not sent after this instant.")
    reference_price: Price = Field(description="Midpoint of the recorded quote; the price of a cross.")
    contributions: tuple[OrderContribution, ...] = Field(
        description="Who wants how much, sorted by strategy_id and side."
    )


class OrderIntent(AccountRecord):
    """Before the gate: submit, cancel or cross."""

    topic: ClassVar[str] = "order-intents.v1"

    client_order_id: str = Field(description="Derived from the intent: a retry is the same order.")
    action: IntentAction = Field(description="SUBMIT, CANCEL or CROSS.")
    order: OrderTerms = Field(description="The order.")


class ExecType(StrEnum):
    """What happened (FIX ExecType 150, and our own words before the broker has the order).

    RESTATED: a person said what became of it.
    """

    CHECKING = "CHECKING"
    SUBMITTING = "SUBMITTING"
    CANCELING = "CANCELING"
    QUERYING = "QUERYING"
    ACCEPTED = "ACCEPTED"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"
    RESTATED = "RESTATED"


class OrdStatus(StrEnum):
    """Where the order stands (FIX OrdStatus 39, and UNKNOWN)."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


TERMINAL = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED})


class Refusal(StrEnum):
    """Why the gate let an intent not pass, in the order the checks are made."""

    EXPIRED_INTENT = "EXPIRED_INTENT"
    WRONG_VENUE = "WRONG_VENUE"
    RESERVED_SYMBOL = "RESERVED_SYMBOL"
    NO_PRICE = "NO_PRICE"
    WRONG_BOOK = "WRONG_BOOK"
    BAD_CONTRIBUTIONS = "BAD_CONTRIBUTIONS"
    ORDER_FORM = "ORDER_FORM"
    NO_LIMITS = "NO_LIMITS"
    HALTED = "HALTED"
    SYMBOL_NOT_ALLOWED = "SYMBOL_NOT_ALLOWED"
    SYMBOL_DENIED = "SYMBOL_DENIED"
    ORDER_QTY_MAX = "ORDER_QTY_MAX"
    LINE_EXCEEDED = "LINE_EXCEEDED"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    SELF_CROSS = "SELF_CROSS"
    SYMBOL_UNKNOWN = "SYMBOL_UNKNOWN"
    OPEN_ORDERS_MAX = "OPEN_ORDERS_MAX"
    CANCELED_BEFORE_SENT = "CANCELED_BEFORE_SENT"
    CHECK_FAILED = "CHECK_FAILED"
    SESSION_CLOSED = "SESSION_CLOSED"
    NO_QUOTE = "NO_QUOTE"
    QUOTE_STALE = "QUOTE_STALE"
    PRICE_COLLAR = "PRICE_COLLAR"
    ORDER_NOTIONAL_MAX = "ORDER_NOTIONAL_MAX"
    POSITION_VALUE_MAX = "POSITION_VALUE_MAX"
    GROSS_VALUE_MAX = "GROSS_VALUE_MAX"
    STRATEGY_POSITION_VALUE_MAX = "STRATEGY_POSITION_VALUE_MAX"
    STRATEGY_GROSS_VALUE_MAX = "STRATEGY_GROSS_VALUE_MAX"
    DAILY_LOSS_MAX = "DAILY_LOSS_MAX"
    ORDERS_PER_SECOND_MAX = "ORDERS_PER_SECOND_MAX"
    ORDERS_PER_MINUTE_MAX = "ORDERS_PER_MINUTE_MAX"
    ORDERS_PER_DAY_MAX = "ORDERS_PER_DAY_MAX"


class PreTradeCheck(Value):
    """What the gate saw of the market and the account when it let an order pass."""

    read_at: Instant = Field(description="The broker agent's clock before the reads.")
    bid: Price = Field(description="Best bid, dollars per share.")
    ask: Price = Field(description="Best offer, dollars per share.")
    quoted_at: Instant = Field(description="Time of the quote.")
    position: Quantity = Field(description="The account's position in the symbol at the broker, signed shares.")
    worst_price: Price = Field(
        description="Dollars per share the order is counted at until it has ended: its limit, or the far touch and the"
        " collar on top; of a sale at least the bid, whatever its limit."
    )


class OrderEvent(AccountRecord):
    """What became of an order."""

    topic: ClassVar[str] = "order-events.v1"

    client_order_id: str = Field(description="The order.")
    broker_order_id: str | None = Field(description="The broker's own id; null before it is known.")
    exec_type: ExecType = Field(description="What happened.")
    ord_status: OrdStatus = Field(description="Where the order stands after it.")
    cum_qty: Quantity = Field(description="Executed quantity so far, shares.")
    leaves_qty: Quantity = Field(description="order_qty minus cum_qty, 0 once the order has ended.")
    last_qty: Quantity | None = Field(description="Executed by this event; null unless TRADE.")
    last_px: Price | None = Field(description="Price of this execution; null unless TRADE.")
    gross_trade_amt: Money = Field(
        description="Sum of executed quantity times price so far, dollars, unsigned (FIX GrossTradeAmt 381)."
    )
    attempt: int = Field(description="How often this order was handed to the broker, from 1; 0 = never.", ge=0)
    refusal: Refusal | None = Field(
        description="The check that refused it; null unless REFUSED, or CANCELED before it was sent."
    )
    reason: str = Field(description="Why: the values behind a refusal, the broker's message; else empty.")
    check: PreTradeCheck | None = Field(
        description="What the gate saw; on every SUBMITTING, of a repeated one the first one's; else null."
    )
    transact_time: Instant | None = Field(description="The broker's time of the event; null when it has none.")
    order: OrderTerms = Field(description="The order, by value.")


NOT_SENT = "NOT_SENT"
"""What the error of a report starts with when the broker agent did not send the order at all."""


class ReportKind(StrEnum):
    """How the broker's words reached us."""

    ANSWER = "ANSWER"
    STREAM = "STREAM"
    READ = "READ"
    SILENCE = "SILENCE"


class ReportRequest(StrEnum):
    """What had been asked of the broker."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    ORDER = "ORDER"
    FILLS = "FILLS"
    CHECK = "CHECK"
    ACCOUNT = "ACCOUNT"
    NOTHING = "NOTHING"


class BrokerReport(AccountRecord):
    """What the broker said about an order, raw."""

    topic: ClassVar[str] = "broker-reports.v1"

    report_id: UUID = Field(description="Derived from the outside's own id of what it says.")
    client_order_id: str = Field(description="The order; empty when the broker names none.")
    kind: ReportKind = Field(description="ANSWER, STREAM, READ or SILENCE.")
    request: ReportRequest = Field(description="What had been asked.")
    attempt: int = Field(description="Attempt number of the request; 0 for the stream.", ge=0)
    http_status: int | None = Field(description="HTTP status of an answer; null for the stream and for silence.")
    body: str = Field(description="The broker's words, as received.")
    error: str = Field(description="Why there was no answer; else empty.")
    received_at: Instant = Field(description="The broker agent's clock.")


class Fill(AccountRecord):
    """One execution, crosses included, with the contributions of its order."""

    topic: ClassVar[str] = "fills.v1"

    fill_id: UUID = Field(description="Derived from the broker's order id and the cumulative quantity after it.")
    exec_id: str | None = Field(
        description="The broker's own execution id, recorded beside; null for crosses and reads."
    )
    client_order_id: str = Field(description="The order.")
    broker_order_id: str | None = Field(description="The broker's own order id; null for crosses.")
    last_qty: Quantity = Field(description="Executed shares.", gt=0)
    last_px: Price = Field(description="Price, dollars per share.", gt=0)
    cum_qty: Quantity = Field(description="Executed quantity of the order after this fill.")
    leaves_qty: Quantity = Field(description="What is left of the order after this fill.")
    transact_time: Instant = Field(description="The broker's time of the execution; the run's as_of for a cross.")
    order: OrderTerms = Field(description="The order, by value.")
