"""Momentum across symbols: hold those that rose most."""

from decimal import Decimal

from agents.strategist.bars import BarsSlice, DayClose
from agents.strategist.parameters import settings, whole
from agents.strategist.strategies.history import TWELVE_DECIMALS, equal_share, histories
from agents.strategist.verdict import Verdict
from schemas.run import StrategyTerms
from schemas.signal import TargetWeight


def momentum(strategy: StrategyTerms, bars: BarsSlice) -> Verdict:
    """Want the `n` symbols of highest cumulative return over `window` sessions, each with a weight of 1/n.

    The return is P(t) / P(t - window) - 1 of adjusted closes, rounded half-even to twelve decimals; ties go by symbol.
    It takes window + 1 bars; a symbol with fewer is skipped. With fewer than `n` symbols left each still gets 1/n: a
    gap in the data never makes another position larger.
    """
    values = settings(strategy, ("window", "n"))
    window, n = whole(values, "window", 1, 1000), whole(values, "n", 1, 1000)
    found = histories(strategy, bars, needed=window + 1, wanted=window + 1)
    if failure := found.failure():
        return failure
    returns = {symbol: cumulative_return(closes) for symbol, closes in found.enough.items()}
    ranked = sorted(returns, key=lambda symbol: (-returns[symbol], symbol))
    share = equal_share(n)
    return Verdict(
        targets=tuple(TargetWeight(symbol=symbol, weight=share) for symbol in ranked[:n]),
        skipped=found.skipped,
        path=tuple(
            f"{rank}. {symbol}: {_step(found.enough[symbol], returns[symbol])}, weight {share if rank <= n else 0}"
            for rank, symbol in enumerate(ranked, start=1)
        ),
        looked_at=found.looked_at,
    )


def cumulative_return(closes: tuple[DayClose, ...]) -> Decimal:
    """Return last / first - 1 of the adjusted closes, to twelve decimals."""
    return (closes[-1].adjusted_close / closes[0].adjusted_close - 1).quantize(TWELVE_DECIMALS)


def _step(closes: tuple[DayClose, ...], cumulative: Decimal) -> str:
    first, last = closes[0], closes[-1]
    prices = f"{first.adjusted_close} on {first.session_date} to {last.adjusted_close} on {last.session_date}"
    return f"{prices}, return {cumulative:f}"
