"""The strategies, by the name a run calls them: one table."""

from agents.strategist.strategies.fixed_weights import fixed_weights
from agents.strategist.strategies.momentum import momentum
from agents.strategist.strategies.rsi import rsi
from agents.strategist.verdict import Strategy

KINDS: dict[str, Strategy] = {
    "fixed-weights": fixed_weights,
    "momentum": momentum,
    "rsi": rsi,
}
