"""A run: somebody asked for a rebalance, the whole configuration inline, and time passing while it is under way."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.quantities import Money, Quantity, Weight
from schemas.record import AccountRecord, Instant, Value


class Mode(StrEnum):
    """How the books of a strategy are kept (design: two ways to hold the books)."""

    NETTED = "NETTED"
    BOOK = "BOOK"


class SyncRule(StrEnum):
    """Whose signals a run waits for; a deadline ends the waiting under every rule."""

    ALL = "ALL"
    QUORUM = "QUORUM"
    DEADLINE = "DEADLINE"


class ConflictRule(StrEnum):
    """What counts when netted strategies disagree on a symbol: one wants it long, another one short."""

    SUM = "SUM"
    PRIORITY = "PRIORITY"
    LAST = "LAST"
    FLAG = "FLAG"


class OverlapPolicy(StrEnum):
    """Whether strategies of one run may name the same symbol."""

    FORBID = "FORBID"
    WARN = "WARN"
    ALLOW = "ALLOW"


class CashPolicy(StrEnum):
    """What one strategy may spend: a share of the cash, all of the pool, or its own unspent capital."""

    PROPORTIONAL = "PROPORTIONAL"
    POOL = "POOL"
    RESERVE = "RESERVE"


class DriftRule(StrEnum):
    """When a strategy's own book is brought back to its allocation, by a transfer from or to the system."""

    LET_RUN = "LET_RUN"
    PERIODIC = "PERIODIC"
    THRESHOLD = "THRESHOLD"


class BindingRule(StrEnum):
    """What a limit that binds does to a line: less of it, or none."""

    SCALE = "SCALE"
    BLOCK = "BLOCK"


class Parameter(Value):
    """One named setting of a strategy; lists of them are sorted by name."""

    name: str = Field(description="Name of the setting, as the strategy spells it.")
    value: str = Field(description="Its value as text; the strategy parses it and refuses what it cannot read.")


class StrategyTerms(Value):
    """What one strategy brings into a run."""

    strategy_id: str = Field(description="Owner of the lots this strategy will hold.", min_length=1)
    kind: str = Field(description="Name of the strategy's code, such as momentum, rsi or fixed-weights.")
    mode: Mode = Field(description="NETTED or BOOK.")
    allocation: Weight = Field(description="Fraction of the account's equity this strategy steers.", ge=0, le=1)
    priority: int = Field(description="Lower goes first when capital is short.")
    weight_total_max: Weight | None = Field(
        description="Greatest sum of its target weights, of its own capital; null = weight_total_max of the run.", ge=0
    )
    position_weight_max: Weight | None = Field(
        description="Greatest weight of one symbol, of its own capital; null = no limit of its own.", ge=0
    )
    trade_value_max: Money | None = Field(
        description="Dollars it may trade in a day, both sides; null = no limit of its own.", ge=0
    )
    symbols: tuple[str, ...] = Field(description="The symbols it may want, sorted.")
    parameters: tuple[Parameter, ...] = Field(description="Its settings, sorted by name.")


class Limits(Value):
    """The thresholds a plan is held to; each is named by its rule id in the plan line it acts on."""

    trade_value_min: Money = Field(
        description="MIN_TRADE_VALUE: lines worth less than this are suppressed, dollars.", ge=0
    )
    trade_value_max: Money | None = Field(
        description="TRADE_VALUE_MAX: dollars the account may trade in a day, both sides; null = no limit.", ge=0
    )
    quantity_step: Quantity = Field(description="Smallest tradable quantity; 1 = whole shares.", gt=0)
    weight_total_max: Weight = Field(description="WEIGHT_TOTAL_MAX: greatest sum of target weights.", ge=0)
    position_weight_max: Weight | None = Field(
        description="POSITION_WEIGHT_MAX: greatest fraction of equity in one symbol; null = no limit.", ge=0
    )
    cash_reserve: Weight = Field(description="Fraction of equity that buys may not touch.", ge=0, lt=1)
    is_leverage_allowed: bool = Field(description="True: buys are held to the broker's buying power instead of cash.")
    initial_margin_rate: Weight = Field(description="Initial margin of a position, fraction of its value.", ge=0)
    maintenance_margin_rate: Weight = Field(
        description="Maintenance margin of a position, fraction of its value.", ge=0
    )
    margin_utilisation_max: Weight | None = Field(
        description="MARGIN_UTILISATION: greatest fraction of equity bound as initial margin; null = no limit.", ge=0
    )
    maintenance_buffer: Weight | None = Field(
        description="MAINTENANCE_BUFFER: least fraction of equity above maintenance margin; null = no limit.",
        ge=0,
        le=1,
    )
    is_short_allowed: bool = Field(description="Whether the account may be short of a symbol, in whole shares.")
    quote_age_max_s: int = Field(description="QUOTE_STALE: oldest quote a line may be planned on, seconds.", gt=0)
    binding: BindingRule = Field(description="What a limit that binds does: SCALE or BLOCK.")


class RunRules(Value):
    """How the strategies of a run are brought together."""

    sync_rule: SyncRule = Field(description="Whose signals the run waits for.")
    quorum: int | None = Field(description="With QUORUM: how many READY signals are enough; otherwise null.", ge=1)
    conflict_rule: ConflictRule = Field(description="What counts when netted strategies disagree on a symbol.")
    overlap_policy: OverlapPolicy = Field(description="Whether strategies may name the same symbol.")
    cash_policy: CashPolicy = Field(description="What one strategy may spend.")
    drift_rule: DriftRule = Field(description="When a book is brought back to its allocation.")
    drift_threshold: Weight = Field(
        description="With THRESHOLD: greatest drift of a book's value, as a fraction of its allocation.", ge=0
    )
    is_full_allocation_required: bool = Field(description="Whether allocations must sum to 1, give or take 0.01.")


class OrderStyle(StrEnum):
    """How orders are priced."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    MARKETABLE_LIMIT = "MARKETABLE_LIMIT"


class ExecutionRules(Value):
    """How the orders of a plan are sent."""

    order_style: OrderStyle = Field(
        description="MARKET; LIMIT at the midpoint; MARKETABLE_LIMIT beyond the far touch by limit_offset."
    )
    limit_offset: Weight = Field(
        description="Fraction of the price: LIMIT is placed so much worse for the account than the midpoint,"
        " MARKETABLE_LIMIT so much worse than the far touch; 0 with MARKET.",
        ge=0,
        lt=1,
    )
    is_extended_hours: bool = Field(
        description="Whether orders may be executed outside the regular session: with a limit and in whole shares only."
    )
    steps_max: int = Field(
        description="How many orders one leg of a line may have: what a cancel from outside left is sent again.", ge=1
    )
    failed_reducing_max: Weight | None = Field(
        description="REDUCING_FAILED: greatest fraction of the value of reducing orders that may fail before increasing"
        " ones are blocked; null = no limit.",
        ge=0,
        le=1,
    )


class PartitionPosition(Value):
    """A position in a topic that is read as a view: everything before it was seen, nothing from it on."""

    partition: int = Field(description="Partition number.", ge=0)
    next_offset: int = Field(description="First offset that was not seen.", ge=0)


class RunRequest(AccountRecord):
    """Somebody, or the clock, asks for a rebalance; recorded raw, judged by the scheduler."""

    topic: ClassVar[str] = "run-requests.v1"

    run_id: UUID = Field(description="Derived from account, as_of and request_id; also the correlation id.")
    request_id: str = Field(description="The asker's own name for this request; asking twice is asking once.")
    requested_by: str = Field(description="Who asks: an operator, a schedule, the demo.")
    as_of: Instant = Field(description="The valuation instant: prices and bars up to here.")
    strategies: tuple[StrategyTerms, ...] = Field(description="The strategies of the run, sorted by strategy_id.")
    limits: Limits = Field(description="Thresholds of the run.")
    rules: RunRules = Field(description="How the strategies are brought together.")
    execution: ExecutionRules = Field(description="How the orders are sent.")
    valid_until: Instant = Field(description="Orders of this run are not sent after this instant.")
    deadline_at: Instant | None = Field(description="Latest time to wait for signals; null = without end.")
    bars_until: tuple[PartitionPosition, ...] = Field(description="How much of bars.v1 the strategies read.")


class RunStatus(StrEnum):
    """What the scheduler made of a request."""

    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"


class RunRefusal(StrEnum):
    """Why a request became no run, in the order the checks are made."""

    RUN_ID_MISMATCH = "RUN_ID_MISMATCH"
    DIFFERENT_REQUEST = "DIFFERENT_REQUEST"
    DUPLICATE_STRATEGY = "DUPLICATE_STRATEGY"
    RESERVED_NAME = "RESERVED_NAME"
    NAME_TOO_LONG = "NAME_TOO_LONG"
    ALLOCATION_EXCEEDS_ONE = "ALLOCATION_EXCEEDS_ONE"
    ALLOCATION_NOT_FULL = "ALLOCATION_NOT_FULL"
    QUORUM_NOT_POSSIBLE = "QUORUM_NOT_POSSIBLE"
    OVERLAP_FORBIDDEN = "OVERLAP_FORBIDDEN"
    NOT_A_SESSION = "NOT_A_SESSION"
    DEADLINE_MISSING = "DEADLINE_MISSING"
    DEADLINE_BEFORE_AS_OF = "DEADLINE_BEFORE_AS_OF"
    EXECUTION_NOT_POSSIBLE = "EXECUTION_NOT_POSSIBLE"


class RunTerms(Value):
    """The configuration of a run, carried by value wherever a decision needs it."""

    run_id: UUID = Field(description="The run; also the correlation id of all it causes.")
    as_of: Instant = Field(description="The valuation instant.")
    strategies: tuple[StrategyTerms, ...] = Field(description="The strategies of the run, sorted by strategy_id.")
    limits: Limits = Field(description="Thresholds of the run.")
    rules: RunRules = Field(description="How the strategies are brought together.")
    execution: ExecutionRules = Field(description="How the orders are sent.")
    valid_until: Instant = Field(description="Orders of this run are not sent after this instant.")
    deadline_at: Instant | None = Field(description="Latest time to wait for signals; null = without end.")
    bars_until: tuple[PartitionPosition, ...] = Field(description="How much of bars.v1 the strategies read.")


class Run(AccountRecord):
    """A rebalance is under way, or its request was refused for a stated reason."""

    topic: ClassVar[str] = "runs.v1"

    run_id: UUID = Field(description="The run; also its correlation id.")
    status: RunStatus = Field(description="REQUESTED or REFUSED.")
    refusal: RunRefusal | None = Field(description="Why it was refused; null when it was not.")
    detail: str = Field(description="The values that disagree, for a person; empty when nothing does.")
    warnings: tuple[str, ...] = Field(description="What was let pass, for a person: symbols that overlap; sorted.")
    terms: RunTerms = Field(description="The configuration, by value.")


class ClockReading(AccountRecord):
    """What the clock showed when a run began to wait for a deadline, and when it was due; time is an event."""

    topic: ClassVar[str] = "clock-readings.v1"

    run_id: UUID = Field(description="The run whose deadline is waited for.")
    due_at: Instant = Field(description="The deadline; a reading before it says that it is waited for.")
    read_at: Instant = Field(description="The clock's reading.")


class DeadlinePassed(AccountRecord):
    """The time to wait for signals of a run is over."""

    topic: ClassVar[str] = "deadlines.v1"

    run_id: UUID = Field(description="The run.")
    deadline_at: Instant = Field(description="The deadline that has passed.")
    terms: RunTerms = Field(description="The run's configuration, by value.")
