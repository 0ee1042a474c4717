"""What the strategies of a run want together."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.quantities import Weight
from schemas.record import AccountRecord, Value
from schemas.run import RunTerms


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


class PortfolioContent(Value):
    """What is wanted, carried by value wherever a decision needs it."""

    terms: RunTerms = Field(description="The run's configuration, by value.")
    targets: tuple[PortfolioTarget, ...] = Field(description="Consolidated targets, sorted by symbol.")
    silent_strategies: tuple[str, ...] = Field(
        description="Strategies that failed or did not answer: they keep what they hold."
    )
    kept: tuple[KeptSymbol, ...] = Field(description="Holdings left as they are, sorted by strategy and symbol.")


class Portfolio(AccountRecord):
    """The consolidated wish of a run."""

    topic: ClassVar[str] = "portfolios.v1"

    run_id: UUID = Field(description="The run.")
    is_partial: bool = Field(description="True when a strategy failed or is missing.")
    failed: tuple[str, ...] = Field(description="Strategies that said they could not decide, sorted.")
    missing: tuple[str, ...] = Field(description="Strategies that did not answer by the deadline, sorted.")
    signal_ids: tuple[UUID, ...] = Field(description="The signals it was made of, in order of strategy_id.")
    content: PortfolioContent = Field(description="What is wanted.")
