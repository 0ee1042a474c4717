"""A plan: one object that explains everything that will be sent and everything that will not."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.ledger import BooksContent
from schemas.order import Phase
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
    HELD = "HELD"


class Rule(StrEnum):
    """The rule that held, suppressed, blocked or reduced a line, in the order the rules are applied."""

    ACCOUNT_UNREADABLE = "ACCOUNT_UNREADABLE"
    BOOKS_DIFFER = "BOOKS_DIFFER"
    EQUITY_NOT_POSITIVE = "EQUITY_NOT_POSITIVE"
    CONFLICT_FLAGGED = "CONFLICT_FLAGGED"
    KEPT = "KEPT"
    NOT_TRADABLE = "NOT_TRADABLE"
    HALTED = "HALTED"
    NO_PRICE = "NO_PRICE"
    QUOTE_STALE = "QUOTE_STALE"
    QUOTE_LOCKED = "QUOTE_LOCKED"
    QUOTE_CROSSED = "QUOTE_CROSSED"
    CAPITAL_NOT_POSITIVE = "CAPITAL_NOT_POSITIVE"
    NO_DIFFERENCE = "NO_DIFFERENCE"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    FRACTIONAL_SHORT = "FRACTIONAL_SHORT"
    MIN_TRADE_VALUE = "MIN_TRADE_VALUE"
    POSITION_WEIGHT_MAX = "POSITION_WEIGHT_MAX"
    WEIGHT_TOTAL_MAX = "WEIGHT_TOTAL_MAX"
    MARGIN_UTILISATION = "MARGIN_UTILISATION"
    MAINTENANCE_BUFFER = "MAINTENANCE_BUFFER"
    TRADE_VALUE_MAX = "TRADE_VALUE_MAX"
    CAPITAL = "CAPITAL"
    ORDER_FORM = "ORDER_FORM"
    REDUCING_FAILED = "REDUCING_FAILED"
    CASH_NOT_FREED = "CASH_NOT_FREED"
    PLAN_INVALID = "PLAN_INVALID"


class LineContribution(Value):
    """What one strategy wants of one line, and what of it goes where."""

    strategy_id: str = Field(description="The strategy.")
    weight: Weight = Field(description="Its wanted fraction of the account's equity, or of its own book's capital.")
    current_quantity: Quantity = Field(description="What it owns, signed shares.")
    target_quantity: Quantity = Field(description="What it wants to own, signed shares.")
    wanted: Quantity = Field(description="target minus current, signed shares.")
    allowed: Quantity = Field(description="Part of it that its own limits allow, signed shares.")
    crossed: Quantity = Field(description="Part of it crossed inside the account, signed shares.")
    ordered: Quantity = Field(description="Part of it that goes to the broker in this line's order, signed shares.")
    value: Money = Field(description="wanted times price, signed dollars.")
    rule: Rule | None = Field(description="The limit of its own that allows no more; null when none binds.")
    threshold: Money | None = Field(description="That limit, dollars; null when none binds.")


class PlanLine(Value):
    """One symbol of one book of a plan: what is wanted, what will be done, and why not more."""

    book: str = Field(description="net for all netted strategies together, else the strategy whose own book it is.")
    symbol: str = Field(description="Ticker, upper case.")
    target_weight: Weight = Field(description="Wanted fraction of equity, or of the book's own capital.")
    target_value: Money = Field(description="target_weight times equity or capital, dollars.")
    current_quantity: Quantity = Field(description="Shares the book holds, all its owners together.")
    target_quantity: Quantity = Field(description="Shares its owners want to hold together.")
    account_quantity: Quantity = Field(description="Shares the account holds, all books together.")
    price: Price | None = Field(description="Midpoint used for valuing; null when there was none.")
    bid: Price | None = Field(description="Bid of the quote used.")
    ask: Price | None = Field(description="Offer of the quote used.")
    quoted_at: Instant | None = Field(description="Time of the quote used.")
    quote_source: str | None = Field(description="Feed of the quote used.")
    delta_quantity: Quantity = Field(description="Sum of what the strategies want, signed shares: the net.")
    action: Action = Field(description="BUY, SELL or HOLD, of the net.")
    quantity: Quantity = Field(description="Shares to order at the broker, unsigned; 0 when nothing is ordered.")
    reducing_quantity: Quantity = Field(
        description="Part of it that brings the account's position nearer to zero, unsigned; it is ordered first."
    )
    phase: Phase | None = Field(description="When its first order is sent; null when nothing is ordered.")
    notional: Money = Field(description="quantity times the price an order would meet (ask or bid), dollars.")
    cross_quantity: Quantity = Field(description="Shares crossed between strategies inside the account, unsigned.")
    cross_deferred_quantity: Quantity = Field(
        description="Shares of opposite wishes that were not crossed and do not trade, unsigned."
    )
    cross_rule: Rule | None = Field(description="Why they were not crossed; null when nothing was deferred.")
    priority: int = Field(description="Lowest priority number among the strategies that want it; ties by symbol.")
    status: LineStatus = Field(description="PLANNED, SUPPRESSED, BLOCKED or HELD.")
    rule: Rule | None = Field(description="The rule that held, stopped or reduced the line; null when none did.")
    threshold: Money | None = Field(
        description="The rule's threshold, of CAPITAL what was left of it; null when the rule has none."
    )
    intended_quantity: Quantity = Field(description="Shares the line would have ordered without the rule, unsigned.")
    intended_value: Money = Field(description="intended_quantity times price, dollars.")
    contributions: tuple[LineContribution, ...] = Field(description="Per strategy, sorted by strategy_id.")


class ConstraintEffect(StrEnum):
    """What a limit did to the plan."""

    WITHIN = "WITHIN"
    SCALED = "SCALED"
    BLOCKED = "BLOCKED"


class ConstraintResult(Value):
    """One limit of the plan: what it is, what was wanted of it, what the plan uses, and what it did."""

    rule: Rule = Field(description="The rule.")
    scope: str = Field(description="net for the account, else the strategy whose own limit it is.")
    symbol: str | None = Field(description="The symbol it looks at; null when it looks at all.")
    limit: Money = Field(description="The limit, dollars.")
    wanted: Money = Field(description="What would be used of it without the rule, dollars.")
    used: Money = Field(description="What is used of it, dollars.")
    effect: ConstraintEffect = Field(description="WITHIN, SCALED or BLOCKED.")


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
    cash_available: Money = Field(
        description="Cash less what buys the shorts back, or buying power with leverage; minus the reserve, dollars."
    )
    sells_expected: Money = Field(description="Notional of all planned sells, dollars.")
    buys_planned: Money = Field(description="Notional of all planned buys, dollars.")
    trade_value: Money = Field(description="Notional of all planned orders, dollars.")
    line_count: int = Field(description="How many lines there are.", ge=0)
    constraints: tuple[ConstraintResult, ...] = Field(
        description="Every limit that binds, and the account's own always; sorted by rule, scope and symbol."
    )
    lines: tuple[PlanLine, ...] = Field(
        description="One line per book and symbol wanted or held, sorted by symbol and book."
    )
    books: BooksContent = Field(description="Snapshot, books and configuration the plan was made of, by value.")
