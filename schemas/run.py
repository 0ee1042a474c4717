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


class ConflictRule(StrEnum):
    """How the collector combines strategies that want the same symbol."""

    SUM = "SUM"


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
    symbols: tuple[str, ...] = Field(description="The symbols it may want, sorted.")
    parameters: tuple[Parameter, ...] = Field(description="Its settings, sorted by name.")


class Limits(Value):
    """The thresholds a plan is held to; each is named by its rule id in the plan line it acts on."""

    trade_value_min: Money = Field(description="MIN_TRADE_VALUE: lines worth less than this are suppressed, dollars.")
    quantity_step: Quantity = Field(description="Smallest tradable quantity; 1 = whole shares.", gt=0)
    weight_total_max: Weight = Field(description="WEIGHT_TOTAL_MAX: greatest sum of target weights.")
    cash_reserve: Weight = Field(description="Fraction of equity that buys may not touch.", ge=0, lt=1)
    quote_age_max_s: int = Field(description="QUOTE_STALE: oldest quote a line may be planned on, seconds.", gt=0)


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
    conflict_rule: ConflictRule = Field(description="How strategies are combined.")
    valid_until: Instant = Field(description="Orders of this run are not sent after this instant.")
    deadline_at: Instant | None = Field(description="Latest time to wait for signals; null = wait for all.")
    bars_until: tuple[PartitionPosition, ...] = Field(description="How much of bars.v1 the strategies read.")


class RunStatus(StrEnum):
    """What the scheduler made of a request."""

    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"


class RunRefusal(StrEnum):
    """Why a request became no run, in the order the checks are made."""

    RUN_ID_MISMATCH = "RUN_ID_MISMATCH"
    NO_STRATEGIES = "NO_STRATEGIES"
    DUPLICATE_STRATEGY = "DUPLICATE_STRATEGY"
    ALLOCATION_EXCEEDS_ONE = "ALLOCATION_EXCEEDS_ONE"
    NOT_A_SESSION = "NOT_A_SESSION"
    DEADLINE_BEFORE_AS_OF = "DEADLINE_BEFORE_AS_OF"
    MODE_NOT_OFFERED = "MODE_NOT_OFFERED"


class RunTerms(Value):
    """The configuration of a run, carried by value wherever a decision needs it."""

    run_id: UUID = Field(description="The run; also the correlation id of all it causes.")
    as_of: Instant = Field(description="The valuation instant.")
    strategies: tuple[StrategyTerms, ...] = Field(description="The strategies of the run, sorted by strategy_id.")
    limits: Limits = Field(description="Thresholds of the run.")
    conflict_rule: ConflictRule = Field(description="How strategies are combined.")
    valid_until: Instant = Field(description="Orders of this run are not sent after this instant.")
    deadline_at: Instant | None = Field(description="Latest time to wait for signals; null = wait for all.")
    bars_until: tuple[PartitionPosition, ...] = Field(description="How much of bars.v1 the strategies read.")


class Run(AccountRecord):
    """A rebalance is under way, or its request was refused for a stated reason."""

    topic: ClassVar[str] = "runs.v1"

    run_id: UUID = Field(description="The run; also its correlation id.")
    status: RunStatus = Field(description="REQUESTED or REFUSED.")
    refusal: RunRefusal | None = Field(description="Why it was refused; null when it was not.")
    detail: str = Field(description="The values that disagree, for a person; empty when nothing does.")
    terms: RunTerms = Field(description="The configuration, by value.")


class ClockReading(AccountRecord):
    """What the clock showed when something was due; time is an event."""

    topic: ClassVar[str] = "clock-readings.v1"

    run_id: UUID = Field(description="The run whose deadline is due.")
    read_at: Instant = Field(description="The clock's reading.")


class DeadlinePassed(AccountRecord):
    """The time to wait for signals of a run is over."""

    topic: ClassVar[str] = "deadlines.v1"

    run_id: UUID = Field(description="The run.")
    deadline_at: Instant = Field(description="The deadline that has passed.")
