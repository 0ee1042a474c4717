"""What the strategies of a run want together, and what a person decides where they disagree."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.quantities import Weight
from schemas.record import AccountRecord, Instant, Value
from schemas.run import ConflictRule, RunTerms
from schemas.signal import TargetWeight


class Contribution(Value):
    """One strategy's part in a consolidated weight."""

    strategy_id: str = Field(description="The strategy.")
    weight: Weight = Field(description="Fraction of the account's equity: its target times its allocation.")


class PortfolioTarget(Value):
    """One symbol's consolidated weight; the contributions sum to it."""

    symbol: str = Field(description="Ticker, upper case.")
    weight: Weight = Field(description="Fraction of the account's equity.")
    contributions: tuple[Contribution, ...] = Field(description="Who wants how much of it, sorted by strategy_id.")


class KeptSymbol(Value):
    """A symbol that one strategy could not judge: it wants to keep what it holds of it."""

    strategy_id: str = Field(description="The strategy.")
    symbol: str = Field(description="Ticker, upper case.")


class BookTargets(Value):
    """What one strategy with a book of its own wants."""

    strategy_id: str = Field(description="The strategy.")
    targets: tuple[TargetWeight, ...] = Field(description="Weights of its own capital, sorted by symbol; absent = 0.")


class Conflict(Value):
    """A symbol that one netted strategy wants long and another one short, and what was made of it."""

    symbol: str = Field(description="Ticker, upper case.")
    rule: ConflictRule = Field(description="The rule that was applied.")
    wishes: tuple[Contribution, ...] = Field(description="What each wanted before the rule, sorted by strategy_id.")
    decided_by: str | None = Field(
        description="Whose word counts: a strategy with LAST, a person with FLAG; null where nobody's alone does."
    )
    is_open: bool = Field(description="True while a person has to decide: the symbol is held as it is.")


class PortfolioContent(Value):
    """What is wanted, carried by value wherever a decision needs it."""

    terms: RunTerms = Field(description="The run's configuration, by value.")
    targets: tuple[PortfolioTarget, ...] = Field(
        description="Consolidated targets of the netted strategies, sorted by symbol."
    )
    book_targets: tuple[BookTargets, ...] = Field(
        description="Targets of each strategy that keeps its own book and has spoken, sorted by strategy_id."
    )
    silent_strategies: tuple[str, ...] = Field(
        description="Strategies that failed or did not answer: they keep what they hold."
    )
    kept: tuple[KeptSymbol, ...] = Field(description="Holdings left as they are, sorted by strategy and symbol.")
    conflicts: tuple[Conflict, ...] = Field(description="Where netted strategies disagreed, sorted by symbol.")
    scope: tuple[str, ...] | None = Field(
        description="Only these symbols are judged, everything else is kept; null = all symbols."
    )


class PortfolioStatus(StrEnum):
    """Whether enough strategies have spoken."""

    FORMED = "FORMED"
    QUORUM_MISSED = "QUORUM_MISSED"


class Portfolio(AccountRecord):
    """The consolidated wish of a run."""

    topic: ClassVar[str] = "portfolios.v1"

    run_id: UUID = Field(description="The run.")
    status: PortfolioStatus = Field(description="FORMED, or QUORUM_MISSED: nothing is traded.")
    is_partial: bool = Field(description="True when a strategy failed or is missing.")
    failed: tuple[str, ...] = Field(description="Strategies that said they could not decide, sorted.")
    missing: tuple[str, ...] = Field(description="Strategies that did not answer by the deadline, sorted.")
    signal_ids: tuple[UUID, ...] = Field(description="The signals it was made of, in order of strategy_id.")
    content: PortfolioContent = Field(description="What is wanted.")


class ConflictChoice(StrEnum):
    """What a person may decide about a conflict."""

    TAKE = "TAKE"
    SUM = "SUM"
    HOLD = "HOLD"


class ConflictDecision(AccountRecord):
    """A person decides a conflict that a run has flagged; recorded raw, judged by the collector."""

    topic: ClassVar[str] = "conflict-decisions.v1"

    run_id: UUID = Field(description="The run whose conflict is decided.")
    symbol: str = Field(description="The symbol in conflict.")
    choice: ConflictChoice = Field(description="TAKE one strategy's wish, SUM all wishes, or HOLD what is held.")
    strategy_id: str | None = Field(description="With TAKE: whose wish counts; otherwise null.")
    decided_by: str = Field(description="Who decides.", min_length=1)
    reason: str = Field(description="Why, in the person's words; may be empty.")
    valid_until: Instant = Field(description="Orders that follow from it are not sent after this instant.")


class ConflictStatus(StrEnum):
    """What became of a person's decision, in the order the checks are made."""

    UNKNOWN_CONFLICT = "UNKNOWN_CONFLICT"
    SUPERSEDED = "SUPERSEDED"
    DUPLICATE = "DUPLICATE"
    UNKNOWN_STRATEGY = "UNKNOWN_STRATEGY"
    ACCEPTED = "ACCEPTED"


class ConflictOutcome(AccountRecord):
    """What became of a person's decision; an accepted one is followed by a portfolio of that symbol alone."""

    topic: ClassVar[str] = "conflict-outcomes.v1"

    run_id: UUID = Field(description="The run whose conflict was decided.")
    symbol: str = Field(description="The symbol in conflict.")
    status: ConflictStatus = Field(description="ACCEPTED, or why it was not.")
    choice: ConflictChoice = Field(description="What was decided.")
    strategy_id: str | None = Field(description="With TAKE: whose wish counts; otherwise null.")
    decided_by: str = Field(description="Who decided.")
    follow_up_run_id: UUID | None = Field(description="The run that trades the decision; null when nothing is traded.")
