"""Mean reversion on Wilder's relative strength index: buy what has fallen too far, leave what has risen too far."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from agents.strategist.bars import BarsSlice, DayClose
from agents.strategist.parameters import BadParameterError, number, settings, whole
from agents.strategist.strategies.history import TWELVE_DECIMALS, equal_share, histories
from agents.strategist.verdict import Verdict
from schemas.run import StrategyTerms
from schemas.signal import TargetWeight

BARS_MAX = 400
HUNDRED = Decimal(100)


def rsi(strategy: StrategyTerms, bars: BarsSlice) -> Verdict:
    """Buy `weight` of each symbol whose index over `n` is below `low`, none above `high`, a share in between.

    The share of a symbol in between is 1 / number of symbols listed, or, when the oversold leave less, an equal part of
    what they leave. Oversold symbols that want more than the whole are a failure (WEIGHTS_ABOVE_ONE).
    It takes max(5n, n + 1) bars, and reads 25n where there are as many, at most 400: after 25n steps the first bar
    counts e^-25. So n is at most 80. A symbol with fewer bars than it takes is skipped.
    """
    values = settings(strategy, ("n", "low", "high", "weight"))
    n, weight = whole(values, "n", 1, BARS_MAX // 5), number(values, "weight", 0, 1)
    low, high = number(values, "low", 0, 100), number(values, "high", 0, 100)
    if low > high:
        raise BadParameterError(f"low: expected at most high, which is {high}, was {low}")
    found = histories(strategy, bars, needed=max(5 * n, n + 1), wanted=min(25 * n, BARS_MAX))
    if failure := found.failure():
        return failure
    levels = {symbol: wilder_rsi(closes, n) for symbol, closes in found.enough.items()}
    weights = _weights(levels, low, high, weight, listed=len(strategy.symbols))
    return Verdict(
        targets=tuple(TargetWeight(symbol=symbol, weight=each) for symbol, each in weights.items() if each),
        skipped=found.skipped,
        path=tuple(
            f"{symbol}: rsi({n}) {level:f} on {found.enough[symbol][-1].session_date}, "
            f"{_relation(level, low, high)}, weight {weights[symbol]:f}"
            for symbol, level in levels.items()
        ),
        looked_at=found.looked_at,
    )


def wilder_rsi(closes: Sequence[DayClose], n: int) -> Decimal:
    """Return the index, 0 to 100, of the adjusted closes; 100 when nothing fell.

    Gains and losses are smoothed with alpha 1/n, starting from the first change. Each step is rounded half-even to
    twelve decimals, and so is the result.
    """
    gain, loss = _smoothed([close.units for close in closes], n)
    if loss == 0:
        return HUNDRED
    return (HUNDRED - HUNDRED / (1 + Decimal(gain) / Decimal(loss))).quantize(TWELVE_DECIMALS)


def _smoothed(prices: Sequence[int], n: int) -> tuple[int, int]:
    """Return the smoothed gain and loss of whole numbers: hundreds of steps for every symbol of a run, so no calls.

    A step is x = (x * (n - 1) + change) / n. Twice as much over twice as much, with n added, is that half-even, but for
    a tie: it comes out whole, and an odd one goes back to the even one below.
    """
    before = prices[1]
    gain, loss = max(before - prices[0], 0), max(prices[0] - before, 0)
    keep, by = 2 * (n - 1), 2 * n
    for after in prices[2:]:
        twice = 2 * (after - before)
        risen, fallen = gain * keep + n, loss * keep + n
        if twice > 0:
            risen += twice
        else:
            fallen -= twice
        gain, loss = risen // by, fallen // by
        if gain & 1 and gain * by == risen:
            gain -= 1
        if loss & 1 and loss * by == fallen:
            loss -= 1
        before = after
    return gain, loss


def _weights(
    levels: dict[str, Decimal], low: Decimal, high: Decimal, weight: Decimal, listed: int
) -> dict[str, Decimal]:
    oversold = sum(1 for level in levels.values() if level < low)
    between = sum(1 for level in levels.values() if low <= level <= high)
    left = max(1 - oversold * weight, Decimal(0))
    share = min(equal_share(listed), (left / max(between, 1)).quantize(TWELVE_DECIMALS, rounding=ROUND_DOWN))
    return {
        symbol: weight if level < low else share if level <= high else Decimal(0) for symbol, level in levels.items()
    }


def _relation(level: Decimal, low: Decimal, high: Decimal) -> str:
    if level < low:
        return f"below {low:f}"
    return f"above {high:f}" if level > high else f"between {low:f} and {high:f}"
