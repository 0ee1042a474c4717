"""Fixed weights: always the same share of capital in each symbol; what is not given away stays cash."""

from agents.strategist.bars import BarsSlice
from agents.strategist.parameters import BadParameterError, by_name, number
from agents.strategist.verdict import Verdict
from schemas.run import StrategyTerms
from schemas.signal import TargetWeight


def fixed_weights(strategy: StrategyTerms, _bars: BarsSlice) -> Verdict:
    """Want the weights the settings name: SYMBOL=weight, each from -1 to 1, for symbols of the strategy only.

    A negative weight is a short in the strategy's own book; whether the account may go short is the planner's rule.
    No bar is looked at. A weight of 0 is the same as none.
    """
    values = by_name(strategy)
    foreign = sorted(name for name in values if name not in strategy.symbols)
    if foreign:
        raise BadParameterError(f"{foreign[0]}: expected one of {', '.join(strategy.symbols) or 'no symbols'}")
    weights = {name: number(values, name, -1, 1) for name in sorted(values)}
    return Verdict(
        targets=tuple(TargetWeight(symbol=name, weight=weight) for name, weight in weights.items() if weight),
        path=tuple(f"{name}: weight {weight:f}, fixed" for name, weight in weights.items()),
    )
