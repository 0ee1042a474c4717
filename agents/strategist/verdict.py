"""What a strategy answers: the weights it wants, or why it has none, and what it looked at on the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.strategist.bars import BarsSlice, DayClose
from schemas.run import StrategyTerms
from schemas.signal import SignalFailure, SkippedSymbol, TargetWeight


@dataclass(frozen=True)
class Verdict:
    """The answer of one strategy; `looked_at` holds the bars of one symbol after another, in order of symbol."""

    targets: tuple[TargetWeight, ...] = ()
    skipped: tuple[SkippedSymbol, ...] = ()
    path: tuple[str, ...] = ()
    looked_at: tuple[tuple[DayClose, ...], ...] = ()
    failure: SignalFailure | None = None
    detail: str = ""


Strategy = Callable[[StrategyTerms, BarsSlice], Verdict]
"""A strategy: a pure function of its terms and the bars it may see. Raises BadParameterError for its settings."""


def failed(failure: SignalFailure, detail: str, verdict: Verdict | None = None) -> Verdict:
    """Return `verdict`, or an empty one, as a failure that wants nothing."""
    return replace(verdict or Verdict(), failure=failure, detail=detail, targets=())
