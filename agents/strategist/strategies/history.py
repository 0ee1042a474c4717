"""Enough bars or none: the bars each symbol of a strategy has, and who is left out for want of them."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from agents.strategist.bars import BarsSlice, DayClose
from agents.strategist.verdict import Verdict, failed
from schemas.run import StrategyTerms
from schemas.signal import SignalFailure, SkippedSymbol

TWELVE_DECIMALS = Decimal(1).scaleb(-12)


@dataclass(frozen=True)
class Histories:
    """The bars of the symbols that have enough, by symbol in order, and everything that was looked at."""

    enough: dict[str, tuple[DayClose, ...]]
    skipped: tuple[SkippedSymbol, ...]
    looked_at: tuple[tuple[DayClose, ...], ...]

    def failure(self) -> Verdict | None:
        """Return the verdict of a strategy that has no symbol with enough bars, or None when it has one."""
        if self.enough:
            return None
        some = any(each.reason is SignalFailure.NOT_ENOUGH_BARS for each in self.skipped)
        detail = "; ".join(f"{each.symbol}: {each.detail}" for each in self.skipped) or "expected a symbol, was none"
        verdict = Verdict(skipped=self.skipped, looked_at=self.looked_at)
        return failed(SignalFailure.NOT_ENOUGH_BARS if some else SignalFailure.NO_BARS, detail, verdict)


def histories(strategy: StrategyTerms, bars: BarsSlice, needed: int, wanted: int) -> Histories:
    """Return up to `wanted` bars of every symbol that has at least `needed` of them."""
    found = {symbol: bars.last(symbol, wanted) for symbol in sorted(strategy.symbols)}
    return Histories(
        enough={symbol: closes for symbol, closes in found.items() if len(closes) >= needed},
        skipped=tuple(_skipped(symbol, needed, len(c)) for symbol, c in found.items() if len(c) < needed),
        looked_at=tuple(found.values()),
    )


def equal_share(among: int) -> Decimal:
    """Return one `among`-th, rounded down to twelve decimals, so that all shares together are at most 1."""
    return (Decimal(1) / among).quantize(TWELVE_DECIMALS, rounding=ROUND_DOWN)


def _skipped(symbol: str, needed: int, found: int) -> SkippedSymbol:
    reason = SignalFailure.NOT_ENOUGH_BARS if found else SignalFailure.NO_BARS
    return SkippedSymbol(symbol=symbol, reason=reason, detail=f"expected {needed} bars, found {found}")
