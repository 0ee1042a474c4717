"""What strategies want, and the collector's receipt for each of it."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.quantities import Weight
from schemas.record import AccountRecord, Value
from schemas.run import PartitionPosition, RunTerms


class SignalStatus(StrEnum):
    """Whether the strategy could say what it wants."""

    READY = "READY"
    FAILED = "FAILED"


class SignalFailure(StrEnum):
    """Why a strategy could not say what it wants."""

    UNKNOWN_STRATEGY = "UNKNOWN_STRATEGY"
    BAD_PARAMETER = "BAD_PARAMETER"
    NO_BARS = "NO_BARS"
    NOT_ENOUGH_BARS = "NOT_ENOUGH_BARS"
    WEIGHTS_ABOVE_ONE = "WEIGHTS_ABOVE_ONE"


class TargetWeight(Value):
    """How much of the strategy's capital one symbol should be."""

    symbol: str = Field(description="Ticker, upper case.")
    weight: Weight = Field(description="Fraction of the strategy's own capital; the allocation is applied later.")


class SkippedSymbol(Value):
    """A symbol the strategy left out, and why."""

    symbol: str = Field(description="Ticker, upper case.")
    reason: SignalFailure = Field(description="NO_BARS or NOT_ENOUGH_BARS.")
    detail: str = Field(description="Bars needed and bars found.")


class Signal(AccountRecord):
    """Target weights of one strategy for one run, or why it has none."""

    topic: ClassVar[str] = "signals.v1"

    signal_id: UUID = Field(description="Derived from run and strategy.")
    strategy_id: str = Field(description="The strategy that speaks.")
    status: SignalStatus = Field(description="READY or FAILED.")
    failure: SignalFailure | None = Field(description="Why it failed; null when it did not.")
    detail: str = Field(description="The values behind a failure, for a person; else empty.")
    targets: tuple[TargetWeight, ...] = Field(description="Wanted weights, sorted by symbol; absent = 0.")
    skipped: tuple[SkippedSymbol, ...] = Field(description="Symbols left out, sorted by symbol.")
    decision_path: tuple[str, ...] = Field(description="The steps of the decision with their numbers, in order.")
    bars_until: tuple[PartitionPosition, ...] = Field(description="How much of bars.v1 was read.")
    bars_count: int = Field(description="How many bars the decision looked at.", ge=0)
    bars_sha256: str = Field(description="Hash over the bars the decision looked at, in hex.")
    terms: RunTerms = Field(description="The run's configuration, by value.")


class ReceiptStatus(StrEnum):
    """What became of a signal at the collector."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    CONFLICTING = "CONFLICTING"
    LATE = "LATE"
    UNEXPECTED = "UNEXPECTED"


class SignalReceipt(AccountRecord):
    """The collector's memory of one signal, by value."""

    topic: ClassVar[str] = "signal-receipts.v1"

    run_id: UUID = Field(description="The run.")
    signal_id: UUID = Field(description="The signal this is the receipt of.")
    strategy_id: str = Field(description="The strategy that spoke.")
    status: ReceiptStatus = Field(description="What became of the signal.")
    signal_status: SignalStatus = Field(description="READY or FAILED, as the strategy said.")
    targets: tuple[TargetWeight, ...] = Field(description="Its targets, by value, sorted by symbol.")
    skipped: tuple[str, ...] = Field(description="Symbols it could not judge, sorted.")
    terms: RunTerms = Field(description="The run's configuration, by value.")
