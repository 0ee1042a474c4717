"""A plan: one object that explains everything that will be sent and everything that will not."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.ledger import BooksContent
from schemas.quantities import Money, Price, Quantity, Weight
from schemas.record import AccountRecord, Instant, Value


class PlanStatus(StrEnum):
    """Whether the plan may be executed."""

    READY = "READY"
    BLOCKED = "BLOCKED"


class Action(StrEnum):
    """What the account does in one symbol."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class LineStatus(StrEnum):
    """What became of a line while planning."""

    PLANNED = "PLANNED"
    SUPPRESSED = "SUPPRESSED"
    BLOCKED = "BLOCKED"


class Rule(StrEnum):
    """The rule that suppressed, blocked or reduced a line, in the order the rules are applied."""

    BOOKS_DIFFER = "BOOKS_DIFFER"
    EQUITY_NOT_POSITIVE = "EQUITY_NOT_POSITIVE"
    WEIGHT_TOTAL_MAX = "WEIGHT_TOTAL_MAX"
    NO_PRICE = "NO_PRICE"
    QUOTE_STALE = "QUOTE_STALE"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    NO_DIFFERENCE = "NO_DIFFERENCE"
    MIN_TRADE_VALUE = "MIN_TRADE_VALUE"
    CAPITAL = "CAPITAL"


class LineContribution(Value):
    """What one strategy wants of one line, and what of it goes where."""

    strategy_id: str = Field(description="The strategy.")
    weight: Weight = Field(description="Its wanted fraction of the account's equity.")
    current_quantity: Quantity = Field(description="What it owns, signed shares.")
    target_quantity: Quantity = Field(description="What it wants to own, signed shares.")
    wanted: Quantity = Field(description="target minus current, signed shares.")
    crossed: Quantity = Field(description="Part of it crossed inside the account, signed shares.")
    ordered: Quantity = Field(description="Part of it that goes to the broker in this line's order, signed shares.")
    value: Money = Field(description="wanted times price, signed dollars.")


class PlanLine(Value):
    """One symbol of a plan: what is wanted, what will be done, and why not more."""

    symbol: str = Field(description="Ticker, upper case.")
    target_weight: Weight = Field(description="Consolidated fraction of equity.")
    target_value: Money = Field(description="target_weight times equity, dollars.")
    current_quantity: Quantity = Field(description="Shares the account holds.")
    target_quantity: Quantity = Field(description="Shares the strategies want to own together.")
    price: Price | None = Field(description="Midpoint used for valuing; null when there was none.")
    bid: Price | None = Field(description="Bid of the quote used.")
    ask: Price | None = Field(description="Offer of the quote used.")
    quoted_at: Instant | None = Field(description="Time of the quote used.")
    quote_source: str | None = Field(description="Feed of the quote used.")
    delta_quantity: Quantity = Field(description="Sum of what the strategies want, signed shares: the net.")
    action: Action = Field(description="BUY, SELL or HOLD, of the net.")
    quantity: Quantity = Field(description="Shares to order at the broker, unsigned; 0 when nothing is ordered.")
    notional: Money = Field(description="quantity times the price an order would meet (ask or bid), dollars.")
    cross_quantity: Quantity = Field(description="Shares crossed between strategies inside the account, unsigned.")
    priority: int = Field(description="Lowest priority number among the strategies that want it; ties by symbol.")
    status: LineStatus = Field(description="PLANNED, SUPPRESSED or BLOCKED.")
    rule: Rule | None = Field(description="The rule that suppressed, blocked or reduced the line; null when none did.")
    threshold: Money | None = Field(description="The rule's threshold; null when the rule has none.")
    intended_quantity: Quantity = Field(description="Shares the line would have ordered without the rule, unsigned.")
    intended_value: Money = Field(description="intended_quantity times price, dollars.")
    contributions: tuple[LineContribution, ...] = Field(description="Per strategy, sorted by strategy_id.")


class Plan(AccountRecord):
    """What will be sent and what will not, for one run; written once."""

    topic: ClassVar[str] = "plans.v1"

    plan_id: UUID = Field(description="Derived from the run.")
    run_id: UUID = Field(description="The run.")
    as_of: Instant = Field(description="The run's valuation instant.")
    status: PlanStatus = Field(description="READY, or BLOCKED: nothing of it may be sent.")
    rule: Rule | None = Field(description="The rule that blocked the whole plan; null when none did.")
    detail: str = Field(description="The values behind a block, for a person; else empty.")
    equity: Money = Field(description="Equity the weights were applied to, dollars.")
    cash_available: Money = Field(description="Cash minus the reserve, dollars.")
    sells_expected: Money = Field(description="Notional of all planned sells, dollars.")
    buys_planned: Money = Field(description="Notional of all planned buys, dollars.")
    lines: tuple[PlanLine, ...] = Field(description="One line per symbol wanted or held, sorted by symbol.")
    books: BooksContent = Field(description="Snapshot, books and configuration the plan was made of, by value.")
